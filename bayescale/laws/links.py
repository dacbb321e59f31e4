"""Links: how the reducible part becomes a loss — above a floor, or between a floor and the random-guess level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

L_INF = Parameter("L_inf", "positive", "floor", "loss", r"L_\infty", "irreducible loss")
L_INF_BOUNDED = Parameter("L_inf", "unit", "floor", "", r"L_\infty", "irreducible error")
WHOLE = Parameter("T", "positive", "level", "loss", "T", "whole loss at the pivot")
WHOLE_BOUNDED = Parameter(
    "T", "unit", "level", "", "T", "error at the pivot, as a share of the random-guess level"
)
FLOOR_SHARE = Parameter(
    "phi", "unit", "share", "", r"\varphi", "share of the floor in the loss at the pivot"
)


@dataclass(frozen=True)
class Link:
    """A monotone map from log R to the loss.

    Attributes
    ----------
    name : str
        Key in :data:`LINKS`.
    floor : Parameter
        The irreducible loss of this link.
    loss : callable
        ``(xp, log_R, L_inf, upper) -> loss``; ``upper`` is the random-guess level, or None.
    log_reducible : callable
        Its inverse in the first argument, ``(xp, loss, L_inf, upper) -> log R``.
    whole : Parameter
        T, the loss at the pivot: with φ, the share of the floor in it, an alternative to R₀ and L∞.
    from_whole : callable
        ``(T, phi, upper) -> (R0, L_inf)``.
    bounded : bool
        Whether the task must state a random-guess level.
    latex : str
        The whole right-hand side, with ``R`` for the reducible part.
    source : str
        Paper and equation.
    """

    name: str
    floor: Parameter
    loss: Callable[[Namespace, Array, Array, Array], Array]
    log_reducible: Callable[[Namespace, Array, Array, Array], Array]
    whole: Parameter
    from_whole: Callable[[Array, Array, Array], tuple[Array, Array]]
    bounded: bool
    latex: str
    source: str


def _floor(xp: Namespace, log_r: Array, floor: Array, upper: Array) -> Array:
    return floor + xp.exp(log_r)


def _floor_inverse(xp: Namespace, loss: Array, floor: Array, upper: Array) -> Array:
    return xp.log(loss - floor)


def _floor_from_whole(whole: Array, phi: Array, upper: Array) -> tuple[Array, Array]:
    return (1.0 - phi) * whole, phi * whole


def _saturating(xp: Namespace, log_r: Array, floor: Array, upper: Array) -> Array:
    # (L - L_inf) / (upper - L) = R solved for L; sigmoid keeps it exact when R is huge or tiny.
    return floor + (upper - floor) * xp.sigmoid(log_r)


def _saturating_inverse(xp: Namespace, loss: Array, floor: Array, upper: Array) -> Array:
    return xp.log(loss - floor) - xp.log(upper - loss)


def _saturating_from_whole(whole: Array, phi: Array, upper: Array) -> tuple[Array, Array]:
    # R = (L - L_inf) / (upper - L) at L = upper T, L_inf = phi L.
    return (1.0 - phi) * whole / (1.0 - whole), phi * whole * upper


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            "floor",
            L_INF,
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
            _saturating,
            _saturating_inverse,
            WHOLE_BOUNDED,
            _saturating_from_whole,
            True,
            r"L_\infty + (L_0 - L_\infty)\,R/(1+R)",
            "Alabdulmohsin et al. 2022, M4 with exponent 1",
        ),
    )
}
