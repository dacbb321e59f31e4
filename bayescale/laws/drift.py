"""Drift: a law is a local truth, so the local exponent of each axis walks with scale, away from the pivot.

With u a centred log input, a term's log is −β·∫₀ᵘ e^{W(s)} ds instead of −β·u, where W is a random walk from
W(0) = 0 in both directions with variance τ² per nat. Written the other way round, the law stays as it is and reads a
*stretched* input ũ(u) = ∫₀ᵘ e^{W(s)} ds: increasing whatever W is, so that every draw falls with scale and stays above
its own floor. W is constant on intervals of :data:`STEP` nats, interval k reaching from k·STEP to (k+1)·STEP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEP = 0.6  # nats: a quarter of a decade


def intervals(low: float, high: float) -> tuple[int, int]:
    """First interval and the one after the last that cover [low, high] and both sides of the pivot."""
    return min(int(np.floor(low / STEP)), -1), max(int(np.ceil(high / STEP)), 1)


def overlap(u: np.ndarray, first: int, last: int) -> np.ndarray:
    """Signed length of every interval that lies between the pivot and each input, shape (u, interval).

    Stretched inputs are this matrix times e^W.
    """
    edge = STEP * np.arange(first, last)
    right = np.clip(u[:, None] - edge, 0.0, STEP)
    left = np.clip(edge + STEP - u[:, None], 0.0, STEP)
    return np.where(edge >= 0.0, right, -left)


def walk_steps(first: int, last: int) -> np.ndarray:
    """Standard deviation of W/τ between neighbours outward of the pivot, shape (interval,).

    The first interval on either side starts at the pivot, so its midpoint is half a step away.
    """
    index = np.arange(first, last)
    return np.sqrt(np.where((index == 0) | (index == -1), STEP / 2, STEP))


def walk_matrix(first: int, last: int) -> np.ndarray:
    """Maps independent standard normals, one an interval, to W/τ; shape (interval, interval)."""
    index = np.arange(first, last)
    outward = np.where(index >= 0, index, -index - 1)  # 0 next to the pivot, on either side
    same_side = (index[:, None] >= 0) == (index[None, :] >= 0)
    reached = same_side & (outward[None, :] <= outward[:, None])
    return np.where(reached, walk_steps(first, last)[None, :], 0.0)


@dataclass(frozen=True)
class Walk:
    """Draws of W on some intervals, continued beyond them when asked for more.

    Attributes
    ----------
    first : int
        Index of the first interval held.
    value : ndarray, shape (draw, interval)
        W.
    amplitude : ndarray, shape (draw,)
        τ, per root nat.
    normal : callable
        Interval index → standard normals of shape (draw,); the same index must always give the same numbers, so that
        a draw has one path, whoever asks and however far.
    """

    first: int
    value: np.ndarray
    amplitude: np.ndarray
    normal: Callable[[int], np.ndarray]

    @classmethod
    def still(cls, draws: int) -> Walk:
        """The walk of an axis that does not drift."""
        return cls(-1, np.zeros((draws, 2)), np.zeros(draws), lambda k: np.zeros(draws))

    def take(self, draws: np.ndarray) -> Walk:
        """The walk of some draws, by their indices."""
        return Walk(
            self.first, self.value[draws], self.amplitude[draws], lambda k: self.normal(k)[draws]
        )

    def reaching(self, low: float, high: float) -> Walk:
        """The walk on at least [low, high]."""
        first, last = intervals(low, high)
        value, held = self.value, self.first + self.value.shape[1]
        if self.first <= first and last <= held:
            return self
        right = [self.amplitude * np.sqrt(STEP) * self.normal(k) for k in range(held, last)]
        left = [
            self.amplitude * np.sqrt(STEP) * self.normal(k)
            for k in range(self.first - 1, first - 1, -1)
        ]
        if right:
            value = np.hstack([value, value[:, -1:] + np.cumsum(right, axis=0).T])
        if left:
            value = np.hstack([(value[:, :1] + np.cumsum(left, axis=0).T)[:, ::-1], value])
        return Walk(min(self.first, first), value, self.amplitude, self.normal)

    def stretched(self, u: np.ndarray) -> np.ndarray:
        """ũ(u), shape (draw, …); ``u`` has shape (draw, …) or (1, …)."""
        far = self.reaching(float(u.min()), float(u.max()))
        if u.shape[0] == 1:
            return far.shared.stretched(u.ravel()).T.reshape(-1, *u.shape[1:])
        slope, area = np.exp(far.value), far.areas()
        index = far.interval(u)
        rest = u - STEP * (index + far.first)
        draw = np.arange(len(slope)).reshape(-1, *[1] * (u.ndim - 1))
        return area[draw, index] + rest * slope[draw, index]

    @cached_property
    def shared(self) -> SharedInputs:
        """The same walk, for inputs that all draws share."""
        return SharedInputs.of(self)

    def areas(self) -> np.ndarray:
        """ũ at the edges of the intervals held, shape (draw, interval + 1)."""
        area = np.pad(np.cumsum(STEP * np.exp(self.value), axis=1), ((0, 0), (1, 0)))
        return area - area[:, -self.first][:, None]

    def interval(self, u: np.ndarray) -> np.ndarray:
        """Position of inputs among the intervals held; the very last edge belongs to the last."""
        return _interval(u, self.first, self.value.shape[1])

    def local(self, u: np.ndarray | float) -> np.ndarray:
        """e^W at an input of all draws, or of each: the local exponent over that at the pivot, shape (draw,)."""
        at = np.broadcast_to(u, len(self.amplitude))
        far = self.reaching(float(at.min()), float(at.max()))
        return np.exp(far.value[np.arange(len(at)), far.interval(at)])


@dataclass(frozen=True)
class SharedInputs:
    """A walk by interval and draw, for inputs that all draws share: then whole rows are read.

    Attributes
    ----------
    first : int
        Index of the first interval held; no input may lie outside of those.
    value, slope : ndarray, shape (interval, draw)
        W, and e^W.
    area : ndarray, shape (interval + 1, draw)
        ũ at the edges.
    """

    first: int
    value: np.ndarray
    slope: np.ndarray
    area: np.ndarray

    @classmethod
    def of(cls, walk: Walk) -> SharedInputs:
        """The same walk."""
        value = np.ascontiguousarray(walk.value.T)
        return cls(walk.first, value, np.exp(value), np.ascontiguousarray(walk.areas().T))

    def at(self, u: np.ndarray) -> np.ndarray:
        """W at inputs of shape (point,); result (point, draw)."""
        return np.asarray(self.value[_interval(u, self.first, len(self.value))])

    def stretched(self, u: np.ndarray) -> np.ndarray:
        """ũ at inputs of shape (point,); result (point, draw)."""
        index = _interval(u, self.first, len(self.value))
        rest = (u - STEP * (index + self.first))[:, None]
        return np.asarray(self.area[index] + rest * self.slope[index])


def _interval(u: np.ndarray, first: int, held: int) -> np.ndarray:
    return np.clip(np.floor(u / STEP).astype(int) - first, 0, held - 1)
