"""Whitening: coordinates in which a stiff posterior is near a unit Normal, laid around a compiled program.

Along some directions data pin a hierarchy down a thousand times closer than along others, and a sampler that scales
each coordinate by itself then crawls. So a short first run finds where the posterior lies; its curvature there, the
Hessian H of −log p averaged over some draws, gives x = m + H^(−1/2) z; a second one, in z, corrects the scale by the
covariance of its draws; and the long run moves in the result. The wrapped program is the same density up to a constant:
whatever the scale is, the draws are of the same posterior, only sooner. Where a model has many curves H is a block for
each and a border of what they share, and no second run is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import nutpie

from bayescale.sample.density import Density
from bayescale.sample.maps import Bordered, Dense, wrapped

# Curvature below this, in units of a unit Normal's, is noise of the average: no direction is stretched further.
LEAST_CURVATURE = 0.05
MOST_DIMENSIONS = 1000  # beyond, dense algebra costs more than the gradient
# Draws whose Hessians are averaged, and gradients spent on them at most.
POINTS, GRADIENTS = 16, 20_000

# The two short runs: iterations of adaptation, draws, and doublings of a trajectory at most.
CHAINS, ACCEPT = 4, 0.8
FIRST, SECOND = (150, 20, 7), (150, 100, 8)
# Mean steps of a trajectory, in the first run, from which a posterior counts as stiff: a unit Normal takes three to
# seven. The second run costs little beside what it saves (tests/benchmarks/whitening.py).
STIFF = 8.0


def whitened(program: Any, own: np.ndarray | None, *, cores: int | None, seed: int) -> Any:
    """The program in whitened coordinates where it is stiff, else as it is.

    Parameters
    ----------
    program : CompiledPyMCModel
        As compiled.
    own : ndarray of int, shape (curve, size), or None
        Positions of each curve's own coordinates, where the model has curves.
    cores : int, optional
        Chains at once in the two short runs.
    seed : int
        Of the short runs.
    """
    large = program.n_dim > MOST_DIMENSIONS
    if large and own is None:
        return program
    x, steps = _short_run(program, FIRST, cores, seed)
    if steps < STIFF:
        return program
    if large and own is not None:
        return wrapped(program, _bordered(program, own, x), x)
    first = wrapped(program, Dense(x.mean(axis=0), _inverse_root(_mean_hessian(program, x))), x)
    z, _ = _short_run(first, SECOND, cores, seed + 1)
    # With few draws the covariance is drawn toward the unit matrix, as with dim draws of a unit Normal added.
    weight = len(z) / (len(z) + program.n_dim)
    covariance = weight * np.cov(z.T) + (1.0 - weight) * np.eye(program.n_dim)
    x = first.map.original(z)
    scale = first.map.scale @ np.linalg.cholesky(covariance)
    return wrapped(program, Dense(x.mean(axis=0), scale), x)


def _short_run(
    program: Any, lengths: tuple[int, int, int], cores: int | None, seed: int
) -> tuple[np.ndarray, float]:
    """Draws in the program's own coordinates, shape (draw, dim), and the mean length of a trajectory in steps."""
    tune, draws, depth = lengths
    tree = nutpie.sample(
        program,
        draws=draws,
        tune=tune,
        chains=CHAINS,
        cores=cores,
        seed=seed,
        target_accept=ACCEPT,
        maxdepth=depth,
        save_warmup=False,
        store_unconstrained=True,
        progress_bar=False,
    )
    stats = tree["sample_stats"].to_dataset()
    if stats.sizes["draw"] < draws:
        # nutpie answers Ctrl-C with the draws so far.
        raise KeyboardInterrupt
    flat = stats["unconstrained_draw"].to_numpy().reshape(-1, program.n_dim)
    return flat, float(stats["n_steps"].mean())


def _some(x: np.ndarray, gradients: int) -> np.ndarray:
    """Some of the draws, at so many gradients each."""
    count = int(np.clip(GRADIENTS // gradients, 1, POINTS))
    return np.asarray(x[np.linspace(0, len(x) - 1, count).astype(int)])


def _mean_hessian(program: Any, x: np.ndarray) -> np.ndarray:
    """Hessian of −log p, averaged over some of the draws."""
    density = Density(program)
    found = [density.curvature(point) for point in _some(x, 2 * density.size)]
    finite = [hessian for hessian in found if np.isfinite(hessian).all()]
    return np.mean(finite, axis=0) if finite else np.eye(density.size)


def _bordered(program: Any, own: np.ndarray, x: np.ndarray) -> Bordered:
    """The map x = m + S z with S Sᵀ = H⁻¹, of an H that is zero between curves.

    With H = [[B, C], [Cᵀ, D]], the curves' blocks first: x_own = B^(−1/2) z_own − B⁻¹ C x_shared, and x_shared has the
    precision D − Cᵀ B⁻¹ C.
    """
    density = Density(program)
    shared = np.setdiff1d(np.arange(density.size), own)
    points = _some(x, 2 * (own.shape[1] + shared.size))
    found = [density.curvature_by_curve(point, own, shared) for point in points]
    finite = [parts for parts in found if all(np.isfinite(part).all() for part in parts)]
    if not finite:
        return Bordered.unit(x.mean(axis=0), own, shared)
    within, across, common = (np.mean([parts[i] for parts in finite], axis=0) for i in range(3))
    blocks = _inverse_root(within)
    tilt = -np.einsum("cij,cjk,ckm->cim", blocks, blocks, across)
    corner = _inverse_root(common + np.einsum("cim,cin->mn", across, tilt))
    return Bordered(x.mean(axis=0), own, shared, blocks, tilt.reshape(-1, shared.size), corner)


def _inverse_root(hessian: np.ndarray) -> np.ndarray:
    """H^(−1/2), dims (…, i, j), where curvature counts by its size: a saddle is as narrow as a bowl."""
    size, directions = np.linalg.eigh(hessian)
    root = np.sqrt(np.maximum(np.abs(size), LEAST_CURVATURE))
    return np.asarray((directions / root[..., None, :]) @ np.swapaxes(directions, -1, -2))
