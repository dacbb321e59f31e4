"""Risk measures: ``(draws, weights) → number``, of a quantity that is bad when large, such as a loss."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import numpy as np

from bayescale.errors import PlanError


class Risk(Protocol):
    """A risk measure; lower is better."""

    @property
    def name(self) -> str:
        """Label in tables: ``expectation``, ``cvar:0.1``."""
        ...

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Evaluate over the first axis of ``draws``; ``weights`` of that length need not sum to one."""
        ...


@dataclass(frozen=True)
class Expectation:
    """The mean loss."""

    @property
    def name(self) -> str:
        return "expectation"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.average(draws, axis=0, weights=weights)


@dataclass(frozen=True)
class Quantile:
    """The loss that is exceeded with probability 1 − p: the smallest draw whose weight reaches p."""

    p: float

    def __post_init__(self) -> None:
        require_number("Quantile p", self.p)
        if not 0.0 < self.p < 1.0:
            raise PlanError(f"Quantile p = {self.p:g} (expected between 0 and 1)")

    @property
    def name(self) -> str:
        return f"quantile:{self.p:g}"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            at = max(int(np.ceil((self.p - 1e-12) * len(draws))) - 1, 0)
            return np.partition(draws, at, axis=0)[at]
        ordered, share = _ordered(draws, weights)
        first = np.argmax(np.cumsum(share, axis=0) >= self.p - 1e-12, axis=0)
        return np.take_along_axis(ordered, first[None], axis=0)[0]


@dataclass(frozen=True)
class CVaR:
    """Mean of the worst share of the draws: CVaR(0.1) is that of the worst tenth (Rockafellar & Uryasev 2000)."""

    share: float

    def __post_init__(self) -> None:
        require_number("CVaR share", self.share)
        if not 0.0 < self.share <= 1.0:
            raise PlanError(f"CVaR share = {self.share:g} (expected in (0, 1])")

    @property
    def name(self) -> str:
        return f"cvar:{self.share:g}"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            return _worst(draws, self.share)
        ordered, share = _ordered(draws, weights)
        # Weight of each draw that falls in the worst share, the one at the edge in part.
        above = 1.0 - np.cumsum(share, axis=0)
        inside = np.clip(self.share - above, 0.0, share)
        return np.sum(ordered * inside, axis=0) / self.share


@dataclass(frozen=True)
class PMiss:
    """P(loss > target): the probability that a run misses its target."""

    target: float

    def __post_init__(self) -> None:
        require_number("PMiss target", self.target)
        if not np.isfinite(self.target):
            raise PlanError(f"PMiss target = {self.target:g} (expected a finite loss)")

    @property
    def name(self) -> str:
        return f"p_miss:{self.target:g}"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        missed = draws > self.target
        if weights is None:
            return np.count_nonzero(missed, axis=0) / len(missed)
        return np.average(missed, axis=0, weights=weights)


def require_number(name: str, value: object) -> None:
    """Refuse what is no number, naming it."""
    if not isinstance(value, Real):
        raise PlanError(f"{name} = {value!r} (expected a number)")


def _worst(draws: np.ndarray, share: float) -> np.ndarray:
    """Mean of the worst share of draws that count the same, the one at the edge in part."""
    count = share * len(draws)
    whole = int(count + 1e-9)
    edge = len(draws) - whole - 1
    if edge < 0:
        return np.mean(draws, axis=0)
    ordered = np.partition(draws, edge, axis=0)
    inside, part = ordered[edge + 1 :].sum(axis=0), max(count - whole, 0.0)
    return (inside + part * ordered[edge] if part > 1e-9 else inside) / count


def _ordered(draws: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(draws, axis=0)
    each = np.asarray(weights, float)
    share = (each / each.sum()).reshape(-1, *[1] * (draws.ndim - 1))
    return np.take_along_axis(draws, order, 0), np.take_along_axis(
        np.broadcast_to(share, draws.shape), order, 0
    )
