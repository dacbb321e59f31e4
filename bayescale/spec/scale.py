"""Priors in the unit and at the scale of the table: nats to bits, shares of a loss level, reference to pivot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from bayescale.errors import DataError, ModelError
from bayescale.given import Given
from bayescale.laws import Law, Support
from bayescale.runs import Runs, Task, unfinished
from bayescale.spec.model import ParameterModel
from bayescale.spec.population import Population, Populations
from bayescale.spec.prior import Prior
from bayescale.wording import counted

NATS_PER = {"nats/token": 1.0, "bits/token": float(np.log(2.0))}
PIVOT_DRAWS = 4096
Corpus = Literal["web", "text", "other"]


def corpus_class(task: Task) -> Corpus:
    """Which populations of level and floor apply to a task: C4-like text, other text, or anything else."""
    if task.metric not in NATS_PER:
        return "other"
    return "web" if task.corpus == "web" else "text"


def unit_scales(runs: Runs, task: Task) -> dict[str, float]:
    """Log of what one unit of each kind of population is in the unit of the table."""
    finished = runs.table[~unfinished(runs.table)]
    if not len(finished):
        raise DataError(f"{runs.name}: no run has finished; at least one final loss is needed")
    by_task = finished.groupby("task")["loss"]
    per_token = (
        {"nats/token": -float(np.log(NATS_PER[task.metric]))} if task.metric in NATS_PER else {}
    )
    return {
        "1": 0.0,
        **per_token,
        "lowest loss": float(np.log(by_task.min()).mean()),
        "median loss": float(np.log(by_task.median()).mean()),
    }


def in_table_units(
    where: str, population: Population, support: Support, unit_scale: Mapping[str, float]
) -> Prior:
    """State a population in the unit of the table; shares of a bounded error become logit-normal."""
    if population.unit not in unit_scale:
        raise ModelError(
            f"{where}: a prior in {population.unit} has no value in the unit of this table; "
            "state a distribution instead (prior=)"
        )
    log_scale = unit_scale[population.unit]
    prior = population.prior
    if population.unit == "1" or support == "positive":
        prior.require(support, where)
    if population.unit == "1":
        return prior
    if support == "positive":
        return prior.moved(log_scale)
    # A share of a bounded error becomes a logit-normal with the same moments on the logit scale.
    grid = (np.arange(20_000) + 0.5) / 20_000
    value = np.clip(prior.quantile(grid) * np.exp(log_scale), 1e-9, 1 - 1e-9)
    logit = np.log(value) - np.log1p(-value)
    return Prior.make("LogitNormal", mu=float(logit.mean()), sigma=float(logit.std()))


def at_pivots(
    found: Mapping[str, Population],
    stated: Mapping[str, ParameterModel],
    prior_of: Mapping[str, Prior],
    law: Law,
    pivots: Mapping[str, float],
) -> dict[str, Prior]:
    """Priors that depend on where the data lie: first the valley's, by which levels are moved from their reference."""
    valley = {n for n in found if n in law.parameters and law.parameters[n].role == "valley"}
    moved = {name: off_valley(prior_of[name], pivots) for name in valley}
    known = {**prior_of, **moved}
    for name, population in found.items():
        if population.reference:
            moved[name] = moved_to_pivot(name, population, stated, known, law, pivots)
    return moved


def moved_to_pivot(
    name: str,
    population: Population,
    stated: Mapping[str, ParameterModel],
    prior_of: Mapping[str, Prior],
    law: Law,
    pivots: Mapping[str, float],
) -> Prior:
    """Move a level stated at a reference scale to the pivot of the data; uncertain exponents widen it."""
    rng = np.random.default_rng(0)
    theta = {n: p.sample(rng, PIVOT_DRAWS) for n, p in prior_of.items()}
    for n, entry in stated.items():
        if entry.fixed is not None:
            theta[n] = np.full(PIVOT_DRAWS, entry.fixed)
    theta = law.complete(theta, upper=1.0)
    for n, entry in stated.items():
        if entry.equals is not None:
            theta[n] = theta[entry.equals]
    # log R at the pivot less log R at the reference, with the pivot itself as origin of the law.
    missing = [axis for axis in law.inputs if axis not in population.reference]
    if missing:
        raise ModelError(
            f"the prior of {name} is stated at no reference {', '.join(missing)}, which law "
            f"{law.name!r} reads; state a distribution instead (prior=)"
        )
    away = {axis: np.log(population.reference[axis]) - pivots[axis] for axis in law.inputs}
    unit_level = {**theta, "R0": np.ones(PIVOT_DRAWS)}
    shift = -law.log_reducible(away, unit_level)
    mu = prior_of[name]["mu"] + float(shift.mean())
    sigma = float(np.hypot(prior_of[name]["sigma"], shift.std()))
    return Prior.make("LogNormal", mu=mu, sigma=sigma)


def off_valley(prior: Prior, pivots: Mapping[str, float]) -> Prior:
    """Where the pivot lies beside the valley, from a LogNormal of the optimum's D/N at its compute.

    A prior of another family says it itself.
    """
    if prior.family != "LogNormal":
        return prior
    at_pivot = pivots["tokens"] - pivots["params"]
    return Prior.make("Normal", mu=at_pivot - prior["mu"], sigma=prior["sigma"])


def mean_logs(law: Law, runs: Runs) -> dict[str, float]:
    """Pivots: the mean log of each input over the rows; of further inputs what :class:`bayescale.given.Given` says."""
    table = runs.table
    for axis in law.inputs:
        if axis not in table:
            has = ", ".join(
                c for c in ("params", "tokens", "compute", "upstream_loss") if c in table
            )
            raise DataError(
                f"law {law.name!r} needs a column {axis!r} in every row; the table has {has}; say which column it is, "
                f"columns={{{axis!r}: '<header>'}}, or take a model that does without: bs.suggest(runs)"
            )
    if "upstream_loss" in law.inputs and table["upstream_loss"].isna().any():
        raise DataError(
            f"law {law.name!r} reads the upstream loss of every row, and "
            f"{counted(int(table['upstream_loss'].isna().sum()), 'row')} have none; leave them out (runs.where(...))"
        )
    # An exact sum: rows in another order are the same model, to the last bit.
    means: dict[str, float] = {
        axis: math.fsum(np.log(table[axis].to_numpy(float))) / len(table) for axis in law.inputs
    }
    return {**means, **{given.name: _pivot(given, means, table) for given in law.given}}


def _pivot(given: Given, means: Mapping[str, float], table: pd.DataFrame) -> float:
    """That of an axis, the mean over the rows that state the input, or zero."""
    if given.pivot is None:
        return 0.0
    if given.pivot != "own":
        return means[given.pivot]
    if given.name not in table or table[given.name].isna().all():
        return 0.0
    stated = given.scaled(table[given.name].dropna().to_numpy(float))
    return math.fsum(stated) / len(stated)


def tau_scale(populations: Populations, text: str, where: str) -> float:
    """Scale s of τ ~ HalfNormal(s), from a name or a written-out distribution."""
    prior = populations.find(text, "other", where).prior
    if prior.family != "HalfNormal":
        raise ModelError(
            f"{where}: the scale of a group effect is HalfNormal(sigma=...), not {prior}"
        )
    return prior["sigma"]
