"""Transfer: what pre-training is worth in data of the task that is learned after it.

Hernandez et al. 2021 (arXiv:2102.01293): a pre-trained network that is fine-tuned on D_F data does as well as one
trained from scratch on D_F + D_T, D_T = k·D_F^α·N^β. In centred logs k is D_T/D_F at the pivots.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

TRANSFER = Parameter(
    "transfer", "positive", "shape", "", "k", "data transferred at the pivot, over the data there"
)
TRANSFER_BY_TOKENS = Parameter(
    "transfer_by_tokens", "unit", "exponent", "", "a_T", "exponent of data in what is transferred"
)
TRANSFER_BY_PARAMS = Parameter(
    "transfer_by_params",
    "positive",
    "exponent",
    "",
    "b_T",
    "exponent of parameters in what is transferred",
)
# No power of N or D is worth more e-folds of data than this.
_MOST = 60.0


def transferred(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D: D + p·D_T, with p one for a pre-trained network and zero for one trained from scratch."""
    u, v = centred["params"], centred["tokens"]
    ratio = (
        xp.log(theta["transfer"])
        + (theta["transfer_by_tokens"] - 1.0) * v
        + theta["transfer_by_params"] * u
    )
    gained = xp.log1p(centred["pretrained"] * xp.exp(xp.minimum(ratio, _MOST)))
    return {"tokens": v + gained}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Effective log D: what is there, and a thousand times as much."""
    return {"tokens": (logs["tokens"], logs["tokens"] + 6.9 * logs["pretrained"])}


def from_hernandez(
    k: float, by_tokens: float, by_params: float, params: float, tokens: float
) -> dict[str, float]:
    """Parameters of a printed D_T = k·D_F^α·N^β, at pivots of these sizes; data in one unit throughout."""
    there = k * tokens**by_tokens * params**by_params
    return {
        "transfer": there / tokens,
        "transfer_by_tokens": by_tokens,
        "transfer_by_params": by_params,
    }
