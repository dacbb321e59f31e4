"""A model file meets a table: every prior becomes numbers, every level a list of labels, once and before sampling.

The result is stored in the fit and reused unchanged by forecasts, re-weighting and simulation, so that nothing about
the priors depends on rows seen later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bayescale.errors import ModelError
from bayescale.laws import Axis, Law, Support
from bayescale.runs import Runs, sweeps, unfinished
from bayescale.spec.evidence import along_runs, check_rows, common_task, guess_levels, own_paths
from bayescale.spec.groups import (
    active_levels,
    curves,
    shown_levels,
    slopes_shown,
    walked_intervals,
)
from bayescale.spec.model import LEVELS, Family, Level, ModelSpec, ParameterModel
from bayescale.spec.override import override
from bayescale.spec.population import Population, Populations
from bayescale.spec.prior import Prior
from bayescale.spec.scale import (
    at_pivots,
    corpus_class,
    in_table_units,
    mean_logs,
    tau_scale,
    unit_scales,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ResolvedParameter(_Strict):
    """A parameter with its prior in numbers, in the unit of the table.

    ``pool`` maps a level to the scale s of τ ~ HalfNormal(s); whether a level is at work is the model's ``active``.
    """

    support: Support
    prior: str | None = None
    fixed: float | None = None
    equals: str | None = None
    pool: dict[Level, float] = Field(default_factory=dict)
    source: str = ""

    def get_prior(self) -> Prior:
        """The prior; only for parameters that have one."""
        if self.prior is None:
            raise ModelError("a fixed or tied parameter has no prior")
        return Prior.parse(self.prior)


class ResolvedModel(_Strict):
    """Everything that building, sampling and forecasting need to know about a model on a table.

    Attributes
    ----------
    spec : ModelSpec
        The model as its file states it.
    pooled : bool
        False if every architecture × task cell has its own, independent curve.
    groups : dict
        Labels of each of architecture, task and study, sorted.
    active : tuple
        Levels at which the table has more than one group, so that effects are sampled.
    pivots : dict
        Mean log of each input over the fitted runs; of a further input as :class:`bayescale.given.Given` says.
    parameters : dict
        Law parameters, floor included, and ``sigma``.
    nu_minus_2 : str or None
        Prior of ν − 2 of a Student-t likelihood.
    upper : dict
        Random-guess level of each task (bounded laws), else empty.
    drift : dict
        Axis → first and after-last interval of the walk (:func:`bayescale.laws.intervals`); empty without drift.
    curves : tuple of (architecture, task)
        Pairs with rows, each of which walks by itself; empty without drift.
    sweeps : tuple of str
        Labels of the sweeps, sorted; empty where the table has none.
    paths : tuple of (label, architecture, task)
        Runs whose rows share an offset; empty without a run effect, and where no run has several rows.
    unfinished : int
        Number of rows whose loss bounds that of a run which still trains.
    level_dims : tuple
        Where the whole loss T is pooled and every group shows it: the sides whose groups' own levels are sampled, in
        place of their mean and their effects; else empty.
    slopes : bool
        Whether neighbouring rows show the slopes of curves; false where their standard errors hide these.
    loss_unit : str
        Metric of the tasks.
    excluded : tuple of str
        Studies left out of the priors.
    overridden : tuple of str
        Parameters whose prior the caller stated.
    """

    spec: ModelSpec
    pooled: bool
    groups: dict[Literal["architecture", "task", "study"], tuple[str, ...]]
    active: tuple[Level, ...]
    pivots: dict[str, float]
    parameters: dict[str, ResolvedParameter]
    nu_minus_2: str | None
    upper: dict[str, float]
    loss_unit: str
    drift: dict[Axis, tuple[int, int]] = Field(default_factory=dict)
    curves: tuple[tuple[str, str], ...] = ()
    sweeps: tuple[str, ...] = ()
    paths: tuple[tuple[str, str, str], ...] = ()
    unfinished: int = 0
    level_dims: tuple[Literal["architecture", "task"], ...] = ()
    # Left out where it is true, so that a model keeps its hash.
    slopes: bool = Field(default=True, exclude_if=bool)
    excluded: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()

    def get_law(self) -> Law:
        """The law."""
        return self.spec.get_law()

    def pooled_parameters(self, level: Level) -> list[str]:
        """Names of the parameters that vary at a level, in the order of the posterior's coordinate."""
        return [n for n, p in self.parameters.items() if level in p.pool]

    def levels(self) -> list[Level]:
        """Levels whose effects are sampled."""
        return [lv for lv in LEVELS if lv in self.active and self.pooled_parameters(lv)]

    def correlation(self, level: Level) -> float | None:
        """η of the LKJ prior of the correlation of a level's effects; None where they are independent."""
        return self.spec.correlation.get(level) if level in self.levels() else None

    @property
    def slope(self) -> str | None:
        """The exponent of a model in T and φ with one axis that drifts, where every curve shows its own level; or None.

        Such curves show their slopes too, unless standard errors hide these, and they are sampled.
        """
        law = self.get_law()
        if not (self.level_dims and self.slopes and law.plain and len(self.drift) == 1):
            return None
        exponents = [p.name for p in law.parameters.values() if p.role == "exponent"]
        return exponents[0] if len(exponents) == 1 else None

    @property
    def finest(self) -> Level | None:
        """The level at which curves differ last: cells where there are any, else the groups of one side."""
        levels = self.levels()
        return next((lv for lv in ("cell", "architecture", "task", "study") if lv in levels), None)

    @property
    def hash(self) -> str:
        """SHA-256 of the resolved model: data-scaled priors included."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def resolve(
    spec: ModelSpec,
    runs: Runs,
    populations: Populations,
    priors: Mapping[str, str] | None = None,
    exclude: Iterable[str] = (),
    pool: bool = True,
    drift: bool = True,
    sweep: bool = True,
    run_effect: bool = True,
    noise: Family | None = None,
    correlation: bool | None = None,
) -> ResolvedModel:
    """Turn a specification and a table into a :class:`ResolvedModel`.

    Parameters
    ----------
    spec : ModelSpec
        From :func:`bayescale.zoo.load_model`.
    runs : Runs
        The rows that will be fitted, and no others: pivots and data-scaled priors read them.
    populations : Populations
        From ``models/priors.toml``.
    priors : mapping, optional
        Parameter → distribution, overriding the file. Stating β or δ of a model written in (α, a) switches both to
        (β, δ), the other at its own population.
    exclude : iterable of str
        Studies whose evidence must not enter the priors; a published table that is itself such evidence is left out
        without being asked.
    pool : bool
        False for one independent curve per architecture × task.
    drift, sweep, run_effect : bool
        False to leave the model's drift, its sweeps, or its run effect out.
    noise, correlation : optional
        Family of the noise, and whether checkpoints of one run correlate, in place of what the model says.

    Raises
    ------
    DataError, ModelError, UnknownNameError
    """
    labels = sweeps(runs) if sweep and spec.likelihood.sweep else None
    if noise is not None:
        spec = spec.with_noise(noise)
    check_rows(spec, runs)
    spec = along_runs(spec, runs, correlation)
    own = own_paths(spec, runs, pool) if run_effect else ()
    spec = spec.without(drift=not drift, sweep=labels is None, run_effect=not own)
    law, excluded = (
        spec.get_law(),
        _excluded(runs, populations, [exclude] if isinstance(exclude, str) else exclude),
    )
    populations = populations.without(excluded)
    task = common_task(runs)
    corpus = corpus_class(task)
    overridden = dict(priors or {})
    stated = override(spec, law, overridden)
    law.coordinates_for([n for n in stated if n not in spec.scales], f"model {spec.name!r}")
    table = runs.table
    pivots = mean_logs(law, runs)
    groups = {
        level: tuple(sorted(table[level].astype(str).unique()))
        for level in ("architecture", "task", "study")
    }
    active = active_levels(runs, groups) if pool else []
    support: dict[str, Support] = {n: p.support for n, p in law.parameters.items()}
    support |= dict.fromkeys(spec.scales, "positive")
    found = {
        name: populations.find(entry.prior, corpus, f"model {spec.name!r}, {name}")
        for name, entry in stated.items()
        if entry.prior is not None
    }
    unit_scale = unit_scales(runs, task)
    prior_of = {
        name: in_table_units(f"model {spec.name!r}, {name}", population, support[name], unit_scale)
        for name, population in found.items()
    }
    prior_of |= at_pivots(found, stated, prior_of, law, pivots)
    parameters = {
        name: ResolvedParameter(
            support=support[name],
            prior=str(prior_of[name]) if name in prior_of else None,
            fixed=entry.fixed,
            equals=entry.equals,
            pool={
                level: tau_scale(populations, text, f"model {spec.name!r}, {name}, {level}")
                for level, text in entry.pool.items()
            },
            source=_source(entry, found.get(name), name in overridden),
        )
        for name, entry in stated.items()
    }
    nu = spec.likelihood.nu_minus_2
    shown = "T" in stated and not spec.correlation and pool
    return ResolvedModel(
        spec=spec,
        pooled=pool,
        groups=groups,
        active=tuple(active),
        pivots=pivots,
        parameters=parameters,
        nu_minus_2=None
        if nu is None or nu.prior is None
        else str(populations.find(nu.prior, corpus, f"model {spec.name!r}, nu").prior),
        upper=guess_levels(spec, runs),
        loss_unit=task.metric,
        drift=walked_intervals(spec, runs, pivots),
        curves=curves(runs) if "drift" in spec.scales else (),
        sweeps=() if labels is None else tuple(sorted(labels.unique())),
        paths=own,
        unfinished=int(unfinished(table).sum()),
        level_dims=shown_levels(runs, active) if shown else (),
        slopes=slopes_shown(runs, spec.drift.walking if spec.drift else ()),
        excluded=excluded,
        overridden=tuple(sorted(overridden)),
    )


def _excluded(runs: Runs, populations: Populations, exclude: Iterable[str]) -> tuple[str, ...]:
    """What is left out of the priors: what the caller names, and the table that is being fitted."""
    data_sets = {study.uses for study in populations.studies.values()}
    return tuple(sorted({*exclude} | ({runs.name} & data_sets)))


def _source(entry: ParameterModel, population: Population | None, overridden: bool) -> str:
    if overridden:
        return "stated by the caller"
    if population is None:
        return "fixed" if entry.equals is None else f"equal to {entry.equals}"
    return population.basis
