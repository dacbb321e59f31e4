"""Risk against budget: the chance of a target, the mean loss and its worst tail, at the best action of each budget."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, fitted_compute
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.reach import Reach, TargetKind, require_target
from bayescale.decide.risks.risk import CVaR
from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Group, Posterior, require_posterior
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import assumption

BUDGETS = 33
SELDOM = 0.05  # a chance that no size is chosen for


def budget_frontier(
    fit: Posterior,
    target_loss: float,
    low: float,
    high: float,
    *,
    kind: TargetKind = "campaign",
    share: float = 0.1,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> xr.Dataset:
    """Risk against budget: the largest P(loss ≤ target) of any N, and mean loss and CVaR at the N that brings it.

    Which N brings the largest P hangs on single draws where few reach the target: of all N whose P lies within two
    binomial standard errors of the largest, the one of least mean loss is taken; where no P reaches .05, of all N.

    Parameters
    ----------
    fit, target_loss, kind, architecture, task, study, allow_unconverged, allow_experimental, further
        As in :func:`bayescale.cheapest`.
    low, high : float
        Smallest and largest budget, in FLOP.
    share : float
        Of the worst draws, for the CVaR.

    Returns
    -------
    Dataset
        Dim ``budget`` (33, evenly in log): ``compute, params, tokens, p_hit, loss, cvar``. ``fitted_compute``
        (edge): smallest and largest 6·N·D of the fitted runs. Attributes ``target_loss,
        kind, share, unit, assumes`` and the groups.

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_posterior(fit, "budget_frontier")
    admit(fit, allow_unconverged, allow_experimental)
    target, worst = require_target(target_loss), CVaR(share)
    ends = [Budget(compute=c).flop for c in (low, high)]
    if not ends[0] < ends[1]:
        raise PlanError(f"budgets from {low:g} to {high:g} FLOP (expected the smaller one first)")
    first = fit.members[0]
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    reach = Reach.of(fit, where, target, kind, given)
    sides = [IsoFlop(reach.curve, float(np.log(c))).candidates()[0] for c in ends]
    # The same N at every budget: P then never falls as the budget grows.
    log_params = np.linspace(sides[0][0], sides[1][-1], len(sides[0]))
    needed = reach.log_compute(log_params)
    log_compute = np.log(np.geomspace(ends[0], ends[1], BUDGETS))
    chosen = [_best(reach, log_params, needed, c) for c in log_compute]
    loss = np.stack([draws for _, _, draws in chosen], axis=1)
    best = log_params[[at for at, _, _ in chosen]]
    values = {
        "compute": np.exp(log_compute),
        "params": np.exp(best),
        "tokens": np.exp(log_compute - LOG_FLOP_PER_PARAM_TOKEN - best),
        "p_hit": np.array([p for _, p, _ in chosen]),
        "loss": loss.mean(axis=0),
        "cvar": worst(loss),
    }
    return xr.Dataset(
        {name: ("budget", v) for name, v in values.items()}
        | {"fitted_compute": ("edge", list(fitted_compute(first)))},
        attrs={
            "target_loss": target,
            "kind": kind,
            "share": share,
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
        },
    )


def _best(
    reach: Reach, log_params: np.ndarray, needed: np.ndarray, log_compute: float
) -> tuple[int, float, np.ndarray]:
    """The N whose P cannot be told from the largest and whose mean loss is least, the largest P, the losses there."""
    share = (needed <= log_compute).mean(axis=0)
    # At least one token is left.
    share[log_params > log_compute - LOG_FLOP_PER_PARAM_TOKEN] = -1.0
    largest = float(share.max())
    error = np.sqrt(max(largest * (1.0 - largest), 0.0) / len(needed))
    least_p = 0.0 if largest < SELDOM else largest - 2.0 * error
    tied = np.flatnonzero(share >= least_p)
    loss = reach.loss(log_params[tied], np.full(len(tied), log_compute))
    least = int(np.argmin(loss.mean(axis=0)))
    return int(tied[least]), largest, loss[:, least]
