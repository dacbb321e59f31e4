"""N, D and C: which count, which compute, what is derived, and whether the numbers can be so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.given import GIVEN, Given
from bayescale.runs.columns import Column
from bayescale.runs.flops import PER_PARAM_TOKEN, compare_reported, six_nd
from bayescale.runs.gather import Gathered
from bayescale.runs.quantities import PLAIN
from bayescale.runs.tasks import Task
from bayescale.runs.validate import BadCells, check_derived_tokens, check_plausible
from bayescale.wording import counted

COUNTS = {
    "total": "params_total",
    "non-embedding": "params_non_embedding",
    "active": "params_active",
}
_OPTIONAL = (
    "loss_se", "params_total", "params_non_embedding", "params_active", "forward_flops", "trials",
    "upstream_loss", *GIVEN,
)  # fmt: skip


@dataclass(frozen=True)
class Scaled:
    """The table with its N and C, and what they are."""

    frame: pd.DataFrame
    param_count: str | None
    compute_source: str | None = None


def choose_params(frame: pd.DataFrame, wanted: str | None, label: str, notes: list[str]) -> Scaled:
    """Settle which count `params` is.

    Parameters
    ----------
    frame : DataFrame
        With any of `params`, `params_total`, `params_non_embedding`, `params_active`.
    wanted : str or None
        What the caller said.
    label : str
        Of the table, for messages.
    notes : list of str
        Grows by what was assumed or left out.

    Raises
    ------
    DataError
        If the wanted count is in no column.
    """
    given = [c for c in COUNTS if COUNTS[c] in frame.columns]
    if wanted is None and "params" in frame.columns:
        return Scaled(frame, _recognise_count(frame, given, notes))
    if wanted is None:
        if not given:
            return Scaled(frame, None)
        wanted = given[0]
        notes.append(f"N is the {wanted} count; for another: param_count={'/'.join(COUNTS)}")
    if wanted not in given:
        if "params" in frame.columns and not given:
            return Scaled(frame, wanted)
        raise DataError(
            f"{label}: param_count={wanted!r} but there is no column {COUNTS[wanted]!r} "
            f"(counts in the table: {', '.join(given) or 'none'})"
        )
    blank = frame[COUNTS[wanted]].isna().to_numpy()
    if blank.all():
        raise DataError(f"{label}: no row has a {wanted} count")
    if blank.any():
        who = ", ".join(frame.loc[blank, "run_id"].astype("str").unique()[:5])
        notes.append(f"no {wanted} count in {counted(int(blank.sum()), 'row')}, left out: {who}")
    kept = frame[~blank]
    return Scaled(kept.assign(params=kept[COUNTS[wanted]]).reset_index(drop=True), wanted)


def _recognise_count(frame: pd.DataFrame, given: list[str], notes: list[str]) -> str | None:
    for count in given:
        other = frame[COUNTS[count]].to_numpy(dtype=float)
        if np.allclose(frame["params"].to_numpy(dtype=float), other, rtol=1e-3):
            notes.append(f"N equals the {count} count")
            return count
    said = "nothing says which count N is; say it: param_count='total' (or non-embedding, active)"
    notes.append(said)
    return None


def blank_rows(gathered: Gathered, frame: pd.DataFrame, compute: str) -> np.ndarray:
    """Which rows lack an N, D, C or loss that is used, as nothing is written there; shape (rows,)."""
    scales = ("params", "tokens", "compute", "upstream_loss")
    used = [c for c in scales if c in frame and c in gathered.columns]
    blank, at = np.zeros(len(frame), dtype=bool), frame["_at"].to_numpy()
    for name in used:
        if name != "compute" or compute != "6ND":
            blank |= _unwritten(gathered.raw.frame[gathered.columns[name].header])[at]
    for task, measured in gathered.measured.items():
        here = (frame["task"] == task).to_numpy(dtype=bool)
        blank |= here & _unwritten(gathered.raw.frame[measured.header])[at]
    return blank


def _unwritten(cells: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return np.asarray(cells.isna(), dtype=bool)
    empty = cells.isna() | (cells.astype("str").str.strip() == "")
    return np.asarray(empty, dtype=bool)


def check_scales(gathered: Gathered, frame: pd.DataFrame, compute: str, bad: BadCells) -> None:
    """Add every N, D, C that is not positive and finite, and every such optional number."""
    rows = frame["_row"].to_numpy(dtype=int)
    # Repeats of a row (one per task of a wide table) are one cell.
    once = ~frame.duplicated("_at").to_numpy()
    for name in ("params", "tokens", "compute", *_OPTIONAL):
        if name not in gathered.columns or name not in frame.columns:
            continue
        if name == "compute" and compute == "6ND":
            continue
        values = frame[name].to_numpy(dtype=float)
        cells = gathered.raw.frame[gathered.columns[name].header].iloc[frame["_at"].to_numpy()]
        # An optional number may be missing, written as nothing.
        skip = _unwritten(cells)
        use = once & ~skip if name in _OPTIONAL else once
        column = gathered.columns[name].header
        if name in GIVEN:
            _check_given(GIVEN[name], values[use], rows[use], column, cells[use], bad)
        else:
            bad.check_number(values[use], rows[use], column, cells[use])


def _check_given(
    given: Given,
    values: np.ndarray,
    rows: np.ndarray,
    column: str,
    cells: pd.Series,
    bad: BadCells,
) -> None:
    """Add every further input that is out of its range."""
    outside = ~((values >= given.lowest) & (values <= given.highest))
    expected = f"expected a number from {given.lowest:g} to {given.highest:g}"
    bad.add(outside, rows, column, cells, expected)


def check_medians(columns: dict[str, Column], frame: pd.DataFrame, label: str) -> None:
    """Refuse N, D or C whose median says that a unit is missing."""
    for name in ("params", "tokens", "compute"):
        if name in frame.columns:
            source = name if name in columns else COUNTS["total"]
            header = columns[source].header if source in columns else name
            # What the caller says is a plain count is one: learning curves begin at sixteen examples.
            if source in columns and columns[source].stated and columns[source].unit == PLAIN:
                continue
            check_plausible(label, name, header, frame[name].to_numpy(dtype=float))


def account_compute(
    scaled: Scaled, compute: str, task: Task, label: str, header: str, notes: list[str]
) -> Scaled:
    """Settle C, and D where C and N give it.

    Parameters
    ----------
    scaled : Scaled
        With checked numbers.
    compute : {"auto", "reported", "6ND"}
        What the caller asked for.
    task : Task
        Its context and vocabulary serve the comparison with 6ND.
    label : str
        Of the table, for messages.
    header : str
        Of the compute, for messages.
    notes : list of str
        Grows by what was derived or found.

    Raises
    ------
    DataError
        If there is not what `compute` needs.
    """
    frame = scaled.frame
    has = {name: name in frame.columns for name in ("params", "tokens", "compute")}
    if compute == "reported" and not has["compute"]:
        raise DataError(
            f"{label}: compute='reported' but there is no compute column; "
            "say columns={'compute': '<header>'} or compute='6ND'"
        )
    if compute == "6ND" and not (has["params"] and has["tokens"]):
        raise DataError(f"{label}: compute='6ND' needs params and tokens")
    if has["params"] and has["tokens"] and (compute == "6ND" or not has["compute"]):
        if has["compute"]:
            notes.append("reported compute left out, as asked")
        notes.append("compute = 6ND")
        total = six_nd(frame["params"].to_numpy(float), frame["tokens"].to_numpy(float))
        return Scaled(frame.assign(compute=total), scaled.param_count, "6ND")
    if not has["compute"]:
        return Scaled(frame, scaled.param_count, None)
    if has["params"] and not has["tokens"]:
        notes.append("tokens = compute / 6N")
        tokens = frame["compute"] / (PER_PARAM_TOKEN * frame["params"])
        check_derived_tokens(label, header, tokens.to_numpy(dtype=float))
        return Scaled(frame.assign(tokens=tokens), scaled.param_count, "reported")
    if has["params"]:
        notes.extend(compare_reported(frame, task, scaled.param_count))
    return Scaled(frame, scaled.param_count, "reported")
