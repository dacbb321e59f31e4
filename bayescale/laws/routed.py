"""Routed networks: the dense size that a network with E experts is worth.

Clark et al. 2022 (arXiv:2202.01169), eqs. 5 and 6: log L is linear in log N, log Ê and their product, where the
effective number of experts Ê saturates at either end. The same law says that a routed network is as good as a dense one
of N' parameters, log N' = u + x·(g − h·u) with u the centred log N and x = log(Ê/E_start), zero for a dense network: so
it is an effective input, and its gain fades with size where h > 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

GAIN = Parameter(
    "gain", "positive", "shape", "", "g", "exponent of effective experts in N', at the pivot"
)
FADING = Parameter(
    "fading", "positive", "shape", "", "h", "loss of that exponent for every e-fold of N"
)
E_START = Parameter(
    "E_start", "positive", "shape", "", r"E_{start}", "effective experts of a dense network"
)
E_MAX = Parameter(
    "E_max", "positive", "shape", "", r"E_{max}", "effective experts of ever more experts"
)


def log_effective_experts(xp: Namespace, log_experts: Array, start: Array, largest: Array) -> Array:
    """log(Ê/E_start), 1/Ê = 1/(E − 1 + (1/E_start − 1/E_max)⁻¹) + 1/E_max; exactly zero at one expert."""
    more, shift = xp.expm1(log_experts), start * largest / (largest - start)
    return xp.log1p(more / shift) - xp.log1p(more / (shift + largest))


def routed(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N; exactly the given one for a dense network. ``experts`` is log E."""
    u = centred["params"]
    x = log_effective_experts(xp, centred["experts"], theta["E_start"], theta["E_max"])
    return {"params": u + x * (theta["gain"] - theta["fading"] * u)}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log N: that of one expert, and that of all."""
    return {"params": (logs["params"], logs["params"] + logs["experts"])}


def from_clark(
    a: float, b: float, c: float, d: float, start: float, largest: float, pivot: float
) -> dict[str, float]:
    """Parameters, at a pivot of log N, of a law printed as log₁₀ L = a·log₁₀ N + b·log₁₀ Ê + c·log₁₀ N·log₁₀ Ê + d."""
    mixed, level = c / np.log(10.0), np.log(start)
    beta = -(a + mixed * level)
    return {
        "R0": float(np.exp(d * np.log(10.0) + b * level - beta * pivot)),
        "beta": float(beta),
        "gain": float(-(b + mixed * pivot) / beta),
        "fading": float(mixed / beta),
        "E_start": start,
        "E_max": largest,
        "L_inf": 0.0,
    }
