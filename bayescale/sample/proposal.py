"""What importance sampling draws from: a multivariate t at the mode, or one whose place and shape follow a scale.

Effects that are written as τ·z make a funnel: where τ is small the posterior of z is wide and the rest lies elsewhere.
No one Gaussian fits that. So the scale τ gets a density of its own, the Laplace evidence along a line of values
(Tierney and Kadane 1986), and the other coordinates given τ a t whose centre and covariance are interpolated between
the conditional modes on that line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import interpolate, special

from bayescale.sample.density import Density
from bayescale.sample.mode import laplace

_COARSE = (0.02, 0.1, 0.3, 0.6, 1.0, 1.5, 2.2, 3.5)  # of the prior's scale
_NODES = 10
_DROP = 9.0  # nats below the best: the ends of the line
_BINS = 400


@dataclass(frozen=True)
class Line:
    """A density over a scale, piecewise constant.

    Attributes
    ----------
    axis : int
        The coordinate.
    edges, mass : ndarray, shape (bin + 1,) and (bin,)
        The bins and their probabilities.
    """

    axis: int
    edges: np.ndarray
    mass: np.ndarray

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Stratified draws and their log density."""
        below = np.concatenate([[0.0], np.cumsum(self.mass)])
        uniform = (rng.permutation(n) + rng.random(n)) / n * below[-1]
        at = np.clip(np.searchsorted(below, uniform, side="right") - 1, 0, len(self.mass) - 1)
        width = np.diff(self.edges)
        drawn = self.edges[at] + (uniform - below[at]) / self.mass[at] * width[at]
        return drawn, np.log(self.mass[at] / width[at])


@dataclass(frozen=True)
class Proposal:
    """A multivariate t in the free coordinates, given the one of the line if there is one.

    Attributes
    ----------
    line : Line or None
    free : ndarray of int
        The coordinates of the t.
    nodes : ndarray, shape (node,)
        Values on the line; one, of no meaning, without a line.
    centre : ndarray, shape (node, free)
    factor : ndarray, shape (node, free, free)
        Lower Cholesky factors of the covariance.
    shift, spread : ndarray, shape (free,) and (free, free)
        What was learnt from weighted draws: centre and Cholesky factor in units of the above.
    """

    line: Line | None
    free: np.ndarray
    nodes: np.ndarray
    centre: np.ndarray
    factor: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points, shape (n, size), their log density, and the free coordinates in units of centre and factor."""
        size, nu = len(self.free), 5.0 + len(self.free)
        normal = rng.standard_normal((n, size)) / np.sqrt(rng.chisquare(nu, n) / nu)[:, None]
        log_q = (
            special.gammaln(0.5 * (nu + size))
            - special.gammaln(0.5 * nu)
            - 0.5 * size * np.log(nu * np.pi)
            - 0.5 * (nu + size) * np.log1p(np.square(normal).sum(axis=1) / nu)
            - np.log(np.diag(self.spread)).sum()
        )
        unit = self.shift + _mapped(normal, self.spread)
        points = np.empty((n, size + (self.line is not None)))
        at, share = np.zeros(n, int), np.zeros(n)
        if self.line is not None:
            along, log_line = self.line.draw(rng, n)
            points[:, self.line.axis] = along
            log_q += log_line
            at = np.clip(np.searchsorted(self.nodes, along) - 1, 0, len(self.nodes) - 2)
            share = (along - self.nodes[at]) / np.diff(self.nodes)[at]
        moved = np.zeros((n, size))
        diagonal = np.zeros((n, size))
        for node in range(len(self.nodes)):
            weight = np.where(at == node, 1.0 - share, np.where(at + 1 == node, share, 0.0))
            mine = weight != 0.0
            place = self.centre[node] + _mapped(unit[mine], self.factor[node])
            moved[mine] += weight[mine, None] * place
            diagonal[mine] += weight[mine, None] * np.diag(self.factor[node])
        points[:, self.free] = moved
        return points, log_q - np.log(diagonal).sum(axis=1), unit

    def moved(self, unit: np.ndarray, weights: np.ndarray) -> Proposal:
        """The proposal at the weighted mean and covariance of draws, as far as so many effective draws can tell."""
        told = 1.0 / np.square(weights).sum()
        trust = told / (told + 2.0 * unit.shape[1])
        shift = weights @ unit
        around = unit - shift
        covariance = np.einsum("ni,nj->ij", around * weights[:, None], around)
        before = self.spread @ self.spread.T
        blend = trust * covariance + (1.0 - trust) * before
        return replace(
            self,
            shift=trust * shift + (1.0 - trust) * self.shift,
            spread=np.linalg.cholesky(blend),
        )


def at_mode(density: Density, mode: np.ndarray) -> Proposal:
    """A t at the mode."""
    free = np.arange(density.size)
    point, _, factor = laplace(density, mode, free)
    return _proposal(None, free, np.zeros(1), point[None], factor[None])


def along(density: Density, mode: np.ndarray, axis: int, scale: float) -> Proposal:
    """A t whose centre and covariance follow the coordinate ``axis``, of prior Normal(0, scale), on its positive half.

    The density must not depend on the sign of that coordinate.
    """
    free = np.delete(np.arange(density.size), axis)
    coarse = scale * np.array(_COARSE)
    evidence = _climb(density, mode, axis, free, coarse)[2]
    held = np.flatnonzero(evidence > evidence.max() - _DROP)
    low = coarse[held[0] - 1] if held[0] > 0 else 0.0
    high = coarse[min(held[-1] + 1, len(coarse) - 1)]
    nodes = low + (high - low) * np.linspace(0.0, 1.0, _NODES) ** 1.5
    centre, factor, evidence = _climb(density, mode, axis, free, nodes)
    edges = np.linspace(low, high, _BINS + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    log_mass = interpolate.PchipInterpolator(nodes, evidence)(middle)
    # Nowhere nothing: evidence is an approximation, and a weight must not be divided by next to zero.
    mass = np.exp(np.maximum(log_mass - log_mass.max(), -_DROP))
    return _proposal(Line(axis, edges, mass / mass.sum()), free, nodes, centre, factor)


def _climb(
    density: Density, mode: np.ndarray, axis: int, free: np.ndarray, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Conditional modes, factors and evidence on the nodes, each from its neighbour, outwards from the mode."""
    nearest = int(np.argmin(np.abs(nodes - abs(mode[axis]))))
    found: dict[int, tuple[np.ndarray, float, np.ndarray]] = {}
    for way in (range(nearest, len(nodes)), range(nearest - 1, -1, -1)):
        point = found[nearest][0] if found else mode
        for i in way:
            start = point.copy()
            start[axis] = nodes[i]
            found[i] = laplace(density, start, free)
            point = found[i][0]
    each = [found[i] for i in range(len(nodes))]
    evidence = np.array([value for _, value, _ in each])
    return (
        np.array([point[free] for point, _, _ in each]),
        np.array([factor for _, _, factor in each]),
        # Where the density is zero, very little: what is interpolated must be finite.
        np.maximum(evidence, evidence.max() - 1e3),
    )


def _mapped(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A matrix applied to every row; not by BLAS, whose threads wait for one another where cores are shared."""
    return np.einsum("ni,ji->nj", rows, matrix)


def _proposal(
    line: Line | None,
    free: np.ndarray,
    nodes: np.ndarray,
    centre: np.ndarray,
    factor: np.ndarray,
) -> Proposal:
    return Proposal(line, free, nodes, centre, factor, np.zeros(len(free)), np.eye(len(free)))
