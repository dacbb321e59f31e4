"""What importance sampling draws from: a split t at the mode, or one moved toward the posterior by what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayescale.sample.density import Density

_LIGHTEST = 5.0  # degrees of freedom beyond one a dimension
# Along each axis the density is looked at in so many standard deviations of Laplace's Gaussian; scales of the sides, in
# these, between the bounds.
_LOOKS = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
_NARROWEST, _WIDEST = 0.3, 4.0


@dataclass(frozen=True)
class Proposal:
    """A multivariate t with scales of their own on either side of its centre, along each of its axes.

    Attributes
    ----------
    centre : ndarray, shape (size,)
    factor : ndarray, shape (size, size)
        Its axes, in the columns: with both sides at one, a square root of the scale matrix.
    up, down : ndarray, shape (size,)
        Scales of the sides, in units of the axes.
    """

    centre: np.ndarray
    factor: np.ndarray
    up: np.ndarray
    down: np.ndarray

    @classmethod
    def split(cls, density: Density, mode: np.ndarray, factor: np.ndarray) -> Proposal:
        """At a mode, each side as wide as the density falls there, where it falls slowest.

        The split t of Geweke 1989 (Econometrica 57, 1317–1339), which serves posteriors that lean to one side.
        """
        steps = _LOOKS[:, None, None] * factor.T
        value, _ = density.at(np.concatenate([[mode], *(mode + steps), *(mode - steps)]))
        fall = np.maximum(value[0] - value[1:], 1e-3).reshape(2, len(_LOOKS), len(mode))
        wide = (_LOOKS[:, None] / np.sqrt(2.0 * fall)).max(axis=1)
        return cls(mode, factor, *np.clip(wide, _NARROWEST, _WIDEST))

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Points, shape (n, size), and their log density, shape (n,)."""
        size = len(self.centre)
        nu = _LIGHTEST + size
        unit = rng.standard_normal((n, size)) / np.sqrt(rng.chisquare(nu, n) / nu)[:, None]
        # A side is as probable as it is wide, so that the density is one at the centre from both.
        both = self.up + self.down
        side = np.where(rng.random((n, size)) * both < self.up, self.up, -self.down)
        log_q = (
            special.gammaln(0.5 * (nu + size))
            - special.gammaln(0.5 * nu)
            - 0.5 * size * np.log(nu * np.pi)
            - 0.5 * (nu + size) * np.log1p(np.square(unit).sum(axis=1) / nu)
            - np.linalg.slogdet(self.factor)[1]
            - np.log(0.5 * both).sum()
        )
        # Not by BLAS, whose threads wait for one another where cores are shared.
        return self.centre + np.einsum("ni,ji->nj", np.abs(unit) * side, self.factor), log_q

    def moved(self, points: np.ndarray, weights: np.ndarray) -> Proposal:
        """The t at the weighted mean and covariance of points, as far as so many effective draws can tell."""
        size = points.shape[1]
        told = 1.0 / np.square(weights).sum()
        trust = told / (told + 2.0 * size)
        mean = weights @ points
        around = points - mean
        covariance = np.einsum("ni,nj->ij", around * weights[:, None], around)
        blend = trust * covariance + (1.0 - trust) * self.factor @ self.factor.T
        return Proposal(
            trust * mean + (1.0 - trust) * self.centre,
            np.linalg.cholesky(blend),
            np.ones(size),
            np.ones(size),
        )
