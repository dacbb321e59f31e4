"""Budgets: training compute, stated in FLOP or bought with money, at a price that may be uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from bayescale.decide.costs.costing import DRAWS, Fleet
from bayescale.decide.costs.hardware import get_hardware
from bayescale.decide.costs.rates import Rates
from bayescale.errors import PlanError
from bayescale.posterior import Overhead
from bayescale.posterior.uncertain import AT_LEAST_ZERO, POSITIVE, SHARE, Uncertain, draws_of
from bayescale.runs.flops import PER_PARAM_TOKEN, training_flop_per_token

LEAST_FLOP, MOST_FLOP = 1e6, 1e40
_NEEDS_PRICE = "dollars need price_per_hour=, mfu= and hardware= to become FLOP"
_PRICES = {
    "price_per_hour": POSITIVE,
    "mfu": SHARE,
    "restarts": AT_LEAST_ZERO,
    "failed": AT_LEAST_ZERO,
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be spent on one training run: FLOP, or dollars on some hardware.

    Where the price or the utilisation is a distribution, so is what money buys: the number of parameters is chosen
    before, and training goes on until the money is spent.

    Parameters
    ----------
    compute : float, optional
        Training FLOP.
    dollars : float, optional
        Money, instead of compute.
    price_per_hour : number, distribution or draws, optional
        Dollars per accelerator-hour, e.g. ``"LogNormal(median=2.7, sigma=0.35)"``. Needed with ``dollars``; with
        ``compute`` it prices the waste.
    mfu : number, distribution or draws, optional
        Model FLOP utilisation, in (0, 1].
    hardware : str, optional
        A name that ``bayescale hardware`` lists; its dense peak in bf16, or in fp16 where it has no bf16.
    restarts, failed : number, distribution or draws, optional
        Work repeated after restarts, as a share of the run, and runs lost as a whole for one that succeeds, as in
        :class:`Fleet`: money buys less, and a FLOP costs more. With a price only; none by default.

    context, vocabulary : float, optional
        Spend it as more than 6·N·D: with attention over so many tokens, and with the output head of an N that leaves
        it out, of a decoder whose width is 100 times its depth (:func:`bayescale.runs.flops.training_flop_per_token`).

    Raises
    ------
    PlanError, ModelError, UnknownNameError
        For a negative price, an MFU above one, a missing or contradictory input, or a budget outside 1e6 to 1e40 FLOP.
    """

    compute: float | None = None
    dollars: float | None = None
    price_per_hour: Uncertain | None = None
    mfu: Uncertain | None = None
    hardware: str | None = None
    restarts: Uncertain | None = None
    failed: Uncertain | None = None
    context: float | None = None
    vocabulary: float | None = None

    def __post_init__(self) -> None:
        if (self.compute is None) == (self.dollars is None):
            raise PlanError("a budget is compute=FLOP or dollars=..., one of the two")
        for name in ("compute", "dollars"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real):
                raise PlanError(f"{name} = {value!r} (expected a number)")
            amount = float(value)
            if not (math.isfinite(amount) and amount > 0):
                raise PlanError(f"{name} = {amount:g} (expected a positive number)")
        for name, bounds in _PRICES.items():
            value = getattr(self, name)
            if value is not None:
                draws_of(value, name, bounds, value.size if isinstance(value, np.ndarray) else 1)
        for name, value in self.accounting().items():
            draws_of(value, name, POSITIVE, 1)
        if self.hardware is not None:
            get_hardware(self.hardware)
        self._check_prices()
        self.flop_draws(self._count)

    def _check_prices(self) -> None:
        """Raise unless all that prices the budget is there, or none of it."""
        missing = [v is None for v in (self.price_per_hour, self.mfu, self.hardware)]
        if self.dollars is not None and any(missing):
            raise PlanError(_NEEDS_PRICE)
        if self.compute is not None and any(missing) and not all(missing):
            raise PlanError(
                "pricing a compute budget needs all of price_per_hour, mfu and hardware"
            )
        if any(missing) and (self.restarts is not None or self.failed is not None):
            raise PlanError(
                "restarts and failed runs cost hours: give price_per_hour, mfu and hardware too"
            )

    def accounting(self) -> dict[str, float]:
        """What is counted besides 6·N·D, as stated."""
        stated = {"context": self.context, "vocabulary": self.vocabulary}
        return {name: float(value) for name, value in stated.items() if value is not None}

    @property
    def overhead(self) -> Overhead | None:
        """Log of what a token costs over 6·N, from log N; None where that is all it costs."""
        if not self.accounting():
            return None

        def log_factor(log_params: np.ndarray) -> np.ndarray:
            params = np.exp(log_params)
            whole = training_flop_per_token(params, self.context, self.vocabulary)
            return np.asarray(np.log(whole / (PER_PARAM_TOKEN * params)))

        return log_factor

    @property
    def _count(self) -> int:
        """How many draws speak of the budget alone: as many as the caller's own, where there are some."""
        own = [v.size for name in _PRICES if isinstance(v := getattr(self, name), np.ndarray)]
        return own[0] if own else DRAWS

    def rate_draws(self, draws: int, seed: int = 0) -> np.ndarray | None:
        """FLOP that a dollar buys, shape (draw,), or None where nothing was priced."""
        if self.price_per_hour is None or self.mfu is None or self.hardware is None:
            return None
        rates = self.rates(self.hardware, self.mfu, draws, seed)
        return np.asarray(rates.flop / rates.money) if rates.money is not None else None

    def rates(self, hardware: str, mfu: Uncertain, draws: int, seed: int = 0) -> Rates:
        """What an hour of one accelerator does and costs, restarts and failed runs counted."""
        return Fleet(
            hardware=hardware,
            mfu=mfu,
            price_per_hour=self.price_per_hour,
            restarts=0.0 if self.restarts is None else self.restarts,
            failed=0.0 if self.failed is None else self.failed,
        ).rates(draws, seed)

    def flop_draws(self, draws: int, seed: int = 0) -> np.ndarray:
        """The budget in FLOP, shape (draw,); draws go with those of a fit of that seed."""
        if self.compute is not None:
            flop = np.full(draws, float(self.compute))
        else:
            rate = self.rate_draws(draws, seed)
            if self.dollars is None or rate is None:
                raise PlanError(_NEEDS_PRICE)
            flop = self.dollars * rate
        low, high = float(flop.min()), float(flop.max())
        if not (low >= LEAST_FLOP and high <= MOST_FLOP):
            said = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
            raise PlanError(
                f"a budget of {said} FLOP (expected from {LEAST_FLOP:g} to {MOST_FLOP:g})"
            )
        return flop

    def cost_draws(self, draws: int, seed: int = 0) -> np.ndarray | None:
        """The budget in dollars, shape (draw,), or None where nothing was priced."""
        if self.dollars is not None:
            return np.full(draws, float(self.dollars))
        rate = self.rate_draws(draws, seed)
        return None if rate is None else self.flop_draws(draws, seed) / rate

    def inputs(self, draws: int, seed: int = 0) -> dict[str, np.ndarray]:
        """The inputs that are uncertain, as they are drawn for the other methods."""
        drawn = {
            name: draws_of(value, name, bounds, draws, seed)
            for name, bounds in _PRICES.items()
            if (value := getattr(self, name)) is not None
        }
        return {name: values for name, values in drawn.items() if np.ptp(values) > 0}

    @property
    def flop_per_dollar(self) -> float | None:
        """FLOP that a dollar buys, in the median, or None where nothing was priced."""
        rate = self.rate_draws(self._count)
        return None if rate is None else float(np.median(rate))

    @property
    def flop(self) -> float:
        """The budget in FLOP; in the median, where what money buys is uncertain."""
        return self.median_flop(self._count)

    def median_flop(self, draws: int, seed: int = 0) -> float:
        """The median of :meth:`flop_draws`."""
        return float(np.median(self.flop_draws(draws, seed)))

    @property
    def cost(self) -> float | None:
        """The budget in dollars, expected where it is uncertain, or None where nothing was priced."""
        cost = self.cost_draws(self._count)
        return None if cost is None else float(np.mean(cost))

    def note(self) -> list[str]:
        """What an uncertain price or utilisation does to the budget, in words; empty where there is none."""
        uncertain = self.inputs(self._count)
        if not uncertain:
            return self._counted()
        names = " and ".join(uncertain)
        if self.dollars is None:
            return [*self._counted(), f"{names}: uncertain, money is shown as expected"]
        low, high = np.quantile(self.flop_draws(self._count), (0.05, 0.95))
        return [
            *self._counted(),
            f"{names}: uncertain, the money buys {low:.3g} to {high:.3g} FLOP (90 %); "
            "N is chosen before, D is that of the median",
        ]

    def _counted(self) -> list[str]:
        """What is counted besides 6·N·D, in words."""
        said = {"context": "attention over {:g} tokens", "vocabulary": "an output head of {:g}"}
        parts = [said[name].format(value) for name, value in self.accounting().items()]
        return [f"the budget pays for 6ND and {' and '.join(parts)}"] if parts else []
