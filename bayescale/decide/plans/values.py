"""What a loss is worth in money: per nat, if a target is reached, or by the accuracy that it brings downstream."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from bayescale.decide.plans.reach import require_target
from bayescale.errors import PlanError
from bayescale.posterior.uncertain import POSITIVE, draws_of


class Value(Protocol):
    """Dollars that a loss is worth, up to a constant; never less for a lower loss."""

    def __call__(self, loss: np.ndarray) -> np.ndarray:
        """Evaluate, element by element."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        ...


@dataclass(frozen=True)
class _Stated:
    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"kind": type(self).__name__, **asdict(self)}


@dataclass(frozen=True)
class PerNat(_Stated):
    """So many dollars for every unit of loss saved."""

    dollars: float

    def __post_init__(self) -> None:
        draws_of(self.dollars, "PerNat dollars", POSITIVE, 1)

    def __call__(self, loss: np.ndarray) -> np.ndarray:
        # Far below the fitted runs a loss may exceed any number.
        with np.errstate(over="ignore"):
            return -self.dollars * loss


@dataclass(frozen=True)
class IfReached(_Stated):
    """``worth`` dollars if loss ≤ ``target``, else nothing."""

    worth: float
    target: float

    def __post_init__(self) -> None:
        draws_of(self.worth, "IfReached worth", POSITIVE, 1)
        require_target(self.target)

    def __call__(self, loss: np.ndarray) -> np.ndarray:
        return np.where(loss <= self.target, self.worth, 0.0)


@dataclass(frozen=True)
class ByAccuracy(_Stated):
    """``worth`` dollars times the accuracy that a loss brings downstream.

    Accuracy = chance + (best − chance)·σ(slope·(midpoint − loss)), the sigmoid that Bhagia et al. 2024
    (arXiv:2412.04403) fit between a task's loss and its accuracy.

    Parameters
    ----------
    worth : float
        Dollars from no accuracy to all of it.
    chance, best : float
        Accuracy of guessing, and at no loss; 0 ≤ chance < best ≤ 1.
    midpoint : float
        Loss half-way between.
    slope : float
        Per unit of loss, positive.
    """

    worth: float
    chance: float
    best: float
    midpoint: float
    slope: float

    def __post_init__(self) -> None:
        for name in ("worth", "midpoint", "slope"):
            draws_of(getattr(self, name), f"ByAccuracy {name}", POSITIVE, 1)
        if not 0.0 <= self.chance < self.best <= 1.0:
            raise PlanError(
                f"ByAccuracy chance = {self.chance:g}, best = {self.best:g} (expected 0 ≤ chance < best ≤ 1)"
            )

    def __call__(self, loss: np.ndarray) -> np.ndarray:
        share = expit(self.slope * (self.midpoint - np.asarray(loss)))
        return self.worth * (self.chance + (self.best - self.chance) * share)
