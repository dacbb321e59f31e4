"""The quick engine: mode, Laplace approximation, and importance sampling with Pareto-smoothed weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale.sample.density import Density
from bayescale.sample.mode import laplace
from bayescale.sample.nuts import Compiled
from bayescale.sample.proposal import Proposal

_STARTS = 3
_ROUNDS = 3  # of learning from weighted draws, at most
_LEARNING = 2000  # draws a round
_ENOUGH = 0.4  # effective share of draws at which learning stops
_EFFECTIVE = 1500  # draws worth so many independent ones are aimed at
_FEWEST, _MOST = 2000, 12000


@dataclass(frozen=True)
class Weighted:
    """How good the importance weights were: Pareto k̂, effective draws, draws in all."""

    pareto_k: float
    ess: float
    draws: int


def draw_quick(
    compiled: Compiled,
    *,
    draws: int,
    chains: int,
    seed: int,
) -> tuple[xr.DataTree, Weighted]:
    """Approximate the posterior by importance sampling; no better than its k̂ says.

    Parameters
    ----------
    compiled : Compiled
        From :func:`compile_model`.
    draws, chains : int
        Draws kept, resampled by their weights, as the draws of so many chains.
    seed : int
        Of starting points and draws.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior`` and ``sample_stats`` (``log_density``), as of :func:`draw`.
    Weighted
        Smoothed weights after Vehtari et al. 2024, Pareto smoothed importance sampling.
    """
    density, rng = Density(compiled.program), np.random.default_rng(seed)
    proposal = Proposal(*laplace(density, _STARTS, seed))
    share = 0.0
    for _ in range(_ROUNDS):
        points, log_q = proposal.draw(rng, _LEARNING)
        log_weights, _ = _smoothed(density.at(points)[0] - log_q)
        weights = np.exp(log_weights)
        share = 1.0 / np.square(weights).sum() / _LEARNING
        if share >= _ENOUGH:
            break
        proposal = proposal.moved(points, weights)
    number = int(np.clip(_EFFECTIVE / share, _FEWEST, _MOST))
    points, log_q = proposal.draw(rng, number)
    value, _ = density.at(points)
    log_weights, pareto_k = _smoothed(value - log_q)
    weights = np.exp(log_weights)
    kept = _resampled(rng, weights, draws * chains)
    posterior = compiled.posterior(points[kept], chains)
    stats = xr.Dataset({"log_density": (("chain", "draw"), value[kept].reshape(chains, draws))})
    tree = xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": stats})
    return tree, Weighted(pareto_k, float(1.0 / np.square(weights).sum()), number)


def _smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Normalised log weights and k̂."""
    from arviz_stats.base import array_stats

    # Far below all others stands for zero: the fit to the tail takes finite numbers only.
    finite = np.where(np.isfinite(log_ratio), log_ratio, log_ratio.max() - 1e3)
    log_weights, pareto_k = array_stats.psislw(-finite)
    return log_weights - np.logaddexp.reduce(log_weights), float(pareto_k)


def _resampled(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    """Indices by systematic resampling, in random order, so that no chain is like another."""
    steps = (np.arange(n) + rng.random()) / n
    index = np.searchsorted(np.cumsum(weights) / weights.sum(), steps)
    return rng.permutation(np.minimum(index, len(weights) - 1))
