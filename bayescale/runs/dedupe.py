"""Telling runs apart: the last step of each, unique run ids, the error for duplicates, one group under two names."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Literal

import pandas as pd

from bayescale.runs.validate import BadCells
from bayescale.wording import counted

Checkpoints = Literal["last", "all"]

# Of the rows of the smaller group: fewer that agree to the last digit may be chance, where losses are rounded.
_SHARED = 0.5

_IDENTITY = ["study", "architecture", "run_id"]


def keep_steps(
    frame: pd.DataFrame, numbered: bool, keep: Checkpoints, notes: list[str]
) -> pd.DataFrame:
    """Keep the last step of every run and task, or all; checkpoints of one run are not independent runs."""
    if "step" not in frame.columns:
        return frame
    if numbered:
        notes.append(
            "there are steps but no run ids: every row is taken as a run of its own; where several are of one run, say "
            "whose: columns={'run_id': '<header>'}"
        )
        return frame
    keys = identity(frame)
    if keep == "all":
        runs = len(frame.drop_duplicates(keys))
        if runs < len(frame):
            notes.append(
                f"{len(frame)} rows are checkpoints of {counted(runs, 'run')}, and all are kept: they count as no more "
                f"than that, and as no fewer than {runs}"
            )
        return frame
    last = frame.groupby(keys, sort=False)["step"].transform("max")
    # Rows that tie at the last step are duplicates, and are left for the check below.
    kept = frame[(frame["step"] == last) | last.isna()]
    if len(kept) < len(frame):
        runs = len(frame.drop_duplicates(keys))
        notes.append(
            f"{len(frame)} rows are checkpoints of {counted(runs, 'run')}: the last step of each is used"
        )
    return kept.reset_index(drop=True)


def note_copies(frame: pd.DataFrame, numbered: bool, notes: list[str]) -> None:
    """Say how many rows without run ids repeat another in every value: copies would count twice."""
    values = [c for c in frame if not str(c).startswith("_") and c != "run_id"]
    copies = int(frame.duplicated(values).sum()) if numbered else 0
    if copies:
        rows = "1 row repeats another" if copies == 1 else f"{copies} rows repeat another"
        notes.append(
            f"{rows} in every column, and each counts as a run: drop copies, or tell runs apart by a column run_id"
        )


def check_duplicates(frame: pd.DataFrame, keys: list[str], header: str, bad: BadCells) -> bool:
    """Add every row whose `keys`, those of its run and task, occurred before; say whether there is any."""
    # A row of a wide table is several here, and one cell.
    again = (frame.duplicated(keys) & ~frame.duplicated("_at")).to_numpy(dtype=bool)
    if not again.any():
        return False
    first = frame.groupby(keys, dropna=False)["_row"].transform("first").to_numpy()

    def expected(i: int) -> str:
        earlier = int(first[i])
        return (
            f"duplicate of row {earlier}; expected each run id once a task, "
            "or a step or seed column that tells them apart"
        )

    bad.add(again, frame["_row"].to_numpy(), header, frame["run_id"], expected)
    return True


def unique_run_ids(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Make a run id name one run: labels such as `1.3B` recur across architectures and seeds, `cosine` across sizes."""
    runs = frame[[k for k in identity(frame) if k != "task"]].drop_duplicates()
    if not runs["run_id"].duplicated().any():
        return frame
    parts = [
        k
        for k in ("study", "architecture", "run_id", "params", "seed")
        if k in runs.columns and (k == "run_id" or _tells_apart(runs, k))
    ]
    joined = _written(frame, parts[0])
    for part in parts[1:]:
        joined = joined + "/" + _written(frame, part)
    notes.append(f"run ids recur: they are now {'/'.join(parts)}")
    return frame.assign(run_id=joined)


def _tells_apart(runs: pd.DataFrame, column: str) -> bool:
    """Whether a column belongs into a run's id: it moves, and N moves within what the others name."""
    if column != "params":
        return bool(runs[column].nunique() > 1)
    place = [k for k in (*_IDENTITY, "seed") if k in runs.columns]
    return bool((runs.groupby(place)["params"].nunique() > 1).any())


def _written(frame: pd.DataFrame, column: str) -> pd.Series:
    # In full: two sizes that differ in the fifth digit are two.
    return (
        frame[column].map("{:.10g}".format) if column == "params" else frame[column].astype("str")
    )


def note_shared_rows(frame: pd.DataFrame, notes: list[str]) -> None:
    """Say which architectures, and which studies, have the same rows: one group under two names would count twice."""
    place = [c for c in ("task", "params", "tokens", "compute", "loss") if c in frame.columns]
    for side, plural in (("architecture", "architectures"), ("study", "studies")):
        if frame[side].nunique() < 2:
            continue
        rows = frame[[side, *place]].drop_duplicates()
        size = rows[side].value_counts()
        again = rows[rows.duplicated(place, keep=False)]
        shared = Counter(
            pair
            for _, labels in again.groupby(place, dropna=False)[side]
            for pair in combinations(sorted(labels), 2)
        )
        notes.extend(
            f"{plural} {one!r} and {other!r} share {counted(count, 'row')} (same scale, same loss): "
            "if they are one under two names, it counts twice"
            for (one, other), count in shared.items()
            if count >= _SHARED * min(size[one], size[other])
        )


def identity(frame: pd.DataFrame) -> list[str]:
    """Columns that name a run on a task; models of two sizes are two runs, whatever both are called."""
    return [*_IDENTITY, *(c for c in ("params", "seed") if c in frame.columns), "task"]
