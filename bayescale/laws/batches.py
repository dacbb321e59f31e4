"""Batches and steps: what is lost to too few steps, and what a batch beyond the critical one wastes of its tokens.

McCandlish et al. 2018 (arXiv:1812.06162) and Kaplan et al. 2020 (arXiv:2001.08361), section 5: a run of batch B reaches
a loss after S steps and D = B·S tokens that satisfy (S/S_min − 1)(D/D_min − 1) = 1, so that D = D_min·(1 + B/B_crit)
and S = S_min·(1 + B_crit/B).
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

STEP_SHARE = Parameter(
    "step_share",
    "positive",
    "share",
    "",
    "s",
    "what too few steps lose at the pivot, over the rest of the reducible loss there",
)
STEP_EXPONENT = Parameter("alpha_S", "positive", "exponent", "", r"\alpha_S", "exponent of steps")
BATCH_CRITICAL = Parameter(
    "batch_critical",
    "positive",
    "shape",
    "",
    r"B_{crit}",
    "critical batch at the pivot, over the mean of the fitted ones",
)
CRITICAL_BY_TOKENS = Parameter(
    "critical_by_tokens", "real", "exponent", "", r"\zeta", "exponent of the critical batch in D"
)


def critical_batch(loss: Array, at_one: float = 2e8, exponent: float = 0.21) -> Array:
    """B_crit = B*/L^(1/α_B) in tokens (Kaplan et al. 2020, eq. 1.4)."""
    return at_one / loss ** (1.0 / exponent)


def least_steps(steps: Array, batch: Array, critical: Array) -> Array:
    """S_min, the steps to the same loss with batches without end (Kaplan et al. 2020, eq. 5.4)."""
    return steps / (1.0 + critical / batch)


def least_tokens(tokens: Array, batch: Array, critical: Array) -> Array:
    """D_min, the tokens to the same loss with batches as small as can be (Kaplan et al. 2020, eq. 5.5)."""
    return tokens / (1.0 + batch / critical)


def with_steps(
    xp: Namespace, log_r: Array, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """Log R with the term of steps: R + s·R₀·(S/S₀)^(−α_S)."""
    term = (
        xp.log(theta["R0"])
        + xp.log(theta["step_share"])
        - theta["alpha_S"] * beside["optimizer_steps"]
    )
    return xp.logaddexp(log_r, term)


def of_tokens(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D: D/(1 + B/B_crit), the critical batch a power of D."""
    critical = xp.log(theta["batch_critical"]) + theta["critical_by_tokens"] * centred["tokens"]
    wasted = xp.log1p(xp.exp(centred["batch_size"] - critical))
    return {"tokens": centred["tokens"] - wasted}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Effective log D: all of it, and a tenth."""
    return {"tokens": (logs["tokens"] - 2.3, logs["tokens"])}
