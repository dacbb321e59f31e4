"""What is at stake in the final run: the money or FLOP that each choice of N wastes, draw by draw, at a budget."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bayescale.decide.costs.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.costs.costing import Fleet
from bayescale.decide.costs.uncertain import POSITIVE, SHARE, Uncertain, draws_of
from bayescale.decide.costs.units import Money
from bayescale.decide.plans.isoflop import CANDIDATES, EDGE_SHARE, SMALLEST, IsoFlop
from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Group, Posterior, Side

LEVELS = (
    48  # budgets at which each draw's own frontier is known, where what the money buys is uncertain
)


@dataclass(frozen=True, kw_only=True, eq=False)
class UncertainBudget:
    """Money for one training run, on hardware whose price or utilisation is not known yet.

    The number of parameters is chosen before; training goes on until the money is spent.

    Parameters
    ----------
    dollars : float
    price_per_hour : number, distribution or draws
        Dollars per accelerator-hour, e.g. ``"LogNormal(median=2.7, sigma=0.35)"``.
    mfu : number, distribution or draws
        Model FLOP utilisation, in (0, 1].
    hardware : str
        A name that ``bayescale hardware`` lists.

    Raises
    ------
    PlanError, ModelError, UnknownNameError
    """

    dollars: float
    price_per_hour: Uncertain
    mfu: Uncertain
    hardware: str
    fleet: Fleet = field(init=False, repr=False)

    def __post_init__(self) -> None:
        draws_of(self.dollars, "dollars", POSITIVE, 1)
        fleet = Fleet(hardware=self.hardware, mfu=self.mfu, price_per_hour=self.price_per_hour)
        object.__setattr__(self, "fleet", fleet)

    def flop(self, draws: int, seed: int) -> np.ndarray:
        """What the money buys, shape (draw,)."""
        spent = self.fleet.rates(draws, seed).spend(Money(np.full(draws, float(self.dollars))))
        return spent.flop.draws

    def inputs(self, draws: int, seed: int) -> dict[str, np.ndarray]:
        """The inputs that are uncertain, as drawn for :meth:`flop`."""
        price = draws_of(self.price_per_hour, "price_per_hour", POSITIVE, draws, seed)
        mfu = draws_of(self.mfu, "mfu", SHARE, draws, seed)
        return {k: v for k, v in (("price_per_hour", price), ("mfu", mfu)) if np.ptp(v) > 0}


@dataclass(frozen=True, eq=False)
class Stakes:
    """Utilities of the candidates for the final run.

    Attributes
    ----------
    iso : IsoFlop
        The curve of the final run at the budget, in the middle of what the money may buy.
    log_params : ndarray, shape (action,)
        Candidates of log N.
    utility : ndarray, shape (draw, action)
        Minus what is wasted against the draw's own best N, in ``unit``.
    unit : str
        ``"FLOP"``, or ``"$"`` where the budget is priced.
    total : float
        The budget in that unit.
    per_flop : float
        Expected price of a FLOP in that unit.
    inputs : dict of str to ndarray
        Uncertain price and utilisation, shape (draw,).
    outside : float
        Share of the draws whose best N lies on an edge of the candidates.
    """

    iso: IsoFlop
    log_params: np.ndarray
    utility: np.ndarray
    unit: str
    total: float
    per_flop: float
    inputs: dict[str, np.ndarray]
    outside: float

    @classmethod
    def of(
        cls, fit: Posterior, where: dict[Side, Group], budget: Budget | UncertainBudget
    ) -> Stakes:
        """The stakes of a group at a budget."""
        if isinstance(budget, UncertainBudget):
            return _uncertain(fit, where, budget)
        iso = IsoFlop.of(fit, where, budget.flop)
        log_params, outside = iso.candidates()
        waste = iso.wasted_share(iso.log_reducible(log_params))
        total = budget.flop if budget.cost is None else budget.cost
        unit = "FLOP" if budget.cost is None else "$"
        per_flop = total / budget.flop
        return cls(iso, log_params, -total * waste, unit, total, per_flop, {}, outside)


def _uncertain(fit: Posterior, where: dict[Side, Group], budget: UncertainBudget) -> Stakes:
    draws = len(IsoFlop.of(fit, where, LEAST_FLOP).curve.floor)
    flop = budget.flop(draws, fit.seed)
    if not (flop.min() >= LEAST_FLOP and flop.max() <= MOST_FLOP):
        raise PlanError(
            f"${budget.dollars:g} buy from {flop.min():.3g} to {flop.max():.3g} FLOP "
            f"(expected from {LEAST_FLOP:g} to {MOST_FLOP:g})"
        )
    iso, own = IsoFlop.of(fit, where, float(np.median(flop))), np.log(flop)
    levels = np.linspace(own.min() - SMALLEST, own.max(), LEVELS)
    best_n, best_r = iso.curve.optimum(levels)
    # A frontier falls with the budget; the search may miss that by its own tolerance.
    best_r = np.minimum.accumulate(best_r, axis=1)
    best = np.array([np.interp(c, levels, n) for c, n in zip(own, best_n, strict=True)])
    low, high = np.quantile(best, [EDGE_SHARE / 4, 1 - EDGE_SHARE / 4]) + np.log([1 / 3, 3])
    total = own - LOG_FLOP_PER_PARAM_TOKEN
    low, high = max(low, 0.0), min(high, float(total.min()))
    log_params = np.linspace(low, high, CANDIDATES)
    log_r = iso.curve.log_reducible(
        {"params": log_params[None], "tokens": total[:, None] - log_params}
    )
    # The budget whose optimum is as good as the action, on the draw's own frontier, which falls.
    enough = [np.interp(-here, -level, levels) for here, level in zip(log_r, best_r, strict=True)]
    waste = -np.expm1(np.minimum(np.array(enough) - own[:, None], 0.0))
    return Stakes(
        iso,
        log_params,
        -float(budget.dollars) * waste,
        "$",
        float(budget.dollars),
        float(np.mean(budget.dollars / flop)),
        budget.inputs(draws, fit.seed),
        float(np.mean((best <= low) | (best >= high))),
    )
