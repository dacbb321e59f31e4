"""Correlation of group effects across parameters: an LKJ prior through independent partial correlations.

A correlation matrix under LKJ(η) is that of a C-vine whose partial correlations, parameter i with parameter j given
those before j, are independent Beta(b, b) on (−1, 1) with b = η + (K − 2 − j)/2, j from 0 (Lewandowski, Kurowicka &
Joe 2009, section 2.4). So a sampler needs no Jacobian, and numpy draws the same prior directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescale.laws import Namespace


def pairs(size: int) -> list[tuple[int, int]]:
    """Pairs (i, j), j < i, in the order in which partial correlations are held."""
    return [(i, j) for i in range(size) for j in range(i)]


def concentration(size: int, eta: float) -> np.ndarray:
    """b of every pair's Beta(b, b), shape (pair,)."""
    return np.array([eta + (size - 2 - j) / 2 for _, j in pairs(size)])


def cholesky(partial: Any, size: int, xp: Namespace) -> Any:
    """Lower Cholesky factor of the correlation matrix.

    Parameters
    ----------
    partial : array, shape (..., pair)
        Partial correlations in the order of :func:`pairs`; of numpy or pytensor.
    size : int
        Number of parameters K.
    xp : Namespace
        Of the array's library.

    Returns
    -------
    array, shape (..., K, K)
        Rows of unit length.
    """
    place = np.zeros((len(pairs(size)), size * size))
    for k, (i, j) in enumerate(pairs(size)):
        place[k, i * size + j] = 1.0
    lower = (partial @ place).reshape((*_leading(partial), size, size))
    log_rest = xp.log1p(-(lower**2))
    # What is left of a row's unit length after the entries before.
    before = log_rest.cumsum(axis=-1) - log_rest
    return (lower + np.eye(size)) * xp.exp(0.5 * before)


def _leading(partial: Any) -> tuple[Any, ...]:
    return tuple(partial.shape[i] for i in range(partial.ndim - 1))
