"""Amounts that cannot be mixed up: draws of FLOP, accelerator-hours, days, money, energy and emissions, a type each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bayescale.errors import PlanError


@dataclass(frozen=True, eq=False)
class Amount:
    """Draws of one kind of amount; only amounts of the same kind add up.

    Attributes
    ----------
    draws : ndarray, shape (draw,)
        In ``unit``.
    """

    draws: np.ndarray
    unit: ClassVar[str]
    key: ClassVar[str]
    # NumPy would otherwise take `array + amount` element by element, past the check of units.
    __array_ufunc__ = None

    def __add__(self, other: Self) -> Self:
        self._require_same(other, "add")
        return type(self)(self.draws + other.draws)

    def __sub__(self, other: Self) -> Self:
        self._require_same(other, "subtract")
        return type(self)(self.draws - other.draws)

    def _require_same(self, other: object, verb: str) -> None:
        if type(other) is not type(self):
            what = other.unit if isinstance(other, Amount) else type(other).__name__
            raise PlanError(
                f"cannot {verb} {self.unit} and {what}: amounts of one unit only "
                "(Rates.spend turns one unit into the others)"
            )

    def quantiles(self) -> dict[str, float]:
        """Median and 90 % interval."""
        names = ("lo90", "median", "hi90")
        return dict(zip(names, map(float, np.quantile(self.draws, (0.05, 0.5, 0.95))), strict=True))


class Flop(Amount):
    """Floating-point operations of the model."""

    unit, key = "FLOP", "flop"


class Hours(Amount):
    """Accelerator-hours."""

    unit, key = "accelerator-hours", "hours"


class Days(Amount):
    """Days on the clock."""

    unit, key = "days", "days"


class Money(Amount):
    """US dollars."""

    unit, key = "$", "money"


class Energy(Amount):
    """Kilowatt-hours."""

    unit, key = "kWh", "kwh"


class Emissions(Amount):
    """Kilograms of CO2 equivalent."""

    unit, key = "kgCO2e", "kgco2e"
