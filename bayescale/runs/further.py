"""Columns of further inputs (:data:`bayescale.given.GIVEN`) that look like one and cannot be: they are left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from bayescale.given import GIVEN, Given
from bayescale.runs.columns import Column, Matching
from bayescale.runs.quantities import read_numbers
from bayescale.runs.read import RawTable

_TRUE, _FALSE = ("true", "yes"), ("false", "no")


def without_doubtful(raw: RawTable, match: Matching, named: Collection[str]) -> Matching:
    """The matching less those further inputs that the caller did not name and whose cells are not all such numbers.

    Most tables have columns such as `pretrained` or `quality` for reasons of their own, and most models read none of
    them: what is no number in range is another thing of that name.
    """
    found, notes = dict(match.found), list(match.notes)
    for name in (n for n in match.found if n in GIVEN and n not in named):
        column = found[name]
        if name == "learning_rate" and _changes_along_runs(raw, column, match):
            del found[name]
            notes.append(
                f"column {column.header!r} left out: it changes along a run, and has no {GIVEN[name].text}"
            )
            continue
        wrong = _first_wrong(raw.frame[column.header], GIVEN[name], column)
        if wrong is not None:
            del found[name]
            notes.append(
                f"column {column.header!r} left out: {wrong!r} is no {name} ({GIVEN[name].text}, from "
                f"{GIVEN[name].lowest:g} to {GIVEN[name].highest:g})"
            )
    gone = [match.found[n].header for n in match.found if n not in found]
    unused = tuple(h for h in raw.frame.columns if h in match.unused or h in gone)
    return replace(match, found=found, unused=unused, notes=tuple(notes))


def _changes_along_runs(raw: RawTable, column: Column, match: Matching) -> bool:
    """Whether checkpoints of one run differ in it: a rate that does is that of a step, not the peak of its schedule."""
    if not {"run_id", "step"} <= match.found.keys():
        return False
    runs = raw.frame[match.found["run_id"].header].astype("str")
    return bool((raw.frame[column.header].groupby(runs).nunique() > 1).any())


def truths_as_numbers(cells: pd.Series, name: str) -> pd.Series:
    """Cells of a further input that is 1 or 0 and was written as true or false, yes or no, as numbers."""
    if name not in GIVEN or not GIVEN[name].linear:
        return cells
    words = cells.astype("str").str.strip().str.lower().where(cells.notna(), "")
    if not set(words) <= {*_TRUE, *_FALSE, ""}:
        return cells
    return words.map({**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)})


def _first_wrong(cells: pd.Series, given: Given, column: Column) -> str | None:
    """The first cell that is written and no value of the input; None where all are."""
    cells = truths_as_numbers(cells, given.name)
    values, blank, bad, in_bytes = read_numbers(cells, given.name, column.unit)
    with np.errstate(invalid="ignore"):
        inside = (values >= given.lowest) & (values <= given.highest)
    wrong = ~blank & ~in_bytes & (bad | ~inside)
    return str(cells[wrong].iloc[0]) if wrong.any() else None
