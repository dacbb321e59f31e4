"""Regret and worst-case measures: what an action loses against the best one of each draw, or under the worst law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescale.decide.risks.risk import Risk
from bayescale.errors import PlanError


@dataclass(frozen=True)
class ExpectedRegret:
    """Mean over draws of loss − least loss of any action in that draw (Savage 1951); never below zero."""

    @property
    def name(self) -> str:
        return "expected_regret"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Evaluate over ``draws`` of shape (draw, action), all actions together; result (action,)."""
        return np.average(_regret(draws), axis=0, weights=weights)


@dataclass(frozen=True)
class MinimaxRegret:
    """Largest regret over draws: the action that has least of it is the minimax-regret action (Savage 1951)."""

    @property
    def name(self) -> str:
        return "minimax_regret"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Evaluate over ``draws`` of shape (draw, action); a draw counts if its weight is above zero."""
        regret = _regret(draws)
        return (regret if weights is None else regret[np.asarray(weights) > 0]).max(axis=0)


def _regret(draws: np.ndarray) -> np.ndarray:
    """Loss above the best action of the same draw."""
    if draws.ndim != 2 or draws.shape[1] < 2:
        raise PlanError(
            f"regret compares actions: draws of shape {draws.shape} (expected (draw, action), two actions or more)"
        )
    return draws - draws.min(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The largest, over laws, of a risk: for draws of several laws stacked one after another.

    Parameters
    ----------
    risk : Risk
        Evaluated under each law with that law's draws and weights alone.
    law : ndarray of str or int, shape (draw,), optional
        Which law each draw comes from; a plan knows that of the draws of a stack.
    """

    risk: Risk
    law: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"worst_case({self.risk.name})"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Evaluate over the first axis; a law without weight is left out."""
        if self.law is None:
            raise PlanError(
                f"{self.name}: the laws of the draws are not stated, WorstCase(risk, law)"
            )
        law = np.asarray(self.law)
        if law.shape != (len(draws),):
            raise PlanError(f"{len(law)} labels of laws for {len(draws)} draws")
        each = np.ones(len(draws)) if weights is None else np.asarray(weights, float)
        under = [
            self.risk(draws[law == one], each[law == one])
            for one in np.unique(law)
            if each[law == one].sum() > 0
        ]
        return np.max(under, axis=0)
