"""Sparse networks: what parameters that a token does not see are worth, and how finely experts are cut.

Of N parameters that a token sees, in a network of N/f, N' = N·f^(−g): g = 0 counts what is active, g = 1 everything.
With experts cut into G pieces each, Krajewski et al. 2024 (arXiv:2402.07871) find L = c + (g·G^−γ + a)·N^−α + b·D^−β;
the factor of the parameter term is what N' = N·((1 + ρ)/(1 + ρ·G^−γ))^(1/α) parameters at G = 1 are worth, ρ = g/a.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

IDLE_WORTH = Parameter(
    "idle_worth",
    "unit",
    "shape",
    "",
    "g",
    "what idle parameters are worth: 0 nothing, 1 as much as active ones",
)
COARSE_COST = Parameter(
    "coarse_cost",
    "positive",
    "shape",
    "",
    r"\rho",
    "what experts of the usual size add to the parameter term, over its limit for ever finer ones",
)
GRANULARITY_EXPONENT = Parameter(
    "granularity_exponent", "positive", "shape", "", r"\gamma_G", "exponent of granularity in that"
)


def idle(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N; exactly the given one where all parameters are active. ``active_share`` is log f."""
    return {"params": centred["params"] - theta["idle_worth"] * centred["active_share"]}


def idle_span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log N: active parameters, and all."""
    return {"params": (logs["params"], logs["params"] - logs["active_share"])}


def fine(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N; exactly the given one at granularity 1. ``granularity`` is log G."""
    cost = theta["coarse_cost"]
    finer = xp.log1p(cost * xp.exp(-theta["granularity_exponent"] * centred["granularity"]))
    return {"params": centred["params"] + (xp.log1p(cost) - finer) / theta["beta"]}


def fine_span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log N: finer experts are worth at most a few times as many parameters."""
    return {"params": (logs["params"], logs["params"] + 1.5)}


def from_krajewski(a: float, alpha: float, g: float, gamma: float) -> dict[str, float]:
    """Parameters of granularity as printed, and the coefficient A of N at granularity 1."""
    return {"A": a + g, "beta": alpha, "coarse_cost": g / a, "granularity_exponent": gamma}
