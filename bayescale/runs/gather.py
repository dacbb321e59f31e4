"""From raw cells to a long table: text read, numbers read, one row per run and task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError, unknown
from bayescale.runs.columns import NUMBERS, TEXT, TRUTHS, UNNAMED, Column
from bayescale.runs.further import truths_as_numbers
from bayescale.runs.quantities import (
    PLAIN,
    decimal_point,
    note_own_units,
    note_thousands,
    read_numbers,
)
from bayescale.runs.read import RawTable
from bayescale.runs.tasks import Task, make_task
from bayescale.runs.validate import BadCells
from bayescale.wording import counted

Info = Mapping[str, Mapping[str, Any] | Task]
EVERY = "*"  # in task_info, every task that is not named there
_MUST_NAME = ("run_id", "architecture", "task", "study")
_NOT_FLAGGED = ("false", "0", "no", "none", "nan", "ok")
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "")
# What belongs to one task cannot be given to each of several.
_OF_ONE_TASK = ("loss_se", "trials")


@dataclass(frozen=True)
class Measured:
    """One task as the table has it.

    `header` is that of its losses; `percent` whether 100 means 1; `assumed` whether nothing but the
    word loss says that they are nats per token.
    """

    task: Task
    header: str
    percent: bool
    assumed: bool


@dataclass(frozen=True)
class Gathered:
    """The long table before any check of values.

    `frame` has canonical columns, `_row` (the row a person would name) and `_at` (its position in
    the raw table).
    """

    raw: RawTable
    columns: dict[str, Column]
    frame: pd.DataFrame
    measured: dict[str, Measured] = field(default_factory=dict)
    numbered: bool = False


def gather(
    raw: RawTable,
    columns: dict[str, Column],
    tasks: Mapping[str, str],
    study: str,
    tokens_per_byte: float | None,
    bad: BadCells,
    notes: list[str],
) -> Gathered:
    """Read text and numbers of every matched column; losses are still to come.

    Raises
    ------
    DataError
        If data are given in bytes and nothing says how many tokens a byte is, or if a long table
        is also asked for task columns.
    """
    if tasks and "task" in columns:
        raise DataError(
            f"{raw.label}: column {columns['task'].header!r} already names the task of a row; "
            "tasks={…} is for a table with one column per task"
        )
    data: dict[str, Any] = {"_row": raw.rows, "_at": np.arange(len(raw.rows))}
    for name in TEXT:
        if name in columns:
            data[name] = _read_text(raw, columns[name], name, bad)
    data.setdefault("architecture", UNNAMED["architecture"])
    data.setdefault("study", study)
    numbered = "run_id" not in data
    if numbered:
        data["run_id"] = [f"row {r}" for r in raw.rows]
    for name in NUMBERS:
        if name in columns:
            data[name] = _read_column(raw, columns[name], name, tokens_per_byte, bad, notes)
    for name in TRUTHS:
        if name in columns:
            data[name] = _read_truth(raw, columns[name], bad)
    return Gathered(raw, columns, pd.DataFrame(data), numbered=numbered)


def _read_text(raw: RawTable, column: Column, name: str, bad: BadCells) -> pd.Series:
    cells = raw.frame[column.header]
    text = cells.astype("str").str.strip().where(cells.notna(), "")
    if name == "flag":
        return text.mask(text.str.lower().isin(_NOT_FLAGGED), "")
    if name in _MUST_NAME:
        empty = (text == "").to_numpy(dtype=bool)
        bad.add(empty, raw.rows, column.header, cells, "expected a name")
    return text


def _read_truth(raw: RawTable, column: Column, bad: BadCells) -> np.ndarray:
    cells = raw.frame[column.header]
    text = cells.astype("str").str.strip().str.lower().where(cells.notna(), "")
    bad.add(
        ~text.isin([*_TRUE, *_FALSE]).to_numpy(bool),
        raw.rows,
        column.header,
        cells,
        "expected true or false",
    )
    return text.isin(_TRUE).to_numpy(bool)


def _read_column(
    raw: RawTable,
    column: Column,
    name: str,
    tokens_per_byte: float | None,
    bad: BadCells,
    notes: list[str],
) -> np.ndarray:
    cells = raw.frame[column.header]
    cells = truths_as_numbers(cells, name)
    values, _, unreadable, in_bytes = read_numbers(cells, name, column.unit)
    bad.add(unreadable, raw.rows, column.header, cells, _expected(_wanted(name), cells))
    notes.extend(note_own_units(cells, name, column.header, column.unit))
    notes.extend(note_thousands(cells, name, column.header, column.unit))
    if in_bytes.any():
        if tokens_per_byte is None:
            raise DataError(
                f"{raw.label}: column {column.header!r} gives data in bytes; say how many tokens "
                "a byte is: tokens_per_byte=0.25 (about right for English and a 50k vocabulary)"
            )
        values = np.where(in_bytes, np.rint(values * tokens_per_byte), values)
        notes.append(f"column {column.header!r}: bytes × {tokens_per_byte:g} tokens/byte")
    # What is unreadable is already listed; a one keeps it from being listed twice.
    return np.where(unreadable, 1.0, values)


def _expected(wanted: str, cells: pd.Series) -> Callable[[int], str]:
    return lambda i: f"expected {wanted}{decimal_point(str(cells.iloc[i]))}"


def _wanted(name: str) -> str:
    examples = {"params": "7B", "tokens": "1.4T", "compute": "3e20"}
    examples |= {"loss_se": "0.01", "trials": "1000"}
    return f"a number such as {examples.get(name, '350M')}"


def melt(
    gathered: Gathered,
    tasks: Mapping[str, str],
    info: Info,
    header_info: Mapping[str, Mapping[str, Any]],
    bad: BadCells,
    notes: list[str],
) -> Gathered:
    """Give every row its task and loss; a wide table becomes one row per run and task.

    Raises
    ------
    DataError
        If nothing says what a column measures.
    UnknownNameError
        If `info` names a task that is not there.
    """
    headers = dict(tasks) or _long_headers(gathered)
    for name in info:
        if name not in (*headers, EVERY):
            raise unknown("task", name, headers, "task_info={…}")
    unit = "" if tasks else gathered.columns["loss"].unit_text
    key = EVERY if not tasks and len(headers) > 1 else ""
    measured = {
        name: _measure(name, header, unit, _said(info, name), header_info.get(header, {}), key)
        for name, header in headers.items()
    }
    assumed = [n for n, m in measured.items() if m.assumed]
    if assumed:
        notes.append(
            f"taken to be in nats/token: {', '.join(map(repr, assumed))}; "
            f"if not: task_info={{{assumed[0]!r}: {{'metric': …}}}}"
        )
    frame = gathered.frame
    if not tasks:
        if "task" not in frame.columns:
            frame = frame.assign(task=next(iter(headers)))
        header = gathered.columns["loss"].header
        percent = [n for n, m in measured.items() if m.percent]
        loss, _ = _read_loss(gathered.raw, header, frame["task"].isin(percent).to_numpy(), bad)
        long = frame.assign(loss=loss)
    else:
        long = pd.concat(
            [_one_task(gathered, m, len(tasks) > 1, bad, notes) for m in measured.values()],
            ignore_index=True,
        )
        if not len(long):
            raise DataError(f"{gathered.raw.label}: no row has a value in {list(tasks.values())}")
    present = set(long["task"].unique())
    kept = {n: m for n, m in measured.items() if n in present}
    return Gathered(gathered.raw, gathered.columns, long, kept, gathered.numbered)


def _long_headers(gathered: Gathered) -> dict[str, str]:
    header = gathered.columns["loss"].header
    if "task" not in gathered.frame.columns:
        return {UNNAMED["task"]: header}
    return {str(t): header for t in gathered.frame["task"].unique()}


def _said(info: Info, name: str) -> Mapping[str, Any] | Task | None:
    """What the caller says of a task: of every one, and beyond that of this one."""
    every, own = info.get(EVERY), info.get(name)
    if isinstance(every, Mapping) and isinstance(own, Mapping):
        return {**every, **own}
    return every if own is None else own


def _measure(
    name: str,
    header: str,
    unit: str,
    said: Mapping[str, Any] | Task | None,
    preset: Mapping[str, Any],
    key: str,
) -> Measured:
    merged = said if isinstance(said, Task) else {**preset, **(said or {})}
    whole = f"{header} ({unit})" if unit else header
    task, percent, assumed = make_task(name, whole, merged, key or name)
    return Measured(task, header, percent, assumed)


def _read_loss(
    raw: RawTable, header: str, percent: np.ndarray, bad: BadCells
) -> tuple[np.ndarray, np.ndarray]:
    cells = raw.frame[header]
    text = cells
    if percent.any() and not pd.api.types.is_numeric_dtype(cells.dtype):
        # Under a header in percent a sign in the cell says nothing new.
        text = cells.astype("str").str.rstrip("% ").where(cells.notna())
    values, blank, unreadable, _ = read_numbers(text, "loss", PLAIN)
    bad.add(unreadable, raw.rows, header, cells, _expected("a number", cells))
    return np.where(unreadable, 0.5, values), blank


def _one_task(
    gathered: Gathered, measured: Measured, several: bool, bad: BadCells, notes: list[str]
) -> pd.DataFrame:
    raw = gathered.raw
    everywhere = np.full(len(raw.rows), measured.percent)
    loss, blank = _read_loss(raw, measured.header, everywhere, bad)
    frame = gathered.frame.assign(task=measured.task.name, loss=loss)
    for column in (c for c in _OF_ONE_TASK if several and c in frame.columns):
        notes.append(f"{column} left out: it does not say which task it belongs to")
        frame = frame.drop(columns=column)
    if blank.any():
        notes.append(
            f"task {measured.task.name!r}: no value in {int(blank.sum())} of {counted(len(blank), 'row')}, left out"
        )
    return frame[~blank]
