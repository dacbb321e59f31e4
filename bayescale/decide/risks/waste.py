"""Risks of what is wasted, in place of the loss: the share of the budget that an action wastes, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bayescale.decide.risks.regret import WorstCase
from bayescale.decide.risks.risk import Expectation, Risk


@dataclass(frozen=True)
class Waste:
    """A risk of the wasted share of the budget 1 − C′/C, where C′ on a draw's own frontier buys the loss of the action.

    The default utility of a decision is compute-equivalent: it is minus this share, of which the expectation is judged.
    It lies between 0 and 1, so that every moment of it exists.

    Parameters
    ----------
    risk : Risk
        Of the share: ``CVaR(0.1)`` is its mean over the worst tenth of the draws, ``PMiss(0.05)`` is P(share > .05).
    """

    risk: Risk = field(default_factory=Expectation)

    @property
    def name(self) -> str:
        """Label in tables: ``waste``, ``waste(cvar:0.1)``."""
        return "waste" if self.risk == Expectation() else f"waste({self.risk.name})"

    def __call__(self, draws: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Evaluate over the first axis of wasted shares."""
        return self.risk(draws, weights)


def of_waste(risk: Risk) -> bool:
    """Whether a risk judges the wasted share of the budget, and not the loss."""
    return isinstance(risk, Waste) or (isinstance(risk, WorstCase) and of_waste(risk.risk))
