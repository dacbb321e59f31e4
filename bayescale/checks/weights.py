"""Pareto-smoothed importance weights, as ArviZ makes them."""

from __future__ import annotations

import numpy as np

KHAT_MAX = 0.7  # beyond it, weighted draws say little (Vehtari et al. 2024)


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights that sum to one, shape (…, draw), and k̂, shape (…), from log importance ratios, shape (…, draw).

    Ratios that are all the same need no smoothing: their weights are equal, and k̂ is 0.
    """
    from arviz_stats.base import array_stats  # half a second and more: only who asks pays for it

    rows = log_ratio.reshape(-1, log_ratio.shape[-1])
    weight, khat = np.full(rows.shape, 1.0 / rows.shape[1]), np.zeros(len(rows))
    varied = np.ptp(rows, axis=1) > 0.0
    if varied.any():
        # ArviZ smooths the weights that leave a row out: those of minus what it is given.
        log_weight, khat[varied] = array_stats.psislw(-rows[varied])
        weight[varied] = np.exp(log_weight)
        weight[varied] /= weight[varied].sum(axis=1, keepdims=True)
    return weight.reshape(log_ratio.shape), khat.reshape(log_ratio.shape[:-1])
