"""Are these values uniform? The ECDF of PIT values or ranks, its simultaneous band, and a p-value of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import bdtr
from scipy.stats import binom

from bayescale.errors import DataError

SIMULATIONS = 4000  # of uniform samples: the Monte-Carlo error of a p-value near .05 is .0035
_CHUNK = 500


@dataclass(frozen=True)
class Uniformity:
    """An ECDF against that of a uniform sample of the same size.

    Attributes
    ----------
    at : ndarray, shape (point,)
        Evaluation points i/n, from 0 to 1.
    ecdf, lower, upper : ndarray, shape (point,)
        Share of values at or below each point, and the band that a uniform sample stays in, over all points at once,
        with ``probability``.
    probability : float
    p : float
        Share of uniform samples whose ECDF strays at least as far: under .05 it leaves its 95 % band.
    """

    at: np.ndarray
    ecdf: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    probability: float
    p: float


def uniformity(values: np.ndarray, probability: float = 0.95) -> Uniformity:
    """Hold values in [0, 1] against the uniform distribution (Säilynoja, Bürkner & Vehtari 2022, algorithm 1).

    The statistic is the smallest of the pointwise binomial tail probabilities of the ECDF; its distribution under
    uniformity is simulated, with a fixed seed. It is written here, and not taken from ArviZ, since that gives the band
    without the p-value that verdicts over many quantities need.

    Parameters
    ----------
    values : ndarray, shape (value,)
        PIT values, or ranks as shares of the draws.
    probability : float
        Of the band.

    Raises
    ------
    DataError
        With fewer than two values, or any outside [0, 1].
    """
    flat = np.asarray(values, float).ravel()
    if flat.size < 2 or not ((flat >= 0) & (flat <= 1)).all():
        raise DataError(f"uniformity of {flat.size} values (expected two or more from 0 to 1)")
    n = flat.size
    at = np.arange(1, n) / n
    counts = np.searchsorted(np.sort(flat), at, side="right")
    null = _null(n)
    found = _statistic(counts[None], n)[0]
    # The bound is itself one of the simulated values: without the margin rounding would decide on which side it falls.
    bound = float(np.quantile(null, 1.0 - probability, method="lower")) * (1.0 - 1e-9) / 2.0
    lower, upper = binom.ppf(bound, n, at) / n, binom.isf(bound, n, at) / n
    return Uniformity(
        at=np.concatenate([[0.0], at, [1.0]]),
        ecdf=np.concatenate([[0.0], counts / n, [1.0]]),
        lower=np.concatenate([[0.0], lower, [1.0]]),
        upper=np.concatenate([[0.0], upper, [1.0]]),
        probability=probability,
        p=float((1 + np.sum(null <= found * (1.0 + 1e-9))) / (1 + null.size)),
    )


def _statistic(counts: np.ndarray, n: int) -> np.ndarray:
    """Twice the smallest tail probability over the evaluation points, shape (sample,)."""
    at = np.arange(1, n) / n
    below = bdtr(counts, n, at)
    # P(X ≥ 0) is one; bdtr has no value at −1.
    above = np.where(counts > 0, 1.0 - bdtr(np.maximum(counts - 1, 0), n, at), 1.0)
    return 2.0 * np.minimum(below, above).min(axis=1)


@cache
def _null(n: int) -> np.ndarray:
    """The statistic of uniform samples of size n."""
    rng = np.random.default_rng(n)
    found = []
    for _ in range(SIMULATIONS // _CHUNK):
        # How many of n uniform values fall in each of n equal bins is multinomial: no need to sort.
        bins = rng.multinomial(n, np.full(n, 1.0 / n), size=_CHUNK)
        found.append(_statistic(bins.cumsum(axis=1)[:, :-1], n))
    return np.concatenate(found)
