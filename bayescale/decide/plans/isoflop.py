"""One budget seen draw by draw: losses over candidate (N, D) at C = 6·N·D, each draw's optimum, and what is wasted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from bayescale.decide.costs.budget import Budget
from bayescale.errors import PlanError
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import PROBS, Curve, Group, Mixture, Overhead, Posterior, Side, curve_of
from bayescale.posterior.uncertain import Uncertain

CANDIDATES = 241
EDGE_SHARE = 0.01
LEVELS = 48  # budgets at which each draw's own frontier is known, where there is no closed form
SMALLEST = 7.0  # nats of compute below the budget: what wastes more than 99.9 % of it wastes all
VALLEY_BUDGETS = (0.01, 0.1, 1.0)  # shares of the budget whose valleys a plan keeps
VALLEY_DECADES = 1.25  # of N, to each side of the median optimum
VALLEY_SIZES, PATH_STEPS = 41, 33


def joint_curve(
    fit: Posterior, where: dict[Side, Group], given: Mapping[str, Uncertain] | None = None
) -> Curve | Mixture:
    """Draws of one group's curve, of a fit or a stack whose laws all have an N and a D to choose.

    ``given`` states further inputs; each must be read by the law, or by one of a stack's.
    """
    read = {g.name for member in fit.members for g in member.model.get_law().given}
    for name in given or {}:
        if name not in read:
            raise PlanError(
                f"{name} is not read by {fit.members[0].model.spec.name!r}; fit a model that does"
            )
    for law in (member.model.get_law() for member in fit.members):
        for needed in law.given:
            if needed.missing is None and needed.name not in (given or {}):
                raise PlanError(f"law {law.name!r} reads {needed.name} ({needed.text}); state it")
        if not law.divides:
            raise PlanError(
                f"law {law.name!r} has no choice of N and D at a budget; fit a joint law (parameter-data)"
            )
    return curve_of(fit, where, given=given)


@dataclass(frozen=True)
class IsoFlop:
    """Draws of a group's curve along one budget C = 6·N·D, or 6·N·D and what attention and output head take.

    Attributes
    ----------
    curve : Curve or Mixture
    log_compute : float or ndarray, shape (draw,)
        Of the budget in FLOP: one for all draws, or what the money buys in each.
    overhead : callable or None
        Log of what a token costs over 6·N, where that is more, from log N.
    """

    curve: Curve | Mixture
    log_compute: float | np.ndarray
    overhead: Overhead | None = None

    @classmethod
    def of(
        cls,
        fit: Posterior,
        where: dict[Side, Group],
        budget: Budget | float,
        given: Mapping[str, Uncertain] | None = None,
    ) -> IsoFlop:
        """Take the draws of one group of a fit, or of a stack, at a budget (a bare number is FLOP).

        ``given`` states further inputs of the law.
        """
        curve = joint_curve(fit, where, given)
        if not isinstance(budget, Budget):
            return cls(curve, float(np.log(budget)))
        flop = budget.flop_draws(len(curve.floor), fit.seed)
        log_compute = float(np.log(flop[0])) if np.ptp(flop) == 0 else np.log(flop)
        return cls(curve, log_compute, budget.overhead)

    @property
    def compute(self) -> float:
        """The budget in FLOP, in the median."""
        return float(np.median(np.exp(self.log_compute)))

    def times(self, factor: float) -> IsoFlop:
        """The same draws with so many times the budget."""
        return replace(self, log_compute=self.log_compute + float(np.log(factor)))

    def at(self, compute: float) -> IsoFlop:
        """The same draws at another budget, in FLOP."""
        return replace(self, log_compute=float(np.log(compute)))

    @property
    def theta(self) -> dict[str, np.ndarray]:
        """Completed parameters, each of shape (draw,)."""
        return self.curve.theta

    @property
    def log_total(self) -> float | np.ndarray:
        """Log of N·D·h(N), for all draws or of each."""
        return self.log_compute - LOG_FLOP_PER_PARAM_TOKEN

    def tokens(self, log_params: np.ndarray | float) -> np.ndarray:
        """D that the budget leaves at an N, in the median."""
        total = np.log(self.compute) - LOG_FLOP_PER_PARAM_TOKEN
        return np.asarray(np.exp(self._left(total, np.asarray(log_params))))

    def factor(self, params: float) -> float:
        """What a token costs over 6·N, at an N."""
        return 1.0 if self.overhead is None else float(np.exp(self.overhead(np.log([params]))[0]))

    def tokens_drawn(self, log_params: np.ndarray) -> np.ndarray:
        """D that each draw's budget leaves at an N of its own, shape (draw,)."""
        return np.asarray(np.exp(self._left(self.log_total, log_params)))

    def _left(self, log_total: float | np.ndarray, log_params: np.ndarray) -> np.ndarray:
        """Log D that is left of a log N·D·h(N)."""
        left = np.asarray(log_total - log_params)
        return left if self.overhead is None else left - self.overhead(log_params)

    def log_reducible(self, log_params: np.ndarray) -> np.ndarray:
        """Log R of every draw (rows) at every candidate N (columns), shape (draw, action)."""
        log_tokens = self._left(np.reshape(self.log_total, (-1, 1)), log_params[None])
        return self.curve.log_reducible({"params": log_params[None], "tokens": log_tokens})

    def loss(self, log_reducible: np.ndarray) -> np.ndarray:
        """Expected loss from log R, floor included."""
        return self.curve.loss(log_reducible)

    @cached_property
    def optimum(self) -> tuple[np.ndarray, np.ndarray]:
        """Log N* and log R* of each draw."""
        if isinstance(self.log_compute, float):
            return self.curve.optimum(self.log_compute, self.overhead)
        levels, best_n, best_r = self._levels
        own = list(zip(self.log_compute, best_n, best_r, strict=True))
        return (
            np.array([np.interp(c, levels, n) for c, n, _ in own]),
            np.array([np.interp(c, levels, r) for c, _, r in own]),
        )

    @cached_property
    def frontier_loss(self) -> np.ndarray:
        """Expected loss of each draw at its own optimum, shape (draw,)."""
        return self.loss(self.optimum[1])

    def shares(self) -> dict[str, np.ndarray]:
        """What each draw's loss at its optimum is made of: ``params``, ``tokens`` and ``floor``, summing to one.

        The reducible part is divided as the law's inner sum is, (A·N^−β)^(1/γ) against (B·D^−δ)^(1/γ).
        """
        log_params, _ = self.optimum
        floor = self.curve.floor / self.frontier_loss
        inner = self.curve.param_share(
            {
                "params": log_params[:, None],
                "tokens": self._left(self.log_total, log_params)[:, None],
            }
        )[:, 0]
        return {"params": (1 - floor) * inner, "tokens": (1 - floor) * (1 - inner), "floor": floor}

    def wasted_share(self, log_reducible: np.ndarray) -> np.ndarray:
        """Compute-equivalent regret 1 − C′/C: C′ on the draw's own frontier gives the loss of the action."""
        best = self.optimum[1][:, None]
        # Rounding can put an action a hair below the optimum of its own draw.
        extra = np.maximum(log_reducible - best, 0.0)
        if self.curve.exact and self.overhead is None:
            return -np.expm1(-extra / self.theta["alpha"][:, None])
        levels, _, level = self._levels
        enough = [
            np.interp(-here, -own, levels) for here, own in zip(log_reducible, level, strict=True)
        ]
        return -np.expm1(np.minimum(np.array(enough) - np.reshape(self.log_compute, (-1, 1)), 0.0))

    @cached_property
    def _levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Budgets up to the largest, as log C (shape (step,)), and log N* and log R* at each, shape (draw, step)."""
        if isinstance(self.log_compute, float):
            saved = np.concatenate([[0.0], np.geomspace(0.01, SMALLEST, LEVELS // 2)])
            levels = self.log_compute - saved[::-1]
        else:
            low, high = float(self.log_compute.min()), float(self.log_compute.max())
            levels = np.linspace(low - SMALLEST, high, LEVELS)
        best_n, best_r = self.curve.optimum(levels, self.overhead)
        # A frontier falls with the budget; the search may miss that by its own tolerance.
        return levels, best_n, np.maximum.accumulate(best_r[:, ::-1], axis=1)[:, ::-1]

    def candidates(self) -> tuple[np.ndarray, float]:
        """A log grid over N that holds all but 1 % of the draws' optima, and the share that lies on its edges.

        The grid never asks for fewer than one parameter or one token, whatever the draws say.
        """
        best, _ = self.optimum
        low, high = size_range(best, float(np.min(self.log_total)))
        outside = float(np.mean((best <= low) | (best >= high)))
        return np.linspace(low, high, CANDIDATES), outside

    def frontier(self, fitted_compute: tuple[float, float]) -> xr.Dataset:
        """Valleys at the budget and below it, and the frontier from the fitted runs to beyond the budget.

        Parameters
        ----------
        fitted_compute : tuple of float
            Smallest and largest 6·N·D of the fitted runs.

        Returns
        -------
        Dataset
            Quantiles over draws, dim ``prob``. Along ``budget``: ``valley_compute``, ``valley_params`` (budget, size),
            ``valley_loss`` (budget, size, prob), and N*, L* as ``best_params, best_loss`` (budget, prob). Along
            ``step``: ``compute``, and N*, D*, L* as ``params, tokens, loss`` (step, prob). ``fitted_compute`` (edge).
            Rounded to six figures, since a plan is kept as text.
        """
        budgets = self.compute * np.array(VALLEY_BUDGETS)
        low, high = min(fitted_compute[0], budgets[0]), max(fitted_compute[1], budgets[-1])
        steps = np.geomspace(low, high * 10.0**0.5, PATH_STEPS)
        at_budget = [self.at(c)._optimum_quantiles() for c in budgets]
        at_step = [self.at(c)._optimum_quantiles() for c in steps]
        sizes = np.linspace(-VALLEY_DECADES, VALLEY_DECADES, VALLEY_SIZES)
        params = np.array([q["params"][2] for q in at_budget])[:, None] * 10.0**sizes
        loss = []
        for compute, valley in zip(budgets, params, strict=True):
            one = self.at(compute)
            loss.append(_quantiles(one.loss(one.log_reducible(np.log(valley)))).T)
        values = {
            "valley_compute": ("budget", budgets),
            "valley_params": (("budget", "size"), params),
            "valley_loss": (("budget", "size", "prob"), loss),
            "best_params": (("budget", "prob"), [q["params"] for q in at_budget]),
            "best_loss": (("budget", "prob"), [q["loss"] for q in at_budget]),
            "compute": ("step", steps),
            **{k: (("step", "prob"), [q[k] for q in at_step]) for k in at_step[0]},
            "fitted_compute": ("edge", fitted_compute),
        }
        rounded = {k: (dims, _six_figures(np.array(v))) for k, (dims, v) in values.items()}
        return xr.Dataset(rounded, coords={"prob": list(PROBS)})

    def _optimum_quantiles(self) -> dict[str, np.ndarray]:
        log_params, _ = self.optimum
        return {
            "params": _quantiles(np.exp(log_params)),
            "tokens": _quantiles(self.tokens_drawn(log_params)),
            "loss": _quantiles(self.frontier_loss),
        }


def size_range(best: np.ndarray, log_total: float) -> tuple[float, float]:
    """Ends in log N of a grid that holds all but some draws' optima (half a percent), with a factor of 3 to spare."""
    low, high = np.quantile(best, [EDGE_SHARE / 4, 1 - EDGE_SHARE / 4]) + np.log([1 / 3, 3])
    return max(float(low), 0.0), min(float(high), log_total)


def _quantiles(draws: np.ndarray) -> np.ndarray:
    return np.quantile(draws, PROBS, axis=0)


def _six_figures(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.6g}") for v in values.ravel()]).reshape(values.shape)
