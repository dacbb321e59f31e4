"""Core laws: the reducible loss as a function of scale, written at a pivot inside the data.

Every core returns log R, the log of the reducible loss, from *centred* log inputs (u = log N − pivot, and so on).
At the pivot R = R₀, so the level and the exponents are nearly uncorrelated in the posterior; the amplitudes A, B and κ
of the textbook form are derived in :mod:`bayescale.laws.frontier`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

Axis = Literal["params", "tokens", "compute"]

R0 = Parameter("R0", "positive", "level", "loss", r"R_0", "reducible loss at the pivot")
OMEGA = Parameter(
    "omega", "unit", "share", "", r"\omega", "share of the parameter term at the pivot"
)
ALPHA = Parameter("alpha", "positive", "exponent", "", r"\alpha", "exponent of training compute")
ALLOCATION = Parameter(
    "a", "unit", "exponent", "", "a", "allocation exponent: N* grows as C to the power a"
)
BETA = Parameter("beta", "positive", "exponent", "", r"\beta", "exponent of parameters")
DELTA = Parameter("delta", "positive", "exponent", "", r"\delta", "exponent of data")
GAMMA = Parameter("gamma", "positive", "shape", "", r"\gamma", "how the two bottlenecks combine")


@dataclass(frozen=True)
class Core:
    """A core law.

    Attributes
    ----------
    name : str
        Key in :data:`CORES`.
    inputs : tuple of str
        The axes it reads.
    coordinates : tuple of tuples of Parameter
        Alternative sets of parameters in which a model may state its priors, the default first.
    log_reducible : callable
        ``(xp, centred, theta) -> log R``; ``centred`` maps each input to its centred log, ``theta`` holds the
        completed parameters.
    complete : callable
        ``(xp, theta) -> theta`` with every derived parameter added.
    latex : str
        The reducible part R as printed in tables.
    source : str
        Paper and equation.
    """

    name: str
    inputs: tuple[Axis, ...]
    coordinates: tuple[tuple[Parameter, ...], ...]
    log_reducible: Callable[[Namespace, Mapping[str, Array], Mapping[str, Array]], Array]
    complete: Callable[[Namespace, Mapping[str, Array]], dict[str, Array]]
    latex: str
    source: str


def joint_log_reducible(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """log R of the joint law: R₀ [ω e^(−βu/γ) + (1−ω) e^(−δv/γ)]^γ, always as γ·logaddexp."""
    by_params, by_tokens = joint_log_terms(xp, centred, theta)
    return xp.log(theta["R0"]) + theta["gamma"] * xp.logaddexp(by_params, by_tokens)


def joint_log_terms(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> tuple[Array, Array]:
    """Logs of the two terms within the bracket of the joint law, of N and of D, each of its own axis alone."""
    gamma = theta["gamma"]
    by_params = xp.log(theta["omega"]) - theta["beta"] / gamma * centred["params"]
    by_tokens = xp.log1p(-theta["omega"]) - theta["delta"] / gamma * centred["tokens"]
    return by_params, by_tokens


def joint_complete(xp: Namespace, theta: Mapping[str, Array]) -> dict[str, Array]:
    """Add (β, δ) to (α, a), or (α, a) to (β, δ): α = βδ/(β+δ), a = δ/(β+δ)."""
    out = dict(theta)
    if "beta" in out:
        total = out["beta"] + out["delta"]
        out["alpha"], out["a"] = out["beta"] * out["delta"] / total, out["delta"] / total
    else:
        out["beta"], out["delta"] = out["alpha"] / out["a"], out["alpha"] / (1.0 - out["a"])
    return out


def product_log_reducible(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """log R of a product of powers: R₀ e^(−βu − δv). Along C it has no optimum, only the larger exponent's end."""
    return (
        xp.log(theta["R0"]) - theta["beta"] * centred["params"] - theta["delta"] * centred["tokens"]
    )


def _one_axis(axis: Axis, exponent: Parameter, latex: str, source: str) -> Core:
    def log_reducible(
        xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
    ) -> Array:
        return xp.log(theta["R0"]) - theta[exponent.name] * centred[axis]

    return Core(
        axis,
        (axis,),
        ((R0, exponent),),
        log_reducible,
        lambda xp, theta: dict(theta),
        latex,
        source,
    )


CORES: dict[str, Core] = {
    core.name: core
    for core in (
        Core(
            "joint",
            ("params", "tokens"),
            ((R0, OMEGA, ALPHA, ALLOCATION, GAMMA), (R0, OMEGA, BETA, DELTA, GAMMA)),
            joint_log_reducible,
            joint_complete,
            r"\left[(A N^{-\beta})^{1/\gamma} + (B D^{-\delta})^{1/\gamma}\right]^{\gamma}",
            "Hoffmann et al. 2022, eq. 2 (gamma = 1); Kaplan et al. 2020, eq. 1.5 (gamma = delta, no floor)",
        ),
        Core(
            "product",
            ("params", "tokens"),
            ((R0, BETA, DELTA),),
            product_log_reducible,
            lambda xp, theta: dict(theta),
            r"A N^{-\beta} D^{-\delta}",
            "Zhang et al. 2024, eq. 1",
        ),
        _one_axis("compute", ALPHA, r"\kappa C^{-\alpha}", "Henighan et al. 2020, eq. 1.1"),
        _one_axis("params", BETA, r"A N^{-\beta}", "Kaplan et al. 2020, eq. 1.1"),
        _one_axis("tokens", DELTA, r"B D^{-\delta}", "Kaplan et al. 2020, eq. 1.2"),
    )
}
