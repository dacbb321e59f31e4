"""Scores of a forecast against what came true: coverage, interval score, CRPS, log score and PIT, run by run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import logsumexp

LEVELS = (0.5, 0.8, 0.9, 0.95)


def interval_score(
    low: np.ndarray, high: np.ndarray, observed: np.ndarray, probability: float
) -> np.ndarray:
    """Width plus 2/(1−p) times the distance by which the interval misses (Gneiting & Raftery 2007, eq. 43)."""
    miss = np.maximum(low - observed, 0.0) + np.maximum(observed - high, 0.0)
    return high - low + 2.0 / (1.0 - probability) * miss


def crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of draws (draw, …), in their unit: E|X − y| − ½E|X − X′|.

    The second term from order statistics, unbiased (Zamo & Naveau 2018, eq. 22).
    """
    n = len(draws)
    ordered = np.sort(draws, axis=0)
    weight = (2 * np.arange(1, n + 1) - n - 1).reshape(-1, *[1] * (draws.ndim - 1))
    spread = (weight * ordered).sum(axis=0) / (n * (n - 1))
    return np.abs(draws - observed).mean(axis=0) - spread


def mixture(density: np.ndarray) -> np.ndarray:
    """Log of a density averaged over draws, shape (run,), from its log in each, shape (draw, run)."""
    return np.asarray(logsumexp(density, axis=0)) - np.log(len(density))


def joint_log_score(density: np.ndarray) -> tuple[float, float]:
    """Log predictive density of all runs together: their product within a draw, averaged over draws.

    What the runs share, such as the offset of their sweep and every parameter, counts once and not once a run.

    Parameters
    ----------
    density : ndarray, shape (draw, run)
        Log densities, of centres that share what the runs share.

    Returns
    -------
    score : float
        In nats; higher is better.
    effective_draws : float
        1/Σ(share)² of the draws in that average: a handful says that the score hangs on a few draws.
    """
    total = density.sum(axis=1)
    whole = float(logsumexp(total))
    return whole - float(np.log(len(total))), float(np.exp(2 * whole - logsumexp(2 * total)))


def scored(draws: np.ndarray, observed: np.ndarray) -> xr.Dataset:
    """Scores of predictive draws of the loss, dim ``run``.

    Parameters
    ----------
    draws : ndarray, shape (draw, run)
        Losses, noise included.
    observed : ndarray, shape (run,)
        Losses that came true.

    Returns
    -------
    Dataset
        ``median``, ``error`` (log median − log observed), ``crps`` (loss), ``pit``, and for each level 50, 80, 90, 95:
        ``lo``, ``hi``, ``inside``, ``width`` and ``interval_score`` of its equal-tailed interval.
    """
    median = np.median(draws, axis=0)
    out = {
        "median": median,
        "error": np.log(median) - np.log(observed),
        "crps": crps(draws, observed),
        # Half of what ties: counts do, and would look too low otherwise.
        "pit": 0.5 * ((draws < observed).mean(axis=0) + (draws <= observed).mean(axis=0)),
    }
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        tag = f"{100 * level:.0f}"
        out |= {
            f"lo{tag}": low,
            f"hi{tag}": high,
            f"inside{tag}": (low <= observed) & (observed <= high),
            f"width{tag}": high - low,
            f"interval_score{tag}": interval_score(low, high, observed, level),
        }
    return xr.Dataset({k: ("run", v) for k, v in out.items()})
