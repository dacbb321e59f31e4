"""`Pilot`: a small experiment that may be run before the money is spent: its runs, its price, how often it fails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real

from bayescale.decide.plans.given import read_given
from bayescale.errors import ForecastError, PlanError
from bayescale.posterior import Group
from bayescale.predict import FLOP_PER_PARAM_TOKEN, locate

Counts = float | Sequence[float]


@dataclass(frozen=True)
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
    unique_tokens, experts : float, optional
        Of its runs, for a law that reads them; those of the final run by default.
    sweep : str, optional
        Label of a fitted sweep that it joins, sharing the offset known from there, instead of one of its own.
    cost : float, optional
        In the unit of the budget: dollars where that is priced, else FLOP. By default 6·N·D of all runs, at the
        price of the budget.

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
    unique_tokens: float | None = None
    experts: float | None = None
    sweep: str | None = None
    cost: float | None = None
    runs: tuple[tuple[float, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise PlanError(f"a pilot needs a name, not {self.name!r}")
        if isinstance(self.repeats, bool) or not isinstance(self.repeats, int) or self.repeats < 1:
            raise PlanError(f"{self._said('repeats')} (expected a whole number of at least 1)")
        self._require("failure", 0.0, 1.0, "a probability, from 0 to 1")
        if self.cost is not None:
            self._require("cost", 0.0, math.inf, "zero or more")
        try:
            points = locate({"params": self.params, "tokens": self.tokens}, None)
            read_given(self.unique_tokens, self.experts)
        except (ForecastError, PlanError) as error:
            raise PlanError(f"pilot {self.name!r}: {error}") from None
        params, tokens = (points[axis].to_numpy().tolist() for axis in ("params", "tokens"))
        runs = tuple(zip(params, tokens, strict=True)) * self.repeats
        object.__setattr__(self, "runs", runs)

    def given(self, final: Mapping[str, float]) -> dict[str, float]:
        """Further inputs of its runs: its own, and those of the final run for the rest."""
        return {**final, **read_given(self.unique_tokens, self.experts)}

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
