"""The schema of a model file: law, likelihood, priors by name, pooling by level — strict, and without a sampler."""

from __future__ import annotations

import hashlib
import math
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bayescale.errors import unknown
from bayescale.laws import Axis, Law, Support, get_law
from bayescale.runs import Sharing

Level = Literal["architecture", "task", "cell", "study"]
LEVELS: tuple[Level, ...] = ("architecture", "task", "cell", "study")
Family = Literal["student-t", "normal", "one-sided", "binomial"]
# What a family has besides sigma: the field of the likelihood, and the family that it belongs to.
_OWN: dict[str, Family] = {"nu_minus_2": "student-t", "inefficiency": "one-sided"}
# Whose noise is a residual around the curve, which a later checkpoint may remember.
CORRELATED: tuple[Family, ...] = ("student-t", "normal")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_fixed(name: str, value: float | None, support: Support, floor: bool) -> None:
    if value is None or support == "real" or (floor and value == 0.0):
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
    """Noise of the log loss.

    Attributes
    ----------
    family : {"student-t", "normal", "one-sided", "binomial"}
        ``one-sided``: Normal noise and a half-Normal inefficiency of untuned runs above the curve, which is then a
        frontier (Aigner, Lovell & Schmidt 1977). ``binomial``: wrong answers among ``trials``, Beta-Binomial.
    sigma : ParameterModel
        Scale of the noise; of a binomial, the coefficient of variation of a run's error rate.
    nu_minus_2 : ParameterModel
        Of a Student-t: prior of ν − 2.
    inefficiency : ParameterModel
        Of one-sided noise: scale of the half-Normal.
    sweep : ParameterModel
        Scale of the offset that the runs of one sweep share.
    run_effect : ParameterModel
        Scale of the offset that the rows of one run share.
    correlation_length : ParameterModel
        Along a run, on one task, the correlation of the residuals of two checkpoints is exp(-gap / length), the gap
        the log of the ratio of their steps (an Ornstein-Uhlenbeck process); only for ``CORRELATED`` families.
    sharing : {"checkpoints", "tasks"}
        Which rows of a run share its offset: those on one task, or all.
    """

    family: Family = "student-t"
    sigma: ParameterModel
    sweep: ParameterModel | None = None
    run_effect: ParameterModel | None = None
    # Left out where there is none, so that a model without it keeps its hash.
    correlation_length: ParameterModel | None = Field(
        default=None, exclude_if=lambda entry: entry is None
    )
    sharing: Sharing = "checkpoints"
    nu_minus_2: ParameterModel | None = None
    inefficiency: ParameterModel | None = None

    @model_validator(mode="after")
    def _scales_are_what_the_family_takes(self) -> Self:
        for name, family in _OWN.items():
            if (self.family == family) != (getattr(self, name) is not None):
                raise ValueError(f"{name} belongs to family = {family!r}, and only to it")
        if self.nu_minus_2 is not None and (self.nu_minus_2.prior is None or self.nu_minus_2.pool):
            raise ValueError("nu_minus_2 takes a prior and no pooling")
        if self.sigma.equals is not None:
            raise ValueError("sigma cannot be tied to another parameter")
        for name in ("sweep", "run_effect", "correlation_length", "inefficiency"):
            entry = getattr(self, name)
            if entry is not None and entry.prior is None:
                raise ValueError(f"{name} takes a prior")
        for name in ("run_effect", "correlation_length"):
            entry = getattr(self, name)
            if entry is not None and entry.pool:
                raise ValueError(f"{name} takes a prior and no pooling")
        if self.correlation_length is not None and self.family not in CORRELATED:
            raise ValueError(
                f"correlation_length is of {' or '.join(CORRELATED)} noise, not of {self.family}"
            )
        if self.sharing != "checkpoints" and self.run_effect is None:
            raise ValueError(f"sharing = {self.sharing!r} is of a run_effect, and there is none")
        _check_fixed("sigma", self.sigma.fixed, "positive", floor=False)
        return self

    def of(self, family: Family) -> Likelihood:
        """The same scales under another family; what only that one has takes the population of its name."""
        own = {
            name: (getattr(self, name) or ParameterModel(prior=name)) if of == family else None
            for name, of in _OWN.items()
        }
        return self.model_copy(update={"family": family, **own})


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
    effective : tuple of str
        Names in :data:`bayescale.laws.EFFECTIVE`: what the law reads in place of its inputs, in this order.
    modifiers : tuple of str
        Names in :data:`bayescale.laws.MODIFIERS`: what a run gains or loses besides its scale, in this order.
    drift : Drift or None
        How the local exponent may drift with scale; None says that the law is exact.
    parameters : dict
        One entry for each parameter of one of the law's coordinate sets, and for those of its effective inputs
        and modifiers.
    correlation : dict
        Level → η of an LKJ(η) prior of the correlation of its effects across parameters; without one they are
        independent.
    """

    name: str
    title: str
    area: str
    status: Literal["stable", "experimental"] = "stable"
    law: str
    # Left out where empty, so that a model without any keeps its hash.
    effective: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    modifiers: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    drift: Drift | None = None
    notes: str = ""
    likelihood: Likelihood
    parameters: dict[str, ParameterModel]
    correlation: dict[Level, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _correlated_levels_have_effects(self) -> Self:
        entries = {**self.parameters, **self.scales}
        for level, eta in self.correlation.items():
            if not 0.0 < eta < math.inf:
                raise ValueError(f"correlation.{level} = {eta:g} (expected a positive number)")
            if sum(level in entry.pool for entry in entries.values()) < 2:
                raise ValueError(
                    f"correlation.{level}: fewer than two parameters are pooled over {level}"
                )
        return self

    @model_validator(mode="after")
    def _drift_is_along_inputs(self) -> Self:
        for axis in self.drift.axes if self.drift else ():
            if axis not in self.get_law().inputs:
                raise ValueError(f"drift.axes.{axis}: law {self.law!r} does not read {axis!r}")
        return self

    @model_validator(mode="after")
    def _parameters_fit_the_law(self) -> Self:
        where = f"model {self.name!r}"
        law = get_law(self.law, where).reading(self.effective, where)
        law = law.modified(self.modifiers, where)
        law.coordinates_for(self.parameters, where)
        for name, entry in self.parameters.items():
            target = entry.equals
            if target is not None and (target == name or target not in law.parameters):
                others = [p for p in law.parameters if p != name]
                raise ValueError(
                    str(unknown("parameter", target, others, f"parameters.{name}.equals"))
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
        """The law itself, with its effective inputs and modifiers."""
        where = f"model {self.name!r}"
        return get_law(self.law).reading(self.effective, where).modified(self.modifiers, where)

    @property
    def scales(self) -> dict[str, ParameterModel]:
        """What is not of the law: scales of the noise and of the drift, and of what rows of a sweep or run share."""
        names = ("sigma", "inefficiency", "sweep", "run_effect", "correlation_length")
        found = {name: getattr(self.likelihood, name) for name in names}
        found["drift"] = self.drift.amplitude if self.drift and self.drift.walking else None
        return {name: entry for name, entry in found.items() if entry is not None}

    def without(
        self, *, drift: bool, sweep: bool, run_effect: bool = False, correlation: bool = False
    ) -> ModelSpec:
        """The model less its drift, its sweeps, its run effect, its correlation along runs."""
        less: dict[str, str | None] = {"sweep": None} if sweep else {}
        less |= {"run_effect": None, "sharing": "checkpoints"} if run_effect else {}
        less |= {"correlation_length": None} if correlation else {}
        update = {"likelihood": self.likelihood.model_copy(update=less)}
        return self.model_copy(update=update | ({"drift": None} if drift else {}))

    def with_noise(self, family: Family) -> ModelSpec:
        """The model under another family of noise."""
        if family not in get_args(Family):
            raise unknown("family of noise", str(family), get_args(Family))
        return self.model_copy(update={"likelihood": self.likelihood.of(family)})

    def correlated(self) -> ModelSpec:
        """The model with a correlation along runs, by the population of its name where the model states none."""
        own = self.likelihood.correlation_length or ParameterModel(prior="correlation_length")
        likelihood = self.likelihood.model_copy(update={"correlation_length": own})
        return self.model_copy(update={"likelihood": likelihood})

    def exact(self) -> ModelSpec:
        """The plain law: the model without drift, by a name of its own, to stand beside it in a back-test."""
        plain = self.without(drift=True, sweep=False)
        return plain.model_copy(update={"name": f"{self.name} (exact)"})

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the specification."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
