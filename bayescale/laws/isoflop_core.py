"""The isoFLOP profile as a core: a power law along the frontier, a parabola in log N across it (approach 2).

Hoffmann et al. 2022, section 3.2, fit a parabola of the loss in log N to the runs of each budget, and power laws
through the minima. As one law of N and D, with c = u + v the centred log of N·D: R = R₀ e^(−αc)·[1 + q e^(−hc)·x²],
x = u − n − a·c, so that N* lies at u = n + a·c. The joint law is of this form near its optimum, with q = βδ/(2γ) and
h = 0; here curvature is free, and a valley is the same on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

OFFSET = Parameter(
    "n_star", "real", "shape", "", "n", "log N* at the pivot's budget, over the pivot of N"
)
CURVATURE = Parameter(
    "curvature", "positive", "shape", "", "q", "curvature of the valley over the reducible loss"
)
FADE = Parameter(
    "fade", "real", "shape", "", "h", "exponent by which the relative curvature falls with compute"
)

PARAMETERS = (OFFSET, CURVATURE, FADE)


def log_valley(xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]) -> Array:
    """log R of the profile."""
    c = centred["params"] + centred["tokens"]
    x = centred["params"] - best(theta, c)
    across = theta["curvature"] * xp.exp(-theta["fade"] * c) * x * x
    return xp.log(theta["R0"]) - theta["alpha"] * c + xp.log1p(across)


def best(theta: Mapping[str, Array], total: Array) -> Array:
    """Centred log N* at a centred log of N·D."""
    return theta["n_star"] + theta["a"] * total
