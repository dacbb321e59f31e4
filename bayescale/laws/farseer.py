"""Farseer: a joint law whose data exponent, and level of the data term, change with size (Li et al. 2025).

Li et al. 2025 (arXiv:2506.10972): L = exp(s N^q + S) + exp(B N^b + Q)·D^(−exp(A N^a + E)). It is the joint law at γ = 1
read at other inputs. With u, v the centred logs of N and D, β = −q and L∞ = e^S, the first term is
L∞ exp(h e^(−βu)), h = log(1 + ωR₀/L∞), and of the second the exponent is δ·exp(g (e^(ku) − 1)/k) and the log level
moves by m (e^(lu) − 1)/l. Slopes g and m at the pivot may have either sign, and so may k and l. The level is read at
the data of the pivot, as printed at one token.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

EXPONENT_SLOPE = Parameter(
    "exponent_slope", "real", "shape", "", "g", "change of the log data exponent an e-fold of N"
)
EXPONENT_BEND = Parameter(
    "exponent_bend", "real", "shape", "", "k", "rate at which that change itself grows with log N"
)
LEVEL_SLOPE = Parameter(
    "level_slope", "real", "shape", "", "m", "change of the log data term an e-fold of N"
)
LEVEL_BEND = Parameter(
    "level_bend", "real", "shape", "", "l", "rate at which that change itself grows with log N"
)
_TINY = 1e-12  # added to a rate, so that none is zero
_MOST = 30.0  # e-folds of a change
PARAMETERS = (EXPONENT_SLOPE, EXPONENT_BEND, LEVEL_SLOPE, LEVEL_BEND)


def farseer(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log N and log D."""
    u, v = centred["params"], centred["tokens"]
    h = xp.log1p(theta["omega"] * theta["R0"] / theta["L_inf"])
    term = _log_expm1(xp, h * xp.exp(-theta["beta"] * u)) - _log_expm1(xp, h)
    stretch = xp.exp(_within(xp, theta["exponent_slope"] * _bent(xp, theta["exponent_bend"], u)))
    level = _within(xp, theta["level_slope"] * _bent(xp, theta["level_bend"], u))
    return {"params": -term / theta["beta"], "tokens": v * stretch - level / theta["delta"]}


def _log_expm1(xp: Namespace, x: Array) -> Array:
    """log(e^x − 1) of a positive x, which may be larger than any exponential is a number of."""
    return x + xp.log(-xp.expm1(-x))


def _bent(xp: Namespace, rate: Array, u: Array) -> Array:
    """(e^(ku) − 1)/k: u itself as k goes to zero, where a sampler starts."""
    off = rate + _TINY
    return xp.expm1(off * u) / off


def _within(xp: Namespace, change: Array) -> Array:
    """Far from the data a bent change may exceed any number: it stays one."""
    return xp.minimum(xp.maximum(change, -_MOST), _MOST)


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """The inputs themselves: a walk keeps its last value beyond them."""
    return {"params": (logs["params"],) * 2, "tokens": (logs["tokens"],) * 2}
