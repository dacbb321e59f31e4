"""Links: how the reducible part becomes a loss — above a floor, or between a floor and the random-guess level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

L_INF = Parameter("L_inf", "positive", "floor", "loss", r"L_\infty", "irreducible loss")
L_INF_BOUNDED = Parameter("L_inf", "unit", "floor", "", r"L_\infty", "irreducible error")
WHOLE = Parameter("T", "positive", "level", "loss", "T", "whole loss at the pivot")
WHOLE_BOUNDED = Parameter(
    "T", "unit", "level", "", "T", "error at the pivot, as a share of the random-guess level"
)
GUESS_POWER = Parameter(
    "guess_power",
    "positive",
    "shape",
    "",
    r"\lambda",
    "power of the distance to the random-guess level",
)
GUESS = Parameter(
    "guess",
    "unit",
    "share",
    "",
    "g",
    "where the error levels at large losses, as a share of the way from the floor to the upper bound",
)
FLOOR_SHARE = Parameter(
    "phi", "unit", "share", "", r"\varphi", "share of the floor in the loss at the pivot"
)
Theta = Mapping[str, Array]
_STEPS = 5  # of Newton's method: an error below 1e-11 for powers from .02 to 50


@dataclass(frozen=True)
class Link:
    """A monotone map from log R to the loss.

    Attributes
    ----------
    name : str
        Key in :data:`LINKS`.
    floor : Parameter
        The irreducible loss of this link.
    parameters : tuple of Parameter
        Of the link itself, besides the floor.
    loss : callable
        ``(xp, log_R, theta, upper) -> loss``; ``theta`` holds L_inf and the link's own parameters, ``upper`` is the
        random-guess level, or None.
    log_reducible : callable
        Its inverse in the first argument, ``(xp, loss, theta, upper) -> log R``.
    whole : Parameter
        T, the loss at the pivot: with φ, the share of the floor in it, an alternative to R₀ and L∞.
    from_whole : callable
        ``(xp, theta, upper) -> (R0, L_inf)``, from T, φ and the link's own parameters.
    bounded : bool
        Whether the task must state a random-guess level.
    latex : str
        The whole right-hand side, with ``R`` for the reducible part.
    source : str
        Paper and equation.
    """

    name: str
    floor: Parameter
    parameters: tuple[Parameter, ...]
    loss: Callable[[Namespace, Array, Theta, Array], Array]
    log_reducible: Callable[[Namespace, Array, Theta, Array], Array]
    whole: Parameter
    from_whole: Callable[[Namespace, Theta, Array], tuple[Array, Array]]
    bounded: bool
    latex: str
    source: str


def _floor(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    return theta["L_inf"] + xp.exp(log_r)


def _floor_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    return xp.log(loss - theta["L_inf"])


def _floor_from_whole(xp: Namespace, theta: Theta, upper: Array) -> tuple[Array, Array]:
    return (1.0 - theta["phi"]) * theta["T"], theta["phi"] * theta["T"]


def _saturating(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    # (L - L_inf) / (upper - L) = R solved for L; sigmoid keeps it exact when R is huge or tiny.
    return theta["L_inf"] + (upper - theta["L_inf"]) * xp.sigmoid(log_r)


def _saturating_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    return xp.log(loss - theta["L_inf"]) - xp.log(upper - loss)


def _saturating_from_whole(xp: Namespace, theta: Theta, upper: Array) -> tuple[Array, Array]:
    # R = (L - L_inf) / (upper - L) at L = upper T, L_inf = phi L.
    whole, phi = theta["T"], theta["phi"]
    return (1.0 - phi) * whole / (1.0 - whole), phi * whole * upper


def _general(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    """s/(1 − s)^λ = R for the share s = (L − L∞)/(L₀ − L∞), by Newton's method in z = logit s.

    λ·softplus(z) − softplus(−z) rises with a slope between 1 and λ and bends one way only, and the start lies on the
    side from which no step passes the root: few are enough. Only the last step is
    differentiated: at the root that is the derivative of the root.
    """
    power = theta["guess_power"]

    def nearer(z: Array, power: Array, log_r: Array) -> Array:
        zero = 0.0 * z
        excess = power * xp.logaddexp(zero, z) - xp.logaddexp(zero, -z) - log_r
        return z - excess / (xp.sigmoid(-z) + power * xp.sigmoid(z))

    held = xp.held(power), xp.held(log_r)
    z = xp.minimum(held[1], 0.0) + xp.maximum(held[1], 0.0) / held[0]
    for _ in range(_STEPS):
        z = nearer(z, *held)
    z = nearer(xp.held(z), power, log_r)
    return theta["L_inf"] + (upper - theta["L_inf"]) * xp.sigmoid(z)


def _general_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    width = xp.log(upper - theta["L_inf"])
    low, high = xp.log(loss - theta["L_inf"]) - width, xp.log(upper - loss) - width
    return low - theta["guess_power"] * high


def _general_from_whole(xp: Namespace, theta: Theta, upper: Array) -> tuple[Array, Array]:
    whole, phi = theta["T"], theta["phi"]
    share, rest = (1.0 - phi) * whole / (1.0 - phi * whole), (1.0 - whole) / (1.0 - phi * whole)
    return share / rest ** theta["guess_power"], phi * whole * upper


def _coverage(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    # upper − L = (upper − L_inf)·exp(−R): what is solved is the exponential of a power law.
    return theta["L_inf"] - (upper - theta["L_inf"]) * xp.expm1(-xp.exp(log_r))


def _coverage_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    return xp.log(xp.log(upper - theta["L_inf"]) - xp.log(upper - loss))


def _coverage_from_whole(xp: Namespace, theta: Theta, upper: Array) -> tuple[Array, Array]:
    whole, phi = theta["T"], theta["phi"]
    return xp.log1p(-phi * whole) - xp.log1p(-whole), phi * whole * upper


_LEAST = 1e-6  # share below which an exponential that would cross the floor is held


def _below(theta: Theta, upper: Array) -> tuple[Array, Array]:
    """Floor, and how far above it the error levels at large losses."""
    return theta["L_inf"], theta["guess"] * (upper - theta["L_inf"])


def _guessing(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    low, width = _below(theta, upper)
    return low + width * xp.sigmoid(log_r)


def _guessing_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    low, width = _below(theta, upper)
    # At the guessing level and above it no loss is too high.
    return xp.log(loss - low) - xp.log(xp.maximum(low + width - loss, 0.0))


def _guessing_from_whole(xp: Namespace, theta: Theta, upper: Array) -> tuple[Array, Array]:
    whole, phi, guess = theta["T"], theta["phi"], theta["guess"]
    above = guess * (1.0 - phi * whole)
    return (1.0 - phi) * whole / (above - (1.0 - phi) * whole), phi * whole * upper


def _exponential(xp: Namespace, log_r: Array, theta: Theta, upper: Array) -> Array:
    # 1 - share = exp(-z), z rising as log R does and log(1 + R0) at the pivot, so that R0 are the odds there.
    low, width = _below(theta, upper)
    z = log_r - xp.log(theta["R0"]) + xp.log1p(theta["R0"])
    return low - width * xp.expm1(-xp.maximum(z, _LEAST))


def _exponential_inverse(xp: Namespace, loss: Array, theta: Theta, upper: Array) -> Array:
    low, width = _below(theta, upper)
    z = xp.log(width) - xp.log(xp.maximum(low + width - loss, 0.0))
    return z + xp.log(theta["R0"]) - xp.log1p(theta["R0"])


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            "floor",
            L_INF,
            (),
            _floor,
            _floor_inverse,
            WHOLE,
            _floor_from_whole,
            False,
            r"L_\infty + R",
            "Hestness et al. 2017; Henighan et al. 2020, eq. 1.1",
        ),
        Link(
            "saturating",
            L_INF_BOUNDED,
            (),
            _saturating,
            _saturating_inverse,
            WHOLE_BOUNDED,
            _saturating_from_whole,
            True,
            r"L_\infty + (L_0 - L_\infty)\,R/(1+R)",
            "Alabdulmohsin et al. 2022, M4 with exponent 1",
        ),
        Link(
            "general-saturating",
            L_INF_BOUNDED,
            (GUESS_POWER,),
            _general,
            _general_inverse,
            WHOLE_BOUNDED,
            _general_from_whole,
            True,
            r"L_\infty + (L_0 - L_\infty)\,s,\quad s/(1-s)^{\lambda} = R",
            "Alabdulmohsin et al. 2022, M4",
        ),
        Link(
            "guessing",
            L_INF_BOUNDED,
            (GUESS,),
            _guessing,
            _guessing_inverse,
            WHOLE_BOUNDED,
            _guessing_from_whole,
            True,
            r"L_\infty + g\,(L_0 - L_\infty)\,R/(1+R)",
            "Bhagia et al. 2024, eq. 3",
        ),
        Link(
            "exponential",
            L_INF_BOUNDED,
            (GUESS,),
            _exponential,
            _exponential_inverse,
            WHOLE_BOUNDED,
            _guessing_from_whole,
            True,
            r"L_\infty + g\,(L_0 - L_\infty)(1 - R_0/((1+R_0) R))",
            "Gadre et al. 2024, eq. 5",
        ),
        Link(
            "coverage",
            L_INF_BOUNDED,
            (),
            _coverage,
            _coverage_inverse,
            WHOLE_BOUNDED,
            _coverage_from_whole,
            True,
            r"L_\infty + (L_0 - L_\infty)(1 - e^{-R})",
            "Brown et al. 2024, eq. 2",
        ),
    )
}
