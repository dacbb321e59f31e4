"""What a target loss costs: the compute that every draw needs at every N, and from it the chance to get there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Literal, get_args

import numpy as np

from bayescale.decide.costs.budget import MOST_FLOP
from bayescale.decide.plans.inverse import Inverse
from bayescale.decide.plans.isoflop import joint_curve
from bayescale.decide.plans.montecarlo import mean_error
from bayescale.errors import PlanError, unknown
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior import Chained, Curve, Group, Linked, Mixture, Posterior, Side
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import campaign_offset, first_offset, second_offset

TargetKind = Literal["campaign", "expected"]
LARGEST_PARAMS = float(np.log(1e20))
COARSE, FINE = (
    0.25,
    0.02,
)  # nats of N between candidates: over all of its range, then around the best


def require_target(target: object) -> float:
    """A target loss as a number, or an error that says what it is."""
    if isinstance(target, bool) or not isinstance(target, Real):
        raise PlanError(f"target_loss = {target!r} (expected a number)")
    value = float(target)
    if not (np.isfinite(value) and value > 0):
        raise PlanError(f"target_loss = {value:g} (expected a positive loss)")
    return value


def require_probability(probability: object) -> float:
    """A probability strictly between 0 and 1, or an error that says what it is."""
    if isinstance(probability, bool) or not isinstance(probability, Real):
        raise PlanError(f"probability = {probability!r} (expected a number)")
    value = float(probability)
    if not 0.0 < value < 1.0:
        raise PlanError(f"probability = {value:g} (expected between 0 and 1)")
    return value


@dataclass(frozen=True, eq=False)
class Reach:
    """The way of every draw of a group's curve to its target.

    At a given N the loss of a draw falls with D, hence with C = 6·N·D, so that it reaches the target from one C on:
    P(loss ≤ target) at (N, C) is the share of draws that need no more than C there.

    Attributes
    ----------
    curve : Curve or Mixture
    target : ndarray, shape (draw,)
        What the expected loss must fall to: under ``"campaign"`` the target over the draw's own campaign offset.
    offset : ndarray, shape (draw,)
        Of the log loss; zero under ``"expected"``.
    chains : int
        Into which the draws fall; one where they are a stack's.
    """

    curve: Curve | Mixture
    target: np.ndarray
    offset: np.ndarray
    chains: int

    @classmethod
    def of(
        cls,
        fit: Posterior,
        where: dict[Side, Group],
        target: float,
        kind: TargetKind,
        given: Mapping[str, Uncertain] | None = None,
    ) -> Reach:
        """Take the draws of one group of a fit, or of a stack; ``given`` states further inputs of the law."""
        curve, offset = in_campaign(fit, where, kind, joint_curve(fit, where, given))
        chains = 1 if isinstance(curve, Mixture) else fit.members[0].posterior.sizes["chain"]
        return cls(curve, require_target(target) * np.exp(-offset), offset, chains)

    @property
    def below_floor(self) -> float:
        """Share of the draws whose floor lies above their target: no compute reaches it."""
        return float(np.mean(self.curve.floor >= self.target))

    def log_compute(self, log_params: np.ndarray) -> np.ndarray:
        """Log C that each draw (rows) needs at each N (columns); infinite where none is enough."""
        needed = np.concatenate(
            [inverse.log_tokens(log_params[None]) for inverse in self._inverses]
        )
        return LOG_FLOP_PER_PARAM_TOKEN + log_params + needed

    def loss(self, log_params: np.ndarray, log_compute: np.ndarray) -> np.ndarray:
        """Loss at actions (N, C), offset included, shape (draw, action)."""
        log_tokens = log_compute - LOG_FLOP_PER_PARAM_TOKEN - log_params
        log_r = self.curve.log_reducible({"params": log_params[None], "tokens": log_tokens[None]})
        return np.asarray(self.curve.loss(log_r) * np.exp(self.offset)[:, None])

    @cached_property
    def everywhere(self) -> tuple[np.ndarray, np.ndarray]:
        """Coarse candidates of log N over all of its range, and the log C that draws need there."""
        log_params = np.arange(0.0, LARGEST_PARAMS, COARSE)
        return log_params, self.log_compute(log_params)

    @property
    def most(self) -> float:
        """The largest P(loss ≤ target) of any action within the largest budget there is."""
        return float((self.everywhere[1] <= np.log(MOST_FLOP)).mean(axis=0).max())

    def around(self, probability: float) -> tuple[np.ndarray, np.ndarray]:
        """Fine candidates of log N around where ``probability`` costs least, and the log C that draws need there."""
        log_params, needed = self.everywhere
        best = log_params[int(np.argmin(enough(needed, probability)))]
        log_params = np.clip(best + np.arange(-4 * COARSE, 4 * COARSE, FINE), 0.0, None)
        return log_params, self.log_compute(log_params)

    def standard_error(self, reached: np.ndarray) -> float:
        """Monte-Carlo standard error of P from which draws reach the target, by their effective number."""
        parts = self.curve.parts if isinstance(self.curve, Mixture) else (self.curve,)
        return mean_error(reached, [len(part.floor) for part in parts], self.chains)

    @cached_property
    def _inverses(self) -> list[Inverse]:
        parts = self.curve.parts if isinstance(self.curve, Mixture) else (self.curve,)
        ends = np.cumsum([len(part.floor) for part in parts])
        targets = np.split(self.target, ends[:-1])
        return [Inverse(p, p.reducible(t)) for p, t in zip(parts, targets, strict=True)]


def in_campaign(
    fit: Posterior, where: dict[Side, Group], kind: TargetKind, curve: Curve | Mixture
) -> tuple[Curve | Mixture, np.ndarray]:
    """The curve in a new campaign, and the offset of the log loss of every draw there, shape (draw,).

    The offset is of the campaign, each member of a stack keeping its own, or zero; of a chain that of the error, and
    the curve holds that of the loss.
    """
    if kind not in get_args(TargetKind):
        raise unknown("kind of target", str(kind), get_args(TargetKind))
    if kind == "expected":
        return curve, np.zeros(len(curve.floor))
    if isinstance(fit, Chained):
        return _shifted(curve, first_offset(fit, where)), second_offset(fit, where)
    out = []
    for member, draws in fit.parts:
        theta = {k: v.to_numpy().ravel() for k, v in member.parameters(where).items()}
        out.append(campaign_offset(member, where, theta)[draws])
    return curve, np.concatenate(out)


def _shifted(curve: Curve | Mixture, offset: np.ndarray) -> Curve | Mixture:
    if isinstance(curve, Mixture):
        ends = np.cumsum([len(part.floor) for part in curve.parts])[:-1]
        pairs = zip(curve.parts, np.split(offset, ends), strict=True)
        return Mixture(tuple(_moved(part, own) for part, own in pairs))
    return _moved(curve, offset)


def _moved(curve: Curve, offset: np.ndarray) -> Curve:
    return curve.shifted(offset) if isinstance(curve, Linked) else curve


def enough(needed: np.ndarray, probability: float) -> np.ndarray:
    """The least log C within which a share ``probability`` of the draws (rows) get there, for each action."""
    # A product such as .8 × 500 may come out a hair above the whole number that it is.
    rank = int(np.ceil(probability * len(needed) - 1e-9))
    if rank > len(needed):
        return np.full(needed.shape[1], np.inf)
    return np.partition(needed, max(rank, 1) - 1, axis=0)[max(rank, 1) - 1]
