"""What any law in N and D implies at a compute budget, found by search: no gradient and no closed form is used.

The names and units are those of :mod:`bayescale.laws.frontier`: C = 6·N·D in FLOP, natural logs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.laws.law import Law
from bayescale.laws.namespace import Array

_STEP = 0.05  # of log C, of the slope along the frontier
_HALVINGS = 50
_FARTHEST = 256.0  # nats of N at which a rim is no longer looked for


@dataclass(frozen=True)
class LocalFrontier:
    """The compute-optimal point of a law at one budget, and the frontier beside it, one value a draw.

    Attributes
    ----------
    log_compute : float
        Of the budget.
    log_params : ndarray
        Log N*.
    log_reducible : ndarray
        Log of the reducible loss there.
    alpha : ndarray
        Minus the slope of the log reducible loss along the frontier, at the budget.
    log_kappa : ndarray
        κ·C^−α is the power law that touches the frontier at the budget.
    """

    log_compute: float
    log_params: np.ndarray
    log_reducible: np.ndarray
    alpha: np.ndarray
    log_kappa: np.ndarray
    _log_reducible_at: Callable[[np.ndarray], np.ndarray]
    _log_frontier_at: Callable[[float], np.ndarray]

    @property
    def log_tokens(self) -> np.ndarray:
        """Log D*."""
        return self.log_compute - LOG_FLOP_PER_PARAM_TOKEN - self.log_params

    @property
    def tokens_per_param(self) -> np.ndarray:
        """D*/N*."""
        return np.asarray(np.exp(self.log_tokens - self.log_params))

    def valley_width(self, share: float = 0.05) -> np.ndarray:
        """Ratio of the largest to the smallest N whose wasted share of the budget is at most ``share``, in (0, 1).

        Infinite where the loss does not rise that far on one side.
        """
        if not 0.0 < share < 1.0:
            raise PlanError(f"valley share = {share:g} (expected between 0 and 1)")
        rim = self._log_frontier_at(self.log_compute + np.log1p(-share))
        return np.asarray(np.exp(self._edge(rim, 1.0) + self._edge(rim, -1.0)))

    def _edge(self, rim: np.ndarray, side: float) -> np.ndarray:
        """Distance from log N*, on one side, at which the log reducible loss reaches ``rim``."""

        def under(x: np.ndarray) -> np.ndarray:
            at = (self.log_params + side * x)[..., None]
            return np.asarray(self._log_reducible_at(at)[..., 0] < rim)

        far = np.ones_like(self.log_params)
        while (inside := under(far) & (far < _FARTHEST)).any():
            far = np.where(inside, 2.0 * far, far)
        near = np.zeros_like(far)
        for _ in range(_HALVINGS):
            middle = 0.5 * (near + far)
            inside = under(middle)
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        return np.where(far < _FARTHEST, far, np.inf)


def numeric_frontier(
    law: Law, theta: Mapping[str, Array], pivots: Mapping[str, float], log_compute: float
) -> LocalFrontier:
    """N*, D*, frontier loss, κ, tokens per parameter and valley width of any law in N and D at a budget.

    Parameters
    ----------
    law : Law
        Of the inputs ``params`` and ``tokens``.
    theta : mapping
        Completed parameters at the pivots, arrays of any one shape.
    pivots : mapping
        ``{"params": …, "tokens": …}``: where the law's log inputs are zero.
    log_compute : float
        Log of the budget in FLOP.

    Returns
    -------
    LocalFrontier
        Of the shape of the parameters.
    """

    def frontier(at: float) -> np.ndarray:
        return numeric_optimum(law, theta, pivots, at)[1]

    log_n, log_r = numeric_optimum(law, theta, pivots, log_compute)
    alpha = (frontier(log_compute - _STEP) - frontier(log_compute + _STEP)) / (2.0 * _STEP)
    valley = _at_compute(law, theta, pivots, log_compute)
    return LocalFrontier(
        log_compute, log_n, log_r, alpha, log_r + alpha * log_compute, valley, frontier
    )


def numeric_optimum(
    law: Law,
    theta: Mapping[str, Array],
    pivots: Mapping[str, float],
    log_compute: float,
    half_width: float = 30.0,
    points: int = 64,
    rounds: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise log R over N at C = 6·N·D for any law in N and D, draw by draw.

    No gradient or closed form is used, see :func:`lowest_on_grid`.

    Returns
    -------
    log_params, log_reducible : ndarray
        Of the shape of the parameters.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in theta.values()))
    centre = np.full(shape, 0.5 * (log_compute - LOG_FLOP_PER_PARAM_TOKEN))
    valley = _at_compute(law, theta, pivots, log_compute)
    return lowest_on_grid(valley, centre, half_width, points, rounds)


def _at_compute(
    law: Law, theta: Mapping[str, Array], pivots: Mapping[str, float], log_compute: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Log reducible loss at one budget by log N, whose last axis is not that of the parameters."""
    shape = np.broadcast_shapes(*(np.shape(v) for v in theta.values()))
    draws = {k: np.broadcast_to(np.asarray(v, float), shape)[..., None] for k, v in theta.items()}
    total = log_compute - LOG_FLOP_PER_PARAM_TOKEN

    def log_reducible(log_n: np.ndarray) -> np.ndarray:
        centred = {"params": log_n - pivots["params"], "tokens": total - log_n - pivots["tokens"]}
        return np.asarray(law.log_reducible(centred, draws))

    return log_reducible


def lowest_on_grid(
    value: Callable[[np.ndarray], np.ndarray],
    centre: np.ndarray,
    half_width: float,
    points: int,
    rounds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise a function of each element: a grid around ``centre`` that is closed in on its smallest value.

    Parameters
    ----------
    value : callable
        Of arrays shaped as ``centre`` with an axis ``point`` more.
    centre : ndarray
        Of the first grid.
    half_width : float
        Of the first grid; each later one reaches three points of the one before.
    points, rounds : int
        Points of a grid, and grids.

    Returns
    -------
    at, smallest : ndarray
        Of the shape of ``centre``.
    """
    centre = centre[..., None]
    unit = np.linspace(-1.0, 1.0, points)
    for _ in range(rounds):
        at = centre + half_width * unit
        found = value(at)
        best = np.argmin(found, axis=-1)[..., None]
        centre = np.take_along_axis(at, best, axis=-1)
        half_width *= 3.0 / points
    return centre[..., 0], np.take_along_axis(found, best, axis=-1)[..., 0]
