"""The stopping budget: where one more dollar of training is no longer worth a dollar, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from bayescale.decide.costs.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, fitted_compute, grounds, provenance
from bayescale.decide.plans.isoflop import IsoFlop, size_range
from bayescale.decide.plans.numbers import si
from bayescale.decide.plans.reach import TargetKind, in_campaign
from bayescale.decide.plans.values import Value
from bayescale.errors import PlanError
from bayescale.posterior import Group, Posterior, named_quantiles, require_posterior
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import assumption

BEYOND = 1e6  # times the largest fitted run: how far budgets are searched by default
STEPS_A_DECADE, FINE = 8, 8  # budgets at which curves are evaluated, and steps read in between
SIZES = 61  # candidates for N at each budget


@dataclass(frozen=True, eq=False)
class Stopping:
    """The budget beyond which a dollar of training brings less than a dollar.

    Attributes
    ----------
    problem : dict
        Value, prices, range, kind, unit, groups.
    compute, dollars : float
        The budget of largest expected value less cost.
    params, tokens : float
        N and D to spend it on.
    gain : float
        Expected value less cost there, above that of the smallest budget; in dollars.
    own : dict
        Quantiles over draws of the stopping budget in FLOP, were the draw's curve and price known.
    p_low, p_high : float
        Shares of the draws that would spend no more than the smallest budget searched, or the largest.
    numbers : Dataset
        Dim ``step``: ``compute, dollars, net`` (expected value less cost, above that of the smallest budget) and
        ``marginal`` (expected value of the next dollar); ``fitted_compute`` (edge).
    caveats : tuple of str
    provenance : dict
    """

    problem: dict[str, Any]
    compute: float
    dollars: float
    params: float
    tokens: float
    gain: float
    own: dict[str, float]
    p_low: float
    p_high: float
    numbers: xr.Dataset
    caveats: tuple[str, ...]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        numbers = {str(k): v.to_numpy().tolist() for k, v in self.numbers.data_vars.items()}
        rest = {k: v for k, v in self.__dict__.items() if k != "numbers"}
        return {**rest, "caveats": list(self.caveats), "numbers": numbers}

    def __str__(self) -> str:
        own = self.own
        said = [
            f"Stopping budget: {self.compute:.3g} FLOP (${self.dollars:,.0f}), "
            f"N = {si(self.params)}, D = {si(self.tokens)}; beyond it a dollar brings less than a dollar",
            f"  were the curve known: {own['median']:.3g} FLOP [90 %: {own['lo90']:.3g}–{own['hi90']:.3g}]",
            f"  expected gain over {self.problem['low']:.3g} FLOP: ${self.gain:,.0f}",
        ]
        for share, what, end in (
            (self.p_low, "no more than the smallest", "low"),
            (self.p_high, "all of the largest", "high"),
        ):
            if share > 0:
                said.append(
                    f"  P({what} budget searched, {self.problem[end]:.3g} FLOP): {share:.2f}"
                )
        return "\n".join([*said, *(f"  note: {c}" for c in self.caveats)])


def stopping(
    fit: Posterior,
    value: Value,
    *,
    price_per_hour: Uncertain,
    mfu: Uncertain,
    hardware: str,
    restarts: Uncertain | None = None,
    failed: Uncertain | None = None,
    low: float | None = None,
    high: float | None = None,
    kind: TargetKind = "campaign",
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Stopping:
    """Find the budget at which the marginal utility of one more dollar falls below one.

    That is where expected value less cost is largest, at each budget with the N of largest expected value. Beside it,
    for every draw, the budget at which its own frontier says so: what would be spent if the curve were known.

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    value : Value
        :class:`PerNat`, :class:`IfReached` or :class:`ByAccuracy`.
    price_per_hour, mfu, hardware
        As in :class:`Budget`; the price and the MFU may be distributions.
    restarts, failed : optional
        Overheads, as in :class:`Budget`.
    low, high : float, optional
        Range of budgets searched, in FLOP: from the smallest fitted run to 10⁶ times the largest.
    kind : {"campaign", "expected"}
        As in :func:`cheapest`.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`.

    Returns
    -------
    Stopping

    Raises
    ------
    PlanError, ConvergenceError, ForecastError

    Notes
    -----
    Of value per nat and a law without drift, marginal utility is one at C = (v·α·κ·r)^(1/(1+α)), with r FLOP a dollar.
    Budgets lie a 64th of a decade apart.
    """
    require_posterior(fit, "stopping")
    admit(fit, allow_unconverged, allow_experimental)
    first = fit.members[0]
    where = fit.groups(architecture, task, study)
    fitted = fitted_compute(first)
    start = max(fitted[0], LEAST_FLOP) if low is None else low
    end = min(fitted[1] * BEYOND, MOST_FLOP) if high is None else high
    prices: dict[str, Any] = {
        "price_per_hour": price_per_hour,
        "mfu": mfu,
        "hardware": hardware,
        "restarts": restarts,
        "failed": failed,
    }
    ends = [Budget(compute=c, **prices) for c in (start, end)]
    if not ends[0].flop < ends[1].flop:
        raise PlanError(f"budgets from {start:g} to {end:g} FLOP (expected the smaller one first)")
    given = read_given(further)
    iso = IsoFlop.of(fit, where, ends[0], given)
    curve, offset = in_campaign(fit, where, kind, iso.curve)
    iso = replace(iso, curve=curve)
    rate = ends[0].rate_draws(len(offset), fit.seed)
    if rate is None:  # for the type checker: all three are required
        raise PlanError("stopping needs price_per_hour, mfu and hardware")
    steps = int(np.ceil(STEPS_A_DECADE * np.log10(end / start))) + 1
    coarse = np.linspace(np.log(start), np.log(end), max(steps, 4))
    fine = np.linspace(coarse[0], coarse[-1], FINE * (len(coarse) - 1) + 1)

    best_n, best_r = iso.curve.optimum(coarse)
    log_r = PchipInterpolator(coarse, best_r, axis=1)(fine)
    loss = iso.loss(log_r) * np.exp(offset)[:, None]
    own = fine[np.argmax(value(loss) - np.exp(fine) / rate[:, None], axis=1)]
    worth = [
        _best(iso.at(float(np.exp(c))), best, value, offset)[0]
        for c, best in zip(coarse, best_n.T, strict=True)
    ]
    expected = PchipInterpolator(coarse, worth)
    dollars = np.exp(fine) * float(np.mean(1.0 / rate))
    net = expected(fine) - dollars
    at = int(np.argmax(net))
    compute = float(np.exp(fine[at]))
    chosen = iso.at(compute)
    _, log_n = _best(chosen, chosen.optimum[0], value, offset)
    params, tokens = float(np.exp(log_n)), float(chosen.tokens(log_n))
    return Stopping(
        problem={
            "value": value.to_dict(),
            "low": float(start),
            "high": float(end),
            "kind": kind,
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
        },
        compute=compute,
        dollars=float(dollars[at]),
        params=params,
        tokens=tokens,
        gain=float(net[at] - net[0]),
        own=named_quantiles(np.exp(own)),
        p_low=float(np.mean(own <= fine[0])),
        p_high=float(np.mean(own >= fine[-1])),
        numbers=xr.Dataset(
            {
                "compute": ("step", np.exp(fine)),
                "dollars": ("step", dollars),
                "net": ("step", net - net[0]),
                "marginal": ("step", expected.derivative()(fine) / dollars),
                "fitted_compute": ("edge", list(fitted)),
            }
        ),
        caveats=(*_edges(at, len(fine)), *grounds(fit, where, [params], [tokens], given)),
        provenance=provenance(fit),
    )


def _best(iso: IsoFlop, best: np.ndarray, value: Value, offset: np.ndarray) -> tuple[float, float]:
    """The largest expected value at a budget, and the log N that brings it (of several, the one of least loss).

    ``best`` is each draw's own log N* there.
    """
    log_params = np.linspace(*size_range(best, float(np.min(iso.log_total))), num=SIZES)
    loss = iso.loss(iso.log_reducible(log_params)) * np.exp(offset)[:, None]
    worth = value(loss).mean(axis=0)
    tied = np.flatnonzero(worth == worth.max())
    at = tied[np.argmin(loss[:, tied].mean(axis=0))]
    return float(worth[at]), float(log_params[at])


def _edges(at: int, steps: int) -> list[str]:
    if at == 0:
        return ["no budget searched is worth its cost: the smallest is the best"]
    if at == steps - 1:
        return [
            "a dollar still brings more than a dollar at the largest budget searched: raise high"
        ]
    return []
