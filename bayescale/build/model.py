"""A resolved model and a table become a ``pm.Model``: the hierarchy written out, level by level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum, declare, model_data
from bayescale.build.inputs import core_inputs
from bayescale.build.likelihood import observe, offsets
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.build.population import populations, spread
from bayescale.build.products import matrix_product
from bayescale.laws import Array, from_link, to_link
from bayescale.runs import Runs
from bayescale.spec import (
    GROUP_DIMS,
    Level,
    ResolvedModel,
    cholesky,
    concentration,
    coords,
    effect_dims,
)


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


def _scales(level: Level) -> Array:
    """τ of every parameter that is pooled over a level."""
    return pm.HalfNormal(f"tau_{level}", sigma=datum(f"scale_{level}"), dims=f"parameter_{level}")


def _effects(
    model: ResolvedModel, level: Level, tau: Array, given: Mapping[str, Array]
) -> dict[str, Array]:
    """Effects of one level on the link scale, by parameter: those given, the others as
    :mod:`bayescale.build.information` says.

    Effects sum to zero over their groups, so that the population is the mean of the groups: else every effect could
    be shifted against it, along a ridge that is longer the better the data.
    """
    names, groups = model.pooled_parameters(level), GROUP_DIMS[level]
    rest = [n for n in names if n not in given]
    effect = dict(given)
    if rest:
        pm.modelcontext(None).add_coord(f"drawn_{level}", rest)
        at = [names.index(n) for n in rest]
        wide = tau[at].reshape((len(rest), *[1] * len(groups)))
        s = spread(wide, datum(f"information_{level}")[at])
        dims = (f"drawn_{level}", *(f"contrast_{side}" for side in groups))
        unit = pm.Normal(f"z_{level}", sigma=s, dims=dims) / s
        for axis, side in enumerate(groups, start=1):
            unit = matrix_product(datum(f"basis_{side}"), unit, axis)
        eta = model.correlation(level)
        if eta is not None:
            # Mixing the parameters within each group leaves the sums over groups at zero.
            unit = pt.tensordot(_correlation(model, level, eta), unit, axes=1)
        effect |= {n: tau[at[i]] * unit[i] for i, n in enumerate(rest)}
    stacked = pt.stack([effect[n] for n in names])
    pm.Deterministic(f"effect_{level}", stacked, dims=effect_dims(level))
    return effect


def _correlation(model: ResolvedModel, level: Level, eta: float) -> Array:
    """Cholesky factor of the correlation of a level's effects across parameters, under LKJ(η)."""
    size = len(model.pooled_parameters(level))
    b = concentration(size, eta)
    unit = pm.Beta(f"z_partial_{level}", alpha=b, beta=b, dims=f"pair_{level}")
    partial = pm.Deterministic(
        f"partial_correlation_{level}", 2.0 * unit - 1.0, dims=f"pair_{level}"
    )
    return cholesky(partial, size, xp)


def _by_run(model: ResolvedModel) -> dict[str, Array]:
    """Each parameter at each run, from its population value and the effects of the run's groups."""
    tau = {level: _scales(level) for level in model.levels()}
    population = populations(model, tau)
    effects = {
        level: _effects(model, level, scale, population.effects.get(level, {}))
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
