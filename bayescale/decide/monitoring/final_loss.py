"""The final loss of a run half-way: the plan's forecast, weighed by how well each final loss explains the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_trapezoid

from bayescale.decide.monitoring.gaps import Gap
from bayescale.decide.plans.preregistration import RunForecast
from bayescale.posterior import PROBS

_NODES = 2001
_TAIL = 1e-7


@dataclass(frozen=True, eq=False)
class FinalLoss:
    """Distribution of the log of the final loss, on a grid.

    The density of a final log loss x, given the curve, is proportional to p(x)·p(gap = log L(f) − x): the plan's
    forecast, a mixture over its draws, times the likelihood of what then remains to fall. As x is one number the draws
    are not re-weighted one by one, which would leave few of them once a curve is long: the product is integrated.

    Attributes
    ----------
    at : ndarray, shape (node,)
        Log losses, rising.
    cdf : ndarray, shape (node,)
        P(log final loss ≤ at).
    """

    at: np.ndarray
    cdf: np.ndarray

    @classmethod
    def of(cls, forecast: RunForecast, gap: Gap, log_loss: float) -> FinalLoss:
        """Combine a forecast with a curve that stands at ``log_loss`` and has a gap to go."""
        ends = np.linspace(_TAIL, 1.0 - _TAIL, _NODES)
        by_curve = log_loss - gap.quantile(ends)
        spans = [p.centre[:, None] + p.noise.sigma[:, None] * [[-9.0, 9.0]] for p in forecast.parts]
        edges = np.concatenate([s.ravel() for s in spans])
        by_plan = np.linspace(edges.min(), edges.max(), _NODES)
        at = np.unique(np.concatenate([by_curve, by_plan, forecast.log_draws]))
        log_p = forecast.log_density(at) + gap.log_density(log_loss - at)
        cdf = cumulative_trapezoid(np.exp(log_p - log_p.max()), at, initial=0.0)
        return cls(at, cdf / cdf[-1])

    @classmethod
    def known(cls, log_loss: float) -> FinalLoss:
        """Of a run that is done."""
        return cls(np.array([log_loss]), np.array([1.0]))

    def probability(self, log_target: float) -> float:
        """P(log final loss ≤ target)."""
        return float(np.interp(log_target, self.at, self.cdf, left=0.0, right=1.0))

    def quantiles(self, probabilities: tuple[float, ...] = PROBS) -> np.ndarray:
        """Quantiles of the final loss."""
        rising = np.concatenate([[True], np.diff(self.cdf) > 0])
        return np.exp(np.interp(probabilities, self.cdf[rising], self.at[rising]))
