"""Bends: curves along one axis whose local exponent changes with scale, as what an input is worth.

A power law −β·u of the log input u becomes −β·t(u), with t(0) = 0 at the pivot, so that level and exponent keep their
meaning, and t rising, so that the loss falls for every value of the parameters. Each bend is one function of the
centred log input, and works along N, D and C alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

SHIFT = Parameter(
    "shift", "positive", "shape", "", "s", "scale added to the input, over that of the pivot"
)
LEVELLING = Parameter(
    "levelling",
    "positive",
    "shape",
    "",
    "g",
    "scale of the pivot over that at which a curve levels",
)
BREAK_AT = Parameter(
    "break_at", "positive", "shape", "", "x_1", "place of the break, over the scale of the pivot"
)
BEND = Parameter(
    "bend", "positive", "shape", "", r"\rho", "exponent beyond the break over that before it"
)
SOFTNESS = Parameter(
    "softness", "positive", "shape", "", "f", "width of the break in e-folds of scale"
)
SECOND_BEND = Parameter(
    "second_bend",
    "positive",
    "shape",
    "",
    r"\rho_2",
    "exponent beyond the second break over that before it",
)
BREAK_GAP = Parameter(
    "break_gap", "positive", "shape", "", "g_x", "e-folds from the first break to the second"
)
# Bends that are breaks, and what gives the place of each: the log of the first, the others added.
BREAKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bend", ("break_at",)),
    ("second_bend", ("break_at", "break_gap")),
)


def shifted(xp: Namespace, u: Array, theta: Mapping[str, Array]) -> Array:
    """(x + s)^−β: flat far below s, the power law far above."""
    s = theta["shift"]
    return xp.logaddexp(u, xp.log(s)) - xp.log1p(s)


def levelling(xp: Namespace, u: Array, theta: Mapping[str, Array]) -> Array:
    """(1/x + g)^β: the power law far below 1/g, flat far above."""
    g = theta["levelling"]
    return xp.log1p(g) - xp.logaddexp(-u, xp.log(g))


def broken(xp: Namespace, u: Array, theta: Mapping[str, Array]) -> Array:
    """x^−β·[1 + (x/x₁)^(1/f)]^((1−ρ)βf): exponent β far below the break, ρβ far above."""
    f, d = theta["softness"], xp.log(theta["break_at"])
    turned = xp.logaddexp(0.0, (u - d) / f) - xp.logaddexp(0.0, -d / f)
    return u + (theta["bend"] - 1.0) * f * turned


def broken_twice(xp: Namespace, u: Array, theta: Mapping[str, Array]) -> Array:
    """The same with a second break, g_x e-folds beyond the first: exponents β, ρβ, ρρ₂β, all positive."""
    zero = 0.0 * theta["softness"]
    return _twice(xp, u, theta) - _twice(xp, zero, theta)


def _twice(xp: Namespace, u: Array, theta: Mapping[str, Array]) -> Array:
    """Stretches before, between and beyond two breaks, each with its exponent; a number however far u lies."""
    f, gap = theta["softness"], theta["break_gap"] / theta["softness"]
    first = (u - xp.log(theta["break_at"])) / f
    second = first - gap
    before = -xp.logaddexp(0.0, -first)
    # log of (1 + e^first)/(1 + e^second)
    between = xp.logaddexp(-xp.logaddexp(0.0, second), gap - xp.logaddexp(0.0, -second))
    beyond = xp.logaddexp(0.0, second)
    return f * (before + theta["bend"] * (between + theta["second_bend"] * beyond))


@dataclass(frozen=True)
class Bend:
    """One shape.

    Attributes
    ----------
    title : str
        A few words.
    parameters : tuple of Parameter
    worth : callable
        ``(xp, u, theta) -> t(u)``.
    latex : str
        x′/pivot with ``x`` for the input over its pivot.
    source : str
    """

    title: str
    parameters: tuple[Parameter, ...]
    worth: Callable[[Namespace, Array, Mapping[str, Array]], Array]
    latex: str
    source: str


BENDS: dict[str, Bend] = {
    "shifted": Bend(
        "a power law of the input plus a constant",
        (SHIFT,),
        shifted,
        r"(x + s)/(1 + s)",
        "Zhai et al. 2022, eq. 1",
    ),
    "levelling": Bend(
        "a power law that levels",
        (LEVELLING,),
        levelling,
        r"(1 + g)/(1/x + g)",
        "Alabdulmohsin et al. 2022, M3",
    ),
    "broken": Bend(
        "a power law with one smooth break",
        (BEND, BREAK_AT, SOFTNESS),
        broken,
        r"x\,[(1 + (x/x_1)^{1/f})/(1 + x_1^{-1/f})]^{(\rho - 1) f}",
        "Caballero et al. 2023, eq. 1 with one break",
    ),
    "broken-twice": Bend(
        "a power law with two smooth breaks",
        (BEND, BREAK_AT, SOFTNESS, SECOND_BEND, BREAK_GAP),
        broken_twice,
        r"x\,t(x/x_1)^{(\rho - 1) f}\,t(x/x_2)^{\rho (\rho_2 - 1) f},\quad t(y) = 1 + y^{1/f},\quad x_2 = x_1 e^{g_x}",
        "Caballero et al. 2023, eq. 1 with two breaks of one softness",
    ),
}
