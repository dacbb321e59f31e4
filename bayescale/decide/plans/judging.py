"""How a plan judges actions: risks as they were asked for, fitted to the draws, and the N that has least of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.risks.entropic import Tail
from bayescale.decide.risks.parsing import parse_risk, settled
from bayescale.decide.risks.risk import Expectation, Risk
from bayescale.errors import PlanError
from bayescale.posterior import Curve, Mixture
from bayescale.predict import LARGEST_SHARE


def read_risks(
    risk: Risk | str | Sequence[Risk | str] | None, curve: Curve | Mixture
) -> list[Risk]:
    """The risks asked for, the expectation by default, settled for the expected loss of a group.

    That is L∞ + R with an R₀ whose prior is LogNormal: no noise thins such a tail, so that it is a LogNormal's unless
    the task has a random-guess level.
    """
    if risk is None:
        return [Expectation()]
    given = list(risk) if isinstance(risk, Sequence) and not isinstance(risk, str) else [risk]
    if not given:
        raise PlanError("risk is an empty list")
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    unlimited = any(part.upper is None for part in parts)
    tail: Tail = "lognormal" if unlimited else "bounded"
    law = np.repeat(np.arange(len(parts)), [len(part.floor) for part in parts])
    several = law if len(parts) > 1 else None
    return [settled(parse_risk(r) if isinstance(r, str) else r, tail, several) for r in given]


def judged(
    risk: Risk, loss: np.ndarray, best: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """A risk of each action, shape (action,): regret is against the least loss that each draw allows, ``best``."""
    return np.asarray(risk(np.column_stack([best, loss]), weights))[1:]


def best_action(risk: Risk, loss: np.ndarray, best: np.ndarray) -> int:
    """The action of least risk; of several, the one of least mean loss."""
    value = judged(risk, loss, best)
    tied = np.flatnonzero(value == value.min())
    return int(tied[np.argmin(loss[:, tied].mean(axis=0))])


def best_size(iso: IsoFlop, log_params: np.ndarray, loss: np.ndarray, risk: Risk) -> float:
    """Log N of least risk, refined between the neighbours of the best candidate."""
    best = iso.frontier_loss
    at = best_action(risk, loss, best)
    low, high = log_params[max(at - 1, 0)], log_params[min(at + 1, len(log_params) - 1)]

    def risk_at(log_n: float) -> float:
        here = iso.loss(iso.log_reducible(np.array([log_n])))
        return float(judged(risk, here, best)[0])

    found = minimize_scalar(risk_at, bounds=(low, high), method="bounded")
    # A risk that is a step function of N gives a search no direction.
    return float(found.x if found.fun < risk_at(log_params[at]) else log_params[at])


def on_one_draw(risks: Sequence[Risk], loss: np.ndarray, best: np.ndarray) -> list[str]:
    """A note for each risk that one draw decides: without it, the best candidate's would be a tenth lower."""
    said = []
    for risk in risks:
        at = loss[:, [best_action(risk, loss, best)]]
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
