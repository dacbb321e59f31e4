"""Whole numbers as people type them at the command line: 1000, 1e3; one that is not whole is refused, never rounded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from cyclopts import Parameter

from bayescale.errors import BayescaleError


def _whole(_: type, tokens: Sequence[Any]) -> int:
    """Read one; the library on which the commands rest would round."""
    text = tokens[0].value
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError(f"{text!r} is no whole number")
    return int(value)


Whole = Annotated[int, Parameter(converter=_whole)]


def check_counts(**counts: int | None) -> None:
    """Refuse, by the names of their options, counts below one; one that was not given is none."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise BayescaleError(f"--{name} {count} (expected 1 or more)")
