"""`plan`: from the draws of a fit and a budget to the best (N, D), its risk, its regret and what it hangs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xarray as xr

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.actions import Actions, Candidates
from bayescale.decide.plans.constraints import Constraints
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, fitted_compute, grounds, provenance
from bayescale.decide.plans.isoflop import EDGE_SHARE, IsoFlop
from bayescale.decide.plans.judging import Preferred, on_one_draw, read_risks
from bayescale.decide.plans.plan import Plan, Recommendation
from bayescale.decide.plans.preregistration import RunForecast
from bayescale.decide.plans.reach import require_target
from bayescale.decide.risks.risk import Expectation, Risk
from bayescale.decide.risks.waste import Waste
from bayescale.posterior import Group, Posterior, Side, named_quantiles, require_posterior
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import Backtest, assumption, run_cdf

REGRET = 0.05
REGRET_PROBABILITY = 0.8


def plan(
    fit: Posterior,
    budget: Budget | float,
    risk: Risk | str | Sequence[Risk | str] | None = None,
    target_loss: float | None = None,
    *,
    candidates: Candidates | None = None,
    constraints: Constraints | None = None,
    backtest: Backtest | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Plan:
    """Choose N and D for a training budget.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    budget : Budget or float
        FLOP, or money on hardware; a bare number is FLOP.
    risk : Risk, str or sequence of them, optional
        How an action is judged, also as text, ``"cvar:0.1"``. Each gives one recommendation. By default ``Waste()``:
        utility is compute-equivalent, and the share of the budget wasted against each draw's own optimum is to be
        small in expectation, as :func:`design` counts it. Other risks are of the loss, unless within ``Waste(...)``.
        Risk acts on the expected curve: a mean over Student-t noise of the log loss does not exist. Regret is against
        each draw's own optimum; a worst case is over the laws of a stack.
    target_loss : float, optional
        For P(loss ≤ target) of one run, noise included, and P(target lies below the floor).
    candidates : sequence of (float, float), optional
        The actions as pairs of N and D; by default all N along the budget, C = 6·N·D. Their regret, too, is against the
        best use of the whole budget.
    constraints : Constraints, optional
        What actions may not exceed besides; what is left out is named in the plan.
    backtest : Backtest, optional
        Of this model on the fitted table: the plan then says what share of the runs that were held out at its distance
        lay inside their intervals, or that none was.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        Plan on a fit that missed the gate; on a model whose status is experimental.
    **further : float
        Further inputs that the law reads, by their names in :data:`bayescale.given.GIVEN`: ``unique_tokens``, all the
        tokens there are, of which more are had by repeating them (without it none is repeated, whatever D);
        ``experts`` of a routed layer (without it the network is dense); ….

    Returns
    -------
    Plan

    Raises
    ------
    PlanError, ConvergenceError, ForecastError, DataError
    """
    require_posterior(fit, "plan")
    admit(fit, allow_unconverged, allow_experimental)
    budget = budget if isinstance(budget, Budget) else Budget(compute=budget)
    if target_loss is not None:
        require_target(target_loss)
    first = fit.members[0]  # all have the same runs and labels
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    iso = IsoFlop.of(fit, where, budget, given)
    risks = read_risks(risk, iso.curve)
    hit = None if target_loss is None else partial(_hit, fit, where, target_loss)
    limits = [] if constraints is None else constraints.limits(budget)
    actions = Actions.of(iso, candidates, limits)
    outcomes = actions.outcomes
    loss, waste = outcomes.loss, outcomes.waste
    table = xr.Dataset(
        {
            "params": ("action", np.exp(actions.log_params)),
            "tokens": ("action", np.exp(actions.log_tokens)),
            "loss": ("action", loss.mean(axis=0)),
            **{f"risk_{r.name}": ("action", outcomes.judged(r)) for r in risks},
            "regret": ("action", waste.mean(axis=0)),
            "p_regret": ("action", (waste <= REGRET).mean(axis=0)),
        }
    )
    if hit is not None:
        table["p_hit"] = ("action", hit(loss))
    best_n, _ = iso.optimum
    best_d = iso.tokens_drawn(best_n)
    floor, frontier_loss = iso.curve.floor, iso.frontier_loss
    optimum = {
        "params": named_quantiles(np.exp(best_n)),
        "tokens": named_quantiles(best_d),
        "tokens_per_param": named_quantiles(best_d / np.exp(best_n)),
        "loss": named_quantiles(frontier_loss),
        "headroom": named_quantiles(frontier_loss - floor),
        "floor": named_quantiles(floor),
        **{f"share_{part}": named_quantiles(share) for part, share in iso.shares().items()},
    }
    recommendations = tuple(_recommend(actions, r, hit, budget) for r in risks)
    return Plan(
        problem={
            "compute": budget.median_flop(len(floor), fit.seed),
            "dollars": budget.cost,
            **budget.accounting(),
            "risk": [r.name for r in risks],
            "target_loss": target_loss,
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
            **({} if constraints is None else {"constraints": constraints.stated()}),
            **({} if candidates is None else {"candidates": len(candidates)}),
        },
        table=table,
        frontier=iso.frontier(fitted_compute(first)),
        optimum=optimum,
        recommendations=recommendations,
        by_utility={
            "waste": Preferred.of(*actions.best(Waste())),
            "loss": Preferred.of(*actions.best(Expectation())),
        },
        regret_set=_regret_set(table),
        p_target_below_floor=None if target_loss is None else float(np.mean(floor > target_loss)),
        p_target_tenfold=None if hit is None else _best_hit(iso.times(10.0), hit),
        caveats=(
            *grounds(
                fit,
                where,
                [r.params for r in recommendations],
                [r.tokens for r in recommendations],
                given,
                backtest,
            ),
            *budget.note(),
            *actions.notes(),
            *_caveats(table, actions.outside),
            *on_one_draw(risks, outcomes),
        ),
        provenance=provenance(fit),
        forecasts=tuple(
            RunForecast.of(fit, where, r.risk, r.params, r.tokens, given) for r in recommendations
        ),
        infeasible=actions.infeasible,
    )


def _hit(fit: Posterior, where: dict[Side, Group], target: float, loss: np.ndarray) -> np.ndarray:
    """P(loss of one run ≤ target) of each action: the noise's distribution function, averaged over draws."""
    return run_cdf(fit, where, float(np.log(target)), np.log(loss)).mean(axis=0)


def _best_hit(iso: IsoFlop, hit: Callable[[np.ndarray], np.ndarray]) -> float:
    """P(loss of one run ≤ target) at the action that makes it largest."""
    log_params, _ = iso.candidates()
    loss = iso.loss(iso.log_reducible(log_params))
    return float(hit(loss).max())


def _recommend(
    actions: Actions,
    risk: Risk,
    hit: Callable[[np.ndarray], np.ndarray] | None,
    budget: Budget,
) -> Recommendation:
    """The action of least risk, and what it brings."""
    log_n, log_d, chosen = actions.best(risk)
    regret = float(chosen.waste.mean())
    return Recommendation(
        risk=risk.name,
        params=float(np.exp(log_n)),
        tokens=float(np.exp(log_d)),
        risk_value=float(chosen.judged(risk)[0]),
        loss=named_quantiles(chosen.loss[:, 0]),
        regret=regret,
        regret_dollars=None if budget.cost is None else regret * budget.cost,
        p_hit=None if hit is None else float(hit(chosen.loss)[0]),
    )


def _regret_set(table: xr.Dataset) -> dict[str, float] | None:
    """Smallest and largest N with P(wasted share ≤ 5 %) ≥ .8, and the cheapest of these to serve; None if no one is."""
    inside = table.isel(action=table["p_regret"].to_numpy() >= REGRET_PROBABILITY)
    if inside.sizes["action"] == 0:
        return None
    # A token served costs 2·N: of the smallest, the one that wastes least.
    least = inside.isel(action=np.lexsort((inside["regret"], inside["params"]))[0])
    return {
        "params_lo": float(inside["params"].min()),
        "params_hi": float(inside["params"].max()),
        "regret": REGRET,
        "probability": REGRET_PROBABILITY,
        **{f"serve_{name}": float(least[name]) for name in ("params", "tokens", "loss", "regret")},
    }


def _caveats(table: xr.Dataset, outside: float) -> list[str]:
    said = []
    if outside > EDGE_SHARE:
        said.append(f"unbounded: {100 * outside:.0f} % of the optima lie on an edge of the grid")
    if np.isclose(table["p_regret"].max(), 0) or _regret_set(table) is None:
        said.append(
            f"no action has P(waste ≤ {100 * REGRET:.0f} %) ≥ {REGRET_PROBABILITY:g}: "
            "the optimum is not known that well"
        )
    return said
