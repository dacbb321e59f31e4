"""Risk measures by name, as files and the command line take them, and what a measure must be told of the losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bayescale.decide.risks.entropic import Entropic, Tail, require_moment
from bayescale.decide.risks.regret import ExpectedRegret, MinimaxRegret, WorstCase
from bayescale.decide.risks.risk import CVaR, Expectation, PMiss, Quantile, Risk
from bayescale.decide.risks.waste import Waste
from bayescale.errors import PlanError, unknown

_PLAIN: dict[str, Callable[[], Risk]] = {
    "waste": Waste,
    "expectation": Expectation,
    "expected_regret": ExpectedRegret,
    "minimax_regret": MinimaxRegret,
}
_OF_NUMBER: dict[str, tuple[Callable[[float], Risk], str]] = {
    "cvar": (CVaR, "0.1"),
    "quantile": (Quantile, "0.9"),
    "p_miss": (PMiss, "2.3"),
    "entropic": (Entropic, "1"),
}
_OF_RISK: dict[str, Callable[[Risk], Risk]] = {"waste": Waste, "worst_case": WorstCase}
#: What a risk may be called, with an example of each that takes a number.
RISK_NAMES = (
    *_PLAIN,
    *(f"{kind}:{example}" for kind, (_, example) in _OF_NUMBER.items()),
    "waste(cvar:0.1)",
    "worst_case(expectation)",
)


def parse_risk(text: str) -> Risk:
    """Read a risk by its name.

    Parameters
    ----------
    text : str
        Of the loss ``expectation``, ``cvar:0.1``, ``quantile:0.9``, ``p_miss:2.3``, ``entropic:1``,
        ``expected_regret`` or ``minimax_regret``; of the wasted share of the budget ``waste``, its expectation, or
        ``waste(...)`` with one of these inside; ``worst_case(...)`` of any.

    Raises
    ------
    UnknownNameError, PlanError
        For another name, or a number out of range.
    """
    outer, opened, inner = text.partition("(")
    if outer in _OF_RISK and opened and inner.endswith(")"):
        inside = parse_risk(inner[:-1])
        if outer == "waste" and isinstance(inside, Waste):
            raise PlanError(f"risk {text!r}: waste of a waste (expected one, e.g. waste(cvar:0.1))")
        return _OF_RISK[outer](inside)
    kind, found, number = text.partition(":")
    if kind in _PLAIN and not found:
        return _PLAIN[kind]()
    if kind not in _OF_NUMBER:
        raise unknown("risk", text, RISK_NAMES)
    make, example = _OF_NUMBER[kind]
    try:
        value = float(number)
    except ValueError:
        raise PlanError(f"risk {text!r}: expected {kind}:NUMBER, e.g. {kind}:{example}") from None
    return make(value)


def settled(risk: Risk, tail: Tail, law: np.ndarray | None) -> Risk:
    """The risk told what it needs to know of the losses that it will judge; refused where it does not exist.

    Parameters
    ----------
    risk : Risk
        As it was read; a tail or laws that it states already are kept.
    tail : str
        How the losses are distributed far out, for an entropic risk.
    law : ndarray, shape (draw,), or None
        Which law each draw comes from, for a worst case; None where all are of one.

    Raises
    ------
    PlanError
        For a worst case over one law, or a moment that does not exist.
    """
    if isinstance(risk, WorstCase):
        own = law if risk.law is None else risk.law
        if own is None:
            raise PlanError(
                f"{risk.name} is over the laws of a stack, and this is one fit: make one with stack, "
                f"or take {risk.risk.name}"
            )
        return replace(risk, risk=settled(risk.risk, tail, None), law=own)
    if isinstance(risk, Waste):
        return replace(risk, risk=settled(risk.risk, "bounded", law))
    if isinstance(risk, Entropic) and risk.tail is None:
        risk = replace(risk, tail=tail)
    require_moment(risk, tail)
    return risk
