"""A law: effective inputs, a core, modifiers and a link, composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescale.errors import ModelError, unknown
from bayescale.given import Given
from bayescale.laws.core import R0, Axis, Core
from bayescale.laws.effective import EFFECTIVE, Effective
from bayescale.laws.links import FLOOR_SHARE, Link
from bayescale.laws.modifiers import MODIFIERS, Modifier
from bayescale.laws.namespace import Array, Namespace, numpy_namespace
from bayescale.laws.parameter import Parameter


@dataclass(frozen=True)
class Law:
    """A scaling law L = link(modifiers(core(effective inputs))).

    Evaluating it needs *centred* log inputs: ``{"params": log N - pivot_N, ...}``. Shapes broadcast, so draws on one
    axis and points on another give a matrix.
    """

    name: str
    title: str
    core: Core
    link: Link
    effective: tuple[Effective, ...] = ()
    modifiers: tuple[Modifier, ...] = ()

    def reading(self, names: Iterable[str], where: str = "") -> Law:
        """The law with effective inputs of these names (:data:`bayescale.laws.EFFECTIVE`), applied in this order.

        Raises
        ------
        UnknownNameError, ModelError
            For a name that does not exist, and for inputs that the law does not read, or that are changed by the same
            column twice.
        """
        found: list[Effective] = []
        for name in names:
            if name not in EFFECTIVE:
                raise unknown("effective input", name, EFFECTIVE, where)
            effective = EFFECTIVE[name]
            lacking = [axis for axis in effective.axes if axis not in self.inputs]
            if lacking:
                raise ModelError(
                    f"{where}: effective input {name!r} changes {' and '.join(lacking)}, which law {self.name!r} "
                    "does not read"
                )
            for given in effective.given:
                if any(given in other.given for other in found):
                    raise ModelError(f"{where}: {given.name} enters by two effective inputs")
            mine = {p.name for p in effective.parameters}
            for other in found:
                if both := mine & {p.name for p in other.parameters}:
                    raise ModelError(
                        f"{where}: effective inputs {other.name!r} and {name!r} both have {', '.join(sorted(both))} "
                        "(keep one of them)"
                    )
            found.append(effective)
        return replace(self, effective=tuple(found))

    def modified(self, names: Iterable[str], where: str = "") -> Law:
        """The law with modifiers of these names (:data:`bayescale.laws.MODIFIERS`), applied in this order.

        Raises
        ------
        UnknownNameError, ModelError
            For a name that does not exist, and for parameters that are in the law already.
        """
        found: list[Modifier] = []
        taken = set(self.parameters)
        for name in names:
            if name not in MODIFIERS:
                raise unknown("modifier", name, MODIFIERS, where)
            modifier = MODIFIERS[name]
            mine = {p.name for p in modifier.parameters}
            if both := mine & taken:
                raise ModelError(
                    f"{where}: modifier {name!r} has {', '.join(sorted(both))}, which the law has already"
                )
            taken |= mine
            found.append(modifier)
        return replace(self, modifiers=tuple(found))

    @property
    def inputs(self) -> tuple[Axis, ...]:
        """Axes the law reads, in order."""
        return self.core.inputs

    @property
    def divides(self) -> bool:
        """Whether a budget is divided between N and D."""
        return self.core.name == "joint" or self.core.best is not None

    @property
    def given(self) -> tuple[Given, ...]:
        """Further inputs, which its effective inputs and modifiers read, each once."""
        read = [given for part in self.parts for given in part.given]
        return tuple(dict.fromkeys(read))

    @property
    def parts(self) -> tuple[Effective | Modifier, ...]:
        """Effective inputs, then modifiers."""
        return (*self.effective, *self.modifiers)

    @property
    def bends(self) -> tuple[Effective, ...]:
        """Effective inputs that need nothing further: they hold at every run."""
        return tuple(e for e in self.effective if not e.given)

    @property
    def plain(self) -> bool:
        """Whether the core reads the inputs as they are, and nothing else is read."""
        return not (self.effective or self.modifiers)

    def values(self, columns: Any) -> dict[str, np.ndarray]:
        """Inputs and further inputs of the rows of a DataFrame or Dataset, what is missing filled in, each (run,).

        Raises
        ------
        ModelError
            Where a further input that every run must state is missing.
        """
        found = {str(axis): columns[axis].to_numpy().astype(float) for axis in self.inputs}
        size = len(next(iter(found.values())))
        for given in self.given:
            value = np.full(size, np.nan)
            if given.name in columns:
                value = columns[given.name].to_numpy().astype(float)
            blank = np.isnan(value)
            if blank.any() and given.missing is None:
                raise ModelError(
                    f"the law reads {given.name} ({given.text}) of every run, and {int(blank.sum())} of {size} rows "
                    + (
                        f"have none; say which column it is, columns={{{given.name!r}: '<header>'}}"
                        if blank.all()
                        else "have none; fill them in, or leave those rows out"
                    )
                )
            found[given.name] = (
                value if given.missing is None else np.where(blank, given.missing, value)
            )
        return found

    def logs(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the law reads of :meth:`values`: logs of inputs, further inputs as each says."""
        of = {given.name: given.scaled for given in self.given}
        return {name: of.get(name, np.log)(value) for name, value in values.items()}

    @property
    def floor(self) -> Parameter:
        """The irreducible loss."""
        return self.link.floor

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter a model may state a prior for, in all coordinates, floor last."""
        known = {p.name: p for group in self.coordinates for p in group if p != self.floor}
        return known | {self.floor.name: self.floor}

    @property
    def coordinates(self) -> tuple[tuple[Parameter, ...], ...]:
        """Sets of parameters in which a model may state its priors, the default first.

        Level and floor are R₀ and L∞, or the whole loss T and the floor's share φ in it: T is what data show, and φ, a
        pure number, is alike on curves whose losses are not.
        """
        further = (
            *self.link.parameters,
            *(p for part in self.parts for p in part.parameters),
        )
        cores = self.core.coordinates
        apart = [(*group, *further, self.floor) for group in cores]
        whole = [
            (self.link.whole, *(p for p in group if p != R0), *further, FLOOR_SHARE)
            for group in cores
        ]
        return (*apart, *whole)

    @property
    def latex(self) -> str:
        """The law as an equation, without dollar signs."""
        return ",\\quad ".join(self.equations)

    @property
    def equations(self) -> tuple[str, ...]:
        """The law, what its effective inputs are, and what modifiers make of R, in LaTeX."""
        law = (
            f"L = {self.link.latex},\\quad R = {self.core.latex}"
            if self.link.bounded
            else f"L = L_\\infty + {self.core.latex}"
        )
        return (law, *(part.latex for part in self.parts))

    @property
    def source(self) -> str:
        """Papers and equations behind effective inputs, core, modifiers and link."""
        before, after = (
            [part.source for part in parts] for parts in (self.effective, self.modifiers)
        )
        return "; ".join([*before, self.core.source, *after, self.link.source])

    def coordinates_for(self, names: Iterable[str], where: str) -> tuple[Parameter, ...]:
        """Return the set of parameters that ``names`` states, or raise naming what is missing or unknown."""
        given = set(names)
        for name in sorted(given):
            if name not in self.parameters:
                raise unknown("parameter", name, self.parameters, f"{where} (law {self.name!r})")
        for group in self.coordinates:
            if given == {p.name for p in group}:
                return group
        options = " or ".join(
            "{" + ", ".join(p.name for p in group) + "}" for group in self.coordinates
        )
        raise ModelError(
            f"{where}: law {self.name!r} takes the parameters {options}, "
            f"but {{{', '.join(sorted(given))}}} were given"
        )

    def complete(
        self, theta: Mapping[str, Array], xp: Namespace = numpy_namespace, upper: Array = None
    ) -> dict[str, Array]:
        """Add derived parameters to sampled ones; a bounded law needs its random-guess level where T is sampled."""
        out = self.core.complete(xp, theta)
        if "T" in out:
            out["R0"], out[self.floor.name] = self.link.from_whole(xp, out, upper)
        return out

    def effective_inputs(
        self,
        centred: Mapping[Any, Array],
        theta: Mapping[str, Array],
        xp: Namespace = numpy_namespace,
    ) -> dict[Axis, Array]:
        """Centred logs of what the core reads, from those of inputs and further inputs."""
        now = dict(centred)
        for effective in self.effective:
            now |= effective.transform(xp, now, theta)
        return {axis: now[axis] for axis in self.inputs}

    def span(self, logs: Mapping[Any, np.ndarray]) -> dict[Axis, tuple[np.ndarray, np.ndarray]]:
        """How far effective log inputs reach, from log inputs and further inputs: smallest and largest of each row."""
        reach: dict[Axis, tuple[np.ndarray, np.ndarray]] = {
            axis: (logs[axis], logs[axis]) for axis in self.inputs
        }
        for effective in self.effective:
            for axis, (lowest, highest) in effective.span(logs).items():
                low, high = reach[axis]
                reach[axis] = (np.minimum(low, lowest), np.maximum(high, highest))
        return reach

    def log_reducible(
        self,
        centred: Mapping[Any, Array],
        theta: Mapping[str, Array],
        xp: Namespace = numpy_namespace,
        beside: Mapping[Any, Array] | None = None,
    ) -> Array:
        """Log R at centred effective log inputs, from completed parameters.

        ``beside`` are the centred logs that modifiers read, of inputs as stated and of what is given; without it they
        are left out.
        """
        log_r = self.core.log_reducible(xp, centred, theta)
        if beside is not None:
            for modifier in self.modifiers:
                log_r = modifier.apply(xp, log_r, beside, theta)
        return log_r

    def loss(
        self,
        centred: Mapping[Any, Array],
        theta: Mapping[str, Array],
        upper: Array = None,
        xp: Namespace = numpy_namespace,
        beside: Mapping[Any, Array] | None = None,
    ) -> Array:
        """Loss at centred effective log inputs; ``upper`` is the random-guess level of a bounded link.

        ``beside`` as in :meth:`log_reducible`.
        """
        log_r = self.log_reducible(centred, theta, xp, beside)
        return self.link.loss(xp, log_r, theta, upper)
