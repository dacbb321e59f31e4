"""Paths: rows of one run, which share what is particular to it and follow one another; rows of unfinished runs."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.runs.table import Runs

Sharing = Literal["checkpoints", "tasks"]


def paths(runs: Runs, sharing: Sharing = "checkpoints") -> pd.Series | None:
    """Label of every row's path; None where no two rows share one.

    Parameters
    ----------
    runs : Runs
        Rows without run ids are runs of their own.
    sharing : {"checkpoints", "tasks"}
        Whether only checkpoints of a run on one task share a path, or all rows of a run, whatever the task.
    """
    if runs.numbered:
        return None
    label = path_labels(runs.table, sharing)
    return label if label.nunique() < len(label) else None


def path_labels(table: pd.DataFrame, sharing: Sharing) -> pd.Series:
    """Study, architecture and run, and the task where every task is a path of its own."""
    own = ["task"] if sharing == "checkpoints" else []
    return table[["study", "architecture", "run_id", *own]].astype(str).agg(" / ".join, axis=1)


def preceding(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Of every row, which is the checkpoint before it of its run on its task, and how far back that lies.

    Returns
    -------
    row : ndarray of int, shape (rows,)
        Position of the checkpoint before; of the first of a run its own.
    gap : ndarray, shape (rows,)
        Log of the ratio of their steps, in e-folds of training; infinite where there is none before.

    Raises
    ------
    DataError
        If a run has several rows on a task, and a step of theirs is missing, not positive, or there twice.
    """
    row, gap = np.arange(len(table)), np.full(len(table), np.inf)
    labels = path_labels(table, "checkpoints").to_numpy()
    several = pd.Series(labels).duplicated(keep=False).to_numpy()
    if not several.any():
        return row, gap
    step = table["step"].to_numpy(float) if "step" in table else np.full(len(table), np.nan)
    bad = several & ~(step > 0.0)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"a correlation along runs is over the log of their steps: run {labels[first]!r} has several rows, and one "
            f"at step {step[first]:g} (expected a positive number; drop the row, or give a column 'step')"
        )
    order = np.lexsort((step, pd.factorize(labels)[0]))
    late, early = order[1:], order[:-1]
    same = labels[late] == labels[early]
    row[late[same]] = early[same]
    gap[late[same]] = np.log(step[late[same]] / step[early[same]])
    if not gap.min() > 0.0:
        first = int(gap.argmin())
        raise DataError(
            f"run {labels[first]!r} has two rows at step {step[first]:g}: a correlation along runs needs one a step"
        )
    return row, gap


def unfinished(table: pd.DataFrame) -> np.ndarray:
    """Which rows are of runs that still train: their loss bounds the final one from above; shape (rows,)."""
    if "unfinished" not in table:
        return np.zeros(len(table), dtype=bool)
    return table["unfinished"].to_numpy(bool)
