"""Scoring held-out runs of one fold: what a back-test's rows hold, and the forecasts of baselines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.baselines import Baseline, Rows
from bayescale.errors import DataError
from bayescale.posterior import keyed_generator
from bayescale.predict import FLOP_PER_PARAM_TOKEN, Noise, decades_outside, mixture, scored
from bayescale.runs import Runs, sweeps
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
    rows = pd.concat(scores, ignore_index=True)
    rows.insert(0, "model", baseline.name)
    rows.insert(1, "fold", fold.name)
    return {
        "rows": json.loads(rows.to_json(orient="records", double_precision=12)),
        "fold": {
            "model": baseline.name,
            "fold": fold.name,
            "fitted": len(fold.fitted),
            "held_out": len(rows),
            "engine": "baseline",
            "converged": True,
            "verdict": "baseline: a bootstrap, no chains",
        },
    }


def _score(
    baseline: Baseline, part: pd.DataFrame, fitted: Rows, held: Rows, seed: int
) -> pd.DataFrame:
    where = [str(part[side].iloc[0]) for side in ("architecture", "task")]
    rng = keyed_generator(seed, baseline.name, where)
    said = baseline.predictive(fitted, held, rng)
    scores = scored(said.draws(rng), held["loss"])
    density = Noise("normal", said.sigma).log_density(np.log(held["loss"]), said.log_loss)
    scores["log_score"] = ("run", mixture(density))
    axes = ("scale",) if "scale" in baseline.inputs else ("params", "tokens", "compute")
    far = [decades_outside(held[axis], fitted[axis]) for axis in axes]
    scores["decades"] = ("run", np.max(far, axis=0))
    return with_place(part, scores)


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
