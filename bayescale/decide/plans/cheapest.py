"""The cheapest budget that reaches a target loss with a given probability (a chance constraint)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from bayescale.decide.costs.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, grounds, provenance
from bayescale.decide.plans.numbers import si
from bayescale.decide.plans.reach import (
    Reach,
    TargetKind,
    enough,
    require_probability,
    require_target,
)
from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Group, Posterior, named_quantiles, require_posterior
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import assumption

MC_LEVEL = 0.9


@dataclass(frozen=True)
class Cheapest:
    """The least compute with P(loss ≤ target) ≥ p.

    Attributes
    ----------
    problem : dict
        Target, probability, kind, unit, groups.
    compute, params, tokens : float
        C in FLOP, and the N and D to spend it on.
    dollars : float or None
        Of that compute, where it was priced.
    p_hit, p_error : float
        P(loss ≤ target) there, and its Monte-Carlo standard error.
    compute_lo, compute_hi : float, float or None
        What the finite number of draws leaves open: the cheapest budgets at p ± 1.64 Monte-Carlo errors, a 90 %
        interval. None for the upper one where that probability is out of reach.
    p_below_floor : float
        Share of the draws whose floor lies above the target: no budget reaches it.
    p_most : float
        The largest probability that any budget up to 1e40 FLOP reaches.
    loss : dict
        Quantiles of the loss there.
    caveats : tuple of str
    provenance : dict
    """

    problem: dict[str, Any]
    compute: float
    params: float
    tokens: float
    dollars: float | None
    p_hit: float
    p_error: float
    compute_lo: float
    compute_hi: float | None
    p_below_floor: float
    p_most: float
    loss: dict[str, float]
    caveats: tuple[str, ...]
    provenance: dict[str, Any]

    @property
    def tokens_per_param(self) -> float:
        """D/N."""
        return self.tokens / self.params

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"tokens_per_param": self.tokens_per_param}

    def __str__(self) -> str:
        money = "" if self.dollars is None else f" (${self.dollars:,.0f})"
        high = "out of reach" if self.compute_hi is None else f"{self.compute_hi:.3g}"
        said = [
            f"Cheapest budget with P(loss ≤ {self.problem['target_loss']:g}) ≥ "
            f"{self.problem['probability']:g}: {self.compute:.3g} FLOP{money}",
            f"  N = {si(self.params)}, D = {si(self.tokens)} ({self.tokens_per_param:.1f} tokens per parameter), "
            f"loss {self.loss['median']:.3f} [90 %: {self.loss['lo90']:.3f}–{self.loss['hi90']:.3f}]",
            f"  Monte-Carlo error: P {self.p_hit:.3f} ± {self.p_error:.3f}; "
            f"budget [90 %: {self.compute_lo:.3g}–{high}]",
            f"  P(target below the floor): {self.p_below_floor:.2f}; largest P at any budget: {self.p_most:.2f}",
        ]
        return "\n".join([*said, *(f"  note: {c}" for c in self.caveats)])


def cheapest(
    fit: Posterior,
    *,
    target_loss: float,
    probability: float = 0.8,
    kind: TargetKind = "campaign",
    price_per_hour: Uncertain | None = None,
    mfu: Uncertain | None = None,
    hardware: str | None = None,
    restarts: Uncertain | None = None,
    failed: Uncertain | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Cheapest:
    """Find the least compute C = 6·N·D of which some N makes P(loss ≤ target) ≥ probability.

    A chance constraint, solved exactly on the draws: at a given N each draw reaches the target from one C on, so that
    the least budget there is an order statistic over draws, and the answer is its minimum over N (0.02 nats apart).
    Where unique tokens or experts are given, that C is searched; a draw whose loss rises again as data are repeated
    without end is there from where it first gets there, as a run that is stopped in time.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    target_loss : float
        In the unit of the fit.
    probability : float
        p, between 0 and 1.
    kind : {"campaign", "expected"}
        Of the expected curve with the offset that a new campaign shares, or without; the noise of a single run in
        neither.
    price_per_hour, mfu, hardware : optional
        All three, to say what it costs (as expected, where they are uncertain); see :class:`Budget`.
    restarts, failed : optional
        Overheads of that cost, as in :class:`Budget`.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`.

    Returns
    -------
    Cheapest

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
        Where the probability is out of reach, naming the largest that is not.

    Notes
    -----
    The Monte-Carlo error of the budget is that of P at the answer (binomial, by the effective number of draws), carried
    through the slope of the budget in p: the same problem is solved at p plus and minus 1.64 errors. That the least
    over N is taken on the same draws makes the budget a little too small.
    """
    require_posterior(fit, "cheapest")
    admit(fit, allow_unconverged, allow_experimental)
    target = require_target(target_loss)
    probability = require_probability(probability)
    priced = Budget(
        compute=LEAST_FLOP,
        price_per_hour=price_per_hour,
        mfu=mfu,
        hardware=hardware,
        restarts=restarts,
        failed=failed,
    )
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    reach = Reach.of(fit, where, target, kind, given)

    if reach.most < probability:
        said = "".join(
            f", with {name} = {value:g}" if isinstance(value, float) else f", with {name} ~ {value}"
            for name, value in stated(given).items()
        )
        raise PlanError(
            f"P(loss ≤ {target:g}) reaches {reach.most:.3g} at most{said}, below {probability:g}: in "
            f"{100 * reach.below_floor:.0f} % of the draws the floor lies above the target; "
            "raise target_loss or lower probability"
        )
    log_params, needed = reach.around(probability)
    cost = enough(needed, probability)
    at = int(np.argmin(cost))
    compute = float(np.exp(cost[at]))
    if compute < LEAST_FLOP:
        raise PlanError(
            f"target_loss = {target:g} is reached with less than {LEAST_FLOP:g} FLOP; lower it"
        )
    budget = replace(priced, compute=compute)
    reached = needed[:, at] <= cost[at]
    error = reach.standard_error(reached)
    width = float(stats.norm.ppf(0.5 + MC_LEVEL / 2)) * error
    low, high = (float(enough(needed, p).min()) for p in (probability - width, probability + width))
    params = float(np.exp(log_params[at]))
    tokens = float(np.exp(cost[at] - LOG_FLOP_PER_PARAM_TOKEN - log_params[at]))
    return Cheapest(
        problem={
            "target_loss": target,
            "probability": probability,
            "kind": kind,
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
        },
        compute=compute,
        params=params,
        tokens=tokens,
        dollars=budget.cost,
        p_hit=float(reached.mean()),
        p_error=error,
        compute_lo=float(np.exp(low)),
        compute_hi=float(np.exp(high)) if high <= np.log(MOST_FLOP) else None,
        p_below_floor=reach.below_floor,
        p_most=reach.most,
        loss=named_quantiles(reach.loss(log_params[[at]], cost[[at]])[:, 0]),
        caveats=tuple(grounds(fit, where, [params], [tokens], given)),
        provenance=provenance(fit),
    )
