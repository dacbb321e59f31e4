"""Compound scaling: what the FLOP of a network are worth that was made deeper, wider or finer of input than its base.

Tan & Le 2019 (arXiv:1905.11946) make a convolutional network d times as deep, w times as wide, and its input r times as
fine, at d·w²·r² times the FLOP (eqs. 2 and 3), and find that one alone soon saturates: each is a bottleneck. Written as
the joint law writes N and D, the reducible error is R ∝ [Σᵢ sᵢ mᵢ^(−α/(γsᵢ))]^γ, mᵢ the multiple of FLOP that went into
dimension i (d, w², r²), Σsᵢ = 1: a base network is taken to be in balance, no dimension a tighter bottleneck than
another. The best use of m times the FLOP is then mᵢ = m^sᵢ, for every m: sᵢ are the shares of the log of the multiple,
R falls as m^−α along it, and the printed a, b, c of a step are powers of it. So a network of any other mix is worth as
many FLOP as the best mix of the same error, C' ≤ C: an effective input of compute.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

DEPTH_SHARE = Parameter(
    "depth_share", "unit", "shape", "", "s_d", "share of depth in the log of the FLOP multiple"
)
WIDTH_SHARE = Parameter(
    "width_share", "unit", "shape", "", "t", "share of width in what is left beside depth"
)
BLEND = Parameter(
    "blend",
    "positive",
    "shape",
    "",
    r"\gamma",
    "how depth, width and resolution combine: to the tightest (0), or by their sum (1)",
)
DIMENSIONS = ("depth", "width", "resolution")
# What a run is given of each.
INPUTS = tuple(f"{dimension}_multiple" for dimension in DIMENSIONS)
FLOP_POWER = (1.0, 2.0, 2.0)  # of a dense convolution in its depth, width and resolution


def shares(theta: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Shares of depth, width and resolution; they add up to one."""
    depth = theta["depth_share"]
    width = (1.0 - depth) * theta["width_share"]
    return depth, width, 1.0 - depth - width


def compound(
    xp: Namespace, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log C; the given one for a base network. Dimensions are logs of multiples of the base's."""
    return {"compute": beside["compute"] + log_worth(xp, beside, theta)}


def log_worth(xp: Namespace, beside: Mapping[str, Array], theta: Mapping[str, Array]) -> Array:
    """log C'/C of a mix, at most zero: of its FLOP multiple, what the best mix of the same error would take."""
    rate = theta["alpha"] / theta["blend"]
    spent = [power * beside[name] for name, power in zip(INPUTS, FLOP_POWER, strict=True)]
    depth, width, resolution = (
        xp.log(share) - rate * x / share for x, share in zip(spent, shares(theta), strict=True)
    )
    return -xp.logaddexp(xp.logaddexp(depth, width), resolution) / rate - sum(spent)


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log C: the base network's, where the mix is worth nothing, and C itself."""
    total = sum(p * logs[name] for name, p in zip(INPUTS, FLOP_POWER, strict=True))
    return {"compute": (logs["compute"] - np.maximum(total, 0.0), logs["compute"])}


def log_flop_multiple(
    depth: Array, width: Array, resolution: Array, pointwise: float = 1.0
) -> np.ndarray:
    """Log of the FLOP multiple of logs of depth, width and resolution multiples.

    Parameters
    ----------
    depth, width, resolution : array
        Logs.
    pointwise : float
        Share of the base's FLOP in convolutions that mix channels, which grow as w²; depthwise ones grow as w. Of a
        depthwise-separable layer of K × K with M outputs it is M/(K² + M) (Howard et al. 2017, eq. 5).

    Notes
    -----
    FLOP ∝ d·r²·(p·w² + (1 − p)·w); p = 1 is a dense convolution's d·w²·r².
    """
    if pointwise == 1.0:
        across = 2.0 * np.asarray(width, float)
    elif pointwise == 0.0:
        across = np.asarray(width, float)
    else:
        across = np.logaddexp(np.log(pointwise) + 2.0 * width, np.log1p(-pointwise) + width)
    return np.asarray(depth + across + 2.0 * np.asarray(resolution, float))
