"""A resolved model and a table become a ``pm.Model``: the hierarchy written out, level by level."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum, declare, model_data
from bayescale.build.effects import group_effects, scales
from bayescale.build.inputs import core_inputs
from bayescale.build.likelihood import observe, offsets
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.build.population import populations
from bayescale.laws import Array, from_link, to_link
from bayescale.runs import Runs
from bayescale.spec import Level, ResolvedModel, coords


def build(model: ResolvedModel, runs: Runs) -> pm.Model:
    """Write a resolved model out in PyMC.

    Every parameter θ with link g has g(θ) = g(μ) + Σ over its levels of a group effect with standard deviation τ, which
    sums to zero over the groups of its level. One matrix of effects a level keeps the graph, and compilation, small.

    Parameters
    ----------
    model : ResolvedModel
        From :func:`bayescale.spec.resolve`.
    runs : Runs
        The table it was resolved on.

    Returns
    -------
    pymc.Model
        All its numbers are mutable data, by the names of :func:`bayescale.build.model_data`.
    """
    law = model.get_law()
    data = model_data(model, runs)
    with pm.Model(coords={**coords(model), "run": np.arange(data.sizes["run"])}) as built:
        declare(data)
        theta = law.complete(_by_run(model), xp, datum("upper") if model.upper else None)
        for name, parameter in model.parameters.items():
            if parameter.equals is not None:
                theta[name] = theta[parameter.equals]
        inputs, upper = core_inputs(model, theta), datum("upper") if model.upper else None
        beside = {name: datum(f"u_{name}") for name in model.pivots} if law.modifiers else None
        mu = pt.log(law.loss(inputs, theta, upper, xp, beside))
        observe(model, theta, mu + offsets(model, theta))
    return built


def _by_run(model: ResolvedModel) -> dict[str, Array]:
    """Each parameter at each run, from its population value and the effects of the run's groups."""
    tau = {level: scales(level) for level in model.levels()}
    population = populations(model, tau)
    effects = {
        level: group_effects(
            model, level, scale, population.effects.get(level, {}), population.value.get("R0")
        )
        for level, scale in tau.items()
    }
    theta: dict[str, Array] = {}
    for name, parameter in model.parameters.items():
        if parameter.fixed is not None:
            theta[name] = pt.constant(parameter.fixed)
        elif parameter.prior is not None and not model.pooled:
            # One cell stays a scalar: gathered to every run it would be worked out once a run.
            one = all(len(model.groups[side]) == 1 for side in ("architecture", "task"))
            at = (0, 0) if one else (datum("architecture_index"), datum("task_index"))
            theta[name] = population.value[name][at]
        elif parameter.prior is not None:
            theta[name] = population.value[name]
            mine = [level for level, by_name in effects.items() if name in by_name]
            if mine:
                eta = to_link(xp, parameter.support, theta[name])
                for level in mine:
                    eta = eta + _at_runs(level, effects[level][name])
                theta[name] = from_link(xp, parameter.support, eta)
    return theta


def _at_runs(level: Level, effect: Array) -> Array:
    if level == "cell":
        return effect[datum("architecture_index"), datum("task_index")]
    return effect[datum(f"{level}_index")]
