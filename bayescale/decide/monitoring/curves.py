"""Loss curves of runs: read from a table, each step checked, and laid out over the fraction of training done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.runs.columns import Column, match_columns
from bayescale.runs.quantities import read_numbers
from bayescale.runs.read import RawTable, read_file, read_frame
from bayescale.runs.tasks import infer_metric
from bayescale.runs.validate import show

Progress = Literal["step", "tokens"]
LONE = "the run"  # what a curve without a column of run ids is called
_SCHEDULE = "schedule"


@dataclass(frozen=True, eq=False)
class TrainingCurve:
    """Checkpoints of one run, in order.

    Attributes
    ----------
    run_id : str
    progress : {"step", "tokens"}
        What ``at`` counts.
    at : ndarray, shape (checkpoint,)
        Above zero and rising.
    loss : ndarray, shape (checkpoint,)
    schedule : str or None
        Label of the learning-rate schedule, where the table has a column of them.
    """

    run_id: str
    progress: Progress
    at: np.ndarray
    loss: np.ndarray
    schedule: str | None = None

    @property
    def log_loss(self) -> np.ndarray:
        """Log loss, shape (checkpoint,)."""
        return np.log(self.loss)

    def fractions(self, total: float | None = None) -> np.ndarray:
        """Share of training done at each checkpoint; the last one is the end unless a total says otherwise."""
        return self.at / (self.at[-1] if total is None else total)


def load_curves(source: str | Path | pd.DataFrame, unit: str) -> tuple[TrainingCurve, ...]:
    """Read curves from a table of checkpoints: a loss, steps or tokens, and, for several runs, run ids.

    Tokens are taken where both are given. A checkpoint at zero, before any training, is left out.

    Parameters
    ----------
    source : path or DataFrame
        Headers as :func:`bayescale.load_runs` knows them; ``schedule`` is kept.
    unit : str
        Metric of the loss; a header that names another is refused.

    Raises
    ------
    DataError
        Where a loss is no positive number, or steps are out of order, repeated, negative or no number: one line that
        names the first.
    """
    raw = read_frame(source) if isinstance(source, pd.DataFrame) else read_file(Path(source))
    match = match_columns(list(raw.frame.columns), None).found
    progress: Progress = "tokens" if "tokens" in match else "step"
    for name in ("loss", progress):
        if name not in match:
            wanted = "loss" if name == "loss" else "step or tokens"
            raise DataError(f"{raw.label}: no column of {wanted}, which a curve needs")
    stated = infer_metric(match["loss"].header)
    if stated not in (None, unit, "nats/token"):  # the word loss alone is taken for nats per token
        raise DataError(f"{raw.label}: column {match['loss'].header!r} is {stated}, not {unit}")
    at = _numbers(raw, match[progress], progress, "0 or more", lambda v: v >= 0)
    loss = _numbers(raw, match["loss"], "loss", "a positive number", lambda v: v > 0)
    frame = pd.DataFrame({"at": at, "loss": loss, "row": raw.rows})
    for name, header in (
        ("run_id", match["run_id"].header if "run_id" in match else None),
        (_SCHEDULE, _SCHEDULE if _SCHEDULE in raw.frame else None),
    ):
        frame[name] = None if header is None else raw.frame[header].astype(str).to_numpy()
    return tuple(
        _curve(raw.label, progress, str(run) if isinstance(run, str) else LONE, rows)
        for run, rows in frame.groupby("run_id", sort=False, dropna=False)
    )


def _numbers(raw: RawTable, column: Column, name: str, wanted: str, good: object) -> np.ndarray:
    cells = raw.frame[column.header]
    values, *_ = read_numbers(cells, name, column.unit)
    assert callable(good)
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(values) & good(values))
    if bad.any():
        i = int(np.argmax(bad))
        raise DataError(
            f"{raw.label}: row {raw.rows[i]}, column {column.header!r}: {show(cells.iloc[i])} (expected {wanted})"
        )
    return values


def _curve(label: str, progress: Progress, run: str, rows: pd.DataFrame) -> TrainingCurve:
    at = rows["at"].to_numpy()
    wrong = np.flatnonzero(np.diff(at) <= 0)
    if wrong.size:
        i = int(wrong[0]) + 1
        fault = "given twice" if at[i] == at[i - 1] else f"comes after {at[i - 1]:g}"
        raise DataError(
            f"{label}: row {rows['row'].iloc[i]}: {progress} {at[i]:g} of {run!r} {fault} "
            "(expected each checkpoint once, in order)"
        )
    schedules = rows[_SCHEDULE].unique()
    if len(schedules) > 1:
        raise DataError(f"{label}: run {run!r} has several schedules: {', '.join(schedules)}")
    trained = at > 0
    if not trained.any():
        raise DataError(f"{label}: run {run!r} has no checkpoint after the start")
    return TrainingCurve(run, progress, at[trained], rows["loss"].to_numpy()[trained], schedules[0])
