"""The curve of a chain: that of the loss in N and D, read through that of the error in the loss, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescale.posterior.curve import Curve

HALF_RANGE, HALVINGS = (
    12.0,
    50,
)  # nats of the upstream loss around its pivot, halved to 1e-14 of them
SMALLEST = 1e-300  # a loss without a floor still has a logarithm


@dataclass(frozen=True, kw_only=True)
class Linked(Curve):
    """A curve of errors over N and D.

    What falls with N and D is the loss, and the error falls with it: the optimum N*, shares and the compute-equivalent
    of a regret are those of the loss. Losses, floors and targets are errors.

    Attributes
    ----------
    onto : Curve
        Of the error, with as many draws.
    offset : ndarray, shape (draw,), or 0
        Of the log of the upstream loss, in a campaign.
    """

    onto: Curve
    offset: np.ndarray | float = 0.0

    @classmethod
    def of(cls, first: Curve, onto: Curve) -> Linked:
        """Link two curves of equally many draws."""
        own: dict[str, Any] = {name: getattr(first, name) for name in Curve.__dataclass_fields__}
        return cls(**own, onto=onto)

    def shifted(self, offset: np.ndarray) -> Linked:
        """The same curves in a campaign whose log loss is off by so much, shape (draw,)."""
        return replace(self, offset=offset)

    def take(self, draws: np.ndarray) -> Linked:
        """The curve of some draws, by their indices."""
        offset = self.offset[draws] if isinstance(self.offset, np.ndarray) else self.offset
        return replace(Linked.of(super().take(draws), self.onto.take(draws)), offset=offset)

    @property
    def floor(self) -> np.ndarray:
        """Error at the floor of the loss, shape (draw,)."""
        return self.error(np.log(np.maximum(super().floor, SMALLEST)) + self.offset)

    def upstream(self, log_reducible: np.ndarray) -> np.ndarray:
        """Log of the expected upstream loss from log R, offset included, shape (draw, …)."""
        return np.asarray(np.log(super().loss(log_reducible)) + self._beside(log_reducible.ndim))

    def error(self, log_upstream: np.ndarray) -> np.ndarray:
        """Expected error at a log upstream loss, shape (draw, …)."""
        return self.onto.loss(self.onto.log_reducible({"upstream_loss": log_upstream}))

    def loss(self, log_reducible: np.ndarray) -> np.ndarray:
        """Expected error from log R."""
        return self.error(self.upstream(log_reducible))

    def reducible(self, loss: np.ndarray) -> np.ndarray:
        """Log R from the expected error, shape (draw, …); NaN below the floor, infinite at guessing and above it."""
        log_upstream = upstream_of(self.onto, loss)
        with np.errstate(over="ignore"):
            return super().reducible(np.exp(log_upstream - self._beside(np.ndim(loss))))

    def _beside(self, ndim: int) -> np.ndarray:
        return np.reshape(self.offset, (-1, *[1] * (ndim - 1)))


def upstream_of(onto: Curve, error: np.ndarray) -> np.ndarray:
    """Log of the upstream loss at which the expected error is so large, shape (draw, …).

    NaN where no loss is low enough, infinite where any is.
    """
    log_r, pivot = onto.reducible(error), onto.pivots["upstream_loss"]
    if onto.exact and onto.law.core.name == "upstream":
        theta = {k: v.reshape(-1, *[1] * (log_r.ndim - 1)) for k, v in onto.theta.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.log1p((log_r - np.log(theta["R0"])) / theta["steepness"]) + pivot
        return np.where(np.isneginf(found), np.nan, found)
    low, high = (np.full(log_r.shape, pivot + side * HALF_RANGE) for side in (-1.0, 1.0))

    def at(log_loss: np.ndarray) -> np.ndarray:
        with np.errstate(
            over="ignore"
        ):  # far off a steep draw may exceed any number: infinity says so
            return onto.log_reducible({"upstream_loss": log_loss})

    never, always = ~(log_r >= at(low)), log_r >= at(high)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        below = at(middle) <= log_r
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(never, np.nan, np.where(always, np.inf, 0.5 * (low + high)))
