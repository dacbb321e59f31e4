"""The joint law read backwards: how many tokens a draw needs, at a number of parameters, to fall to a loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescale.laws import STEP
from bayescale.posterior import Curve

# Along the range of log D, two nats apart, then between two looks: to 2e-9 nats.
LOOKS, HALVINGS = 36, 30
MOST_TOKENS = float(np.log(1e30))  # beyond it a target counts as out of reach at that N


@dataclass(frozen=True, eq=False)
class Inverse:
    """The joint law solved for D: log D at which log R falls to a target, for each draw (rows) and N (columns)."""

    curve: Curve
    log_target: np.ndarray  # log R, shape (draw,); NaN where the target lies below the floor

    def log_tokens(self, log_n: np.ndarray) -> np.ndarray:
        """Infinite where no D reaches the target, or only one beyond any meaning."""
        law = self.curve.law
        if self.curve.given or law.bends or law.core.best is not None:
            return self._searched(log_n)
        curve, t = self.curve, {k: v[:, None] for k, v in self.curve.theta.items()}
        u = log_n - curve.pivots["params"]
        if "params" in curve.walks:
            u = curve.walks["params"].stretched(u)
        # (R/R₀)^(1/γ) = ω·e^(−βu/γ) + (1−ω)·e^(−δv/γ)
        whole = (self.log_target[:, None] - np.log(t["R0"])) / t["gamma"]
        of_n = np.log(t["omega"]) - t["beta"] * u / t["gamma"]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            of_d = whole + np.log1p(-np.exp(of_n - whole))
        v = (np.log1p(-t["omega"]) - of_d) * t["gamma"] / t["delta"]
        log_d = self._unstretched(v) + curve.pivots["tokens"]
        return np.where(log_d < MOST_TOKENS, np.maximum(log_d, 0.0), np.inf)

    def _searched(self, log_n: np.ndarray) -> np.ndarray:
        """By bisection: what tokens are worth may have no inverse in closed form."""
        ends = {"params": (float(log_n.min()), float(log_n.max())), "tokens": (0.0, MOST_TOKENS)}
        curve, target = self.curve.reaching(ends), self.log_target[:, None]

        def reached(log_d: np.ndarray) -> np.ndarray:
            return np.asarray(curve.log_reducible({"params": log_n, "tokens": log_d}) <= target)

        shape = np.broadcast_shapes(target.shape, log_n.shape)
        # A loss may rise again as data are repeated without end: the first D that is enough, and not any.
        steps = np.linspace(0.0, MOST_TOKENS, LOOKS)
        high = np.full(shape, np.inf)
        for step in steps:
            there = np.isinf(high) & reached(np.full(shape, step))
            high = np.where(there, step, high)
        never = np.isinf(high)
        high = np.where(never, MOST_TOKENS, high)
        low = np.maximum(high - steps[1], 0.0)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            enough = reached(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.where(never, np.inf, high)

    def _unstretched(self, v: np.ndarray) -> np.ndarray:
        if "tokens" not in self.curve.walks:
            return v
        knots, at_knots = self._knots
        # Beyond the last knot lie more tokens than MOST_TOKENS; NaN is a target below N's own term or the floor.
        pairs = zip(v, at_knots, strict=True)
        return np.array([np.interp(one, x, knots, right=np.inf) for one, x in pairs])

    @cached_property
    def _knots(self) -> tuple[np.ndarray, np.ndarray]:
        """A walk is linear between multiples of its step: these, and where each draw stretches them to."""
        low, high = np.array([0.0, MOST_TOKENS]) - self.curve.pivots["tokens"]
        knots = STEP * np.arange(np.floor(low / STEP), np.ceil(high / STEP) + 1)
        return knots, self.curve.walks["tokens"].stretched(knots[None])
