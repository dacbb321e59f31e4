"""`Rates`: what an accelerator-hour does, costs, draws and emits; and `Cost`, one spending in every unit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from bayescale.decide.costs.units import Amount, Days, Emissions, Energy, Flop, Hours, Money
from bayescale.errors import PlanError

HOURS_A_DAY, SECONDS_AN_HOUR, WATTS_A_KILOWATT = 24.0, 3600.0, 1000.0


@dataclass(frozen=True, eq=False)
class Cost:
    """One spending, draw by draw, in every unit; None where a rate is unknown. Costs add field by field.

    Attributes
    ----------
    flop : Flop
        Useful work; what is repeated or lost costs hours, not FLOP.
    hours : Hours
        Of accelerators.
    days : Days or None
        On the clock.
    money : Money or None
        US dollars.
    kwh : Energy or None
        Kilowatt-hours, the building included.
    kgco2e : Emissions or None
        Kilograms of CO2 equivalent.
    """

    flop: Flop
    hours: Hours
    days: Days | None
    money: Money | None
    kwh: Energy | None
    kgco2e: Emissions | None

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            raise PlanError(f"cannot add a Cost and {type(other).__name__}: add a field to a field")
        mine, theirs = self.amounts(), other.amounts()
        both = {k: mine[k] + theirs[k] if k in mine and k in theirs else None for k in _FIELDS}
        return Cost(**both)  # type: ignore[arg-type]

    def amounts(self) -> dict[str, Amount]:
        """The known fields by name."""
        every = {k: getattr(self, k) for k in _FIELDS}
        return {k: v for k, v in every.items() if v is not None}


_FIELDS = tuple(f.name for f in fields(Cost))


@dataclass(frozen=True, eq=False)
class Rates:
    """What one accelerator-hour amounts to in every unit; all conversions go through it.

    Parameters
    ----------
    flop : float or ndarray
        Useful FLOP per accelerator-hour.
    money, kwh, kgco2e : float or ndarray, optional
        Dollars, kWh and kgCO2e per accelerator-hour.
    accelerators : float or ndarray, optional
        How many run side by side, for days.
    """

    flop: float | np.ndarray
    money: float | np.ndarray | None = None
    kwh: float | np.ndarray | None = None
    kgco2e: float | np.ndarray | None = None
    accelerators: float | np.ndarray | None = None

    @classmethod
    def of(
        cls,
        flop_per_second: float | np.ndarray,
        *,
        overhead: float | np.ndarray = 1.0,
        price_per_hour: float | np.ndarray | None = None,
        watts: float | np.ndarray | None = None,
        pue: float | np.ndarray = 1.0,
        kg_per_kwh: float | np.ndarray | None = None,
        accelerators: float | np.ndarray | None = None,
    ) -> Rates:
        """Rates of an accelerator.

        Parameters
        ----------
        flop_per_second : float or ndarray
            Sustained, i.e. peak times MFU.
        overhead : float or ndarray
            Accelerator-hours paid for one that counts, ≥ 1.
        price_per_hour : float or ndarray, optional
            Dollars per accelerator-hour.
        watts : float or ndarray, optional
            Power per accelerator.
        pue : float or ndarray
            Power of the building over that of its machines, ≥ 1.
        kg_per_kwh : float or ndarray, optional
            Carbon intensity of the grid.
        accelerators : float or ndarray, optional
            How many run side by side.

        Notes
        -----
        kWh = hours × watts × PUE / 1000 and kgCO2e = kWh × intensity: Patterson et al. 2021 (arXiv:2104.10350), §2.
        """
        kwh = None if watts is None else watts * pue / WATTS_A_KILOWATT
        return cls(
            flop=flop_per_second * SECONDS_AN_HOUR / overhead,
            money=price_per_hour,
            kwh=kwh,
            kgco2e=None if kwh is None or kg_per_kwh is None else kwh * kg_per_kwh,
            accelerators=accelerators,
        )

    def spend(self, amount: Amount) -> Cost:
        """The cost of an amount given in any unit: FLOP to be done, money to be spent, days to be used, ….

        Raises
        ------
        PlanError
            If the rate of that unit is unknown.
        """
        per_hour = {
            "flop": self.flop,
            "hours": 1.0,
            "days": None
            if self.accelerators is None
            else 1.0 / (HOURS_A_DAY * np.asarray(self.accelerators)),
            "money": self.money,
            "kwh": self.kwh,
            "kgco2e": self.kgco2e,
        }
        rate = per_hour[amount.key]
        if rate is None:
            raise PlanError(f"{amount.unit} cannot be converted: no rate per accelerator-hour")
        hours = amount.draws / rate

        def at(key: str) -> np.ndarray | None:
            each = per_hour[key]
            return None if each is None else hours * each

        days, money, kwh, kgco2e = at("days"), at("money"), at("kwh"), at("kgco2e")
        return Cost(
            flop=Flop(hours * self.flop),
            hours=Hours(hours),
            days=None if days is None else Days(days),
            money=None if money is None else Money(money),
            kwh=None if kwh is None else Energy(kwh),
            kgco2e=None if kgco2e is None else Emissions(kgco2e),
        )
