"""Numbers as people write them: `7B`, `1.4T`, `3e20`, `350M`, and units in a column header."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.given import GIVEN
from bayescale.wording import counted

COUNTS = frozenset({"params", "tokens", "params_total", "params_non_embedding", "params_active", "step",
                    *(given.name for given in GIVEN.values() if given.count)})  # fmt: skip
FLOPS = frozenset({"compute", "forward_flops"})
DATA_AMOUNTS = frozenset({"tokens", "unique_tokens"})

# Powers of ten, so that 1.4T is parsed as the decimal 1.4e12 and not as 1.4 × 1e12.
_POWERS = {
    "k": 3, "thousand": 3, "thousands": 3,
    "m": 6, "mn": 6, "mm": 6, "million": 6, "millions": 6,
    "b": 9, "bn": 9, "g": 9, "billion": 9, "billions": 9,
    "t": 12, "tn": 12, "trillion": 12, "trillions": 12,
    "p": 15, "e": 18, "z": 21, "y": 24,
    "kilo": 3, "mega": 6, "giga": 9, "tera": 12, "peta": 15, "exa": 18, "zetta": 21, "yotta": 24,
}  # fmt: skip
_BYTES = {
    "byte": 1.0, "bytes": 1.0,
    "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
    "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40, "pib": 2.0**50,
}  # fmt: skip
_DATA_NOUNS = r"(tok(en)?s?|examples?|samples?|images?|datapoints?)$"
_NOUNS = {
    "tokens": _DATA_NOUNS, "unique_tokens": _DATA_NOUNS, "step": r"(steps?|iter(ation)?s?)$",
    "compute": r"flops?$", "forward_flops": r"(flops?|macs?)$",
}  # fmt: skip
_PARAM_NOUNS = r"param(eter)?s?$"
_DAYS = re.compile(r"^(?P<scale>[a-z]*?)(flops?(/s)?|f)?[ _/-]*(?P<time>days?|hours?)$")
_NUMBER = re.compile(
    r"^(?P<number>[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?)\s*(?P<unit>[a-zµ%/ _-]*)$", re.IGNORECASE
)
_TEN_TO = re.compile(r"^([x×*·]\s*)?(1e|10\s*(\^|\*\*)\s*)(?P<power>\d{1,2})$")
_TIMES_TEN = re.compile(r"\s*[x×*·]\s*10\s*(\^|\*\*)\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}([,_ ]\d{3})+(\.\d+)?(?=\D*$)")


@dataclass(frozen=True)
class Unit:
    """What one step of a written number is worth.

    `factor` scales to the plain unit (count, FLOP or byte); `is_bytes` marks amounts of data that
    need `tokens_per_byte` to become tokens.
    """

    factor: float = 1.0
    power: int | None = 0
    is_bytes: bool = False


PLAIN = Unit()


def parse_unit(text: str, quantity: str) -> Unit:
    """Read a unit such as `B`, `1e9`, `GFLOP`, `PF-days`, `GMACs` or `GB`.

    Parameters
    ----------
    text : str
        The unit as written, without brackets.
    quantity : str
        Canonical column it belongs to: decides which units make sense.

    Returns
    -------
    Unit

    Raises
    ------
    DataError
        If the text is no unit of that quantity.
    """
    word = text.strip()
    low = word.lower()
    if quantity in DATA_AMOUNTS and low in _BYTES:
        return Unit(_BYTES[low], None, is_bytes=True)
    if found := _TEN_TO.match(low):
        power = int(found["power"])
        return Unit(10.0**power, power)
    if quantity == "compute" and (found := _DAYS.match(low)):
        seconds = 86_400.0 if found["time"].startswith("day") else 3_600.0
        if found["scale"] in _POWERS:
            return Unit(10.0 ** _POWERS[found["scale"]] * seconds, None)
    bare = re.sub(_NOUNS.get(quantity, _PARAM_NOUNS), "", low).strip(" _-")
    # One multiply-accumulate is two operations (Kaplan et al. 2020, §2.1).
    macs = 2.0 if quantity == "forward_flops" and re.search(r"macs?$", low) else 1.0
    if bare == "":
        return Unit(macs, 0 if macs == 1.0 else None)
    if bare in _POWERS and (_POWERS[bare] <= 12 or quantity in FLOPS):
        power = _POWERS[bare]
        return Unit(macs * 10.0**power, power if macs == 1.0 else None)
    raise DataError(f"unknown unit {word!r} for {quantity} (known: {known_units(quantity)})")


def known_units(quantity: str) -> str:
    """List, for a message, the units that :func:`parse_unit` takes for a quantity."""
    if quantity == "compute":
        return "K, M, G/B, T, P, E, Z, Y with or without FLOP, PF-days"
    if quantity == "forward_flops":
        return "K, M, G, T with FLOP or MACs"
    if quantity in DATA_AMOUNTS:
        return "K, M, B/G, T; KB, MB, GB, TB, GiB, TiB, bytes with tokens_per_byte"
    return "K, M, B/G, T"


def parse_quantity(
    text: str, quantity: str = "params", tokens_per_byte: float | None = None
) -> float:
    """Read one written number.

    Parameters
    ----------
    text : str
        `7B`, `1.4T`, `3e20`, `2.1×10^19`, `350M`, `1,400,000`, `6.3 ZFLOP`.
    quantity : str
        Canonical column it belongs to.
    tokens_per_byte : float, optional
        What turns an amount of data, ``6TB``, into tokens; without it bytes are refused.

    Returns
    -------
    float
        Count or FLOP.

    Raises
    ------
    DataError
        If the text is no number of that quantity.
    """
    value, unit, _ = _split_number(text, quantity)
    if not unit.is_bytes:
        return value
    if tokens_per_byte is None:
        raise DataError(
            f"{text!r} is an amount of bytes; say how many tokens a byte is: tokens_per_byte=0.25"
        )
    if not 0.0 < tokens_per_byte < np.inf:
        raise DataError(f"tokens_per_byte = {tokens_per_byte:g} (expected a positive number)")
    return value * tokens_per_byte


def decimal_point(text: str) -> str:
    """The end of a message, or nothing, where a decimal comma is all that makes a text no number."""
    pointed = text.strip().replace(",", ".")
    if text.count(",") != 1 or _NUMBER.match(pointed) is None:
        return ""
    return f"; with a decimal point: {pointed}"


def format_quantity(value: float) -> str:
    """Write a count shortly and so that :func:`parse_quantity` reads it back (`7e9` → `7B`)."""
    for letter, power in (("T", 12), ("B", 9), ("M", 6), ("K", 3)):
        if 10.0**power <= abs(value) < 10.0 ** (power + 3):
            return f"{value / 10.0**power:.4g}{letter}"
    return f"{value:.4g}"


def read_numbers(
    cells: pd.Series, quantity: str, unit: Unit
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read a column of numbers at once.

    Parameters
    ----------
    cells : Series
        Raw cells: numbers, or text as people write it.
    quantity : str
        Canonical column; suffixes are read for counts and FLOP, percent signs for `loss`.
    unit : Unit
        Unit from the header, of plain numbers; a cell with a unit of its own (``7B``) keeps that.

    Returns
    -------
    values : ndarray of float
        Counts, FLOP or bytes; NaN where blank or unreadable.
    blank : ndarray of bool
        Nothing written.
    bad : ndarray of bool
        Something written that is no number.
    in_bytes : ndarray of bool
        Value is an amount of bytes.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype):
        values = cells.to_numpy(dtype=float, na_value=np.nan)
        blank = np.isnan(values)
        bad = np.zeros(len(values), dtype=bool)
        in_bytes = np.full(len(values), unit.is_bytes)
        return _scale(values, quantity, unit), blank, bad, in_bytes
    text = cells.astype("str").str.strip()
    blank = (cells.isna() | (text == "")).to_numpy(dtype=bool)
    values = pd.to_numeric(text.where(~blank), errors="coerce").to_numpy(dtype=float)
    values = _scale(values, quantity, unit).copy()
    in_bytes = np.full(len(values), unit.is_bytes)
    # "nan" in a file is a number that failed, not an unreadable cell.
    said_nan = text.str.lower().isin(["nan", "+nan", "-nan"]).to_numpy(dtype=bool)
    left = np.isnan(values) & ~blank & ~said_nan
    if not left.any():
        return values, blank, left, in_bytes
    codes, uniques = pd.factorize(text[left])
    read = [_try_split(str(u), quantity, unit) for u in uniques]
    values[left] = np.array([v for v, _ in read])[codes]
    in_bytes[left] = np.array([b for _, b in read])[codes]
    return values, blank, left & np.isnan(values), in_bytes


def _scale(values: np.ndarray, quantity: str, unit: Unit) -> np.ndarray:
    if unit.factor == 1.0:
        return values
    scaled = values * unit.factor
    # 6.7 under "params (B)" means 6 700 000 000 exactly, whatever binary makes of the product.
    return np.rint(scaled) if quantity in COUNTS and unit.factor >= 1e3 else scaled


def _try_split(text: str, quantity: str, header: Unit) -> tuple[float, bool]:
    try:
        value, unit, own = _split_number(text, quantity)
    except DataError:
        return np.nan, False
    return (value, unit.is_bytes) if own else (value * header.factor, header.is_bytes)


def note_own_units(cells: pd.Series, quantity: str, column: str, header: Unit) -> list[str]:
    """A note, or none, of cells such as ``7B`` under a header with a unit, which then does not apply to them."""
    if header == PLAIN or pd.api.types.is_numeric_dtype(cells.dtype):
        return []
    codes, uniques = pd.factorize(cells.astype("str").str.strip())
    own = np.array([_has_own_unit(str(u), quantity) for u in uniques], dtype=bool)[codes]
    if not own.any():
        return []
    return [
        f"column {column!r}: a unit of its own in {int(own.sum())} of {counted(len(own), 'cell')}, "
        f"such as {str(cells[own].iloc[0]).strip()!r}, which is read in place of the header's"
    ]


def note_thousands(cells: pd.Series, quantity: str, column: str, header: Unit) -> list[str]:
    """A note, or none, where a comma before three digits may have been meant as a decimal one."""
    if pd.api.types.is_numeric_dtype(cells.dtype) or quantity not in COUNTS | FLOPS:
        return []
    text = cells.astype("str").str.strip()
    doubtful = text.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}").fillna(False) & (header != PLAIN)
    doubtful |= text.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}\s*[a-zA-Z]+").fillna(False)
    if not doubtful.any():
        return []
    return [
        f"column {column!r}: the comma of {text[doubtful].iloc[0]!r} is read as one between thousands"
    ]


def _has_own_unit(text: str, quantity: str) -> bool:
    try:
        return _split_number(text, quantity)[2]
    except DataError:
        return False


def _split_number(text: str, quantity: str) -> tuple[float, Unit, bool]:
    """Value, unit, and whether a unit was written that scales the number (a noun such as "tokens" does not)."""
    plain = _TIMES_TEN.sub("e", text.strip())
    if quantity in COUNTS | FLOPS and (head := _THOUSANDS.match(plain)):
        plain = re.sub(r"[,_ ]", "", head[0]) + plain[head.end() :]
    found = _NUMBER.match(plain)
    if found is None:
        raise DataError(f"{text!r} is not a number{decimal_point(text)}")
    word = found["unit"].strip()
    if quantity == "loss" or quantity == "loss_se":
        if word == "%":
            return float(found["number"]) / 100.0, PLAIN, False
        if word:
            raise DataError(f"{text!r} is not a number")
        return float(found["number"]), PLAIN, False
    unit = parse_unit(word, quantity)
    own = unit != PLAIN or (quantity in FLOPS and word != "")
    if unit.power is not None and "e" not in found["number"].lower():
        return float(f"{found['number']}e{unit.power}"), unit, own
    return float(found["number"]) * unit.factor, unit, own
