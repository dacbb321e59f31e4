"""A resolved model and a table become a ``pm.Model``: the hierarchy written out, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.drift import at_groups, stretched
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.build.population import centring, populations, variable
from bayescale.errors import ModelError, unknown
from bayescale.laws import Array, from_link, to_link
from bayescale.runs import Runs, sweeps
from bayescale.spec import GROUP_DIMS, Level, Prior, ResolvedModel, coords, effect_dims

_ORDER = ("architecture", "task", "study", "params", "tokens", "compute", "loss", "sweep")


@dataclass(frozen=True)
class Observations:
    """What the likelihood reads: one entry a row, labels already turned into positions.

    Attributes
    ----------
    centred : dict of str to ndarray, shape (run,)
        Log inputs less their pivots.
    log_loss : ndarray, shape (run,)
    log_loss_se : ndarray, shape (run,)
        Standard error of the log loss where the table gives one, else 0.
    index : dict of str to ndarray of int, shape (run,)
        Position of each row's architecture, task and study among the model's groups.
        Also of its ``curve`` and its ``sweep`` where the model has drift or sweeps.
    upper : ndarray or None, shape (run,)
        Random-guess level of the row's task, for bounded laws.
    """

    centred: dict[str, np.ndarray]
    log_loss: np.ndarray
    log_loss_se: np.ndarray
    index: dict[str, np.ndarray]
    upper: np.ndarray | None


def observations(model: ResolvedModel, runs: Runs) -> Observations:
    """Line a table up with a resolved model; every label is checked here, since compiled code checks no bounds."""
    order = _order(runs)
    table = runs.table.loc[order].reset_index(drop=True)
    index: dict[str, np.ndarray] = {}
    for level, labels in model.groups.items():
        position = {label: i for i, label in enumerate(labels)}
        for label in table[level].astype(str).unique():
            if label not in position:
                raise unknown(level, label, labels, "the resolved model")
        index[level] = table[level].astype(str).map(position).to_numpy("int64")
    if model.curves:
        at = {pair: i for i, pair in enumerate(model.curves)}
        pairs = zip(table["architecture"].astype(str), table["task"].astype(str), strict=True)
        index["curve"] = np.array([at[pair] for pair in pairs], dtype="int64")
    if model.sweeps:
        at_sweep = {label: i for i, label in enumerate(model.sweeps)}
        own = sweeps(runs)
        if own is None or not set(own) <= set(at_sweep):
            raise ModelError("the table has other sweeps than those that the model was resolved on")
        index["sweep"] = own.loc[order].map(at_sweep).to_numpy("int64")
    loss = table["loss"].to_numpy(float)
    se = table["loss_se"].to_numpy(float) if "loss_se" in table else np.zeros(len(table))
    return Observations(
        centred={
            axis: np.log(table[axis].to_numpy(float)) - pivot
            for axis, pivot in model.pivots.items()
        },
        log_loss=np.log(loss),
        log_loss_se=np.nan_to_num(se) / loss,
        index=index,
        upper=np.array([model.upper[str(t)] for t in table["task"]]) if model.upper else None,
    )


def canonical_rows(runs: Runs) -> pd.DataFrame:
    """The table in an order that does not depend on how it was given, so that a seed fixes the draws."""
    return runs.table.loc[_order(runs)].reset_index(drop=True)


def _order(runs: Runs) -> pd.Index:
    columns = [c for c in _ORDER if c in runs.table]
    return runs.table.sort_values(columns, kind="stable").index


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
        With mutable data ``u_<axis>`` (``overlap_<axis>`` where the axis drifts), ``log_loss``, ``log_loss_se`` and
        ``<level>_index``.
    """
    data = observations(model, runs)
    law = model.get_law()
    with pm.Model(coords={**coords(model), "run": np.arange(len(data.log_loss))}) as built:
        index = {
            level: pm.Data(f"{level}_index", value, dims="run")
            for level, value in data.index.items()
        }
        theta = law.complete(_by_run(model, index), xp)
        for name, parameter in model.parameters.items():
            if parameter.equals is not None:
                theta[name] = theta[parameter.equals]
        centred = {
            axis: stretched(model, axis, value, theta["drift"], data.index["curve"])
            if axis in model.drift
            else pm.Data(f"u_{axis}", value, dims="run")
            for axis, value in data.centred.items()
        }
        upper = None if data.upper is None else pm.Data("upper", data.upper, dims="run")
        mu = pt.log(law.loss(centred, theta, upper, xp))
        if model.sweeps:
            z = pm.Normal("z_offset", dims="sweep_label")
            tau = at_groups(theta["sweep"], data.index["sweep"])
            offset = pm.Deterministic("offset", tau * z, dims="sweep_label")
            mu = mu + offset[index["sweep"]]
        se = pm.Data("log_loss_se", data.log_loss_se, dims="run")
        scale = pt.sqrt(theta["sigma"] ** 2 + se**2)
        observed = pm.Data("log_loss", data.log_loss, dims="run")
        if model.nu_minus_2 is None:
            pm.Normal("y", mu=mu, sigma=scale, observed=observed, dims="run")
        else:
            extra = variable("nu_minus_2", Prior.parse(model.nu_minus_2), ())
            nu = pm.Deterministic("nu", extra + 2.0)
            pm.StudentT("y", nu=nu, mu=mu, sigma=scale, observed=observed, dims="run")
    return built


def _scales(model: ResolvedModel, level: Level) -> Array:
    """τ of every parameter that is pooled over a level."""
    scale = np.array([model.parameters[n].pool[level] for n in model.pooled_parameters(level)])
    return pm.HalfNormal(f"tau_{level}", sigma=scale, dims=f"parameter_{level}")


def _effects(
    model: ResolvedModel,
    level: Level,
    tau: Array,
    given: Mapping[str, Array],
    rows_per_group: float,
) -> dict[str, Array]:
    """Effects of one level on the link scale, by parameter: those given, the others as :func:`centring` has them.

    Effects sum to zero over their groups, so that the population is the mean of the groups: else every effect could
    be shifted against it, along a ridge that is longer the better the data.
    """
    names, groups = model.pooled_parameters(level), GROUP_DIMS[level]
    rest = [n for n in names if n not in given]
    effect = dict(given)
    if rest:
        pm.modelcontext(None).add_coord(f"drawn_{level}", rest)
        dims = (f"drawn_{level}", *groups)
        spread, factor = centring(tau[[names.index(n) for n in rest]], rows_per_group)
        wide = spread.reshape((len(rest), *[1] * len(groups)))
        v = pm.ZeroSumNormal(f"z_{level}", sigma=wide, dims=dims, n_zerosum_axes=len(groups))
        effect |= {n: factor[i] * v[i] for i, n in enumerate(rest)}
    stacked = pt.stack([effect[n] for n in names])
    pm.Deterministic(f"effect_{level}", stacked, dims=effect_dims(level))
    return effect


def _by_run(model: ResolvedModel, index: Mapping[str, Array]) -> dict[str, Array]:
    """Each parameter at each run, from its population value and the effects of the run's groups."""
    tau = {level: _scales(model, level) for level in model.levels()}
    population = populations(model, tau)
    effects = {
        level: _effects(
            model,
            level,
            scale,
            population.by_task if level == "task" else {},
            model.rows / _groups(model, level),
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
            at = (0, 0) if one else (index["architecture"], index["task"])
            theta[name] = population.value[name][at]
        elif parameter.prior is not None:
            theta[name] = population.value[name]
            mine = [level for level, by_name in effects.items() if name in by_name]
            if mine:
                eta = to_link(xp, parameter.support, theta[name])
                for level in mine:
                    eta = eta + _at_runs(level, effects[level][name], index)
                theta[name] = from_link(xp, parameter.support, eta)
    return theta


def _at_runs(level: Level, effect: Array, index: Mapping[str, Array]) -> Array:
    if level == "cell":
        return effect[index["architecture"], index["task"]]
    return effect[index[level]]
