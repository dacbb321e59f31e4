"""Counts of solved problems: how many of how many samples were right, problem by problem, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.runs.read import read_file
from bayescale.wording import counted


def load_counts(
    source: str | Path | pd.DataFrame, where: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Read a table with columns ``samples`` and ``correct``, one row a problem.

    Parameters
    ----------
    source : path or DataFrame
        CSV, TSV, JSON Lines or Parquet. A column ``problems`` says how many problems a row stands for.
    where : mapping, optional
        Column → value: only such rows.

    Returns
    -------
    DataFrame
        ``samples, correct, problems``, one row a distinct count.

    Raises
    ------
    DataError
        For a missing column, and for counts that are none, naming the first row.
    """
    if isinstance(source, pd.DataFrame):
        frame, label = source, "the table"
    else:
        path = Path(source)
        if not path.is_file():
            raise DataError(f"no file {str(path)!r} with counts of solved problems")
        frame, label = read_file(path).frame, path.name
    for column, value in (where or {}).items():
        if column not in frame:
            raise DataError(
                f"{label}: no column {column!r} (there are: {', '.join(map(str, frame))})"
            )
        frame = frame[frame[column].astype(str) == str(value)]
    missing = [c for c in ("samples", "correct") if c not in frame]
    if missing:
        raise DataError(
            f"{label}: no column {' and no column '.join(map(repr, missing))}; one row a problem, with the number of "
            "samples and how many of them were right"
        )
    if frame.empty:
        raise DataError(f"{label}: no row{' with ' + str(dict(where)) if where else ''}")
    _check_one_model(frame, label)
    numbers = pd.DataFrame(
        {
            "samples": pd.to_numeric(frame["samples"], errors="coerce"),
            "correct": pd.to_numeric(frame["correct"], errors="coerce"),
            "problems": pd.to_numeric(frame["problems"], errors="coerce")
            if "problems" in frame
            else 1.0,
        }
    ).reset_index(drop=True)
    n, c, times = (numbers[x].to_numpy(float) for x in ("samples", "correct", "problems"))
    good = np.isfinite(n + c + times) & (n >= 1) & (c >= 0) & (c <= n) & (times >= 1)
    good &= (n == np.round(n)) & (c == np.round(c)) & (times == np.round(times))
    if not good.all():
        first = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"{label}: {counted(int((~good).sum()), 'row')} with counts that are none, the first row {first + 1}: "
            f"{c[first]:g} of {n[first]:g} right (expected whole numbers, none below zero, correct up to samples)"
        )
    return numbers.astype(int).groupby(["samples", "correct"])["problems"].sum().reset_index()


def _check_one_model(frame: pd.DataFrame, label: str) -> None:
    """Refuse counts of several models or tasks, which would pass for one."""
    for column in ("model", "architecture", "task", "metric"):
        if column in frame and (several := frame[column].astype(str).unique()).size > 1:
            named = ", ".join(map(repr, several[:3]))
            raise DataError(
                f"{label}: {several.size} values of {column!r} ({named}{', …' if several.size > 3 else ''}), and "
                f"pass@k is of one: where={{{column!r}: {several[0]!r}}} (--where {column}={several[0]})"
            )
    if "problem" in frame and (again := frame["problem"].duplicated()).any():
        raise DataError(
            f"{label}: problem {str(frame['problem'][again].iloc[0])!r} has several rows; one row a problem"
        )
