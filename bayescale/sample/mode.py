"""Posterior modes and the curvature there, from gradients alone."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from bayescale.sample.density import Density

_STEP = 1e-5  # of the differences of gradients
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


def laplace(
    density: Density, start: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Climb from a point along some of its coordinates, and take the Gaussian of the same curvature there.

    Parameters
    ----------
    density : Density
        What to climb.
    start : ndarray, shape (size,)
        Where from.
    free : ndarray of int
        Coordinates that move; the others stay.

    Returns
    -------
    point : ndarray, shape (size,)
    log_evidence : float
        Log of the Gaussian's volume: of the density integrated over the free coordinates, up to a constant.
    factor : ndarray, shape (free, free)
        Lower Cholesky factor of its covariance.
    """
    point = start.copy()
    value, slope = (part[0] for part in density.at(point[None]))
    for _ in range(_NEWTON_STEPS):
        curvature, axes = _curvature(density, point, free)
        step = axes @ ((axes.T @ slope[free]) / curvature)
        gain = float(slope[free] @ step)
        length = 1.0
        while gain >= _CLOSE and length > 1e-4:
            trial = point.copy()
            trial[free] += length * step
            reached, there = (part[0] for part in density.at(trial[None]))
            if reached > value + 1e-4 * length * gain:
                point, value, slope = trial, reached, there
                break
            length *= 0.4
        else:
            break
    factor = np.linalg.cholesky((axes / curvature) @ axes.T)
    return point, float(value + np.log(np.diag(factor)).sum()), factor


def _curvature(
    density: Density, point: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, made positive, and eigenvectors of minus the Hessian in the free coordinates."""
    offsets = np.zeros((len(free), density.size))
    offsets[np.arange(len(free)), free] = _STEP
    _, slopes = density.at(np.concatenate([point + offsets, point - offsets]))
    ahead, behind = np.split(slopes[:, free], 2)
    hessian = (behind - ahead) / (2.0 * _STEP)
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    return np.maximum(np.abs(values), _FLAT), vectors
