"""One budget seen draw by draw: losses over candidate (N, D) at C = 6·N·D, each draw's optimum, and what is wasted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescale.errors import PlanError
from bayescale.laws import Law, joint_frontier, numpy_namespace
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Fit, Group, Side

CANDIDATES = 241
EDGE_SHARE = 0.01


@dataclass(frozen=True)
class IsoFlop:
    """Draws of a law along one budget.

    Attributes
    ----------
    law : Law
    theta : dict of str to ndarray, shape (draw,)
        Completed parameters.
    pivots : dict
        Of the fit.
    log_compute : float
        Log FLOP of the budget.
    upper : float or None
        Random-guess level, for bounded laws.
    """

    law: Law
    theta: dict[str, np.ndarray]
    pivots: dict[str, float]
    log_compute: float
    upper: float | None

    @classmethod
    def of(cls, fit: Fit, where: dict[Side, Group], compute: float) -> IsoFlop:
        """Take the draws of one group of a fit."""
        law = fit.model.get_law()
        if law.core.name != "joint":
            raise PlanError(
                f"law {law.name!r} has no choice of N and D at a budget; fit a joint law (parameter-data)"
            )
        theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(where).items()}
        upper = fit.model.upper.get(str(where["task"])) if fit.model.upper else None
        return cls(law, theta, fit.model.pivots, float(np.log(compute)), upper)

    @property
    def log_total(self) -> float:
        """Log of N·D."""
        return self.log_compute - LOG_FLOP_PER_PARAM_TOKEN

    def log_reducible(self, log_params: np.ndarray) -> np.ndarray:
        """Log R of every draw (rows) at every candidate N (columns), shape (draw, action)."""
        centred = {
            "params": log_params - self.pivots["params"],
            "tokens": self.log_total - log_params - self.pivots["tokens"],
        }
        return self.law.log_reducible(centred, {k: v[:, None] for k, v in self.theta.items()})

    def loss(self, log_reducible: np.ndarray) -> np.ndarray:
        """Expected loss from log R, floor included."""
        floor = self.theta[self.law.floor.name].reshape(-1, *[1] * (log_reducible.ndim - 1))
        return self.law.link.loss(numpy_namespace, log_reducible, floor, self.upper)

    def optimum(self) -> tuple[np.ndarray, np.ndarray]:
        """Log N* and log R* of each draw, in closed form."""
        frontier = joint_frontier(self.theta, self.pivots)
        return frontier.log_params(self.log_compute), frontier.log_reducible(self.log_compute)

    def wasted_share(self, log_reducible: np.ndarray) -> np.ndarray:
        """Compute-equivalent regret 1 − C′/C: C′ on the draw's own frontier gives the loss of the action."""
        _, best = self.optimum()
        extra = log_reducible - best.reshape(-1, *[1] * (log_reducible.ndim - 1))
        alpha = self.theta["alpha"].reshape(-1, *[1] * (log_reducible.ndim - 1))
        # Rounding can put an action a hair below the optimum of its own draw.
        return -np.expm1(-np.maximum(extra, 0.0) / alpha)

    def candidates(self) -> tuple[np.ndarray, float]:
        """A log grid over N that holds all but 1 % of the draws' optima, and the share that lies on its edges.

        The grid never asks for fewer than one parameter or one token, whatever the draws say.
        """
        best, _ = self.optimum()
        low, high = np.quantile(best, [EDGE_SHARE / 4, 1 - EDGE_SHARE / 4]) + np.log([1 / 3, 3])
        low, high = max(low, 0.0), min(high, self.log_total)
        outside = float(np.mean((best <= low) | (best >= high)))
        return np.linspace(low, high, CANDIDATES), outside
