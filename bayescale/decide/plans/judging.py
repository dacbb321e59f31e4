"""How a plan judges actions: risks as they were asked for, fitted to the draws, and the N that has least of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize_scalar

from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.risks.entropic import Tail
from bayescale.decide.risks.parsing import parse_risk, settled
from bayescale.decide.risks.risk import Risk
from bayescale.decide.risks.waste import Waste, of_waste
from bayescale.errors import PlanError
from bayescale.posterior import Curve, Mixture
from bayescale.predict import LARGEST_SHARE


def read_risks(
    risk: Risk | str | Sequence[Risk | str] | None, curve: Curve | Mixture
) -> list[Risk]:
    """The risks asked for, the expected waste by default, settled for the expected loss of a group.

    That is L∞ + R with an R₀ whose prior is LogNormal: no noise thins such a tail, so that it is a LogNormal's unless
    the task has a random-guess level.
    """
    if risk is None:
        return [Waste()]
    given = list(risk) if isinstance(risk, Sequence) and not isinstance(risk, str) else [risk]
    if not given:
        raise PlanError("risk is an empty list")
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    unlimited = any(part.upper is None for part in parts)
    tail: Tail = "lognormal" if unlimited else "bounded"
    law = np.repeat(np.arange(len(parts)), [len(part.floor) for part in parts])
    several = law if len(parts) > 1 else None
    return [settled(parse_risk(r) if isinstance(r, str) else r, tail, several) for r in given]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What actions at one budget bring in every draw, to be judged by any risk.

    Attributes
    ----------
    iso : IsoFlop
    log_reducible : ndarray, shape (draw, action)
    """

    iso: IsoFlop
    log_reducible: np.ndarray

    @classmethod
    def along(cls, iso: IsoFlop, log_params: np.ndarray) -> Outcomes:
        """Those of some N along the budget."""
        return cls(iso, iso.log_reducible(log_params))

    @cached_property
    def loss(self) -> np.ndarray:
        """Expected loss, shape (draw, action)."""
        return self.iso.loss(self.log_reducible)

    @cached_property
    def waste(self) -> np.ndarray:
        """Share of the budget wasted against the draw's own optimum, shape (draw, action)."""
        return self.iso.wasted_share(self.log_reducible)

    def beside_best(self, risk: Risk) -> tuple[np.ndarray, np.ndarray]:
        """What a risk judges, shape (draw, action), and the least of it that each draw allows, shape (draw,)."""
        if of_waste(risk):
            return self.waste, np.zeros(len(self.waste))
        return self.loss, self.iso.frontier_loss

    def judged(self, risk: Risk, weights: np.ndarray | None = None) -> np.ndarray:
        """A risk of each action, shape (action,)."""
        return judged(risk, *self.beside_best(risk), weights)

    def best(self, risk: Risk) -> int:
        """The action of least risk; of several, the one of least mean loss."""
        value = self.judged(risk)
        tied = np.flatnonzero(value == value.min())
        return int(tied[np.argmin(self.loss[:, tied].mean(axis=0))])


@dataclass(frozen=True)
class Preferred:
    """The action that one utility prefers in expectation.

    Attributes
    ----------
    params, tokens : float
        N and D.
    regret, loss : float
        Expected share of the budget wasted, and expected loss.
    """

    params: float
    tokens: float
    regret: float
    loss: float

    @classmethod
    def of(cls, log_params: float, log_tokens: float, chosen: Outcomes) -> Preferred:
        """The only action of some outcomes."""
        regret, loss = (float(each.mean()) for each in (chosen.waste, chosen.loss))
        return cls(float(np.exp(log_params)), float(np.exp(log_tokens)), regret, loss)


def judged(
    risk: Risk, draws: np.ndarray, best: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """A risk of each action, shape (action,): regret is against the least that each draw allows, ``best``."""
    return np.asarray(risk(np.column_stack([best, draws]), weights))[1:]


def best_size(log_params: np.ndarray, outcomes: Outcomes, risk: Risk) -> float:
    """Log N of least risk along a budget, refined between the neighbours of the best candidate."""
    at = outcomes.best(risk)
    low, high = log_params[max(at - 1, 0)], log_params[min(at + 1, len(log_params) - 1)]

    def risk_at(log_n: float) -> float:
        return float(Outcomes.along(outcomes.iso, np.array([log_n])).judged(risk)[0])

    found = minimize_scalar(risk_at, bounds=(low, high), method="bounded")
    # A risk that is a step function of N gives a search no direction.
    return float(found.x if found.fun < risk_at(log_params[at]) else log_params[at])


def require_of_loss(risk: Risk, name: str) -> Risk:
    """Refuse a risk of the wasted share where there is no one budget to waste."""
    if of_waste(risk):
        raise PlanError(
            f"{name}: {risk.name} is of one budget; take a risk of the loss, expectation"
        )
    return risk


def on_one_draw(risks: Sequence[Risk], outcomes: Outcomes) -> list[str]:
    """A note for each risk that one draw decides: without it, the best candidate's would be a tenth lower."""
    said = []
    for risk in risks:
        draws, best = outcomes.beside_best(risk)
        at = draws[:, [outcomes.best(risk)]]
        whole = float(judged(risk, at, best)[0])
        for largest in {int(np.argmax(at[:, 0])), int(np.argmax(at[:, 0] - best))}:
            others = np.ones(len(at))
            others[largest] = 0.0
            if float(judged(risk, at, best, others)[0]) < (1.0 - LARGEST_SHARE) * whole:
                said.append(
                    f"{risk.name} rests on one draw, which carries more than a tenth of it; "
                    "judge by quantile:0.5"
                )
                break
    return said
