"""Holding runs out: the largest scale beyond a cut, one architecture, or one task; the rest is what a fit may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from bayescale.errors import DataError, unknown
from bayescale.runs import Runs, unfinished

By = Literal["compute", "params", "tokens", "step", "architecture", "task", "held_out"]
QUANTILES = (0.5, 0.65, 0.8)
MIN_FITTED = 5


@dataclass(frozen=True)
class Fold:
    """One split of a table: what is fitted, and a mask of the rows held out, which are of finished runs."""

    name: str
    fitted: Runs
    held_out: np.ndarray


def folds(runs: Runs, by: By, cuts: Sequence[float] | None = None) -> list[Fold]:
    """Split a table.

    Parameters
    ----------
    runs : Runs
        The table.
    by : {"compute", "params", "tokens", "step", "architecture", "task", "held_out"}
        ``compute`` (6·N·D where N and D are known), ``params``, ``tokens`` and ``step`` hold out all runs at or above
        a cut: a rolling origin where there are several cuts. ``architecture`` and ``task`` leave one out at a time.
        ``held_out`` takes the rows that the table's column of that name marks, in one fold.
    cuts : sequence of float, optional
        Values of the axis; by default its 50, 65 and 80 % quantiles over runs, of a small table those that leave five
        rows to fit, or its largest value.

    Raises
    ------
    DataError
        If a cut leaves fewer than five rows to fit, or none to score.
    """
    if by not in get_args(By):
        raise unknown("way to hold out", by, get_args(By))
    if by in ("architecture", "task"):
        if cuts is not None:
            raise DataError(f"cuts are for a scale; by={by!r} leaves one {by} out at a time")
        return list(_one_left_out(runs, by))
    if by == "held_out":
        if cuts is not None:
            raise DataError(
                "cuts are for a scale; by='held_out' takes the rows that the table marks"
            )
        return [_marked(runs)]
    scale = scale_of(runs.table, by)
    if cuts is None:
        cuts = _default_cuts(scale)
    return [_beyond(runs, by, scale, cut) for cut in cuts]


def _default_cuts(scale: np.ndarray) -> list[float]:
    """Quantiles that leave enough to fit; where none does, the largest value, which may leave too little as well."""
    quantiles = {float(v) for v in np.quantile(scale, QUANTILES, method="higher")}
    enough = sorted(cut for cut in quantiles if (scale < cut).sum() >= MIN_FITTED)
    return enough or [float(scale.max())]


def scale_of(table: pd.DataFrame, by: str) -> np.ndarray:
    """The axis along which runs are held out; of rows that the table marks, the largest that it has."""
    if by == "held_out":
        by = next((axis for axis in ("compute", "tokens", "params") if axis in table), "compute")
    if by == "compute" and {"params", "tokens"} <= set(table):
        return 6.0 * table["params"].to_numpy(float) * table["tokens"].to_numpy(float)
    if by not in table:
        there = [axis for axis in ("compute", "params", "tokens", "step") if axis in table]
        raise DataError(
            f"the table has no column {by!r} to hold runs out by; it has {', '.join(there)}: by={there[0]!r}"
        )
    return table[by].to_numpy(float)


def _beyond(runs: Runs, by: str, scale: np.ndarray, cut: float) -> Fold:
    beyond = scale >= cut
    held = beyond & ~unfinished(runs.table)
    if held.sum() == 0 or (~beyond).sum() < MIN_FITTED:
        raise DataError(
            f"{by} ≥ {cut:g} holds out {int(held.sum())} of {len(held)} rows; at least one must be "
            f"held out and {MIN_FITTED} left; its range is {scale.min():.3g} to {scale.max():.3g}"
        )
    return Fold(f"{by} ≥ {cut:.3g}", runs.where(~beyond), held)


def _marked(runs: Runs) -> Fold:
    """The fold of a table that says itself which rows are held out."""
    if "held_out" not in runs.table:
        raise DataError(
            "the table has no column 'held_out' (1 for a row to be scored, 0 for one to be fitted)"
        )
    marked = runs.table["held_out"].to_numpy(bool)
    held = marked & ~unfinished(runs.table)
    if not held.any() or (~marked).sum() < MIN_FITTED:
        raise DataError(
            f"held_out marks {int(held.sum())} of {len(held)} rows, of finished runs; mark at least one and leave "
            f"{MIN_FITTED} to fit"
        )
    return Fold("held_out", runs.where(~marked), held)


def _one_left_out(runs: Runs, by: str) -> Iterator[Fold]:
    labels = runs.table[by].astype(str).to_numpy()
    names = sorted(set(labels))
    if len(names) < 3:
        raise DataError(
            f"leaving one {by} out needs at least three of them; the table has {len(names)}"
        )
    for name in names:
        own = labels == name
        held = own & ~unfinished(runs.table)
        if held.any() and (~own).sum() >= MIN_FITTED:
            yield Fold(f"without {name}", runs.where(~own), held)
