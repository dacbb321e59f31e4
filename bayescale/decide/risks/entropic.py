"""Entropic risk, and which risks exist at all: a mean over draws is a number even where the moment is infinite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logsumexp

from bayescale.decide.risks.risk import CVaR, Expectation, Risk, require_number
from bayescale.errors import PlanError, unknown

#: How the loss is distributed far out: within limits, as a Normal, as exp(Normal), as exp(Student-t).
Tail = Literal["bounded", "normal", "lognormal", "log-student"]

_HAS_MEAN: dict[str, bool] = {
    "bounded": True,
    "normal": True,
    "lognormal": True,
    "log-student": False,
}
_HAS_EXPONENTIAL_MOMENT: dict[str, bool] = {
    "bounded": True,
    "normal": True,
    "lognormal": False,
    "log-student": False,
}


@dataclass(frozen=True)
class Entropic:
    """Entropic risk (1/θ)·log E[exp(θ·loss)], θ > 0: the certainty equivalent under exponential disutility.

    For Normal losses it is μ + θσ²/2. It tends to the mean as θ → 0 and to the worst loss as θ → ∞.

    Parameters
    ----------
    theta : float
        Aversion, per unit of loss.
    tail : str, optional
        How the loss is distributed far out; a plan knows that of its own losses. Of an unbounded LogNormal or
        exp(Student-t) the expectation is infinite for every θ, whatever the draws say: refused.

    Raises
    ------
    PlanError
        For a θ that is not positive, or a tail without that moment.
    """

    theta: float
    tail: Tail | None = None

    def __post_init__(self) -> None:
        require_number("Entropic theta", self.theta)
        if not (np.isfinite(self.theta) and self.theta > 0):
            raise PlanError(f"Entropic theta = {self.theta:g} (expected a positive number)")
        if self.tail is not None:
            require_moment(self, self.tail)

    @property
    def name(self) -> str:
        return f"entropic:{self.theta:g}"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if self.tail is None:
            raise PlanError(
                f"{self.name}: the tail of the loss is not stated, Entropic(theta, tail)"
            )
        each = np.ones(len(draws)) if weights is None else np.asarray(weights, float)
        share = (each / each.sum()).reshape(-1, *[1] * (draws.ndim - 1))
        return np.asarray(logsumexp(self.theta * draws, axis=0, b=share)) / self.theta


def require_moment(risk: Risk, tail: Tail) -> None:
    """Refuse a risk that does not exist for losses of such a tail; quantiles and probabilities always do.

    Raises
    ------
    PlanError
        Saying why, and what to take instead.
    """
    if tail not in _HAS_MEAN:
        raise unknown("tail", tail, _HAS_MEAN)
    if isinstance(risk, Entropic) and not _HAS_EXPONENTIAL_MOMENT[tail]:
        raise PlanError(
            f"{risk.name} of a {tail} loss does not exist: E[exp(θ·loss)] is infinite for every θ > 0; "
            "take a quantile, or the loss within limits"
        )
    # A CVaR is a mean over the upper tail.
    if isinstance(risk, Expectation | CVaR) and not _HAS_MEAN[tail]:
        raise PlanError(
            f"{risk.name} of a {tail} loss does not exist: exp of a Student-t has no mean; "
            "take a quantile, or the expected curve without noise"
        )
