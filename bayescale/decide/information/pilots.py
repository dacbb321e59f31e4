"""`Pilot`: a small experiment that may be run before the money is spent: its runs, its price, how often it fails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real

from bayescale.decide.plans.given import read_given
from bayescale.errors import ForecastError, PlanError
from bayescale.posterior import Group
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import FLOP_PER_PARAM_TOKEN, locate

Counts = float | Sequence[float]


@dataclass(frozen=True, init=False)
class Pilot:
    """One or several training runs made as one sweep: they share the offset of a new campaign.

    Parameters
    ----------
    name : str
        In tables; its simulated outcomes depend on the fit's seed and on this name.
    params, tokens : float or sequence of them
        N and D of its runs: numbers, or lists of one length.
    repeats : int
        How often each is trained.
    failure : float
        Probability that nothing comes of it; it is paid for all the same.
    architecture, task : str or New, optional
        Of its runs; those of the final run by default.
    sweep : str, optional
        Label of a fitted sweep that it joins, sharing the offset known from there, instead of one of its own.
    cost : float, optional
        In the unit of the budget: dollars where that is priced, else FLOP. By default 6·N·D of all runs, at the
        price of the budget.
    further : mapping, optional
        Further inputs of its runs by name, for a law that reads them; those of the final run by default.
    **named : float
        The same as arguments: ``unique_tokens=1e11``, ``experts=8``, ….

    Raises
    ------
    PlanError
        Naming the pilot, the value and what was expected.
    """

    name: str
    params: Counts
    tokens: Counts
    repeats: int = 1
    failure: float = 0.0
    architecture: Group | None = None
    task: Group | None = None
    sweep: str | None = None
    cost: float | None = None
    further: Mapping[str, Uncertain] = field(default_factory=dict)
    runs: tuple[tuple[float, float], ...] = field(init=False, repr=False)

    def __init__(
        self,
        name: str,
        params: Counts,
        tokens: Counts,
        repeats: int = 1,
        failure: float = 0.0,
        architecture: Group | None = None,
        task: Group | None = None,
        sweep: str | None = None,
        cost: float | None = None,
        further: Mapping[str, Uncertain] | None = None,
        **named: Uncertain | None,
    ) -> None:
        stated = {
            "name": name,
            "params": params,
            "tokens": tokens,
            "repeats": repeats,
            "failure": failure,
            "architecture": architecture,
            "task": task,
            "sweep": sweep,
            "cost": cost,
        }
        for field_name, value in stated.items():
            object.__setattr__(self, field_name, value)
        if not isinstance(self.name, str) or not self.name:
            raise PlanError(f"a pilot needs a name, not {self.name!r}")
        if isinstance(self.repeats, bool) or not isinstance(self.repeats, int) or self.repeats < 1:
            raise PlanError(f"{self._said('repeats')} (expected a whole number of at least 1)")
        self._require("failure", 0.0, 1.0, "a probability, from 0 to 1")
        if self.cost is not None:
            self._require("cost", 0.0, math.inf, "zero or more")
        try:
            points = locate({"params": params, "tokens": tokens}, None)
            object.__setattr__(self, "further", read_given({**(further or {}), **named}))
        except (ForecastError, PlanError) as error:
            raise PlanError(f"pilot {self.name!r}: {error}") from None
        at_n, at_d = (points[axis].to_numpy().tolist() for axis in ("params", "tokens"))
        runs = tuple(zip(at_n, at_d, strict=True)) * repeats
        object.__setattr__(self, "runs", runs)

    def inputs(self, final: Mapping[str, Uncertain]) -> dict[str, Uncertain]:
        """Further inputs of its runs: its own, and those of the final run for the rest."""
        return {**final, **self.further}

    @property
    def flop(self) -> float:
        """Training FLOP of all of its runs."""
        return sum(FLOP_PER_PARAM_TOKEN * n * d for n, d in self.runs)

    def _require(self, name: str, low: float, high: float, expected: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise PlanError(f"{self._said(name)} (expected a number)")
        if not (math.isfinite(float(value)) and low <= float(value) <= high):
            raise PlanError(f"{self._said(name)} (expected {expected})")

    def _said(self, name: str) -> str:
        return f"pilot {self.name!r}: {name} = {getattr(self, name)!r}"
