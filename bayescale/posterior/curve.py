"""A group's curve, draw by draw: the law, its parameters, what is given, and the path along which exponents drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from bayescale.laws import (
    Law,
    Walk,
    drifting_optimum,
    joint_frontier,
    joint_log_terms,
    lowest_on_grid,
    numpy_namespace,
)
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN

if TYPE_CHECKING:
    pass

EXPONENT = {"params": "beta", "tokens": "delta", "compute": "alpha", "upstream_loss": "steepness"}
HALF_WIDTH = 12.0  # nats of log N that a search reaches beyond the optima of the exact laws
AWAY = 8.0  # nats that these may lie from N = D
# Points and grids of a search without any closed form: the last are .003 nats apart, where the valley is flat.
POINTS, ROUNDS = 193, 2
# Log of what a token costs over 6·N, from log N: log h.
Overhead = Callable[[np.ndarray], np.ndarray]
_STEP = 1e-4  # nats, of the slope of a bent input


@dataclass(frozen=True)
class Curve:
    """All draws of one group's curve.

    Attributes
    ----------
    law : Law
    theta : dict of str to ndarray, shape (draw,)
        Completed parameters; draws of all chains, one chain after the other.
    pivots : dict
        Of the fit.
    upper : float or None
        Random-guess level, for bounded laws.
    walks : dict of str to Walk
        By axis; empty where the law is exact.
    given : dict of str to float or ndarray
        Further inputs of all points that do not state their own, as laws read them, uncertain ones of shape (draw,);
        what is in neither is missing.
    """

    law: Law
    theta: dict[str, np.ndarray]
    pivots: dict[str, float]
    upper: float | None
    walks: dict[str, Walk]
    given: Mapping[str, float | np.ndarray] = field(default_factory=dict)

    @property
    def floor(self) -> np.ndarray:
        """L∞ of every draw, shape (draw,)."""
        return self.theta[self.law.floor.name]

    @property
    def exact(self) -> bool:
        """Whether nothing drifts and inputs are what they are worth, so that closed forms hold."""
        return not (self.walks or self.given or self.law.bends)

    def take(self, draws: np.ndarray) -> Curve:
        """The curve of some draws, by their indices."""
        return replace(
            self,
            theta={name: values[draws] for name, values in self.theta.items()},
            walks={axis: w.take(draws) for axis, w in self.walks.items()},
            given={n: v[draws] if isinstance(v, np.ndarray) else v for n, v in self.given.items()},
        )

    def log_reducible(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Log R at log inputs, each of shape (draw, …) or (1, …); result (draw, …).

        ``logs`` may hold further inputs of the law too.
        """
        raw = self._raw(logs)
        centred = self._effective(raw)
        beside = raw if self.law.modifiers and len(raw) > len(self.law.inputs) else None
        return self.law.log_reducible(centred, self._theta_beside(centred), beside=beside)

    def exponent(self, axis: str, log_input: np.ndarray | float) -> np.ndarray:
        """Local exponent of an axis at a log input, one for all draws or one each, shape (draw,).

        Where the curve bends, that is the slope there; other inputs lie at their pivots.
        """
        found, u = self.theta[EXPONENT[axis]], np.asarray(log_input - self.pivots[axis])
        if self.law.bends:
            low, high = (self._bent(axis, u + side * _STEP) for side in (-1.0, 1.0))
            found, u = found * (high - low) / (2.0 * _STEP), 0.5 * (low + high)
        if axis not in self.walks:
            return found
        return found * self.walks[axis].local(u)

    def _bent(self, axis: str, u: np.ndarray) -> np.ndarray:
        """What a centred log input is worth along a bent axis, shape (draw,)."""
        law, theta = replace(self.law, effective=self.law.bends), self.theta
        zero = np.zeros_like(self.floor)
        worth = law.effective_inputs({a: zero + u * (a == axis) for a in law.inputs}, theta)
        return np.asarray({str(a): value for a, value in worth.items()}[axis])

    def param_share(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Share of N's term in the inner sum of the joint law, (A·N^−β)^(1/γ) over both; shape (draw, …).

        Of a core without such terms it is what that share is at any optimum of the joint law, a.
        """
        if self.law.core.best is not None:
            shape = np.broadcast_shapes(*(np.shape(value) for value in logs.values()))
            like = np.broadcast_shapes(shape, (len(self.floor), *[1] * (len(shape) - 1)))
            return np.broadcast_to(self._theta_of(len(shape))["a"], like)
        of_n, of_d = self.log_terms(logs)
        return np.asarray(expit(of_n - of_d))

    def log_terms(self, logs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Logs of the terms of N and of D in the inner sum of the joint law, each of the shape of its input.

        Where nothing is given besides N and D, each hangs on its own input alone, and these may differ in shape.
        """
        centred = self._effective(self._raw(logs))
        return joint_log_terms(numpy_namespace, centred, self._theta_beside(centred))

    def _raw(self, logs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs from their pivots, and what is given besides unless all of it is missing."""
        raw: dict[str, np.ndarray] = {
            axis: np.asarray(logs[axis]) - self.pivots[axis] for axis in self.law.inputs
        }
        ndim = next(iter(raw.values())).ndim
        stated = {
            name: value.reshape(-1, *[1] * (ndim - 1)) if isinstance(value, np.ndarray) else value
            for name, value in self.given.items()
        }
        stated |= {g.name: logs[g.name] for g in self.law.given if g.name in logs}
        for g in self.law.given if stated else ():
            value = stated[g.name] if g.name in stated else g.scaled(g.missing)
            raw[g.name] = np.asarray(value) - self.pivots[g.name]
        return raw

    def _effective(self, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the core reads: effective log inputs from their pivots, along each draw's own path."""
        if len(raw) > len(self.law.inputs) or self.law.bends:
            # Of effective inputs whose own are all missing nothing is read: the inputs are worth what they are.
            law = self.law
            if len(raw) == len(law.inputs):
                law = replace(law, effective=law.bends)
            worth = law.effective_inputs(raw, self._theta_beside(raw))
            raw = {str(axis): u for axis, u in worth.items()}
        centred: dict[str, np.ndarray] = {}
        for axis, u in raw.items():
            if axis in self.walks:
                centred[axis] = self.walks[axis].stretched(u)
            elif len(u) == 1:
                # Draws side by side in memory: all that follows runs along them.
                centred[axis] = np.broadcast_to(u, (len(self.floor), *u.shape[1:])).copy(order="F")
            else:
                centred[axis] = u
        return centred

    def _theta_beside(self, centred: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self._theta_of(next(iter(centred.values())).ndim)

    def _theta_of(self, ndim: int) -> dict[str, np.ndarray]:
        """Parameters of shape (draw, 1, …)."""
        return {k: v.reshape(-1, *[1] * (ndim - 1)) for k, v in self.theta.items()}

    def reaching(self, logs: Mapping[str, tuple[float, float]]) -> Curve:
        """The same curve with its walks held as far as these ranges of log inputs: extended once, not at each call."""
        walks = {
            axis: walk.reaching(*(end - self.pivots[axis] for end in logs[axis]))
            for axis, walk in self.walks.items()
        }
        return replace(self, walks=walks)

    def loss(self, log_reducible: np.ndarray) -> np.ndarray:
        """Expected loss from log R, floor included."""
        theta = self._theta_of(log_reducible.ndim)
        # Far below the fitted runs a steep draw may exceed any number: infinity says so.
        with np.errstate(over="ignore"):
            return self.law.link.loss(numpy_namespace, log_reducible, theta, self.upper)

    def reducible(self, loss: np.ndarray) -> np.ndarray:
        """Log R from the expected loss, shape (draw, …).

        NaN below the floor, infinite at the random-guess level and above it.
        """
        theta = self._theta_of(loss.ndim)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_r = self.law.link.log_reducible(numpy_namespace, loss, theta, self.upper)
        return log_r if self.upper is None else np.where(loss >= self.upper, np.inf, log_r)

    def optimum(
        self, log_compute: np.ndarray | float, overhead: Overhead | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log N* and log R* at budgets C = 6·N·D, each of shape (draw, …) for budgets of shape (…).

        With an overhead, at budgets C = 6·N·D·h(N).

        In closed form where the law is exact; else each draw's own curve is searched far to both sides of the closed
        form (:func:`bayescale.laws.drifting_optimum`; on a grid where N and D are not what they are worth).
        """
        budgets = np.asarray(log_compute, float)
        centre, lowest = self._closed_form(budgets)
        if self.exact and overhead is None:
            return centre, lowest
        # Without its path a draw may put the optimum where no model can be.
        half = 0.5 * (budgets - LOG_FLOP_PER_PARAM_TOKEN)
        centre = np.clip(centre, half - AWAY, half + AWAY)
        low, high = float(centre.min()) - HALF_WIDTH, float(centre.max()) + HALF_WIDTH
        totals = 2.0 * half.ravel()
        most = 0.0 if overhead is None else float(overhead(np.array([low, high])).max())
        far = self.reaching(
            {"params": (low, high), "tokens": (totals.min() - high - most, totals.max() - low)}
        )
        if overhead or self.given or self.law.bends or self.law.core.best is not None:
            found = [
                far._on_grid(total, around, overhead)
                for total, around in zip(totals, centre.reshape(len(centre), -1).T, strict=True)
            ]
            at_n, log_r = np.moveaxis(np.array(found), 0, -1)
            return at_n.reshape(centre.shape), log_r.reshape(centre.shape)
        still = Walk.still(len(self.floor))
        walks = {str(axis): far.walks.get(axis, still) for axis in self.law.inputs}
        at, tokens_at = self.pivots["params"], self.pivots["tokens"]
        centred, log_r = drifting_optimum(
            self.theta, walks, totals - at - tokens_at, low - at, high - at
        )
        return centred.reshape(centre.shape) + at, log_r.reshape(centre.shape)

    def _closed_form(self, budgets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log N* and log R* of the core at budgets, each of shape (draw, …)."""
        theta = self._theta_of(budgets.ndim + 1)
        core = self.law.core
        if core.best is None:
            exact = joint_frontier(theta, self.pivots)
            return exact.log_params(budgets[None]), exact.log_reducible(budgets[None])
        at, tokens_at = self.pivots["params"], self.pivots["tokens"]
        total = budgets[None] - LOG_FLOP_PER_PARAM_TOKEN - at - tokens_at
        u = core.best(theta, total)
        log_r = core.log_reducible(numpy_namespace, {"params": u, "tokens": total - u}, theta)
        return u + at, log_r

    def _on_grid(
        self, total: float, centre: np.ndarray, overhead: Overhead | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log N and log R of the lowest point at one log N·D·h(N), each of shape (draw,)."""

        def log_reducible(log_n: np.ndarray) -> np.ndarray:
            left = total - log_n if overhead is None else total - log_n - overhead(log_n)
            return self.log_reducible({"params": log_n, "tokens": left})

        return lowest_on_grid(log_reducible, centre, HALF_WIDTH, POINTS, ROUNDS)
