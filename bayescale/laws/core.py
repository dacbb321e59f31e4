"""Core laws: the reducible loss as a function of scale, written at a pivot inside the data.

Every core returns log R, the log of the reducible loss, from *centred* log inputs (u = log N − pivot, and so on).
At the pivot R = R₀, so the level and the exponents are nearly uncorrelated in the posterior; the amplitudes A, B and κ
of the textbook form are derived in :mod:`bayescale.laws.frontier`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bayescale.laws import isoflop_core
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

# The last is an earlier step's loss, from which a law of errors starts: it falls where the others rise.
Axis = Literal["params", "tokens", "compute", "upstream_loss"]

R0 = Parameter("R0", "positive", "level", "loss", r"R_0", "reducible loss at the pivot")
OMEGA = Parameter(
    "omega", "unit", "share", "", r"\omega", "share of the parameter term at the pivot"
)
OFF_VALLEY = Parameter(
    "off_valley",
    "real",
    "valley",
    "",
    "y_0",
    "log of D/N at the pivot over that of the optimum at the same compute",
)
ALPHA = Parameter("alpha", "positive", "exponent", "", r"\alpha", "exponent of training compute")
ALLOCATION = Parameter(
    "a", "unit", "exponent", "", "a", "allocation exponent: N* grows as C to the power a"
)
BETA = Parameter("beta", "positive", "exponent", "", r"\beta", "exponent of parameters")
DELTA = Parameter("delta", "positive", "exponent", "", r"\delta", "exponent of data")
GAMMA = Parameter("gamma", "positive", "shape", "", r"\gamma", "how the two bottlenecks combine")
STEEPNESS = Parameter(
    "steepness",
    "positive",
    "exponent",
    "",
    "s",
    "relative change of R for one of the upstream loss, at the pivot",
)


FARTHEST = 30.0  # logit of ω that is told from none: beyond, 1 − ω is rounded


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
    best : callable or None
        ``(theta, total) -> u``: the centred log N of least loss at a centred log of N·D, of a core in both other than
        the joint law, whose closed form is in :mod:`bayescale.laws.frontier`.
    """

    name: str
    inputs: tuple[Axis, ...]
    coordinates: tuple[tuple[Parameter, ...], ...]
    log_reducible: Callable[[Namespace, Mapping[str, Array], Mapping[str, Array]], Array]
    complete: Callable[[Namespace, Mapping[str, Array]], dict[str, Array]]
    latex: str
    source: str
    best: Callable[[Mapping[str, Array], Array], Array] | None = None


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
    """Add (β, δ) to (α, a), or (α, a) to (β, δ), α = βδ/(β+δ), a = δ/(β+δ); and ω to the distance y₀ from the valley.

    At the pivot's compute N* = N₀·e^(y₀/2), where β·ω·e^(−βy₀/2γ) = δ(1−ω)·e^(δy₀/2γ).
    """
    out = dict(theta)
    if "beta" in out:
        total = out["beta"] + out["delta"]
        out["alpha"], out["a"] = out["beta"] * out["delta"] / total, out["delta"] / total
    else:
        out["beta"], out["delta"] = out["alpha"] / out["a"], out["alpha"] / (1.0 - out["a"])
    if "off_valley" in out:
        half = 0.5 * (out["beta"] + out["delta"]) / out["gamma"]
        logit = xp.log(out["delta"]) - xp.log(out["beta"]) + half * out["off_valley"]
        # So far off the valley one term is all there is, and the other still has a logarithm.
        out["omega"] = xp.sigmoid(xp.maximum(xp.minimum(logit, FARTHEST), -FARTHEST))
    return out


def upstream_log_reducible(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """log R, linear in the upstream loss ℓ itself: log R₀ + s·(ℓ/ℓ₀ − 1), with ℓ₀ the pivot."""
    return xp.log(theta["R0"]) + theta["steepness"] * xp.expm1(centred["upstream_loss"])


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
            tuple(
                (R0, share, *exponents, GAMMA)
                for share in (OMEGA, OFF_VALLEY)
                for exponents in ((ALPHA, ALLOCATION), (BETA, DELTA))
            ),
            joint_log_reducible,
            joint_complete,
            r"\left[(A N^{-\beta})^{1/\gamma} + (B D^{-\delta})^{1/\gamma}\right]^{\gamma}",
            "Hoffmann et al. 2022, eq. 2 (gamma = 1); Kaplan et al. 2020, eq. 1.5 (gamma = delta, no floor)",
        ),
        Core(
            "isoflop",
            ("params", "tokens"),
            ((R0, ALPHA, ALLOCATION, *isoflop_core.PARAMETERS),),
            isoflop_core.log_valley,
            joint_complete,
            r"\kappa C^{-\alpha}\,[1 + q\,(C/C_0)^{-h}\,x^2],\quad x = \log N/N_0 - n - a\,\log C/C_0",
            "Hoffmann et al. 2022, section 3.2 (approach 2)",
            isoflop_core.best,
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
        Core(
            "upstream",
            ("upstream_loss",),
            ((R0, STEEPNESS),),
            upstream_log_reducible,
            lambda xp, theta: dict(theta),
            r"R_0\,e^{s(\ell/\ell_0 - 1)}",
            "Bhagia et al. 2024, section 3.2, with k = s over the pivot loss",
        ),
    )
}
