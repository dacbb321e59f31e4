"""What importance sampling draws from: a multivariate t, moved toward the posterior by what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

_LIGHTEST = 5.0  # degrees of freedom beyond one a dimension


@dataclass(frozen=True)
class Proposal:
    """A multivariate t.

    Attributes
    ----------
    centre : ndarray, shape (size,)
    factor : ndarray, shape (size, size)
        Lower Cholesky factor of its scale matrix.
    """

    centre: np.ndarray
    factor: np.ndarray

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Points, shape (n, size), and their log density, shape (n,)."""
        size = len(self.centre)
        nu = _LIGHTEST + size
        unit = rng.standard_normal((n, size)) / np.sqrt(rng.chisquare(nu, n) / nu)[:, None]
        log_q = (
            special.gammaln(0.5 * (nu + size))
            - special.gammaln(0.5 * nu)
            - 0.5 * size * np.log(nu * np.pi)
            - 0.5 * (nu + size) * np.log1p(np.square(unit).sum(axis=1) / nu)
            - np.log(np.diag(self.factor)).sum()
        )
        # Not by BLAS, whose threads wait for one another where cores are shared.
        return self.centre + np.einsum("ni,ji->nj", unit, self.factor), log_q

    def moved(self, points: np.ndarray, weights: np.ndarray) -> Proposal:
        """The proposal at the weighted mean and covariance of points, as far as so many effective draws can tell."""
        told = 1.0 / np.square(weights).sum()
        trust = told / (told + 2.0 * points.shape[1])
        mean = weights @ points
        around = points - mean
        covariance = np.einsum("ni,nj->ij", around * weights[:, None], around)
        blend = trust * covariance + (1.0 - trust) * self.factor @ self.factor.T
        return Proposal(
            trust * mean + (1.0 - trust) * self.centre,
            np.linalg.cholesky(blend),
        )
