"""`backtest`: fit what was known below a scale, score what was trained above it; resumable, fold by fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.baselines import BASELINES, Baseline
from bayescale.baselines import VERSION as BASELINE_VERSION
from bayescale.errors import BayescaleError, DataError, ModelError
from bayescale.files import written_beside
from bayescale.posterior import Fit, Group, New
from bayescale.predict import (
    Backtest,
    Noise,
    joint_log_score,
    mixture,
    predict,
    predictive_log_density,
    run_log_loss,
    scored,
)
from bayescale.runs import Runs, load_runs
from bayescale.spec import Family, ModelSpec, resolve
from bayescale.workflow.fitting import Engine, Report, fit, reporter
from bayescale.workflow.folds import By, Fold, folds
from bayescale.workflow.scoring import check_baseline, grouped, score_baseline, with_place
from bayescale.zoo import load_model, load_populations

VERSION = 4  # of what a kept fold holds
_CHOSEN = (
    "exclude",
    "pool",
    "drift",
    "sweep",
    "run_effect",
    "noise",
    "correlation",
)  # of the settings, by the model


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
        are compiled once. Pivots and data-scaled priors read the fitted rows only.
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
    split = folds(table, by, cuts)
    kept = _Kept(folder)
    jobs = [(entrant, fold) for entrant in entrants for fold in split]
    for entrant, fold in jobs:
        if isinstance(entrant, Baseline):  # now, not after an hour of sampling
            check_baseline(entrant, fold, table, by)
    parts: list[dict[str, Any]] = []
    with reporter(progress) as report:
        for i, (entrant, fold) in enumerate(jobs):
            key = kept.key(entrant, fold, table, settings)
            part = kept.read(key)
            if part is None:

                def stage(what: str, done: float, at: int = i, name: str = entrant.name) -> None:
                    report(f"{at + 1}/{len(jobs)} {name}: {what}", (at + done) / len(jobs))

                if isinstance(entrant, Baseline):
                    stage("refitting", 0.0)
                    part = score_baseline(entrant, fold, table, by, seed)
                else:
                    part = _score(entrant, fold, table, settings, stage)
                kept.write(key, part)
            parts.append(part)
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
        groups=pd.DataFrame([group for p in parts for group in p.get("groups", ())]),
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


def _score(
    spec: ModelSpec, fold: Fold, table: Runs, settings: dict[str, Any], report: Report
) -> dict[str, Any]:
    """Fit one fold and score its held-out rows; plain data, as it is kept on disk."""
    fitted = fit(fold.fitted, spec, **settings, progress=report, allow_unconverged=True)
    held = grouped(table)[fold.held_out]
    scores = [
        _score_group(fitted, part, str(a), str(t))
        for (a, t), part in held.groupby(["architecture", "task"], sort=True)
    ]
    rows = pd.concat([runs for runs, _ in scores], ignore_index=True)
    rows.insert(0, "model", spec.name)
    rows.insert(1, "fold", fold.name)
    named = {"model": spec.name, "fold": fold.name}
    return {
        "rows": json.loads(rows.to_json(orient="records", double_precision=12)),
        "groups": [named | group for _, joint in scores for group in joint],
        "fold": {
            **named,
            "fitted": len(fold.fitted),
            "held_out": len(rows),
            "engine": fitted.convergence.engine,
            "converged": fitted.convergence.passed,
            "verdict": str(fitted.convergence),
        },
    }


def _score_group(
    fitted: Fit, part: pd.DataFrame, architecture: str, task: str
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Scores of the held-out runs of one architecture and task, and the joint density of each of their groups."""
    known = fitted.model.groups
    family: Group = architecture if architecture in known["architecture"] else New(architecture)
    on: Group = task if task in known["task"] else New(task)
    points: dict[str, Any] = dict(fitted.model.get_law().values(part))
    common: dict[str, Any] = {
        **points,
        "architecture": family,
        "task": on,
        "allow_unconverged": True,
    }
    curve = predict(fitted, **common, kind="campaign")
    where = fitted.groups(family, on)
    noise = Noise.of(fitted, fitted.parameters(where))
    campaign = np.log(curve.draws.to_numpy().reshape(-1, len(part)))
    observed, trials = part["loss"].to_numpy(float), None
    if noise.family == "binomial":
        # Like is compared with like: counts out of the same number of items.
        trials = part["trials"].to_numpy("int64")
        observed = np.rint(trials * observed) / trials
    elif "loss_se" in part:
        # Likewise a loss as it was measured, as the fitted ones were.
        noise = noise.measured(np.nan_to_num(part["loss_se"].to_numpy(float)) / observed)
    scores = scored(np.exp(run_log_loss(fitted, where, noise, campaign, trials)), observed)
    # The offset of a new sweep is one a draw, so that the runs of one group share it.
    density = predictive_log_density(fitted, where, noise, campaign, np.log(observed), trials)
    scores["log_score"] = ("run", mixture(density))
    scores["decades"] = ("run", np.broadcast_to(curve.points["decades"].to_numpy(), len(part)))
    groups = part.groupby("group").indices
    joint = [_joint(group, density[:, rows]) for group, rows in groups.items()]
    return with_place(part, scores), joint


def _joint(group: object, density: np.ndarray) -> dict[str, Any]:
    score, effective = joint_log_score(density)
    return {
        "group": str(group),
        "runs": density.shape[1],
        "log_density": score,
        "effective_draws": effective,
    }


class _Kept:
    """Results of finished folds in a folder, by a key of all that they depend on; without one, nothing is kept."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BayescaleError(f"cannot write {folder}: {error.strerror or error}") from None

    def key(
        self, entrant: ModelSpec | Baseline, fold: Fold, table: Runs, settings: dict[str, Any]
    ) -> str:
        if isinstance(entrant, Baseline):
            who, chosen = f"{entrant.name}, version {BASELINE_VERSION}", {"seed": settings["seed"]}
        else:
            # The resolved model holds the priors as numbers: a fold is not taken over from other priors.
            said = {k: settings[k] for k in _CHOSEN}
            model = resolve(entrant, fold.fitted, load_populations(), **said)
            who, chosen = model.hash, settings
        text = json.dumps([who, fold.name, fold.fitted.hash, table.hash, chosen, VERSION])
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def read(self, key: str) -> dict[str, Any] | None:
        path = None if self.folder is None else self.folder / f"fold-{key}.json"
        if path is None or not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise DataError(
                f"{path} is no result of a fold; remove it, and the fold is run"
            ) from None
        return found

    def write(self, key: str, part: dict[str, Any]) -> None:
        if self.folder is not None:
            with written_beside(self.folder / f"fold-{key}.json") as beside:
                beside.write_text(json.dumps(part), "utf-8")
