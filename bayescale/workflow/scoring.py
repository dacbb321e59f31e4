"""Scoring the held-out runs of one fold, by a fit or a baseline: what the rows of a back-test hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.baselines import Baseline, Rows
from bayescale.errors import DataError
from bayescale.posterior import Fit, Group, New, keyed_generator
from bayescale.predict import (
    FLOP_PER_PARAM_TOKEN,
    Noise,
    campaign_offset,
    decades_outside,
    expected_coverage,
    joint_log_score,
    mixture,
    predict,
    predictive_log_density,
    replayed,
    replicated,
    run_log_loss,
    scored,
)
from bayescale.runs import Runs, path_labels, sweeps
from bayescale.workflow.folds import By, Fold, scale_of

_PLACE = ("run_id", "architecture", "task", "group", "params", "tokens", "compute", "loss")


def grouped(table: Runs) -> pd.DataFrame:
    """The table with the ``group`` of every run: its sweep, or its architecture and task where there are none."""
    frame = table.table
    groups = sweeps(table)
    frame["group"] = (
        groups
        if groups is not None
        else frame["architecture"].astype(str) + " | " + frame["task"].astype(str)
    )
    return frame


def with_place(part: pd.DataFrame, scores: xr.Dataset) -> pd.DataFrame:
    """Where each run lies, and its scores."""
    place = part[[c for c in _PLACE if c in part]].reset_index(drop=True)
    return pd.concat([place, scores.to_dataframe().reset_index(drop=True)], axis=1)


@dataclass(frozen=True)
class _Scored:
    """Held-out runs of one architecture and task.

    Attributes
    ----------
    rows : DataFrame
        Where each lies, and its scores.
    replicates : ndarray, shape (draw, row)
        Losses as they may come together, a set a draw.
    joint : list of dict
        Joint density of each of their groups; empty of a baseline, which forecasts runs one by one.
    """

    rows: pd.DataFrame
    replicates: np.ndarray
    joint: list[dict[str, Any]] = field(default_factory=list)


def score_fit(fitted: Fit, fold: Fold, table: Runs) -> dict[str, Any]:
    """Score the held-out rows of a fold by the fit to the others; plain data, as it is kept on disk."""
    held = grouped(table)[fold.held_out]
    scores = [
        _score_group(fitted, part, str(a), str(t))
        for (a, t), part in held.groupby(["architecture", "task"], sort=True)
    ]
    said = fitted.convergence
    verdict = {"engine": said.engine, "converged": said.passed, "verdict": str(said)}
    return _as_kept(fitted.model.spec.name, fold, scores, verdict)


def _as_kept(
    name: str, fold: Fold, scores: Sequence[_Scored], verdict: Mapping[str, Any]
) -> dict[str, Any]:
    rows = pd.concat([s.rows for s in scores], ignore_index=True)
    replicates = np.hstack([s.replicates for s in scores])
    named = {"model": name, "fold": fold.name}
    counts = {"fitted": len(fold.fitted), "held_out": len(rows)}
    in_full = pd.concat([pd.DataFrame(named, rows.index), rows], axis=1)
    return {
        "rows": json.loads(in_full.to_json(orient="records", double_precision=12)),
        "groups": [named | group for s in scores for group in s.joint],
        "replay": [named | group for group in replayed(replicates, rows)],
        "fold": {**named, **counts, **verdict, **expected_coverage(replicates, rows)},
    }


def _score_group(fitted: Fit, part: pd.DataFrame, architecture: str, task: str) -> _Scored:
    known = fitted.model.groups
    family: Group = architecture if architecture in known["architecture"] else New(architecture)
    on: Group = task if task in known["task"] else New(task)
    points: dict[str, Any] = dict(fitted.model.get_law().values(part))
    common: dict[str, Any] = {
        **points,
        "architecture": family,
        "task": on,
        "allow_unconverged": True,
    }
    curve = predict(fitted, **common, kind="expected")
    where = fitted.groups(family, on)
    theta = {name: value.to_numpy().ravel() for name, value in fitted.parameters(where).items()}
    noise = Noise.of(fitted, theta)
    expected = np.log(curve.draws.to_numpy().reshape(-1, len(part)))
    campaign = expected + campaign_offset(fitted, where, theta)[:, None]
    observed, trials = part["loss"].to_numpy(float), None
    if noise.family == "binomial":
        # Like is compared with like: counts out of the same number of items.
        trials = part["trials"].to_numpy("int64")
        observed = np.rint(trials * observed) / trials
    elif "loss_se" in part:
        # Likewise a loss as it was measured, as the fitted ones were.
        noise = noise.measured(np.nan_to_num(part["loss_se"].to_numpy(float)) / observed)
    scores = scored(np.exp(run_log_loss(fitted, where, noise, campaign, trials)), observed)
    # The offset of a new sweep is one a draw, so that the runs of one group share it.
    density = predictive_log_density(fitted, where, noise, campaign, np.log(observed), trials)
    scores["log_score"] = ("run", mixture(density))
    scores["decades"] = ("run", np.broadcast_to(curve.points["decades"].to_numpy(), len(part)))
    groups = part.groupby("group").indices
    joint = [_joint(group, density[:, rows]) for group, rows in groups.items()]
    paths = path_labels(part, fitted.model.spec.likelihood.sharing)
    labels = list(part["group"]), list(paths)
    again = replicated(fitted, where, theta, noise, expected, *labels, trials)
    return _Scored(with_place(part, scores), again, joint)


def _joint(group: object, density: np.ndarray) -> dict[str, Any]:
    score, effective = joint_log_score(density)
    return {
        "group": str(group),
        "runs": density.shape[1],
        "log_density": score,
        "effective_draws": effective,
    }


def check_baseline(baseline: Baseline, fold: Fold, table: Runs, by: By) -> None:
    """Refuse a fold on which a baseline has nothing to fit.

    Raises
    ------
    DataError
    """
    for where, _, fitted, _ in _curves(fold, table, by):
        if not len(fitted["loss"]):
            raise DataError(
                f"baseline {baseline.name!r}, {fold.name}: it fits each architecture on each task by itself, "
                f"and no run of {where} is left to fit"
            )
        baseline.check(fitted, f"{fold.name}, {where}")


def score_baseline(
    baseline: Baseline, fold: Fold, table: Runs, by: By, seed: int
) -> dict[str, Any]:
    """Fit a baseline to one fold and score its held-out rows; plain data, as it is kept on disk."""
    scores = [
        _score(baseline, part, fitted, held, seed)
        for _, part, fitted, held in _curves(fold, table, by)
    ]
    verdict = {"engine": "baseline", "converged": True}
    said = "baseline: a bootstrap, no chains"
    return _as_kept(baseline.name, fold, scores, {**verdict, "verdict": said})


def _score(baseline: Baseline, part: pd.DataFrame, fitted: Rows, held: Rows, seed: int) -> _Scored:
    where = [str(part[side].iloc[0]) for side in ("architecture", "task")]
    rng = keyed_generator(seed, baseline.name, where)
    said = baseline.predictive(fitted, held, rng)
    draws = said.draws(rng)
    scores = scored(draws, held["loss"])
    density = Noise("normal", said.sigma).log_density(np.log(held["loss"]), said.log_loss)
    scores["log_score"] = ("run", mixture(density))
    axes = ("scale",) if "scale" in baseline.inputs else ("params", "tokens", "compute")
    far = [decades_outside(held[axis], fitted[axis]) for axis in axes]
    scores["decades"] = ("run", np.max(far, axis=0))
    # Rows of one draw share its refit.
    return _Scored(with_place(part, scores), draws)


def _curves(fold: Fold, table: Runs, by: By) -> Iterator[tuple[str, pd.DataFrame, Rows, Rows]]:
    """Of every architecture and task that is held out: what it is, its held-out rows, fitted and held-out runs."""
    held = grouped(table)[fold.held_out]
    frame = fold.fitted.table
    # Budgets are told from the fitted rows alone.
    labels = sweeps(fold.fitted)
    if labels is not None:
        frame["budget"] = labels.astype(str)
    for (architecture, task), part in held.groupby(["architecture", "task"], sort=True):
        mine = frame[(frame["architecture"] == architecture) & (frame["task"] == task)]
        yield f"{architecture} on {task}", part, _rows(mine, by), _rows(part, by)


def _rows(part: pd.DataFrame, by: By) -> Rows:
    columns = {
        c: part[c].to_numpy(float) for c in ("params", "tokens", "compute", "loss") if c in part
    }
    if {"params", "tokens"} <= set(columns):
        columns["compute"] = FLOP_PER_PARAM_TOKEN * columns["params"] * columns["tokens"]
    if by not in ("architecture", "task"):
        columns["scale"] = scale_of(part, by)
    if "budget" in part:
        columns["budget"] = part["budget"].to_numpy(str)
    return columns
