"""What is at stake in the final run: the money or FLOP that each choice of N wastes, draw by draw, at a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.actions import Actions
from bayescale.decide.plans.constraints import Constraints, Infeasible
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Outcomes, Preferred, best_size
from bayescale.decide.risks.risk import Risk
from bayescale.posterior import Group, Posterior, Side
from bayescale.posterior.uncertain import Uncertain


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
    infeasible : tuple of Infeasible
        What the constraints leave out.
    """

    iso: IsoFlop
    log_params: np.ndarray
    utility: np.ndarray
    unit: str
    total: float
    per_flop: float
    inputs: dict[str, np.ndarray]
    outside: float
    infeasible: tuple[Infeasible, ...] = ()

    def preferred(self, risk: Risk) -> Preferred:
        """The N of least risk along the budget, found as a plan finds it."""
        log_n = best_size(self.log_params, Outcomes.along(self.iso, self.log_params), risk)
        log_d = float(np.log(self.iso.tokens(log_n)))
        return Preferred.of(log_n, log_d, Outcomes.along(self.iso, np.array([log_n])))

    @classmethod
    def of(
        cls,
        fit: Posterior,
        where: dict[Side, Group],
        budget: Budget,
        given: Mapping[str, Uncertain] | None = None,
        constraints: Constraints | None = None,
    ) -> Stakes:
        """The stakes of a group at a budget; ``given`` states further inputs of the law, constraints bound N and D."""
        iso = IsoFlop.of(fit, where, budget, given)
        actions = Actions.along(iso, [] if constraints is None else constraints.limits(budget))
        waste, draws = actions.outcomes.waste, len(iso.curve.floor)
        spent, rate = budget.cost_draws(draws, fit.seed), budget.rate_draws(draws, fit.seed)
        each = budget.flop_draws(draws, fit.seed) if spent is None else spent
        return cls(
            iso,
            actions.log_params,
            -each[:, None] * waste,
            "FLOP" if spent is None else "$",
            float(np.mean(each)),
            1.0 if rate is None else float(np.mean(1.0 / rate)),
            budget.inputs(draws, fit.seed),
            actions.outside,
            actions.infeasible,
        )
