"""Numbers and units as people write them."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import DataError
from bayescale.runs import format_quantity, parse_quantity
from bayescale.runs.quantities import Unit, parse_unit, read_numbers


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("7B", "params", 7e9),
        ("7b", "params", 7e9),
        (" 70 M ", "params", 70e6),
        ("350M", "params", 350e6),
        ("1.4T", "tokens", 1.4e12),
        ("300 billion tokens", "tokens", 300e9),
        ("3e20", "compute", 3e20),
        ("3E+20", "compute", 3e20),
        ("2.1×10^19", "compute", 2.1e19),
        ("2.1 * 10**19", "compute", 2.1e19),
        ("6.3 ZFLOP", "compute", 6.3e21),
        ("5 EFLOPs", "compute", 5e18),
        ("1,400,000", "params", 1.4e6),
        ("1_400_000", "params", 1.4e6),
        ("1400000", "params", 1.4e6),
        ("4.5 GMACs", "forward_flops", 9e9),
        ("8.7 GFLOP", "forward_flops", 8.7e9),
        (".5B", "params", 5e8),
        ("26.8%", "loss", 0.268),
    ],
)
def test_written_numbers(text: str, quantity: str, value: float) -> None:
    assert parse_quantity(text, quantity) == value


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("7Q", "params"),
        ("seven", "params"),
        ("", "params"),
        ("3E", "params"),  # an exa-parameter is a mistyped exponent
        ("7B", "loss"),
        ("2,31", "loss"),
        ("12,34", "params"),
        ("1 2 3", "params"),
        ("nan", "params"),
        ("0x10", "params"),
        ("300 GB", "tokens"),
        ("7B tokens", "params"),
        ("4 TMACs", "compute"),
        ("4 PFLOP/s", "compute"),
    ],
)
def test_unreadable_numbers(text: str, quantity: str) -> None:
    with pytest.raises(DataError, match=r"not a number|unknown unit|amount of bytes"):
        parse_quantity(text, quantity)


def test_a_decimal_comma_is_named() -> None:
    with pytest.raises(DataError, match=r"'3,5B' is not a number; with a decimal point: 3\.5B"):
        parse_quantity("3,5B")
    with pytest.raises(DataError, match=r"is not a number$"):
        parse_quantity("3,5,5B")


@given(st.floats(min_value=1e3, max_value=9.99e14))
def test_short_form_reads_back(value: float) -> None:
    assert math.isclose(parse_quantity(format_quantity(value)), value, rel_tol=5e-4)


@given(st.integers(1, 9999), st.sampled_from([("K", 3), ("M", 6), ("B", 9), ("T", 12)]))
def test_suffix_is_exact(digits: int, suffix: tuple[str, int]) -> None:
    letter, power = suffix
    assert parse_quantity(f"{digits}{letter}") == digits * 10**power
    assert parse_quantity(f"{digits / 10:.1f}{letter}") == digits * 10 ** (power - 1)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_plain_text_is_read_to_the_last_bit(value: float) -> None:
    values, *_ = read_numbers(pd.Series([repr(value)], dtype="str"), "compute", Unit())
    assert values[0] == value


@pytest.mark.parametrize(
    ("text", "quantity", "factor"),
    [
        ("B", "params", 1e9),
        ("millions", "params", 1e6),
        ("GFLOPs", "compute", 1e9),
        ("PF-days", "compute", 8.64e19),
        ("parsec-days", None, None),
        ("petaflop/s-days", "compute", 8.64e19),
        ("exaFLOPs", "compute", 1e18),
        ("1e18", "compute", 1e18),
        ("×10^9", "tokens", 1e9),
        ("datapoints", "tokens", 1.0),
        ("pflop/s-days", "compute", 8.64e19),
        ("GMACs", "forward_flops", 2e9),
        ("TiB", "tokens", 2.0**40),
    ],
)
def test_units(text: str, quantity: str | None, factor: float | None) -> None:
    if quantity is None:
        with pytest.raises(DataError, match="unknown unit"):
            parse_unit(text, "compute")
        return
    assert parse_unit(text, quantity).factor == factor


def test_a_column_mixes_forms() -> None:
    cells = pd.Series(["7B", "70e6", "", "x", "nan", "300GB"], dtype="str")
    values, blank, bad, in_bytes = read_numbers(cells, "tokens", Unit())
    assert values[:2].tolist() == [7e9, 70e6]
    assert blank.tolist() == [False, False, True, False, False, False]
    assert bad.tolist() == [False, False, False, True, False, False]
    assert in_bytes.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("quantity", "header", "cells", "expected"),
    [
        ("params", "B", ["7B", "350M", "6.7", "1.3 params"], [7e9, 350e6, 6.7e9, 1.3e9]),
        ("compute", "PF-days", ["3640", "3e20 FLOP", "2 ZFLOP"], [3640 * 8.64e19, 3e20, 2e21]),
        ("tokens", "GB", ["300", "300B"], [300e9, 300e9]),
    ],
)
def test_a_unit_in_the_cell_wins_over_the_headers(
    quantity: str, header: str, cells: list[str], expected: list[float]
) -> None:
    column = pd.Series(cells, dtype="str")
    values, _, bad, in_bytes = read_numbers(column, quantity, parse_unit(header, quantity))
    assert values.tolist() == expected
    assert not bad.any()
    assert in_bytes.tolist() == [header == "GB" and c == "300" for c in cells]
