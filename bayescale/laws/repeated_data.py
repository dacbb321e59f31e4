"""Repeated data: what tokens seen again, and parameters beyond what the unique tokens justify, are worth.

Muennighoff et al. 2023 (arXiv:2305.16264), eqs. 5 and 6, in centred logs: u of N, v of D, v_U of the unique tokens U.
The value of a repeat decays with the scale R_D*, that of an excess parameter with R_N*; no repetition is worth more
than D' = U·(1 + R_D*), no excess more than N' = U_N·(1 + R_N*), where U_N is the best size for U tokens seen once.

As printed, parameters beyond U_N lose value even where nothing is repeated, so that a table without repetition does
not follow the plain law. :func:`repeated` counts their loss by the share of repeats among effective tokens, 1 − U/D',
over the largest such share, R_D*/(1 + R_D*): the plain law at one epoch, the printed one at many, no jump between, and
D matters through D' alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

R_D = Parameter(
    "R_D_star", "positive", "shape", "", "R_D^*", "repeats over which tokens lose their value"
)
R_N = Parameter(
    "R_N_star",
    "positive",
    "shape",
    "",
    "R_N^*",
    "multiples of the justified size over which further parameters lose their value",
)
# An excess of e^50 is worth what any larger one is, and its exponential still has a gradient.
MOST_EXCESS = 50.0
# U_N is rarely smaller than a hundredth of U: a hundred tokens per parameter.
FEWEST_PARAMS = float(np.log(100.0))


def repeated(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N and log D; exactly the given ones where no token is repeated."""
    found = as_printed(xp, centred, theta)
    new = xp.minimum(centred["tokens"], centred["unique_tokens"])
    share = -xp.expm1(new - found["tokens"]) * (1.0 + 1.0 / theta["R_D_star"])
    u = centred["params"]
    return found | {"params": u - share * (u - found["params"])}


def as_printed(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N and log D as printed: excess parameters lose value from the first epoch on."""
    u, unique = centred["params"], centred["unique_tokens"]
    repeats = xp.expm1(_epochs(xp, centred))
    # U_N is where the slopes of the two terms balance at D = U, in the law without drift.
    balance = xp.log(theta["beta"] * theta["omega"] / theta["delta"]) - xp.log1p(-theta["omega"])
    best = (theta["gamma"] * balance + theta["delta"] * unique) / theta["beta"]
    excess = xp.expm1(xp.minimum(xp.maximum(u - best, 0.0), MOST_EXCESS))
    return {
        "params": xp.minimum(u, best) + _worth(xp, excess, theta["R_N_star"]),
        "tokens": xp.minimum(centred["tokens"], unique) + _worth(xp, repeats, theta["R_D_star"]),
    }


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log inputs, of log inputs."""
    unique = logs["unique_tokens"]
    return {
        "params": (np.minimum(logs["params"], unique - FEWEST_PARAMS), logs["params"]),
        "tokens": (np.minimum(logs["tokens"], unique), logs["tokens"]),
    }


def _epochs(xp: Namespace, centred: Mapping[str, Array]) -> Array:
    """Log of the number of epochs; zero where nothing is repeated."""
    return xp.maximum(centred["tokens"] - centred["unique_tokens"], 0.0)


def _worth(xp: Namespace, more: Array, scale: Array) -> Array:
    """log(1 + R*·(1 − e^(−R/R*)))."""
    return xp.log1p(-scale * xp.expm1(-more / scale))
