"""Every bad cell of a table in one error that says where it is and what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import DataError

SHOWN = 20
POSITIVE = "expected a positive number"
# Outside these a median cannot be what the column claims: a unit is missing.
PLAUSIBLE = {
    "params": (1e4, 1e14, "parameters"),
    "tokens": (1e5, 1e16, "tokens"),
    "compute": (1e10, 1e30, "FLOP"),
}


@dataclass(frozen=True)
class BadCell:
    """One cell that cannot be used."""

    row: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column!r}: {self.value} ({self.expected})"


class BadCells:
    """A collector: checks add to it, and one error at the end names everything.

    Parameters
    ----------
    label : str
        Name of the table, for the message.
    rows_are : str
        How rows are numbered, for the message.
    """

    def __init__(self, label: str, rows_are: str) -> None:
        self.label = label
        self.rows_are = rows_are
        self.count = 0
        self._cells: list[BadCell] = []

    def add(
        self,
        bad: np.ndarray,
        rows: np.ndarray,
        column: str,
        cells: pd.Series,
        expected: str | Callable[[int], str],
    ) -> None:
        """Add the cells where `bad`; `expected` may depend on the position."""
        where = np.flatnonzero(bad)
        self.count += len(where)
        first = where[np.argsort(rows[where], kind="stable")][:SHOWN]
        for i in first:
            wanted = expected if isinstance(expected, str) else expected(int(i))
            self._cells.append(BadCell(int(rows[i]), column, show(cells.iloc[i]), wanted))

    def check_number(
        self, values: np.ndarray, rows: np.ndarray, column: str, cells: pd.Series
    ) -> None:
        """Add every cell that is not a positive finite number."""
        with np.errstate(invalid="ignore"):
            good = np.isfinite(values) & (values > 0)
        self.add(~good, rows, column, cells, POSITIVE)

    def raise_if_any(self, remedy: str = "") -> None:
        """Raise one :class:`DataError` with the count and up to 20 cells, in row order."""
        if not self.count:
            return
        listed = sorted(self._cells, key=lambda c: c.row)[:SHOWN]
        noun = "bad cell" if self.count == 1 else "bad cells"
        more = f"\n  … and {self.count - len(listed)} more" if self.count > len(listed) else ""
        lines = "\n  ".join(str(c) for c in listed)
        tail = f"\n{remedy}" if remedy else ""
        head = f"{self.label}: {self.count} {noun} ({self.rows_are}):"
        raise DataError(f"{head}\n  {lines}{more}{tail}")


def show(cell: object) -> str:
    """Write a cell as it is shown in a message."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return "NaN"
    if isinstance(cell, str):
        return _show_text(cell.strip())
    return f"{cell:g}" if isinstance(cell, float | np.floating) else str(cell)


def _show_text(text: str) -> str:
    if not text:
        return "empty"
    try:
        float(text)
    except ValueError:
        return repr(text if len(text) <= 40 else text[:39] + "…")
    return text


def check_plausible(label: str, name: str, header: str, values: np.ndarray) -> None:
    """Refuse a column whose median says that its unit is missing.

    Raises
    ------
    DataError
        If the median lies outside :data:`PLAUSIBLE`; proposes the unit.
    """
    low, high, noun = PLAUSIBLE[name]
    median = float(np.median(values))
    if low <= median <= high:
        return
    # The unit in which the median comes nearest to the middle of what is plausible.
    off = {
        unit: abs(math.log10(median * factor) - math.log10(low * high) / 2)
        for unit, factor in _FACTORS
    }
    units = [unit for unit, factor in _FACTORS if low * 10 <= median * factor <= high / 100]
    proposal = min(units, key=off.__getitem__, default=None)
    message = f"{label}: column {header!r} has median {median:.3g}, no plausible number of {noun} "
    message += f"({low:.0e}–{high:.0e})"
    base = header.split("(")[0].split("[")[0].strip()
    if proposal and median < low:
        message += (
            f"; if it is in {proposal}, name it '{base} ({proposal})' "
            f"or say columns={{{name!r}: '{base} ({proposal})'}}"
        )
    else:
        message += f"; check its unit, or name another column: columns={{{name!r}: '<header>'}}"
    if median < low and name in _PLAIN:
        message += f"; if it is plain numbers of {noun} all the same, columns={{{name!r}: '{header} ({_PLAIN[name]})'}}"
    if name == "compute" and median < 1e14:
        message += (
            f"; if it is the cost of one forward pass, say columns={{'forward_flops': {header!r}}}"
        )
    raise DataError(message)


def check_derived_tokens(label: str, header: str, tokens: np.ndarray) -> None:
    """Refuse a D = C / 6N that no training has: then C was not training compute.

    Raises
    ------
    DataError
        If the median is no plausible number of tokens.
    """
    low, high, _ = PLAUSIBLE["tokens"]
    median = float(np.median(tokens))
    if not low <= median <= high:
        raise DataError(
            f"{label}: compute / 6N gives {median:.3g} tokens a run, so column {header!r} is no training compute or "
            f"has another unit, such as columns={{'compute': '{header} (EFLOP)'}}; the cost of one forward pass is "
            f"columns={{'forward_flops': {header!r}}}"
        )


# A unit that is none, with which a caller says that small numbers are meant.
_PLAIN = {"params": "params", "tokens": "samples", "compute": "FLOP"}
# Tried in this order: model sizes and token counts are mostly written in millions or billions.
_FACTORS = (("M", 1e6), ("B", 1e9), ("T", 1e12), ("PFLOP", 1e15), ("EFLOP", 1e18), ("ZFLOP", 1e21))
