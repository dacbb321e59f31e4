"""A law is a core and a link; this module composes them and keeps the registry of laws by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bayescale.errors import ModelError, unknown
from bayescale.laws.core import CORES, Axis, Core
from bayescale.laws.links import LINKS, Link
from bayescale.laws.namespace import Array, Namespace, numpy_namespace
from bayescale.laws.parameter import Parameter


@dataclass(frozen=True)
class Law:
    """A scaling law L = link(core(inputs)).

    Evaluating it needs *centred* log inputs: ``{"params": log N - pivot_N, ...}``. Shapes broadcast, so draws on one
    axis and points on another give a matrix.
    """

    name: str
    title: str
    core: Core
    link: Link

    @property
    def inputs(self) -> tuple[Axis, ...]:
        """Axes the law reads, in order."""
        return self.core.inputs

    @property
    def floor(self) -> Parameter:
        """The irreducible loss."""
        return self.link.floor

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter a model may state a prior for, in all coordinates, floor last."""
        known = {p.name: p for group in self.core.coordinates for p in group}
        return known | {self.floor.name: self.floor}

    @property
    def latex(self) -> str:
        """The law as an equation, without dollar signs."""
        if self.link.bounded:
            return f"L = {self.link.latex},\\quad R = {self.core.latex}"
        return f"L = L_\\infty + {self.core.latex}"

    @property
    def source(self) -> str:
        """Papers and equations behind core and link."""
        return f"{self.core.source}; {self.link.source}"

    def coordinates_for(self, names: Iterable[str], where: str) -> tuple[Parameter, ...]:
        """Return the set of parameters that ``names`` states, or raise naming what is missing or unknown."""
        given = set(names)
        for name in sorted(given):
            if name not in self.parameters:
                raise unknown("parameter", name, self.parameters, f"{where} (law {self.name!r})")
        for group in self.core.coordinates:
            full = (*group, self.floor)
            if given == {p.name for p in full}:
                return full
        options = " or ".join(
            "{" + ", ".join(p.name for p in (*group, self.floor)) + "}"
            for group in self.core.coordinates
        )
        raise ModelError(
            f"{where}: law {self.name!r} takes the parameters {options}, "
            f"but {{{', '.join(sorted(given))}}} were given"
        )

    def complete(
        self, theta: Mapping[str, Array], xp: Namespace = numpy_namespace
    ) -> dict[str, Array]:
        """Add derived parameters to sampled ones."""
        return self.core.complete(xp, theta)

    def log_reducible(
        self,
        centred: Mapping[Any, Array],
        theta: Mapping[str, Array],
        xp: Namespace = numpy_namespace,
    ) -> Array:
        """Log R at centred log inputs, from completed parameters."""
        return self.core.log_reducible(xp, centred, theta)

    def loss(
        self,
        centred: Mapping[Any, Array],
        theta: Mapping[str, Array],
        upper: Array = None,
        xp: Namespace = numpy_namespace,
    ) -> Array:
        """Loss at centred log inputs; ``upper`` is the random-guess level of a bounded link."""
        log_r = self.log_reducible(centred, theta, xp)
        return self.link.loss(xp, log_r, theta[self.floor.name], upper)


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            "parameter-data",
            "joint law of parameters and data",
            CORES["joint"],
            LINKS["floor"],
        ),
        Law("compute", "compute law", CORES["compute"], LINKS["floor"]),
        Law("parameter", "parameter law", CORES["params"], LINKS["floor"]),
        Law("data", "data law", CORES["tokens"], LINKS["floor"]),
        Law(
            "saturating",
            "error against data, between a floor and the random-guess level",
            CORES["tokens"],
            LINKS["saturating"],
        ),
        Law(
            "saturating-parameter",
            "error against parameters, between a floor and the random-guess level",
            CORES["params"],
            LINKS["saturating"],
        ),
        Law(
            "saturating-compute",
            "error against compute, between a floor and the random-guess level",
            CORES["compute"],
            LINKS["saturating"],
        ),
        Law(
            "saturating-joint",
            "error against parameters and data, between a floor and the random-guess level",
            CORES["joint"],
            LINKS["saturating"],
        ),
    )
}


def get_law(name: str, where: str = "") -> Law:
    """Look a law up by name; the error proposes the nearest one."""
    if name not in LAWS:
        raise unknown("law", name, LAWS, where)
    return LAWS[name]
