"""Budgets: training compute, stated in FLOP or bought with money on known hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from bayescale.decide.costs.hardware import get_hardware
from bayescale.decide.costs.rates import SECONDS_AN_HOUR
from bayescale.errors import PlanError

LEAST_FLOP, MOST_FLOP = 1e6, 1e40
_NEEDS_PRICE = "dollars need price_per_hour=, mfu= and hardware= to become FLOP"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be spent on one training run: FLOP, or dollars on some hardware.

    Parameters
    ----------
    compute : float, optional
        Training FLOP.
    dollars : float, optional
        Money, instead of compute.
    price_per_hour : float, optional
        Dollars per accelerator-hour. Needed with ``dollars``; with ``compute`` it prices the waste.
    mfu : float, optional
        Model FLOP utilisation, in (0, 1].
    hardware : str, optional
        A name that ``bayescale hardware`` lists; its dense peak in bf16, or in fp16 where it has no bf16.

    Raises
    ------
    PlanError, UnknownNameError
        For a negative price, an MFU above one, a missing or contradictory input, or a budget outside 1e6 to 1e40 FLOP.
    """

    compute: float | None = None
    dollars: float | None = None
    price_per_hour: float | None = None
    mfu: float | None = None
    hardware: str | None = None

    def __post_init__(self) -> None:
        if (self.compute is None) == (self.dollars is None):
            raise PlanError("a budget is compute=FLOP or dollars=..., one of the two")
        for name in ("compute", "dollars", "price_per_hour"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real):
                raise PlanError(f"{name} = {value!r} (expected a number)")
            amount = float(value)
            if not (math.isfinite(amount) and amount > 0):
                raise PlanError(f"{name} = {amount:g} (expected a positive number)")
        if self.mfu is not None and not 0 < self.mfu <= 1:
            raise PlanError(f"mfu = {self.mfu:g} (expected a share in (0, 1])")
        if self.hardware is not None:
            get_hardware(self.hardware)
        prices = (self.price_per_hour, self.mfu, self.hardware)
        if self.dollars is not None and None in prices:
            raise PlanError(_NEEDS_PRICE)
        if self.compute is not None and None in prices and any(p is not None for p in prices):
            raise PlanError(
                "pricing a compute budget needs all of price_per_hour, mfu and hardware"
            )

        if not LEAST_FLOP <= self.flop <= MOST_FLOP:
            raise PlanError(
                f"a budget of {self.flop:.3g} FLOP (expected from {LEAST_FLOP:g} to {MOST_FLOP:g})"
            )

    @property
    def flop_per_dollar(self) -> float | None:
        """FLOP that a dollar buys, or None where nothing was priced."""
        if self.price_per_hour is None or self.mfu is None or self.hardware is None:
            return None
        per_hour = get_hardware(self.hardware).flop_per_second() * self.mfu * SECONDS_AN_HOUR
        return per_hour / self.price_per_hour

    @property
    def flop(self) -> float:
        """The budget in FLOP."""
        if self.compute is not None:
            return self.compute
        dollars, rate = self.dollars, self.flop_per_dollar
        if dollars is None or rate is None:
            raise PlanError(_NEEDS_PRICE)
        return dollars * rate

    @property
    def cost(self) -> float | None:
        """The budget in dollars, or None where nothing was priced."""
        if self.dollars is not None:
            return self.dollars
        rate = self.flop_per_dollar
        return None if rate is None or self.compute is None else self.compute / rate
