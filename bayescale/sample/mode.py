"""Posterior modes and the curvature there, from gradients alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayescale.sample.density import Density

_FLAT = 0.1  # a curvature below this is taken as this: a direction that the data leave to a prior of unit scale
_STEPS = 60
_CLOSE = 1e-3  # nats that a further Newton step would gain


class Summit(NamedTuple):
    """Where a climb ended: the point, its log density, the curvatures there and the directions they belong to."""

    point: np.ndarray
    value: float
    curvature: np.ndarray
    axes: np.ndarray


def laplace(density: Density, starts: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian of the same curvature at the highest of the modes reached from several starting points.

    Parameters
    ----------
    density : Density
        What to climb.
    starts : int
        Number of starting points.
    seed : int
        Of the first.

    Returns
    -------
    mode : ndarray, shape (size,)
    factor : ndarray, shape (size, size)
        Its principal axes, a standard deviation long, in the columns.
    """
    reached = [climbed(density, density.start(seed + i)) for i in range(starts)]
    best = max(reached, key=lambda summit: summit.value)
    return best.point, best.axes / np.sqrt(best.curvature)


def climbed(density: Density, start: np.ndarray) -> Summit:
    """Climb from a point to its mode by Newton's steps, uphill also where the density bends the other way.

    Quasi-Newton steps are cheaper each, and take so many more on these densities, whose directions differ in scale a
    thousandfold, that they take longer in all (tests/benchmarks/quick.py).
    """
    point = start.copy()
    value, slope = (part[0] for part in density.at(point[None]))
    for _ in range(_STEPS):
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
    return Summit(point, float(value), curvature, axes)


def _bowl(density: Density, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Curvatures, made positive, and the directions that they belong to."""
    # At the edge of the density nothing is known of its shape: flat.
    values, axes = np.linalg.eigh(np.nan_to_num(density.curvature(point)))
    return np.maximum(np.abs(values), _FLAT), axes
