"""The actions that a plan weighs: a grid of N along the budget, or a list of (N, D), without what is not feasible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from bayescale.decide.plans.constraints import Infeasible, Limit
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Outcomes, best_size
from bayescale.decide.risks.risk import Risk
from bayescale.errors import PlanError
from bayescale.predict import FLOP_PER_PARAM_TOKEN

Candidates = Sequence[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Actions:
    """What may be trained with a budget.

    Attributes
    ----------
    iso : IsoFlop
        The budget, against whose frontier every action is judged.
    log_params, log_tokens : ndarray, shape (action,)
        N, and D (in the median, where what money buys is uncertain).
    log_reducible : ndarray, shape (draw, action)
        Log R of each.
    listed : bool
        Whether they are the caller's list, and not a grid.
    infeasible : tuple of Infeasible
        What was left out.
    outside : float
        Share of the draws whose optimum lies on an edge of the grid; zero of a list.
    """

    iso: IsoFlop
    log_params: np.ndarray
    log_tokens: np.ndarray
    log_reducible: np.ndarray
    listed: bool
    infeasible: tuple[Infeasible, ...]
    outside: float

    @classmethod
    def of(cls, iso: IsoFlop, candidates: Candidates | None, limits: Sequence[Limit]) -> Actions:
        """Those of a list, or all along the budget where there is none."""
        if candidates is None:
            return cls.along(iso, limits)
        return cls.of_list(iso, candidates, limits)

    @classmethod
    def along(cls, iso: IsoFlop, limits: Sequence[Limit]) -> Actions:
        """A grid of N at C = 6·N·D, as far as the limits allow."""
        log_params, outside = iso.candidates()
        left_out: list[Infeasible] = []
        ends = _feasible(iso, limits, left_out, float(log_params[0]), float(log_params[-1]))
        if left_out:
            log_params, outside = np.linspace(*ends, len(log_params)), 0.0
        log_r = iso.log_reducible(log_params)
        log_tokens = np.log(iso.tokens(log_params))
        return cls(iso, log_params, log_tokens, log_r, False, tuple(left_out), outside)

    @classmethod
    def of_list(cls, iso: IsoFlop, candidates: Candidates, limits: Sequence[Limit]) -> Actions:
        """A list of (N, D), those within the budget and the limits."""
        pairs = [_pair(one) for one in candidates]
        if not pairs:
            raise PlanError("candidates is an empty list: name at least one, (70e9, 1.4e12)")
        every = [Limit("budget", "compute", iso.compute, iso.compute, "FLOP"), *limits]
        left_out: list[Infeasible] = []
        kept = []
        for params, tokens in pairs:
            value = {
                "params": params,
                "tokens": tokens,
                "compute": FLOP_PER_PARAM_TOKEN * params * tokens * iso.factor(params),
            }
            broken = [said for one in every if (said := one.broken(value[one.on]))]
            left_out += [Infeasible(params, params, tokens, said) for said in broken]
            if not broken:
                kept.append((params, tokens))
        if not kept:
            reasons = "; ".join(dict.fromkeys(i.reason for i in left_out))
            raise PlanError(f"no candidate is feasible: {reasons}")
        log_params, log_tokens = np.log(np.array(kept)).T
        log_r = iso.curve.log_reducible({"params": log_params[None], "tokens": log_tokens[None]})
        return cls(iso, log_params, log_tokens, log_r, True, tuple(left_out), 0.0)

    @cached_property
    def outcomes(self) -> Outcomes:
        """What they bring."""
        return Outcomes(self.iso, self.log_reducible)

    def best(self, risk: Risk) -> tuple[float, float, Outcomes]:
        """Log N and log D of least risk, between the candidates of a grid too, and what that action brings."""
        if self.listed:
            at = self.outcomes.best(risk)
            chosen = Outcomes(self.iso, self.log_reducible[:, [at]])
            return float(self.log_params[at]), float(self.log_tokens[at]), chosen
        log_n = best_size(self.log_params, self.outcomes, risk)
        chosen = Outcomes.along(self.iso, np.array([log_n]))
        return log_n, float(np.log(self.iso.tokens(log_n))), chosen

    def notes(self) -> list[str]:
        """In how many draws the optimum along the budget is not among the feasible sizes."""
        if self.listed or not self.infeasible:
            return []
        best, _ = self.iso.optimum
        share = np.mean((best < self.log_params[0]) | (best > self.log_params[-1]))
        return [f"constraints bind: in {100 * share:.0f} % of the draws the best N is left out"]


def _feasible(
    iso: IsoFlop, limits: Sequence[Limit], left_out: list[Infeasible], low: float, high: float
) -> tuple[float, float]:
    """Ends of the grid of log N that the limits leave; what they take goes to ``left_out``."""
    least, most, width, tightest = 0.0, np.inf, high - low, ""
    for one in limits:
        edge = float(np.log(one.most))
        if one.on == "compute":
            said = one.broken(iso.compute)
            if said:
                raise PlanError(
                    f"no action is feasible: {said}; a budget of {one.most:.3g} FLOP keeps it"
                )
        elif one.on == "tokens":
            # D is what the budget leaves: few tokens ask for a large model.
            edge = float(np.log(iso.tokens(edge)))
            if edge > low:
                needs = f"{one.broken(float(iso.tokens(low)))} at the smallest"
                left_out.append(_range(low, edge, needs))
            least = max(least, edge)
        else:
            if edge < high:
                needs = f"{one.broken(float(np.exp(high)))} at the largest"
                left_out.append(_range(edge, high, needs))
            if edge < most:
                most, tightest = edge, one.name
    if least > most:
        raise PlanError(
            f"no action is feasible: the tokens ask for N ≥ {np.exp(least):.3g}, the {tightest} for "
            f"N ≤ {np.exp(most):.3g}; take a smaller budget"
        )
    # Where all that was to be searched is left out, the nearest of what is feasible is searched as far.
    start, end = max(low, least), min(high, most)
    if start > end:
        start, end = (
            (least, min(least + width, most)) if least > high else (max(most - width, least), most)
        )
    return start, end


def _range(low: float, high: float, reason: str) -> Infeasible:
    return Infeasible(float(np.exp(low)), float(np.exp(high)), None, reason)


def _pair(one: tuple[float, float]) -> tuple[float, float]:
    """A candidate as two positive numbers."""
    given: list[Any] = list(one) if isinstance(one, Sequence) else [one]
    numbers = [float(v) for v in given if not isinstance(v, bool) and isinstance(v, Real)]
    if len(given) != 2 or len(numbers) != 2 or not all(np.isfinite(v) and v > 0 for v in numbers):
        raise PlanError(f"candidate {one!r} (expected N and D, two positive numbers)")
    return numbers[0], numbers[1]
