"""`backtest`: fit what was known below a scale, score what was trained above it; resumable, fold by fold."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from bayescale.baselines import BASELINES, Baseline
from bayescale.errors import ModelError
from bayescale.predict import Backtest
from bayescale.runs import Runs, load_runs
from bayescale.spec import Family, ModelSpec
from bayescale.workflow.fitting import Engine, Report, fit, reporter
from bayescale.workflow.folds import By, Fold, folds
from bayescale.workflow.kept import Kept
from bayescale.workflow.parallel import in_processes, share_of_cores
from bayescale.workflow.scoring import check_baseline, score_baseline, score_fit
from bayescale.zoo import load_model


def backtest(
    runs: Runs | str | Path,
    models: str | Path | ModelSpec | Sequence[str | Path | ModelSpec] = "parameter-data",
    *,
    by: By = "compute",
    cuts: Sequence[float] | None = None,
    exclude: Sequence[str] = (),
    pool: bool = True,
    drift: bool = True,
    sweep: bool = True,
    run_effect: bool = True,
    noise: Family | None = None,
    correlation: bool | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 0,
    engine: Engine = "nuts",
    jobs: int = 1,
    cores: int | None = None,
    folder: str | Path | None = None,
    progress: bool | Report = True,
) -> Backtest:
    """Ask how forecasts of this table would have fared: hold the largest runs out, fit the rest, score.

    Parameters
    ----------
    runs : Runs, str or Path
        The table, or what :func:`bayescale.load_runs` takes.
    models : name, path or ModelSpec, or a sequence of them
        Names of models and of baselines (``bayescale models``); all see the same folds. A model's plain law is
        ``load_model(name).exact()``.
    by, cuts
        How runs are held out, see :func:`bayescale.workflow.folds.folds`.
    exclude, pool, drift, sweep, run_effect, noise, correlation, draws, tune, chains, seed, engine
        As in :func:`bayescale.fit`; of these a baseline takes the seed only, and with ``quick`` folds of one structure
        are compiled once (in each process). Pivots and data-scaled priors read the fitted rows only.
    jobs : int
        Folds fitted at once, each in a process of its own. Every fit takes the same seed, whatever the number.
    cores : int, optional
        Chains at once in each fit; by default all cores there are, shared out among the jobs.
    folder : path, optional
        Keeps the result of every fold: a back-test that was stopped goes on where it was.
    progress : bool or callable
        As in :func:`bayescale.fit`.

    Returns
    -------
    Backtest
        A fit that missed the convergence gate is scored all the same, and counted in ``folds`` and ``notes``. Every
        forecast is of one run in a sweep that was not fitted, even where runs of its sweep, or earlier checkpoints of
        it, were; where its loss has a standard error, of the loss as it was measured.

    Raises
    ------
    DataError, ModelError
    """
    table = runs if isinstance(runs, Runs) else load_runs(runs)
    if isinstance(models, str | Path | ModelSpec):
        models = [models]
    entrants = _entrants(models)
    settings: dict[str, Any] = {
        "exclude": sorted(exclude),
        "pool": pool,
        "drift": drift,
        "sweep": sweep,
        "run_effect": run_effect,
        "noise": noise,
        "correlation": correlation,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "seed": seed,
        "engine": engine,
    }
    _check_counts(jobs, cores)
    kept = Kept(folder)
    tasks = [
        _Task(entrant, fold, table, by, settings)
        for entrant in entrants
        for fold in folds(table, by, cuts)
    ]
    for task in tasks:
        if isinstance(task.entrant, Baseline):  # now, not after an hour of sampling
            check_baseline(task.entrant, task.fold, table, by)
    keys = [kept.key(task.entrant, task.fold, table, settings) for task in tasks]
    found = {i: part for i, key in enumerate(keys) if (part := kept.read(key)) is not None}
    left = [i for i in range(len(tasks)) if i not in found]
    with reporter(progress) as report, closing(_done(tasks, left, jobs, cores, report)) as done:
        for i, part in done:
            kept.write(keys[i], part)
            found[i] = part
    parts = [found[i] for i in range(len(tasks))]
    missed = [
        f"{p['fold']['model']}, {p['fold']['fold']}" for p in parts if not p["fold"]["converged"]
    ]
    notes = tuple(f"missed the convergence gate, scored all the same: {m}" for m in missed)
    fitted = [p["fold"]["engine"] for p in parts if p["fold"]["engine"] != "baseline"]
    fallen = sum(made != engine for made in fitted)
    if fallen:
        notes = (f"the {engine} engine fell back to NUTS in {fallen} of {len(fitted)} fits", *notes)
    return Backtest(
        rows=pd.DataFrame([row for p in parts for row in p["rows"]]),
        folds=pd.DataFrame([p["fold"] for p in parts]),
        problem={
            "by": by,
            "models": [e.name for e in entrants],
            "data": table.name,
            "data_hash": table.hash,
            **settings,
        },
        notes=notes,
        # Baselines forecast runs one by one: they have no joint density.
        groups=pd.DataFrame([group for p in parts for group in p["groups"]]),
        replay=pd.DataFrame([group for p in parts for group in p["replay"]]),
    )


def _entrants(models: Sequence[str | Path | ModelSpec]) -> list[ModelSpec | Baseline]:
    found = [
        BASELINES[m] if isinstance(m, str) and m in BASELINES else load_model(m, BASELINES)
        for m in models
    ]
    names = [entrant.name for entrant in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ModelError(f"two of the models are named {twice!r}; give one another name")
    return found


@dataclass(frozen=True)
class _Task:
    """One model or baseline on one fold."""

    entrant: ModelSpec | Baseline
    fold: Fold
    table: Runs
    by: By
    settings: dict[str, Any]


def _check_counts(jobs: int, cores: int | None) -> None:
    if jobs < 1:
        raise ModelError(f"jobs = {jobs} (expected 1 or more)")
    if cores is not None and cores < 1:
        raise ModelError(f"cores = {cores} (expected 1 or more)")


def _done(
    tasks: Sequence[_Task], left: Sequence[int], jobs: int, cores: int | None, report: Report
) -> Generator[tuple[int, dict[str, Any]]]:
    """Score the tasks that are left, here in turn or several at once: position and result, as each is done."""
    total, jobs = len(tasks), min(jobs, len(left))
    if jobs < 2:
        for i in left:

            def stage(what: str, share: float, at: int = i) -> None:
                name = tasks[at].entrant.name
                report(f"{at + 1}/{total} {name}: {what}", (at + share) / total)

            yield i, _score(tasks[i], cores, stage)
        return
    cores = cores or share_of_cores(jobs)
    with closing(in_processes(_score, [(tasks[i], cores) for i in left], jobs)) as results:
        scored = total - len(left)
        report(f"{scored} of {total} scored, {jobs} at once", scored / total)
        for at, part in results:
            yield left[at], part
            scored += 1
            report(f"{scored} of {total} scored, {jobs} at once", scored / total)


def _score(task: _Task, cores: int | None, report: Report = lambda *_: None) -> dict[str, Any]:
    """Fit one fold and score its held-out rows; plain data, as it is kept on disk."""
    if isinstance(task.entrant, Baseline):
        report("refitting", 0.0)
        return score_baseline(task.entrant, task.fold, task.table, task.by, task.settings["seed"])
    # One thread: with others its last digits, from which chains part, would depend on how many cores are free.
    with threadpool_limits(1):
        fitted = fit(
            task.fold.fitted,
            task.entrant,
            **task.settings,
            cores=cores,
            progress=report,
            allow_unconverged=True,
        )
        return score_fit(fitted, task.fold, task.table)
