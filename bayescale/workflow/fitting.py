"""`fit`: from a table and a model to a converged posterior, with progress and longer attempts before giving up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from bayescale.errors import ConvergenceError, ModelError, unknown
from bayescale.posterior import Convergence, Fit, Importance, Verdict, assess, diagnostics
from bayescale.runs import Runs, load_runs
from bayescale.spec import Family, ModelSpec, ResolvedModel, resolve
from bayescale.workflow.programs import program, widened
from bayescale.zoo import load_model, load_populations

if TYPE_CHECKING:
    from bayescale.sample import Compiled

Engine = Literal["nuts", "quick"]
Report = Callable[[str, float], None]


def fit(
    runs: Runs | str | Path,
    model: str | Path | ModelSpec = "parameter-data",
    *,
    prior: Mapping[str, str] | None = None,
    exclude: Iterable[str] = (),
    pool: bool = True,
    drift: bool = True,
    sweep: bool = True,
    run_effect: bool = True,
    noise: Family | None = None,
    correlation: bool | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    seed: int = 0,
    target_accept: float = 0.9,
    progress: bool | Report = True,
    allow_unconverged: bool = False,
    engine: Engine = "nuts",
) -> Fit:
    """Fit a scaling law.

    Parameters
    ----------
    runs : Runs, str or Path
        The table, or what :func:`bayescale.load_runs` takes.
    model : str, Path or ModelSpec
        A name from ``bayescale models``, a TOML file, or a specification.
    prior : mapping, optional
        Parameter → distribution, e.g. ``{"beta": "LogNormal(mu=-1.2, sigma=0.3)"}``.
    exclude : iterable of str
        Studies whose evidence must not enter the priors (with all that was computed from the same data).
    pool : bool
        False for one independent curve per architecture × task.
    drift, sweep, run_effect : bool
        False to leave out the model's drift (the law is then taken as exact), or the offsets of sweeps or of runs.
    noise : {"student-t", "normal", "one-sided", "binomial"}, optional
        Family of the noise in place of the model's, see :class:`bayescale.spec.Likelihood`.
    correlation : bool, optional
        Whether residuals of checkpoints of one run are correlated, the more the nearer they lie in the log of steps; by
        default as the model says, and shipped ones say no.
    draws, tune, chains, cores, seed, target_accept
        Of the sampler. Chains that agree but are too short for the gate are joined by as many more; a fit that still
        misses it is sampled again, twice (unless that is known to be too short) and then four times as long, with
        smaller steps.
    progress : bool or callable
        A bar on the terminal, none, or a callable taking (stage, fraction done).
    allow_unconverged : bool
        Return a fit that missed the gate, marked as such, instead of raising.
    engine : {"nuts", "quick"}
        ``quick`` takes the mode and samples by importance around it, in a fraction of a second once a model of the same
        structure has been compiled in this process. Where its weights cannot be trusted (Pareto k̂ above .7, or fewer
        than 400 effective draws), and for every model that learns a scale (of drift, of sweeps, over groups), it falls
        back to NUTS on the same program, and the fit's notes say so. ``tune``, ``cores`` and
        ``target_accept`` are NUTS's only.

    Returns
    -------
    Fit

    Raises
    ------
    ConvergenceError
        If the gate is still missed; the message says which parameter, and what to try.
    """
    if draws < 4 or tune < 1 or chains < 2:
        raise ModelError(
            f"draws = {draws}, tune = {tune}, chains = {chains}: at least 4, 1 and 2 are needed"
        )
    if not 0.0 < target_accept < 1.0:
        raise ModelError(f"target_accept = {target_accept:g} (expected between 0 and 1)")
    if engine not in get_args(Engine):
        raise unknown("engine", engine, get_args(Engine))
    _check_kinds(seed, prior)
    table = runs if isinstance(runs, Runs) else load_runs(runs)
    resolved = resolve(
        load_model(model),
        table,
        load_populations(),
        prior,
        exclude,
        pool,
        drift,
        sweep,
        run_effect,
        noise,
        correlation,
    )
    sampler = _Nuts(draws, tune, chains, cores, seed, target_accept)
    with reporter(progress) as report:
        report("loading the sampler", 0.0)
        if engine == "quick":
            resolved = widened(resolved)
            tree, verdict, notes = _quick(resolved, table, report, sampler)
        else:
            tree, verdict = _nuts(_compiled(resolved, table, report), report, sampler)
            notes = ()
    if not (verdict.passed or allow_unconverged):
        raise ConvergenceError(f"the fit {verdict}; {verdict.advice}", verdict.to_dict())
    for name, recorded in recorded_rows(resolved, table).items():
        tree[name] = xr.DataTree(recorded)
    return Fit(tree, resolved, verdict, table.hash, seed, dict(_versions()), (*table.notes, *notes))


def _check_kinds(seed: object, prior: object) -> None:
    """Refuse at once what the sampler would refuse after minutes of compiling."""
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ModelError(f"seed = {seed!r} (expected a whole number, 0 or more)")
    if prior is not None and not isinstance(prior, Mapping):
        expected = "{'beta': 'LogNormal(mu=-1.2, sigma=0.3)'}"
        raise ModelError(f"prior = {prior!r} (expected a mapping such as {expected})")


def reporter(progress: bool | Report) -> AbstractContextManager[Report]:
    """A progress bar, or the caller's own, as a context that gives (stage, fraction) → None."""
    if callable(progress):
        return nullcontext(progress)
    from bayescale.workflow.progress import Bar

    return Bar(shown=progress)


@dataclass(frozen=True)
class _Nuts:
    """Settings of the sampler, as in :func:`fit`."""

    draws: int
    tune: int
    chains: int
    cores: int | None
    seed: int
    target_accept: float


def _compiled(model: ResolvedModel, table: Runs, report: Report) -> Compiled:
    # Here and not at the top: PyMC takes seconds to import, and a wrong table or prior should fail at once.
    from bayescale.build import build
    from bayescale.sample import compile_model

    report("compiling", 0.0)
    return compile_model(build(model, table))


def _nuts(compiled: Compiled, report: Report, settings: _Nuts) -> tuple[xr.DataTree, Verdict]:
    from bayescale.sample import draw

    report("settling", 0.0)
    compiled = compiled.settled(cores=settings.cores, seed=settings.seed)

    def sampled(attempt: int, times: int, stage: str) -> xr.DataTree:
        return draw(
            compiled,
            draws=settings.draws * times,
            tune=settings.tune * times,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed + attempt,
            target_accept=1.0 - (1.0 - settings.target_accept) / times,
            progress=_as_fraction(report, stage),
        )

    tree = sampled(0, 1, "sampling")
    diagnosed, verdict = _judged(tree, report)
    anew = [(2, 2), (3, 4)]
    if verdict.only_short:
        tree = _pooled(tree, sampled(1, 1, "sampling as many chains more"))
        diagnosed, verdict = _judged(tree, report)
        if verdict.few:
            # These were as many draws as twice as long would give.
            anew = anew[1:]
    for attempt, times in anew:
        if verdict.passed:
            break
        tree = sampled(attempt, times, f"sampling again, {times} times as long")
        diagnosed, verdict = _judged(tree, report)
    tree["diagnostics"] = xr.DataTree(diagnosed)
    return tree, verdict


def _judged(tree: xr.DataTree, report: Report) -> tuple[xr.Dataset, Convergence]:
    report("checking convergence", 1.0)
    diagnosed = diagnostics(tree["posterior"].to_dataset())
    return diagnosed, assess(diagnosed, tree["sample_stats"].to_dataset())


def _pooled(one: xr.DataTree, other: xr.DataTree) -> xr.DataTree:
    """The chains of two runs of one program as the chains of one run."""
    groups = {}
    for name in ("posterior", "sample_stats"):
        parts = [tree[name].to_dataset() for tree in (one, other)]
        joined = xr.concat(parts, "chain", join="exact")
        groups[name] = joined.assign_coords(chain=np.arange(joined.sizes["chain"]))
    return xr.DataTree.from_dict(groups)


def _quick(
    model: ResolvedModel, table: Runs, report: Report, settings: _Nuts
) -> tuple[xr.DataTree, Verdict, tuple[str, ...]]:
    from bayescale.sample import draw_quick

    report("compiling", 0.0)
    compiled = program(model, table)
    reason = beyond_quick(model)
    if reason is not None:
        return *_nuts(compiled, report, settings), (f"quick engine fell back to NUTS: {reason}",)
    report("importance sampling", 0.5)
    tree, weighted = draw_quick(
        compiled,
        draws=settings.draws,
        chains=settings.chains,
        seed=settings.seed,
    )
    verdict = Importance(**asdict(weighted))
    if verdict.passed:
        tree["diagnostics"] = xr.DataTree(xr.Dataset(asdict(weighted)))
        return tree, verdict, ()
    said = "; ".join(verdict.problems)
    return *_nuts(compiled, report, settings), (f"quick engine fell back to NUTS: {said}",)


def beyond_quick(model: ResolvedModel) -> str | None:
    """Why importance sampling is not tried on a model, or None where it is.

    Scales that are learnt make tails that a proposal misses and k̂ does not see: both gates were passed on 4 of 20
    curves with drift, where the worst mean was off by .28 standard deviations and the worst standard deviation by a
    factor of 1.4, the medians of the 4 against NUTS (tests/benchmarks/quick.py).
    """
    scales = (("drift", model.drift), ("sweeps", model.sweeps), ("runs", model.paths))
    learnt = [name for name, used in scales if used]
    learnt = [f"the scale of {name}" for name in learnt]
    learnt += ["the length of a correlation"] * ("correlation_length" in model.parameters)
    learnt += [f"the spread over {level}" for level in model.levels()]
    if not learnt:
        return None
    return f"{', '.join(learnt)} is learnt, and k̂ does not see the tails of such models"


def recorded_rows(resolved: ResolvedModel, table: Runs) -> dict[str, xr.Dataset]:
    """What a fit keeps of its rows: groups ``constant_data`` (with the sweep of each row) and ``observed_data``."""
    from bayescale.build import canonical_rows, observations

    rows = canonical_rows(table)
    constant = {
        c: rows[c].astype(str).to_numpy(object)
        if rows[c].dtype.kind not in "fib"
        else rows[c].to_numpy(float)
        for c in rows
        if c != "loss"
    }
    if resolved.sweeps:
        # Where sweeps were detected no column says who is in which.
        labels = np.array(resolved.sweeps, dtype=object)
        constant["sweep_of"] = labels[observations(resolved, table).index["sweep"]]
    return {
        "constant_data": xr.Dataset({c: ("run", values) for c, values in constant.items()}),
        "observed_data": xr.Dataset({"loss": ("run", rows["loss"].to_numpy(float))}),
    }


def _as_fraction(report: Report, stage: str) -> Callable[[int, int, int], None]:
    return lambda done, total, _: report(stage, done / total)


@cache
def _versions() -> Mapping[str, str]:
    packages = ("bayescale", "pymc", "pytensor", "nutpie", "numpy", "xarray")
    return {name: version(name) for name in packages}
