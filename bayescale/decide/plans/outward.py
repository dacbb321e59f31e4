"""A group's curve followed from its data outward: how wide it becomes, whether it behaves, where N* lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Outcomes, best_size
from bayescale.decide.risks.waste import Waste
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Curve, Fit, Group, Side, group_curve, named_quantiles
from bayescale.predict import fitted_edge

STEP = 0.25  # decades between the scales at which a curve is looked at
BESIDE = np.log(10.0) * np.linspace(-1.0, 1.0, 41)  # nats around the frontier, one axis at a time
ROUNDING = 1e-9  # relative; a smaller rise is none


@dataclass(frozen=True)
class Outward:
    """All draws of a curve on their way out of the data.

    Attributes
    ----------
    curve : Curve
    axis : str
        ``compute``, along each draw's own frontier, for a law in N and D; else the law's axis.
    log_scale : ndarray, shape (step,)
        On that axis, from the largest fitted run outward.
    logs : dict of str to ndarray, shape (draw or 1, step)
        Log inputs of the law there.
    """

    curve: Curve
    axis: str
    log_scale: np.ndarray
    logs: dict[str, np.ndarray]

    @classmethod
    def of(cls, fit: Fit, where: dict[Side, Group], decades: np.ndarray) -> Outward:
        """Follow a group of a fit to these distances beyond the largest run of its architecture."""
        curve, joint = group_curve(fit, where), fit.model.get_law().divides
        axis = "compute" if joint else fit.model.get_law().inputs[0]
        edge = fitted_edge(fit, axis, where["architecture"])
        log_scale = np.log(edge) + np.log(10.0) * decades
        if not joint:
            return cls(curve, axis, log_scale, {axis: log_scale[None]})
        log_params, _ = curve.optimum(log_scale)
        log_tokens = log_scale - LOG_FLOP_PER_PARAM_TOKEN - log_params
        return cls(curve, axis, log_scale, {"params": log_params, "tokens": log_tokens})

    @property
    def joint(self) -> bool:
        """Whether the law has a choice of N and D."""
        return self.axis not in self.logs

    @cached_property
    def loss(self) -> np.ndarray:
        """Expected loss, shape (draw, step)."""
        return self.curve.loss(self.curve.log_reducible(self.logs))

    def interval(self, step: int) -> dict[str, float]:
        """Median and 90 % interval of the loss at a step, and its width."""
        found = _interval(self.loss[:, step])
        return found | {"width90": found["hi90"] - found["lo90"]}

    def broken(self, step: int) -> dict[str, float]:
        """Shares of draws that do up to a step what no law does: fall below their own floor, or rise with scale.

        Along the axis; of a law in N and D also with either of them alone, within a decade of the median N* and D*.
        """
        seen = {self.axis: self.loss[:, : step + 1]}
        if self.joint:
            seen |= self._beside(step)
        lowest = np.min([loss.min(axis=1) for loss in seen.values()], axis=0)
        below = lowest < self.curve.floor * (1.0 - ROUNDING)
        rises = {
            axis: (loss[:, 1:] > loss[:, :-1] * (1.0 + ROUNDING)).any(axis=1)
            for axis, loss in seen.items()
        }
        return {
            "p_below_floor": float(below.mean()),
            **{f"p_rises_{axis}": float(share.mean()) for axis, share in rises.items()},
        }

    def _beside(self, step: int) -> dict[str, np.ndarray]:
        centre = {axis: np.median(values[:, step]) for axis, values in self.logs.items()}
        held = {axis: np.full_like(BESIDE, value)[None] for axis, value in centre.items()}
        return {
            axis: self.curve.loss(self.curve.log_reducible(held | {axis: (value + BESIDE)[None]}))
            for axis, value in centre.items()
        }

    def decision(self, step: int) -> tuple[dict[str, float], float]:
        """N*, and ``regret`` of the action that has least of it, at the budget of a step of a law in N and D.

        Also the share of optima that lie on an edge of the grid of actions.
        """
        iso = IsoFlop(self.curve, float(self.log_scale[step]))
        log_params, outside = iso.candidates()
        best = np.array([best_size(log_params, Outcomes.along(iso, log_params), Waste())])
        regret = float(iso.wasted_share(iso.log_reducible(best)).mean())
        size = _interval(np.exp(iso.optimum[0]))
        return {f"params_{name}": value for name, value in size.items()} | {
            "regret": regret
        }, outside


def _interval(draws: np.ndarray) -> dict[str, float]:
    found = named_quantiles(draws)
    return {name: found[name] for name in ("median", "lo90", "hi90")}
