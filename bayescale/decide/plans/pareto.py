"""What cannot be had together: loss, money, emissions, cost and latency of serving, over budgets and fleets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayescale.decide.costs.budget import Budget
from bayescale.decide.costs.costing import Fleet
from bayescale.decide.costs.units import Flop
from bayescale.decide.plans.constraints import BYTES_PER_WEIGHT
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Outcomes, read_risks, require_of_loss
from bayescale.decide.plans.lifetime import PER_SERVED_TOKEN
from bayescale.decide.risks.risk import Expectation, Risk
from bayescale.errors import PlanError
from bayescale.posterior import Group, Posterior, require_posterior
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import assumption

BUDGETS, SIZES = 25, 41  # evenly in log
SMALLER = np.log(10.0)  # nats below the optimum that a size may lie, to be cheap to serve


def pareto_set(objectives: np.ndarray) -> np.ndarray:
    """Which actions no other one beats: at least as good in every objective and better in one.

    Parameters
    ----------
    objectives : ndarray, shape (action, objective)
        Lower is better.

    Returns
    -------
    ndarray of bool, shape (action,)
        Of several that are equal in everything, all.
    """
    values = np.asarray(objectives, float)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise PlanError(
            f"objectives of shape {values.shape} (expected (action, objective), finite numbers)"
        )
    inside = np.ones(len(values), bool)
    # From the best sum of ranks on: what beats most is met first, and what is beaten needs no second look.
    for at in np.argsort(np.argsort(np.argsort(values, axis=0), axis=0).sum(axis=1)):
        if inside[at]:
            beaten = (values >= values[at]).all(axis=1) & (values > values[at]).any(axis=1)
            inside &= ~beaten
    return inside


def pareto(
    fit: Posterior,
    fleets: Fleet | Sequence[Fleet],
    low: float,
    high: float,
    *,
    risk: Risk | str | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> xr.Dataset:
    """Actions (N, D, fleet) between two budgets, and those that no other one beats.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    fleets : Fleet or sequence of Fleet
        What it may be trained on.
    low, high : float
        Smallest and largest budget, in FLOP.
    risk : Risk or str, optional
        Of the loss; the expectation by default.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`.

    Returns
    -------
    Dataset
        Dim ``action``: ``params, tokens, compute, loss`` (mean), ``risk``, ``money`` and ``kgco2e`` of training
        (expected, left out where a fleet's rate is unknown), ``serving_flop`` (2·N a token), ``latency`` (seconds
        that one accelerator of the fleet takes to read the weights in bf16, once a token; k take a k-th; left out where
        a bandwidth is unknown), ``fleet`` (its position), ``efficient``. Attributes ``objectives, fleets, unit,
        assumes`` and the groups. Sizes reach from a tenth of the 5 % quantile of N* at a budget to its 95 % quantile.

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_posterior(fit, "pareto")
    admit(fit, allow_unconverged, allow_experimental)
    kinds = [fleets] if isinstance(fleets, Fleet) else list(fleets)
    if not kinds:
        raise PlanError("fleets is an empty list: name at least one, Fleet(hardware=..., mfu=...)")
    ends = [Budget(compute=c).flop for c in (low, high)]
    if not ends[0] < ends[1]:
        raise PlanError(f"budgets from {low:g} to {high:g} FLOP (expected the smaller one first)")
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    iso = IsoFlop.of(fit, where, ends[0], given)
    (asked,) = read_risks(Expectation() if risk is None else risk, iso.curve)
    measure = require_of_loss(asked, "pareto")
    rows = [_along(iso.at(float(c)), measure) for c in np.geomspace(ends[0], ends[1], BUDGETS)]
    actions = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    actions["serving_flop"] = PER_SERVED_TOKEN * actions["params"]
    count = len(actions["params"])
    table = {name: np.tile(values, len(kinds)) for name, values in actions.items()}
    table["fleet"] = np.repeat(np.arange(len(kinds)), count)
    objectives = ["risk", "serving_flop"]
    bandwidth = [fleet.chip.bandwidth for fleet in kinds]
    if all(bandwidth):
        reads = BYTES_PER_WEIGHT / np.array(bandwidth, float)
        table["latency"] = table["params"] * reads[table["fleet"]]
        objectives.append("latency")
    for unit in ("money", "kgco2e"):
        each = [_per_flop(fleet, unit, len(iso.curve.floor), fit.seed) for fleet in kinds]
        if all(rate is not None for rate in each):
            rate = np.array([float(r) for r in each if r is not None])
            table[unit] = table["compute"] * rate[table["fleet"]]
            objectives.append(unit)
    table["efficient"] = pareto_set(np.stack([table[name] for name in objectives], axis=1))
    return xr.Dataset(
        {name: ("action", values) for name, values in table.items()},
        attrs={
            "objectives": objectives,
            "risk": measure.name,
            "fleets": [fleet.hardware for fleet in kinds],
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
        },
    )


def _along(iso: IsoFlop, risk: Risk) -> dict[str, np.ndarray]:
    """Sizes along one budget, and what they bring."""
    low, high = np.quantile(iso.optimum[0], (0.05, 0.95))
    log_params = np.linspace(max(float(low) - SMALLER, 0.0), float(high), SIZES)
    outcomes = Outcomes.along(iso, log_params)
    found = {
        "params": np.exp(log_params),
        "tokens": iso.tokens(log_params),
        "compute": np.full(len(log_params), iso.compute),
        "loss": outcomes.loss.mean(axis=0),
        "risk": outcomes.judged(risk),
    }
    # Of a size far from all sense a drifting draw may say a loss beyond any number.
    return {name: values[np.isfinite(found["risk"])] for name, values in found.items()}


def _per_flop(fleet: Fleet, unit: str, draws: int, seed: int) -> float | None:
    """Expected dollars or kgCO2e of one FLOP of training."""
    amount = fleet.rates(draws, seed).spend(Flop(np.ones(draws))).amounts().get(unit)
    return None if amount is None else float(amount.draws.mean())
