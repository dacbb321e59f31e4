"""`Effective`: one way from inputs to effective inputs, which a core reads in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayescale.given import Given
from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter


@dataclass(frozen=True)
class Effective:
    """One way from inputs to effective inputs.

    Attributes
    ----------
    name, title : str
        Key in :data:`EFFECTIVE`, and a few words.
    axes : tuple of str
        Inputs of the core that it changes.
    given : tuple of Given
        Further inputs that it reads; none where the input itself is bent.
    parameters : tuple of Parameter
    transform : callable
        ``(xp, centred, theta) -> changed``: centred effective logs of ``axes``, from centred logs of the core's inputs
        and of the given ones, and the completed parameters of the law.
    span : callable
        ``logs -> {axis: (low, high)}``: how far effective logs reach from given ones, for the range of a walk.
    latex, source : str
    """

    name: str
    title: str
    axes: tuple[Axis, ...]
    given: tuple[Given, ...]
    parameters: tuple[Parameter, ...]
    transform: Callable[[Namespace, Mapping[str, Array], Mapping[str, Array]], dict[str, Array]]
    span: Callable[[Mapping[str, Array]], dict[Axis, tuple[Array, Array]]]
    latex: str
    source: str
