"""Everything in a built model that is a number and not structure: observations, priors, scales, by name.

Two resolved models of the same :func:`structure` differ in :func:`model_data` only: one compiled program serves both.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from bayescale.build.information import information
from bayescale.build.shown import shown
from bayescale.errors import ModelError, unknown
from bayescale.laws import Array, overlap
from bayescale.runs import Runs, path_labels, preceding, sweeps, unfinished
from bayescale.spec import Prior, ResolvedModel, coords

_ORDER = (
    "architecture", "task", "study", "params", "tokens", "compute", "loss", "sweep", "upstream_loss",
)  # fmt: skip


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
        Also of its ``curve``, ``sweep`` and ``path`` where the model has drift, sweeps or a run effect, and the
        position of the row of the checkpoint before (``previous``) where it has a correlation along runs.
    upper : ndarray or None, shape (run,)
        Random-guess level of the row's task, for bounded laws.
    finished : ndarray of bool, shape (run,)
        False where the loss bounds that of a run which still trains.
    trials, errors : ndarray of int, shape (run,)
        Items behind the loss and wrong answers among them; zeros where the model counts none.
    gap : ndarray, shape (run,)
        Log of the step over that of the checkpoint before; infinite where there is none, or no correlation.
    """

    centred: dict[str, np.ndarray]
    log_loss: np.ndarray
    log_loss_se: np.ndarray
    index: dict[str, np.ndarray]
    upper: np.ndarray | None
    finished: np.ndarray
    trials: np.ndarray
    errors: np.ndarray
    gap: np.ndarray


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
    if model.paths:
        at_path = {label: i for i, (label, _, _) in enumerate(model.paths)}
        own_path = path_labels(table, model.spec.likelihood.sharing)
        if not set(own_path) <= set(at_path):
            raise ModelError("the table has other runs than those that the model was resolved on")
        index["path"] = own_path.map(at_path).to_numpy("int64")
    gap = np.full(len(table), np.inf)
    if model.spec.likelihood.correlation_length is not None:
        index["previous"], gap = preceding(table)
    law = model.get_law()
    logs = law.logs(law.values(table))
    loss = table["loss"].to_numpy(float)
    counted = model.spec.likelihood.family == "binomial"
    trials = table["trials"].to_numpy("int64") if counted else np.zeros(len(table), dtype="int64")
    se = table["loss_se"].to_numpy(float) if "loss_se" in table else np.zeros(len(table))
    return Observations(
        centred={axis: logs[axis] - pivot for axis, pivot in model.pivots.items()},
        log_loss=np.log(loss),
        log_loss_se=np.nan_to_num(se) / loss,
        index=index,
        upper=np.array([model.upper[str(t)] for t in table["task"]]) if model.upper else None,
        finished=~unfinished(table),
        trials=trials,
        errors=np.rint(loss * trials).astype("int64"),
        gap=gap,
    )


def canonical_rows(runs: Runs) -> pd.DataFrame:
    """The table in an order that does not depend on how it was given, so that a seed fixes the draws."""
    return runs.table.loc[_order(runs)].reset_index(drop=True)


def _order(runs: Runs) -> pd.Index:
    columns = [c for c in _ORDER if c in runs.table]
    return runs.table.sort_values(columns, kind="stable").index


def model_data(model: ResolvedModel, runs: Runs) -> xr.Dataset:
    """Values of all mutable data of :func:`bayescale.build.build`, by name.

    Returns
    -------
    xarray.Dataset
        ``log_loss``, ``log_loss_se``, ``<level>_index``, ``upper`` and the inputs (``u_<axis>``, or ``overlap_<axis>``
        with a dim ``interval_<axis>`` where the axis drifts and is read as it is), dim ``run``; of a binomial
        ``trials`` and ``errors`` in place of losses, and with unfinished runs ``final``, ``still`` (positions of rows)
        and ``bound``; with a correlation along runs ``gap`` and ``follows`` (1 where there is a checkpoint before);
        what :func:`bayescale.build.shown.shown` gives, where groups show their levels;
        ``first_of_<group>``, a row of each curve, sweep and path; ``prior_<parameter>_<argument>``, scalars;
        ``scale_<level>``, the prior scales of τ, and ``centring_<level>``, of the parameters of a level;
        ``centring_curve``.
    """
    seen = observations(model, runs)
    data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        f"{level}_index": (("run",), value) for level, value in seen.index.items()
    }
    for group, dim in (("curve", "curve"), ("sweep", "sweep_label"), ("path", "path")):
        if group in seen.index:
            first = np.unique(seen.index[group], return_index=True)[1]
            data[f"first_of_{group}"] = ((dim,), first)
    for axis, value in seen.centred.items():
        if axis in model.drift and model.get_law().plain:
            lengths = overlap(value, *model.drift[axis])
            data[f"overlap_{axis}"] = (("run", f"interval_{axis}"), lengths)
        else:
            data[f"u_{axis}"] = (("run",), value)
    data |= shown(model, seen)
    if seen.upper is not None:
        data["upper"] = (("run",), seen.upper)
    data |= information(model, seen)
    for name, prior in priors(model).items():
        data |= {f"prior_{name}_{key}": ((), np.asarray(number)) for key, number in prior.values}
    for level in model.levels():
        names = model.pooled_parameters(level)
        scale = np.array([model.parameters[n].pool[level] for n in names])
        data[f"scale_{level}"] = ((f"parameter_{level}",), scale)
    return xr.Dataset(data | _observed(model, seen))


def _observed(
    model: ResolvedModel, seen: Observations
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """What is counted or measured; bounds apart from final losses, each with the positions of its rows."""
    if model.spec.likelihood.family == "binomial":
        return {"trials": (("run",), seen.trials), "errors": (("run",), seen.errors)}
    if not model.unfinished:
        found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "log_loss_se": (("run",), seen.log_loss_se),
            "log_loss": (("run",), seen.log_loss),
        }
        if "previous" in seen.index:
            follows = np.isfinite(seen.gap)
            # Of the first row of a run any length will do, and an infinite one has no derivative.
            found["gap"] = (("run",), np.where(follows, seen.gap, 1.0))
            found["follows"] = (("run",), follows.astype(float))
        return found
    final, still = np.flatnonzero(seen.finished), np.flatnonzero(~seen.finished)
    return {
        "log_loss_se": (("run",), seen.log_loss_se),
        "final": (("finished_run",), final),
        "log_loss": (("finished_run",), seen.log_loss[final]),
        "still": (("unfinished_run",), still),
        "bound": (("unfinished_run",), seen.log_loss[still]),
    }


def priors(model: ResolvedModel) -> dict[str, Prior]:
    """Priors of all parameters that have one, and of ν − 2."""
    found = {n: p.get_prior() for n, p in model.parameters.items() if p.prior is not None}
    if model.nu_minus_2 is not None:
        found["nu_minus_2"] = Prior.parse(model.nu_minus_2)
    return found


def declare(data: xr.Dataset) -> None:
    """Give the open ``pm.Model`` its data."""
    model = pm.modelcontext(None)
    for dim, size in data.sizes.items():
        if dim not in model.coords:
            model.add_coord(str(dim), np.arange(size))
    for name, value in data.data_vars.items():
        pm.Data(str(name), value.to_numpy(), dims=tuple(map(str, value.dims)) or None)


def datum(name: str) -> Array:
    """One of the open model's data."""
    return pm.modelcontext(None)[name]


def numbers(name: str, prior: Prior) -> dict[str, Array]:
    """The arguments of a parameter's prior, as the open model's data."""
    return {key: datum(f"prior_{name}_{key}") for key, _ in prior.values}


def structure(model: ResolvedModel) -> str:
    """A key of all that a compiled program depends on besides :func:`model_data`."""
    shape: dict[str, Any] = {
        "spec": model.spec.model_dump(mode="json"),
        "pooled": model.pooled,
        "levels": model.levels(),
        "sizes": {
            # Names of parameters are structure; labels of groups are not.
            dim: labels if dim.startswith("parameter_") else len(labels)
            for dim, labels in coords(model).items()
        },
        "drift": model.drift,
        "parameters": {
            name: [p.support, p.fixed, p.equals, list(p.pool)]
            for name, p in model.parameters.items()
        },
        "families": {name: prior.family for name, prior in priors(model).items()},
        "bounded": bool(model.upper),
        "level_dims": model.level_dims,
        "slope": model.slope,
        "unfinished": model.unfinished,
        "axes": list(model.pivots),
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
