"""What a likelihood asks of the rows: counts for a binomial, finished runs for what has no bound, paths of runs."""

from __future__ import annotations

import numpy as np

from bayescale.errors import DataError, ModelError
from bayescale.runs import Runs, Task, paths, preceding, unfinished
from bayescale.spec.model import CORRELATED, ModelSpec
from bayescale.wording import counted

BOUNDING = ("normal", "student-t")
# An offset on the log scale must not lift an error rate to 1, where no Beta distribution is left.
RATE_MAX = 1.0 - 1e-6


def check_rows(spec: ModelSpec, runs: Runs) -> None:
    """Raise where the rows lack what the family of the noise needs.

    Raises
    ------
    ModelError
        For a binomial of a law that is not bounded.
    DataError
        For a binomial without ``trials`` in every row, and for unfinished runs under noise that takes no bound.
    """
    family, table = spec.likelihood.family, runs.table
    bounds = int(unfinished(table).sum())
    if bounds and family not in BOUNDING:
        raise DataError(
            f"{runs.name}: {counted(bounds, 'row')} of unfinished runs, which noise {family!r} does not take; "
            f"leave such rows out (runs.where(...)), or take noise={BOUNDING[0]!r}"
        )
    if family != "binomial":
        return
    if not spec.get_law().link.bounded:
        raise ModelError(
            f"binomial noise is of an error rate, and law {spec.law!r} has no upper bound; take a bounded law "
            "(model='saturating')"
        )
    if "trials" not in table:
        raise DataError(
            f"{runs.name}: binomial noise needs the number of items behind every error; there is no column "
            "'trials' (load_runs(..., columns={'trials': '<header>'}))"
        )
    trials = table["trials"].to_numpy(float)
    bad = ~(np.isfinite(trials) & (trials >= 1) & (trials == np.round(trials)))
    if bad.any():
        first = table.loc[bad, "run_id"].iloc[0]
        raise DataError(
            f"{runs.name}: no whole number of trials in {counted(int(bad.sum()), 'row')}, the first of run {first!r}"
        )


def own_paths(spec: ModelSpec, runs: Runs, pool: bool) -> tuple[tuple[str, str, str], ...]:
    """Label, architecture and task of every path that shares an offset, sorted; empty without a run effect."""
    if spec.likelihood.run_effect is None:
        return ()
    sharing = spec.likelihood.sharing
    label = paths(runs, sharing)
    if label is None:
        return ()
    if sharing == "tasks" and not pool:
        raise ModelError(
            "a run effect that tasks share has no scale of its own in each curve; fit with pool=True"
        )
    first = runs.table.assign(path=label).drop_duplicates("path")
    rows = first[["path", "architecture", "task"]].astype(str).to_numpy()
    return tuple(sorted((str(p), str(a), str(t)) for p, a, t in rows))


def along_runs(spec: ModelSpec, runs: Runs, correlation: bool | None) -> ModelSpec:
    """The model with a correlation along runs, or without: as it says itself, or as the caller does.

    Raises
    ------
    ModelError
        If one is wanted under noise that has no residual around a curve.
    DataError
        If the caller wants one, and no run has several rows; and where steps are missing, or rows unfinished.
    """
    if correlation:
        spec = spec.correlated()
    if spec.likelihood.correlation_length is None:
        return spec
    off = spec.without(drift=False, sweep=False, correlation=True)
    if correlation is False:
        return off
    if paths(runs) is None:
        if correlation:
            raise DataError(
                f"{runs.name}: no run has several rows, along which a correlation could be; keep them with "
                "load_runs(..., checkpoints='all'), or ask for no correlation"
            )
        return off
    family = spec.likelihood.family
    if family not in CORRELATED:
        raise ModelError(
            f"a correlation along runs is of {' or '.join(CORRELATED)} noise, not of {family}; take another noise=, or "
            "correlation=False"
        )
    if bounds := int(unfinished(runs.table).sum()):
        raise DataError(
            f"{runs.name}: {counted(bounds, 'row')} of unfinished runs, whose residual a correlation along runs would "
            "need; leave such rows out (runs.where(...)), or take correlation=False"
        )
    preceding(runs.table)  # raises where steps do not tell
    return spec


def guess_levels(spec: ModelSpec, runs: Runs) -> dict[str, float]:
    """Random-guess level of every task, for bounded laws; raises where one is missing or a final loss reaches it."""
    law, table = spec.get_law(), runs.table
    if not law.link.bounded:
        return {}
    upper: dict[str, float] = {}
    for name in runs.task_names:
        guess = runs.tasks[name].upper
        if guess is None:
            raise DataError(
                f"law {law.name!r} needs the random-guess level of task {name!r}: "
                f"load_runs(..., task_info={{{name!r}: {{'upper': 0.75}}}}), of four answers"
            )
        final = (table["task"] == name) & ~unfinished(table)
        worst = float(table.loc[final, "loss"].max())
        # Of counts some lie above by chance.
        if worst >= guess and spec.likelihood.family != "binomial":
            raise DataError(
                f"task {name!r}: a loss of {worst:g} is not below its random-guess level {guess:g}; "
                "drop such rows (runs.where(...)) or correct upper"
            )
        upper[name] = guess
    return upper


def common_task(runs: Runs) -> Task:
    """The kind of task that all tasks are of; raises where they are of several."""
    kinds: dict[object, str] = {}
    for name in runs.task_names:
        kinds.setdefault(runs.tasks[name].kind, name)
    if len(kinds) > 1:
        pairs = ", ".join(f"{name!r} ({runs.tasks[name].metric})" for name in kinds.values())
        raise DataError(
            f"tasks of different kinds cannot be pooled: {pairs}; fit them apart "
            "(runs.where(task=...)) or give bytes_per_token so that they can be converted"
        )
    return runs.tasks[runs.task_names[0]]
