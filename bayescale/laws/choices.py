"""Choices that have a best value: how far a vocabulary or a shape is from its own, and what that costs.

A best value moves with size as a power law, log v* = log v₀ + s·u, and what lies off it pays a factor on the
reducible loss, R' = R·e^(c·z²/2) with z the log of the value over the best one: to second order whatever the true
curve is. Tao et al. 2024 (arXiv:2407.13623) find vocabularies that grow with N; Kaplan et al. 2020 (arXiv:2001.08361)
a loss that hardly hangs on the aspect ratio.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

# No value is that many e-folds from the middle of the fitted ones; what stands for "not said" is.
_UNSAID = -40.0
# A factor of e on the reducible loss: beyond it a parabola says nothing.
MOST_LOST = 1.0

VOCABULARY_TERM = Parameter(
    "vocabulary_level",
    "positive",
    "shape",
    "loss",
    "A_V",
    "what embeddings lose at the pivot of their number of parameters",
)
VOCABULARY_EXPONENT = Parameter(
    "vocabulary_exponent",
    "positive",
    "shape",
    "",
    r"\beta_V",
    "exponent of the parameters of embeddings",
)


def bowl(name: str, symbol: str, said: str) -> tuple[Parameter, Parameter, Parameter]:
    """Best value at the pivot, its exponent in N, and the curvature about it."""
    return (
        Parameter(
            f"{name}_best",
            "positive",
            "shape",
            "",
            f"{symbol}^*",
            f"best {said} at the pivot, over the mean of the fitted ones",
        ),
        Parameter(
            f"{name}_by_params",
            "real",
            "shape",
            "",
            rf"s_{{{symbol}}}",
            f"exponent of the best {said} in N",
        ),
        Parameter(
            f"{name}_curvature",
            "positive",
            "shape",
            "",
            f"c_{{{symbol}}}",
            f"curvature of the log of R in the log of {said}",
        ),
    )


def off_best(
    name: str,
    xp: Namespace,
    log_r: Array,
    beside: Mapping[str, Array],
    theta: Mapping[str, Array],
) -> Array:
    """Log R and what a value off its best costs; nothing where none is said."""
    value = beside[name]
    said = xp.minimum(xp.maximum(value - _UNSAID, 0.0), 1.0)
    best = xp.log(theta[f"{name}_best"]) + theta[f"{name}_by_params"] * beside["params"]
    z = said * (value - best)
    return log_r + xp.minimum(theta[f"{name}_curvature"] * z * z / 2.0, MOST_LOST)


def without_embeddings(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N of all parameters less those of embeddings, which are fewer."""
    less = xp.minimum(centred["vocabulary_params"] - centred["params"], -1e-6)
    return {"params": centred["params"] + xp.log(-xp.expm1(less))}


def without_embeddings_span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """All parameters, and those without embeddings."""
    share = np.minimum(logs["vocabulary_params"] - logs["params"], np.log(0.9))
    return {"params": (logs["params"] + np.log1p(-np.exp(share)), logs["params"])}


def of_embeddings(
    xp: Namespace, log_r: Array, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """Log R and Tao et al.'s term of the parameters of embeddings: R + A_V·(N_v/N₀)^−β_V."""
    term = (
        xp.log(theta["vocabulary_level"])
        - theta["vocabulary_exponent"] * beside["vocabulary_params"]
    )
    return xp.logaddexp(log_r, term)
