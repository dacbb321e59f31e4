"""What a law says of each of its parameters, and the link scale on which groups of it are pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bayescale.laws.namespace import Array, Namespace

Support = Literal["positive", "unit", "real"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Attributes
    ----------
    name : str
        Name in code, as in the notation table of the README.
    support : {"positive", "unit", "real"}
        Where it lives; decides the link scale (log, logit, or itself) of its group effects.
    role : {"level", "share", "valley", "exponent", "shape", "floor"}
        What it does in the law.
    unit : {"", "loss"}
        "loss" if it is measured in the unit of the loss, "" if it is a pure number.
    latex : str
        Symbol, without dollar signs.
    text : str
        One clause for tables.
    """

    name: str
    support: Support
    role: Literal["level", "share", "valley", "exponent", "shape", "floor"]
    unit: Literal["", "loss"]
    latex: str
    text: str


def to_link(xp: Namespace, support: Support, value: Array) -> Array:
    """Map a parameter from its support to the real line (log, logit or identity)."""
    if support == "real":
        return value
    if support == "positive":
        return xp.log(value)
    return xp.log(value) - xp.log1p(-value)


def from_link(xp: Namespace, support: Support, value: Array) -> Array:
    """Map a link-scale value back to the parameter's support; inverse of :func:`to_link`."""
    if support == "real":
        return value
    return xp.exp(value) if support == "positive" else xp.sigmoid(value)
