"""Posterior modes and the curvature there, from gradients alone."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from bayescale.sample.density import Density

_FLAT = 0.1  # a curvature below this is taken as this: a direction that the data leave to a prior of unit scale
_NEWTON_STEPS = 25
_CLOSE = 1e-3  # nats that a further Newton step would gain


def highest(density: Density, starts: int, seed: int) -> np.ndarray:
    """The highest of the modes reached by BFGS from several starting points, shape (size,).

    Not L-BFGS-B: with a threaded BLAS scipy's takes milliseconds a step, whatever the size.
    """

    def downhill(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density.at(x[None])
        return (-value[0], -gradient[0]) if np.isfinite(value[0]) else (1e100, np.zeros_like(x))

    found = [
        optimize.minimize(downhill, density.start(seed + i), jac=True, method="BFGS")
        for i in range(starts)
    ]
    best: np.ndarray = min(found, key=lambda result: result.fun).x
    return best


def laplace(density: Density, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Climb from a point to its mode by Newton's steps, and take the Gaussian of the same curvature there.

    Parameters
    ----------
    density : Density
        What to climb.
    start : ndarray, shape (size,)
        Where from.

    Returns
    -------
    mode : ndarray, shape (size,)
    factor : ndarray, shape (size, size)
        Lower Cholesky factor of the Gaussian's covariance.
    """
    point = start.copy()
    value, slope = (part[0] for part in density.at(point[None]))
    for _ in range(_NEWTON_STEPS):
        curvature, axes = _bowl(density, point)
        step = axes @ ((axes.T @ slope) / curvature)
        gain = float(slope @ step)
        length = 1.0
        while gain >= _CLOSE and length > 1e-4:
            trial = point + length * step
            reached, there = (part[0] for part in density.at(trial[None]))
            if reached > value + 1e-4 * length * gain:
                point, value, slope = trial, reached, there
                break
            length *= 0.4
        else:
            break
    return point, np.linalg.cholesky((axes / curvature) @ axes.T)


def _bowl(density: Density, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Curvatures, made positive, and the directions that they belong to."""
    # At the edge of the density nothing is known of its shape: flat.
    values, axes = np.linalg.eigh(np.nan_to_num(density.curvature(point)))
    return np.maximum(np.abs(values), _FLAT), axes
