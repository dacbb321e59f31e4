"""Schedules of the learning rate: what its mean is worth in tokens, and what a rate that has not fallen leaves to lose.

Tissue et al. 2024 (arXiv:2408.11029) write L = L₀ + A·S₁^(−α) − C·S₂, with S₁ the sum of learning rates and S₂ a sum of
their falls, each remembered by λ a step. S₁ over the peak rate is D times the mean rate: tokens that count by their
rate. And S₂·(1 − λ) is what the smoothed rate has fallen, exactly: the last term is a level, taken up by the floor,
plus H times the smoothed rate over its peak, which is what a run would still lose if its rate fell to zero. In this
form nothing is subtracted, and the loss stays above its floor whatever the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

HILL = Parameter(
    "hill",
    "positive",
    "level",
    "loss",
    "H",
    "loss that the peak learning rate holds up, gone where it falls to zero",
)


def by_mean_rate(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D: tokens count by their learning rate over its peak."""
    return {"tokens": centred["tokens"] + centred["mean_rate"]}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Effective log D, as low as at the mean rate and as high as at the peak."""
    return {"tokens": (logs["tokens"] + logs["mean_rate"], logs["tokens"])}


def held_up(
    xp: Namespace, log_r: Array, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """Log R with what the learning rate holds up: R + H·(smoothed rate over its peak)."""
    return xp.logaddexp(log_r, xp.log(theta["hill"]) + beside["end_rate"])


def from_tissue(
    floor: float,
    amplitude: float,
    exponent: float,
    gain: float,
    peak: float,
    memory: float,
    pivot: float,
) -> dict[str, float]:
    """Parameters of a law printed as L₀ + A·S₁^(−α) − C·S₂, read along log S₁/peak with its pivot there.

    ``memory`` is λ; S₁ and S₂ are in the unit of the learning rate whose peak is given.
    """
    hill = gain * peak / (1.0 - memory)
    return {
        "R0": amplitude * (peak * math.exp(pivot)) ** -exponent,
        "delta": exponent,
        "L_inf": floor - hill,
        "hill": hill,
    }
