"""The schema of a model file: law, likelihood, priors by name, pooling by level — strict, and without a sampler."""

from __future__ import annotations

import hashlib
import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bayescale.laws import Axis, Law, Support, get_law

Level = Literal["architecture", "task", "cell", "study"]
LEVELS: tuple[Level, ...] = ("architecture", "task", "cell", "study")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_fixed(name: str, value: float | None, support: Support, floor: bool) -> None:
    if value is None or (floor and value == 0.0):
        return
    if not 0.0 < value < (1.0 if support == "unit" else math.inf):
        expected = "between 0 and 1" if support == "unit" else "a positive number"
        raise ValueError(f"{name} is fixed at {value:g} (expected {expected})")


class ParameterModel(_Strict):
    """How one parameter enters: with a prior (and levels it is pooled over), fixed, or equal to another."""

    prior: str | None = None
    fixed: float | None = None
    equals: str | None = None
    pool: dict[Level, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        stated = [k for k in ("prior", "fixed", "equals") if getattr(self, k) is not None]
        if len(stated) != 1:
            raise ValueError(
                f"expected exactly one of prior, fixed, equals; got {stated or 'none'}"
            )
        if self.pool and self.prior is None:
            raise ValueError("only a parameter with a prior can be pooled")
        return self


class Drift(_Strict):
    """How local exponents drift with scale (:mod:`bayescale.laws.drift`): axes, and the walk's amplitude τ."""

    axes: dict[Axis, Literal["exponent", "none"]]
    amplitude: ParameterModel | None = None

    @model_validator(mode="after")
    def _a_walk_has_an_amplitude(self) -> Self:
        if "exponent" in self.axes.values() and self.amplitude is None:
            raise ValueError("amplitude is missing: an axis drifts")
        if self.amplitude is not None and self.amplitude.prior is None:
            raise ValueError("amplitude takes a prior")
        return self

    @property
    def walking(self) -> tuple[Axis, ...]:
        """Axes whose exponent walks."""
        return tuple(axis for axis, form in self.axes.items() if form == "exponent")


class Likelihood(_Strict):
    """Noise of the log loss: family, its scale sigma, ν of a Student-t (prior on ν − 2), the offset of a sweep."""

    family: Literal["student-t", "normal"] = "student-t"
    sigma: ParameterModel
    sweep: ParameterModel | None = None
    nu_minus_2: ParameterModel | None = None

    @model_validator(mode="after")
    def _scales_are_what_the_family_takes(self) -> Self:
        if (self.family == "student-t") != (self.nu_minus_2 is not None):
            raise ValueError("nu_minus_2 belongs to family = 'student-t', and only to it")
        if self.nu_minus_2 is not None and (self.nu_minus_2.prior is None or self.nu_minus_2.pool):
            raise ValueError("nu_minus_2 takes a prior and no pooling")
        if self.sigma.equals is not None:
            raise ValueError("sigma cannot be tied to another parameter")
        if self.sweep is not None and self.sweep.prior is None:
            raise ValueError("sweep takes a prior")
        _check_fixed("sigma", self.sigma.fixed, "positive", floor=False)
        return self


class ModelSpec(_Strict):
    """A model as its file states it; priors and scales are names of populations, or written out.

    Attributes
    ----------
    name, title, area : str
        Shown by ``bayescale models``.
    status : {"stable", "experimental"}
        ``plan`` refuses an experimental model without a flag.
    law : str
        A name in :data:`bayescale.laws.LAWS`.
    drift : Drift or None
        How the local exponent may drift with scale; None says that the law is exact.
    parameters : dict
        One entry for each parameter of one of the law's coordinate sets.
    """

    name: str
    title: str
    area: str
    status: Literal["stable", "experimental"] = "stable"
    law: str
    drift: Drift | None = None
    notes: str = ""
    likelihood: Likelihood
    parameters: dict[str, ParameterModel]

    @model_validator(mode="after")
    def _drift_is_along_inputs(self) -> Self:
        for axis in self.drift.axes if self.drift else ():
            if axis not in self.get_law().inputs:
                raise ValueError(f"drift.axes.{axis}: law {self.law!r} does not read {axis!r}")
        return self

    @model_validator(mode="after")
    def _parameters_fit_the_law(self) -> Self:
        law, where = get_law(self.law, f"model {self.name!r}"), f"model {self.name!r}"
        law.coordinates_for(self.parameters, where)
        for name, entry in self.parameters.items():
            target = entry.equals
            if target is not None and (target == name or target not in law.parameters):
                raise ValueError(
                    f"parameters.{name}.equals = {target!r} is no parameter of the law"
                )
            parameter = law.parameters[name]
            # Level, share and exponents are needed before derived parameters exist.
            if target is not None and parameter.role != "shape":
                raise ValueError(
                    f"parameters.{name} is of role {parameter.role!r} and cannot be tied "
                    "(only a shape can; for beta = delta fix a at 0.5)"
                )
            _check_fixed(name, entry.fixed, parameter.support, floor=parameter.role == "floor")
        return self

    def get_law(self) -> Law:
        """The law itself."""
        return get_law(self.law)

    @property
    def scales(self) -> dict[str, ParameterModel]:
        """What is not of the law: σ of the noise, τ of the drift, τ of the sweeps."""
        found = {"sigma": self.likelihood.sigma, "sweep": self.likelihood.sweep}
        found["drift"] = self.drift.amplitude if self.drift and self.drift.walking else None
        return {name: entry for name, entry in found.items() if entry is not None}

    def without(self, *, drift: bool, sweep: bool) -> ModelSpec:
        """The model less its drift, its sweeps, or both."""
        likelihood = self.likelihood.model_copy(update={"sweep": None})
        update = ({"drift": None} if drift else {}) | ({"likelihood": likelihood} if sweep else {})
        return self.model_copy(update=update)

    def exact(self) -> ModelSpec:
        """The plain law: the model without drift, by a name of its own, to stand beside it in a back-test."""
        plain = self.without(drift=True, sweep=False)
        return plain.model_copy(update={"name": f"{self.name} (exact)"})

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the specification."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
