"""Precision: what parameters of few bits are worth, and what rounding them after training costs.

Kumar et al. 2024 (arXiv:2411.04330), in centred logs. A network trained with P bits counts as one of N·(1 −
e^(−P/P*)) parameters, a factor for each of weights, activations and the cache of keys and values. Networks of one and
two bits (Panferov et al. 2025, arXiv:2502.05003) lose more than that, hence N·(1 − e^(−(P/P*)^s)): the printed law is
s = 1. Rounding a finished network to P bits adds a term to the loss that grows with D: what more tokens taught needs
more bits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

# What is kept at so many bits, and what is lost by rounding to them, is where priors are stated.
REFERENCE_BITS = 4.0


def bits_parameters(short: str, symbol: str, said: str) -> tuple[Parameter, Parameter]:
    """P* and s of one kind of number."""
    return (
        Parameter(
            f"{short}_bits_scale",
            "positive",
            "shape",
            "",
            rf"P_{symbol}^*",
            f"bits of {said} that keep 1 - 1/e of the parameters",
        ),
        Parameter(
            f"{short}_bits_power",
            "positive",
            "shape",
            "",
            f"s_{symbol}",
            f"how sharply parameters are lost with bits of {said}",
        ),
    )


POST_LEVEL = Parameter(
    "post_level",
    "positive",
    "shape",
    "loss",
    r"\Delta_4",
    "loss added at the pivot by rounding to 4 bits after training",
)
POST_BITS = Parameter(
    "post_bits_scale", "positive", "shape", "", r"P_{post}^*", "bits over which that falls by e"
)
POST_TOKENS = Parameter(
    "post_by_tokens", "positive", "shape", "", r"\gamma_D", "exponent of tokens in what is added"
)
POST_PARAMS = Parameter(
    "post_by_params",
    "positive",
    "shape",
    "",
    r"\gamma_N",
    "exponent of parameters in what is added, negative",
)


def log_kept(xp: Namespace, log_bits: Array, scale: Array, power: Array) -> Array:
    """log(1 − e^(−(P/P*)^s)); zero to the last digit at very many bits."""
    return xp.log(-xp.expm1(-xp.exp(power * (log_bits - xp.log(scale)))))


def of_params(
    short: str, xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N of networks whose weights, activations or cache (``short``) have few bits."""
    scale, power = theta[f"{short}_bits_scale"], theta[f"{short}_bits_power"]
    kept = log_kept(xp, centred[f"{short}_bits"], scale, power)
    return {"params": centred["params"] + kept}


def span(short: str, logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log N: below eight bits a factor (P/8)² and hardly less is kept."""
    lost = 2.0 * np.minimum(logs[f"{short}_bits"] - np.log(8.0), 0.0)
    return {"params": (logs["params"] + lost, logs["params"])}


def rounded(
    xp: Namespace, log_r: Array, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """Log R and what rounding adds: Δ₄·(D/D₀)^γ_D·(N/N₀)^−γ_N·e^(−(P − 4)/P*)."""
    bits = xp.exp(beside["post_bits"])
    added = (
        xp.log(theta["post_level"])
        + theta["post_by_tokens"] * beside["tokens"]
        - theta["post_by_params"] * beside["params"]
        - (bits - REFERENCE_BITS) / theta["post_bits_scale"]
    )
    return xp.logaddexp(log_r, added)


def from_kumar(
    cost: float, by_tokens: float, by_params: float, scale: float, pivots: Mapping[str, float]
) -> dict[str, float]:
    """Parameters of δ = C_T·D^γ_D/N^γ_N·e^(−P/P*) as printed, at pivots of log N and log D."""
    level = np.log(cost) + by_tokens * pivots["tokens"] - by_params * pivots["params"]
    return {
        "post_level": float(np.exp(level - REFERENCE_BITS / scale)),
        "post_bits_scale": scale,
        "post_by_tokens": by_tokens,
        "post_by_params": by_params,
    }
