"""`select`: a label, or a further input, as an action: which architecture, recipe or number of experts to scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from bayescale.decide.costs.budget import MOST_FLOP, Budget
from bayescale.decide.plans.alternatives import By, alternatives, chosen
from bayescale.decide.plans.crossing import STEPS_A_DECADE, Crossing
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, fitted_compute, grounds, provenance
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Outcomes, best_size, judged, read_risks
from bayescale.decide.plans.planning import REGRET
from bayescale.decide.plans.selection import Selection
from bayescale.decide.risks.risk import Risk
from bayescale.decide.risks.waste import Waste, of_waste
from bayescale.errors import PlanError
from bayescale.posterior import (
    PROBS,
    Fit,
    Group,
    Posterior,
    Side,
    require_one_step,
    require_posterior,
)
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import assumption

CONTRASTS = ("beta", "delta", "alpha", "a", "gamma", "L_inf")
BEYOND = 1e3  # times the budget: how far crossings are searched by default


def select(
    fit: Posterior,
    budget: Budget | float,
    *,
    by: By = "architecture",
    among: Sequence[Any] | None = None,
    risk: Risk | str | None = None,
    low: float | None = None,
    high: float | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Selection:
    """Compare groups as actions at a budget: P(best), expected regret, where their frontiers cross, contrasts.

    All groups are read from the same draws, so that what they share (floor, offsets of the task) cancels. The action of
    a group is the N that its own plan recommends: of least expected waste at the budget.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    budget : Budget or float
        As in :func:`plan`.
    by : str or sequence of str
        What is chosen: ``"architecture"``; ``"study"``, a source or a recipe; or a further input that the law reads,
        ``"experts"`` or another of :data:`bayescale.given.GIVEN`, or several of these at once.
    among : sequence of str or New, of float, or of sequences of float, optional
        The groups, all fitted ones by default; or the values of the input, ``[1, 8, 64]``, or of several inputs,
        ``[(1, 1e11), (64, 1e11)]``.
    risk : Risk or str, optional
        By which ``best`` is chosen; by default the expected share of the budget wasted, as in :func:`plan`.
    low, high : float, optional
        Range of budgets, in FLOP, that is searched for crossings: from the smallest fitted run to 1,000 budgets.
    architecture, task, study : str or New, optional
        Of the sides that are not compared, as in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`; but what is chosen.

    Returns
    -------
    Selection

    Raises
    ------
    PlanError, ConvergenceError, ForecastError, UnknownNameError

    Notes
    -----
    Budgets are compared a fifth of a decade apart, the difference taken as straight in between: two crossings that lie
    closer together are not seen.
    """
    require_posterior(fit, "select")
    require_one_step(fit, "select")
    admit(fit, allow_unconverged, allow_experimental)
    budget = budget if isinstance(budget, Budget) else Budget(compute=budget)
    first = fit.members[0]
    fixed: dict[Side, Group | None] = {"architecture": architecture, "task": task, "study": study}
    given = read_given(further)
    options = alternatives(first, by, among, fixed, given)
    log_compute = _budgets(first, budget, low, high)
    sides = [IsoFlop.of(fit, one.where, budget, one.given) for one in options.values()]
    (measure,) = read_risks(risk, sides[0].curve)

    log_params = np.array([_size(iso) for iso in sides])
    loss = np.stack([_at(iso, n)[:, 0] for iso, n in zip(sides, log_params, strict=True)], axis=1)
    own = np.stack([iso.frontier_loss for iso in sides], axis=1)
    waste = _waste(sides, loss, np.argmin(own, axis=1))
    paths = [iso.curve.loss(iso.curve.optimum(log_compute)[1]) for iso in sides]

    names = list(options)
    shared = next(iter(options.values())).where
    params, tokens = np.exp(log_params), sides[0].tokens(log_params)
    quantiles = np.quantile(loss, (0.05, 0.5, 0.95), axis=0)
    table: dict[str, Any] = {
        "params": params,
        "tokens": tokens,
        "loss": loss.mean(axis=0),
        **dict(zip(("lo90", "median", "hi90"), quantiles, strict=True)),
        "risk": judged(measure, waste, np.zeros(len(waste)))
        if of_waste(measure)
        else judged(measure, loss, own.min(axis=1)),
        "p_best": np.bincount(np.argmin(own, axis=1), minlength=len(names)) / len(own),
        "regret": waste.mean(axis=0),
        "p_regret": (waste <= REGRET).mean(axis=0),
    }
    if budget.cost is not None:
        table["regret_dollars"] = table["regret"] * budget.cost
    pairs = list(combinations(range(len(names)), 2))
    theta = [iso.theta for iso in sides]
    return Selection(
        problem={
            "by": chosen(by),
            "compute": budget.median_flop(len(loss), fit.seed),
            "dollars": budget.cost,
            "risk": measure.name,
            "low": float(np.exp(log_compute[0])),
            "high": float(np.exp(log_compute[-1])),
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{s: str(g) for s, g in shared.items() if s != by},
            **stated(given),
        },
        table=xr.Dataset({k: ("group", v) for k, v in table.items()}, coords={"group": names}),
        crossings=_crossings(names, pairs, paths, log_compute),
        contrasts=_contrasts(names, pairs, theta),
        frontier=xr.Dataset(
            {
                "compute": ("step", np.exp(log_compute)),
                "loss": (
                    ("group", "step", "prob"),
                    [np.quantile(path, PROBS, axis=0).T for path in paths],
                ),
                "fitted_compute": ("edge", list(fitted_compute(first))),
            },
            coords={"group": names, "prob": list(PROBS)},
        ),
        best=names[int(np.argmin(table["risk"]))],
        caveats=(
            *budget.note(),
            *dict.fromkeys(
                said
                for one, n, d in zip(options.values(), params, tokens, strict=True)
                for said in grounds(fit, one.where, [float(n)], [float(d)], one.given)
            ),
        ),
        provenance=provenance(fit),
    )


def _budgets(fit: Fit, budget: Budget, low: float | None, high: float | None) -> np.ndarray:
    """Log budgets, a fifth of a decade apart."""
    start = min(fitted_compute(fit)[0], budget.flop) if low is None else low
    end = min(BEYOND * budget.flop, MOST_FLOP) if high is None else high
    ends = [Budget(compute=c).flop for c in (start, end)]
    if not ends[0] < ends[1]:
        raise PlanError(f"budgets from {start:g} to {end:g} FLOP (expected the smaller one first)")
    steps = int(np.ceil(STEPS_A_DECADE * np.log10(ends[1] / ends[0]))) + 1
    return np.linspace(np.log(ends[0]), np.log(ends[1]), max(steps, 2))


def _at(iso: IsoFlop, log_n: float) -> np.ndarray:
    return iso.loss(iso.log_reducible(np.array([log_n])))


def _size(iso: IsoFlop) -> float:
    """Log N of least expected waste against the group's own frontier: that of its own plan."""
    log_params, _ = iso.candidates()
    return best_size(log_params, Outcomes.along(iso, log_params), Waste())


def _waste(sides: Sequence[IsoFlop], loss: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Share of the budget that each action wastes against the frontier of each draw's best group, (draw, group)."""
    out = np.empty_like(loss)
    for i, iso in enumerate(sides):
        mine = best == i
        if mine.any():
            out[mine] = iso.wasted_share(iso.curve.reducible(loss))[mine]
    return out


def _named(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "pair": [f"{names[a]} − {names[b]}" for a, b in pairs],
        "first": ("pair", [names[a] for a, _ in pairs]),
        "second": ("pair", [names[b] for _, b in pairs]),
    }


def _crossings(
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    paths: Sequence[np.ndarray],
    log_compute: np.ndarray,
) -> xr.Dataset:
    quantiles, shares = [], []
    for a, b in pairs:
        one = Crossing(log_compute, paths[a] - paths[b])
        at = one.log_crossing[one.count > 0]
        none = np.full(len(PROBS), np.nan)
        quantiles.append(np.exp(np.quantile(at, PROBS)) if len(at) else none)
        shares.append(one.shares() | {"p_never": float(np.mean(one.count == 0))})
    return xr.Dataset(
        {
            "compute": (("pair", "prob"), quantiles),
            **{k: ("pair", [s[k] for s in shares]) for k in shares[0]},
        },
        coords=_named(names, pairs) | {"prob": list(PROBS)},
    )


def _contrasts(
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    theta: Sequence[dict[str, np.ndarray]],
) -> xr.Dataset:
    known = [p for p in CONTRASTS if all(p in t for t in theta)]
    drawn = np.array([[theta[a][p] - theta[b][p] for p in known] for a, b in pairs])
    return xr.Dataset(
        {
            "difference": (
                ("pair", "parameter", "prob"),
                np.moveaxis(np.quantile(drawn, PROBS, axis=2), 0, 2),
            ),
            "p_positive": (("pair", "parameter"), (drawn > 0).mean(axis=2)),
        },
        coords=_named(names, pairs) | {"parameter": known, "prob": list(PROBS)},
    )
