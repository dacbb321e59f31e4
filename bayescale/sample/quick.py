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
_ROUNDS = 4  # of draws, at most, each but the last to learn from
_LEARNING = 2000  # draws a round
_ENOUGH = 0.4  # effective share of draws at which learning stops
_MOST = 12000


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
    proposal = Proposal.split(density, *laplace(density, _STARTS, seed))
    for left in reversed(range(_ROUNDS)):
        points, log_q = proposal.draw(rng, _LEARNING)
        value, _ = density.at(points)
        weights, _ = _smoothed(value - log_q)
        share = 1.0 / np.square(weights).sum() / _LEARNING
        if share >= _ENOUGH or not left:
            break
        proposal = proposal.moved(points, weights)
    # Worth as many independent ones as are kept. The last round was drawn from the same proposal, and counts.
    number = int(np.clip(draws * chains / share, _LEARNING, _MOST))
    more, log_q_more = proposal.draw(rng, number - _LEARNING)
    points, log_q = np.concatenate([points, more]), np.concatenate([log_q, log_q_more])
    value = np.concatenate([value, density.at(more)[0]])
    weights, pareto_k = _smoothed(value - log_q)
    kept = _resampled(rng, weights, draws * chains)
    posterior = compiled.posterior(points[kept], chains)
    stats = xr.Dataset({"log_density": (("chain", "draw"), value[kept].reshape(chains, draws))})
    tree = xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": stats})
    return tree, Weighted(pareto_k, float(1.0 / np.square(weights).sum()), number)


def _smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Normalised weights and k̂."""
    from arviz_stats.base import array_stats

    # Far below all others stands for zero: the fit to the tail takes finite numbers only.
    finite = np.where(np.isfinite(log_ratio), log_ratio, log_ratio.max() - 1e3)
    log_weights, pareto_k = array_stats.psislw(-finite)
    return np.exp(log_weights - np.logaddexp.reduce(log_weights)), float(pareto_k)


def _resampled(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    """Indices by systematic resampling, in random order, so that no chain is like another."""
    steps = (np.arange(n) + rng.random()) / n
    index = np.searchsorted(np.cumsum(weights) / weights.sum(), steps)
    return rng.permutation(np.minimum(index, len(weights) - 1))
