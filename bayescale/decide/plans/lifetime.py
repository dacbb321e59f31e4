"""Inference-aware optimum: the (N, D) that reaches a target loss with the least FLOP over training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescale.decide.costs.costing import FORWARD_SHARE
from bayescale.decide.plans.given import read_given
from bayescale.decide.plans.grounds import admit, grounds
from bayescale.decide.plans.inverse import MOST_TOKENS, Inverse
from bayescale.decide.plans.isoflop import joint_curve
from bayescale.errors import PlanError
from bayescale.laws import joint_frontier
from bayescale.posterior import Curve, Group, Mixture, Posterior, named_quantiles, require_posterior
from bayescale.posterior.uncertain import AT_LEAST_ZERO, POSITIVE, Uncertain, draws_of
from bayescale.runs.flops import PER_PARAM_TOKEN

PER_SERVED_TOKEN = FORWARD_SHARE * PER_PARAM_TOKEN
# Nats to either side of the frontier's N, points of the first grid and of those that close in, and how many of these.
HALF_WIDTH, FIRST, THEN, ROUNDS = 12.0, 161, 9, 5


@dataclass(frozen=True, eq=False)
class LifetimeOptimum:
    """The cheapest way to a target loss, draw by draw; NaN where a draw never reaches it.

    Attributes
    ----------
    params, tokens : ndarray, shape (draw,)
        N and D.
    training_flop, serving_flop : ndarray, shape (draw,)
        6·N·D and 2·N·served.
    on_edge : ndarray of bool, shape (draw,)
        The search ended at its limit, a factor of 10⁵ in N from the frontier: a drifting draw may have its optimum
        where no model can be.
    caveats : tuple of str
        What the posterior cannot support, at the median N and D.
    """

    params: np.ndarray
    tokens: np.ndarray
    training_flop: np.ndarray
    serving_flop: np.ndarray
    on_edge: np.ndarray
    caveats: tuple[str, ...] = ()

    @property
    def flop(self) -> np.ndarray:
        """Training and serving together."""
        return self.training_flop + self.serving_flop

    @property
    def p_reached(self) -> float:
        """Share of the draws that reach the target at all."""
        return float(np.mean(np.isfinite(self.params)))

    def quantiles(self) -> dict[str, dict[str, float]]:
        """Quantiles of everything over the draws that reach the target; empty if none does."""
        reached = np.isfinite(self.params)
        every = {
            "params": self.params,
            "tokens": self.tokens,
            "tokens_per_param": self.tokens / self.params,
            "training_flop": self.training_flop,
            "serving_flop": self.serving_flop,
            "flop": self.flop,
        }
        return {k: named_quantiles(v[reached]) for k, v in every.items()} if reached.any() else {}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: quantiles, not draws."""
        return {
            "p_reached": self.p_reached,
            "p_on_edge": float(np.mean(self.on_edge)),
            **self.quantiles(),
            "caveats": list(self.caveats),
        }


def lifetime_optimum(
    fit: Posterior,
    *,
    target_loss: float,
    served_tokens: Uncertain = 0.0,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> LifetimeOptimum:
    """Minimise 6·N·D + 2·N·served over N and D with L(N, D) = target (Sardana et al. 2023, arXiv:2401.00448, eq. 4).

    Parameters
    ----------
    fit : Fit or Stacked
        Of a joint law, or of several.
    target_loss : float
        In the unit of the fit.
    served_tokens : number, distribution or draws
        Over the model's life; zero gives the optimum of training alone.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`.

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_posterior(fit, "lifetime_optimum")
    admit(fit, allow_unconverged, allow_experimental)
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    curve = joint_curve(fit, where, given)
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    served = draws_of(served_tokens, "served_tokens", AT_LEAST_ZERO, len(curve.floor), fit.seed)
    ends = np.cumsum([len(part.floor) for part in parts])[:-1]
    split = zip(parts, np.split(served, ends), strict=True)
    found = _together([cheapest_lifetime(part, target_loss, own) for part, own in split])
    at = found.quantiles()
    if not at:
        return found
    params, tokens = at["params"]["median"], at["tokens"]["median"]
    return replace(found, caveats=tuple(grounds(fit, where, [params], [tokens], given)))


def _together(parts: Sequence[LifetimeOptimum]) -> LifetimeOptimum:
    """Draws of several laws, one law after the other."""
    return LifetimeOptimum(
        params=np.concatenate([p.params for p in parts]),
        tokens=np.concatenate([p.tokens for p in parts]),
        training_flop=np.concatenate([p.training_flop for p in parts]),
        serving_flop=np.concatenate([p.serving_flop for p in parts]),
        on_edge=np.concatenate([p.on_edge for p in parts]),
    )


def cheapest_lifetime(
    curve: Curve, target_loss: Uncertain, served_tokens: Uncertain = 0.0, seed: int = 0
) -> LifetimeOptimum:
    """:func:`lifetime_optimum` under a curve; no closed form exists, each draw is searched on a grid that closes in."""
    if curve.law.core.name != "joint" or curve.upper is not None:
        raise PlanError(
            f"law {curve.law.name!r} is not read backwards along N and D; fit a joint law"
        )
    floor = curve.theta[curve.law.floor.name]
    target = draws_of(target_loss, "target_loss", POSITIVE, len(floor), seed)
    served = draws_of(served_tokens, "served_tokens", AT_LEAST_ZERO, len(floor), seed)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_target = curve.reducible(target)  # NaN below the floor: such a draw never gets there
        log_served = np.log(served * PER_SERVED_TOKEN / PER_PARAM_TOKEN)

    exact = joint_frontier(curve.theta, curve.pivots)
    # Where the law without drift would train; a draw without an answer is searched anywhere.
    log_compute = np.where(
        np.isfinite(log_target), (exact.log_kappa - log_target) / exact.alpha, 50.0
    )
    first = np.clip(exact.log_params(log_compute), 0.0, MOST_TOKENS)[:, None]
    inverse = Inverse(curve, log_target)
    centre, width = first, HALF_WIDTH
    for points in (FIRST, *[THEN] * ROUNDS):
        log_n = centre + width * np.linspace(-1.0, 1.0, points)
        log_d = inverse.log_tokens(log_n)
        best = np.argmin(log_n + np.logaddexp(log_d, log_served), axis=1)[:, None]
        centre = np.take_along_axis(log_n, best, axis=1)
        width *= 2.0 / (points - 1)
    tokens = np.exp(np.take_along_axis(log_d, best, axis=1)[:, 0])
    params = np.where(np.isfinite(tokens), np.exp(centre[:, 0]), np.nan)
    tokens = np.where(np.isfinite(tokens), tokens, np.nan)
    return LifetimeOptimum(
        params=params,
        tokens=tokens,
        training_flop=PER_PARAM_TOKEN * params * tokens,
        serving_flop=PER_SERVED_TOKEN * params * served[:, 0],
        on_edge=np.isfinite(tokens) & (np.abs(centre - first)[:, 0] >= HALF_WIDTH),
    )
