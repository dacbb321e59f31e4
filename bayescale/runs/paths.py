"""Paths: rows of one run, which share what is particular to it, and rows of runs that have not finished."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

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


def unfinished(table: pd.DataFrame) -> np.ndarray:
    """Which rows are of runs that still train: their loss bounds the final one from above; shape (rows,)."""
    if "unfinished" not in table:
        return np.zeros(len(table), dtype=bool)
    return table["unfinished"].to_numpy(bool)
