"""Checking the cells of a gathered table: rows left out as asked; one error with every bad cell and its remedies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bayescale.errors import DataError
from bayescale.runs.dedupe import Checkpoints, check_duplicates, identity
from bayescale.runs.gather import EVERY, Gathered
from bayescale.runs.leftover import tells_apart
from bayescale.runs.scales import blank_rows, check_scales
from bayescale.runs.tasks import expected_cell, good_cells, seems_percent
from bayescale.runs.validate import BadCells
from bayescale.wording import counted

_SHOWN = 5


def without_blank(
    table: Gathered, frame: pd.DataFrame, compute: str, notes: list[str]
) -> pd.DataFrame:
    """Leave out the rows in which an N, D, C or loss that is used was not written, with a note.

    Raises
    ------
    DataError
        If none is left.
    """
    blank = blank_rows(table, frame, compute)
    if blank.all():
        raise DataError(
            f"{table.raw.label}: no row has every N, D, C and loss that the table has columns for"
        )
    if blank.any():
        ids = frame.loc[blank, "run_id"].astype("str").unique()
        named = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        notes.append(
            f"{counted(int(blank.sum()), 'row')} with an empty N, D, C or loss left out: {named}"
        )
    return frame[~blank].reset_index(drop=True)


def check_cells(
    table: Gathered, unused: Sequence[str], compute: str, checkpoints: Checkpoints, bad: BadCells
) -> None:
    """Raise one error for all repeated runs and impossible numbers, with what to type for each kind at its end.

    Parameters
    ----------
    table : Gathered
        With the steps that are kept.
    unused : sequence of str
        Headers left out: one of them may tell repeats apart.
    compute, checkpoints : str
        As the caller asked for.
    bad : BadCells
        Of what could not be read; grows.

    Raises
    ------
    DataError
        If there is any bad cell.
    """
    frame = table.frame
    remedies: list[str] = []
    if not table.numbered:
        keys = identity(frame)
        if checkpoints == "all" and "step" in frame.columns:
            keys = [*keys, "step"]
        if check_duplicates(frame, keys, table.columns["run_id"].header, bad):
            remedies.append(tells_apart(table.raw, unused, table.columns, frame, keys))
    check_scales(table, frame, compute, bad)
    remedies += _check_losses(table, bad)
    if compute != "6ND" and "compute" in frame.columns and frame["compute"].isna().any():
        both = {"params", "tokens"} <= set(frame.columns)
        without = "compute='6ND'" if both else "columns={'compute': ''}"
        remedies.append(f"{without} does without the reported compute")
    if blank_rows(table, frame, compute).any():
        remedies.append("drop_blank=True leaves out rows with such empty cells")
    bad.raise_if_any("; ".join(filter(None, dict.fromkeys(remedies))))


def _check_losses(table: Gathered, bad: BadCells) -> Iterator[str]:
    """Add every impossible loss; yields what to type where a header seems to be in percent."""
    headers = [m.header for m in table.measured.values()]
    for name, measured in table.measured.items():
        here = table.frame[table.frame["task"] == name]
        values = here["loss"].to_numpy(dtype=float)
        good = good_cells(measured.task, measured.percent, values)
        cells = table.raw.frame[measured.header].iloc[here["_at"].to_numpy()]
        expected = expected_cell(measured.task, measured.percent)
        bad.add(~good, here["_row"].to_numpy(), measured.header, cells, expected)
        if seems_percent(measured.task, measured.percent, values):
            # One header of several tasks is in percent for all of them.
            key = EVERY if headers.count(measured.header) > 1 else name
            yield (
                f"if {measured.header!r} is in percent, head it '{measured.header} (%)' or say "
                f"task_info={{{key!r}: {{'percent': True}}}}"
            )
