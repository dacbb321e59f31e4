"""`design`: what is it worth to know more before the final run, and which pilots are worth their price?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayescale.checks.draws import thinned
from bayescale.decide.costs.budget import Budget
from bayescale.decide.information.design import Choice, Design
from bayescale.decide.information.outcomes import log_likelihood
from bayescale.decide.information.parameters import parameter_groups
from bayescale.decide.information.perfect import evpi, evppi
from bayescale.decide.information.pilots import Pilot
from bayescale.decide.information.portfolio import Candidates, Portfolio
from bayescale.decide.information.stakes import Stakes
from bayescale.decide.plans.constraints import Constraints
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, grounds, provenance
from bayescale.decide.plans.isoflop import EDGE_SHARE, joint_curve
from bayescale.decide.plans.montecarlo import mean_error
from bayescale.decide.plans.numbers import si
from bayescale.decide.risks.risk import Expectation
from bayescale.decide.risks.waste import Waste
from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import (
    Chained,
    Curve,
    Fit,
    Group,
    Mixture,
    Posterior,
    Side,
    Stacked,
    require_one_step,
    require_posterior,
)
from bayescale.posterior.uncertain import POSITIVE, Uncertain, draws_of
from bayescale.predict import assumption

MOST_DRAWS, OUTCOMES = 4000, 400
FAR = 1.0  # decades of D/N off the valley that are mentioned (case_studies/replay: such pilots did harm)
UNSUPPORTED = 0.05  # share of a pilot's outcomes with k̂ > 0.7 that is mentioned


def design(
    fit: Posterior,
    budget: Budget | float,
    pilots: Sequence[Pilot],
    *,
    pilot_budget: float | None = None,
    constraints: Constraints | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Design:
    """Value of information before a final run: perfect, of groups of parameters, of candidate pilots, of sets of them.

    What is at stake is the share of the final budget that the choice of N wastes (:meth:`IsoFlop.wasted_share`), times
    the budget; its expectation is to be small, as :func:`plan` has it by default. A pilot's outcomes are simulated,
    with the offset of its own sweep, the noise of its runs and its failures; the draws are re-weighted by each, and N
    is chosen again.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several. At most 4,000 draws of each are used, evenly spaced.
    budget : Budget or float
        Of the final run; a bare number is FLOP. Priced, all values are in dollars.
    pilots : sequence of Pilot
        Candidates. Each is a sweep of its own; runs that share an offset are one pilot.
    pilot_budget : float, optional
        What all pilots together may cost, in the same unit.
    constraints : Constraints, optional
        What the final run may not exceed besides, as in :func:`plan`: what a pilot tells of an N that is not feasible
        is worth nothing.
    architecture, task, study : str or New, optional
        Of the final run, as in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, of the final run as in :func:`plan`, and of pilots that state none of their own.

    Returns
    -------
    Design

    Raises
    ------
    PlanError, ConvergenceError, ForecastError, UnknownNameError

    Notes
    -----
    Deciding what a pilot is for before it is run: its EVSI counts the choice of N alone, not whether to train at all.
    """
    require_posterior(fit, "design")
    require_one_step(fit, "design")
    admit(fit, allow_unconverged, allow_experimental)
    if not isinstance(budget, Budget):
        budget = Budget(compute=budget)
    if pilot_budget is not None:
        draws_of(pilot_budget, "pilot_budget", POSITIVE, 1)
    _check(pilots)
    fit = _fewer(fit)
    first = fit.members[0]
    where = first.groups(architecture, task, study)
    groups = [_groups_of(first, where, pilot) for pilot in pilots]
    given = read_given(further)
    stakes = Stakes.of(fit, where, budget, given, constraints)
    error = partial(mean_error, **_layout(stakes.iso.curve, first))
    source = np.linspace(0, len(stakes.utility) - 1, OUTCOMES).round().astype(int)
    cost = np.array([p.flop * stakes.per_flop if p.cost is None else p.cost for p in pilots])
    curves: dict[str, Curve | Mixture] = {}
    likelihoods = []
    for pilot, own in zip(pilots, groups, strict=True):
        key = repr((own, pilot.inputs(given)))
        if key not in curves:
            curves[key] = joint_curve(fit, own, pilot.inputs(given))
        likelihoods.append(log_likelihood(fit, curves[key], pilot, source))
    failure = np.array([float(p.failure) for p in pilots])
    candidates = Candidates(stakes.utility, likelihoods, cost, failure, source, error, fit.seed)
    singles = [candidates.single(i) for i in range(len(pilots))]
    value = np.array([s.value for s in singles])
    table = xr.Dataset(
        {
            "flop": ("pilot", [p.flop for p in pilots]),
            "cost": ("pilot", cost),
            "failure": ("pilot", failure),
            "evsi": ("pilot", value),
            "error": ("pilot", [s.error for s in singles]),
            "net": ("pilot", value - cost),
            "unsupported": ("pilot", [s.unsupported / s.outcomes for s in singles]),
        },
        coords={"pilot": [p.name for p in pilots]},
    )
    enough = candidates.best()
    affordable = pilot_budget is None or enough.cost <= pilot_budget
    portfolio = enough if affordable else candidates.best(float(pilot_budget or 0.0))
    today, by_loss = stakes.preferred(Waste()), stakes.preferred(Expectation())
    known = parameter_groups(fit, where, stakes)
    return Design(
        problem={
            "unit": stakes.unit,
            "total": stakes.total,
            "compute": budget.median_flop(len(stakes.utility), fit.seed),
            "utility": "waste",
            "params": today.params,
            "tokens": today.tokens,
            "by_utility": {"waste": asdict(today), "loss": asdict(by_loss)},
            "pilot_budget": pilot_budget,
            "draws": len(stakes.utility),
            "outcomes": OUTCOMES,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
            **({} if constraints is None else {"constraints": constraints.stated()}),
        },
        evpi=evpi(stakes.utility, error),
        evppi={name: evppi(stakes.utility, draws, error) for name, draws in known.items()},
        table=table,
        portfolio=_choice(portfolio, pilots),
        enough=_choice(enough, pilots),
        caveats=(
            *_notes(fit, pilots, stakes, table),
            *budget.note(),
            *grounds(fit, where, [today.params], [today.tokens], given),
        ),
        provenance=provenance(fit),
    )


def _check(pilots: Sequence[Pilot]) -> None:
    if not pilots:
        raise PlanError(
            "pilots is an empty list: name at least one, Pilot('3B', params=3e9, tokens=6e10)"
        )
    names = [p.name for p in pilots]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"pilot {name!r} is in the list more than once")


def _fewer(fit: Posterior) -> Posterior:
    if isinstance(fit, Stacked):
        return replace(fit, members=tuple(thinned(m, MOST_DRAWS) for m in fit.members))
    # Of a chain nobody asks: it was refused.
    return fit if isinstance(fit, Chained) else thinned(fit, MOST_DRAWS)


def _layout(curve: Curve | Mixture, first: Fit) -> dict[str, Any]:
    """How the draws fall into members and chains."""
    if isinstance(curve, Mixture):
        return {"parts": [len(part.floor) for part in curve.parts], "chains": 1}
    return {"parts": [len(curve.floor)], "chains": first.posterior.sizes["chain"]}


def _groups_of(fit: Fit, where: dict[Side, Group], pilot: Pilot) -> dict[Side, Group]:
    """A pilot's groups: what it leaves unsaid is as in the final run."""
    architecture = where["architecture"] if pilot.architecture is None else pilot.architecture
    task = where["task"] if pilot.task is None else pilot.task
    if (architecture, task) == (where["architecture"], where["task"]):
        return where
    return fit.groups(architecture, task)


def _choice(found: Portfolio, pilots: Sequence[Pilot]) -> Choice:
    worth = found.worth
    return Choice(
        pilots=tuple(pilots[i].name for i in found.chosen),
        evsi=worth.value,
        error=worth.error,
        cost=found.cost,
        net=found.net,
        unsupported=worth.unsupported / worth.outcomes,
        path=found.path,
    )


def _notes(fit: Posterior, pilots: Sequence[Pilot], stakes: Stakes, table: xr.Dataset) -> list[str]:
    said = [
        f"not feasible: N from {si(one.params_lo)} to {si(one.params_hi)}: {one.reason}"
        for one in stakes.infeasible
    ]
    if not any(member.model.sweeps for member in fit.members):
        said.append(
            "the fit knows no sweeps: pilots are taken to have no offset of their own, and may tell less than it says"
        )
    thin = table["pilot"].to_numpy()[table["unsupported"].to_numpy() > UNSUPPORTED].tolist()
    if thin:
        said.append(
            f"more than {100 * UNSUPPORTED:.0f} % of the outcomes of {', '.join(thin)} have k̂ > 0.7: "
            "too few draws can have led there"
        )
    far = [pilot.name for pilot in pilots if _off_valley(stakes, pilot) > FAR]
    if far:
        said.append(
            f"runs of {', '.join(far)} lie more than {FAR:g} decade of D/N off the best at their own cost: what they "
            "are worth takes the law at its word there, where public sweeps break it"
        )
    if stakes.outside > EDGE_SHARE:
        share = 100 * stakes.outside
        said.append(f"unbounded: {share:.0f} % of the optima lie on an edge of the candidates")
    return said


def _off_valley(stakes: Stakes, pilot: Pilot) -> float:
    """How far the farthest run of a pilot lies from the best D/N at its own cost, in decades: of the law's median draw.

    Without drift, and of a stack its first law: it is a warning, not a number that is reported.
    """
    curve = stakes.iso.curve
    part = curve.parts[0] if isinstance(curve, Mixture) else curve
    plain = replace(part, walks={}, given={})
    log_n, log_d = np.log(np.array(pilot.runs)).T
    log_total = log_n + log_d
    best_n = np.median(plain.optimum(log_total + LOG_FLOP_PER_PARAM_TOKEN)[0], axis=0)
    return float(np.abs(log_d - log_n - (log_total - 2.0 * best_n)).max() / np.log(10.0))
