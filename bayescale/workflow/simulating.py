"""`sbc`: truths from the prior, data from the truths, refits on one compiled program, and the ranks of the truths."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from bayescale.checks import SBC, load_sbc
from bayescale.errors import BayescaleError, DataError, ModelError
from bayescale.runs import Runs, load_runs
from bayescale.spec import ModelSpec, ResolvedModel, resolve
from bayescale.wording import counted
from bayescale.workflow.bench import RANKED, Bench, bench
from bayescale.workflow.fitting import Report, reporter
from bayescale.zoo import load_model, load_populations

FILE = "sbc.json"
_SEEDS = 100_000  # simulations that seeds of consecutive studies are apart

Attempts = Sequence[Mapping[str, Any]]


def sbc(
    model: str | Path | ModelSpec,
    design: Runs | str | Path,
    simulations: int = 200,
    *,
    prior: Mapping[str, str] | None = None,
    exclude: Iterable[str] = (),
    pool: bool = True,
    drift: bool = True,
    sweep: bool = True,
    draws: int = 800,
    tune: int = 600,
    chains: int = 2,
    cores: int | None = None,
    jobs: int = 1,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool | Report = True,
) -> SBC:
    """Simulation-based calibration of a model on a design (Talts et al. 2018).

    Every simulation draws a truth from the prior, simulates the losses of the design's rows, refits on one compiled
    program, and ranks the true quantities (:func:`bayescale.checks.quantities`) among the posterior draws. If model,
    simulator and sampler agree, ranks are uniform.

    Parameters
    ----------
    model : str, Path or ModelSpec
        As in :func:`bayescale.fit`.
    design : Runs, str or Path
        A table whose scales, groups and sweeps are simulated. Its losses only scale those priors that are stated
        relative to them.
    simulations : int
        In all, with those already in the folder.
    prior, exclude, pool, drift, sweep
        As in :func:`bayescale.fit`.
    draws, tune, chains, cores
        Of the sampler. Chains with R̂ over 1.05, a bulk ESS under 50, or over .5 % of divergences are sampled a second
        time, twice as long and with smaller steps; the second is counted whatever it is. A truth is ranked among
        100 draws, evenly spaced.
    jobs : int
        Simulations at once, each in a process of its own that compiles the model once. Every simulation has its own
        seed: ranks are the same however many, but for what the last digit does to chains (a program just compiled and
        one from numba's cache may differ in it). Chains and jobs share the machine: with several take ``cores=1``.
    seed : int
        Of truths, data and chains.
    folder : path, optional
        Keeps ``sbc.json`` after each simulation: a study that was stopped goes on where it was.
    progress : bool or callable
        As in :func:`bayescale.fit`.

    Returns
    -------
    SBC

    Raises
    ------
    DataError, ModelError
        If the folder holds simulations of another problem, or fewer than two are asked for, or no job.
    """
    if simulations < 2:
        raise ModelError(f"simulations = {simulations} (expected 2 or more)")
    if jobs < 1:
        raise ModelError(f"jobs = {jobs} (expected 1 or more)")
    table = design if isinstance(design, Runs) else load_runs(design)
    spec = load_model(model)
    resolved = resolve(spec, table, load_populations(), prior, exclude, pool, drift, sweep)
    settings = {"draws": draws, "tune": tune, "chains": chains}
    # What a file says in its notes, such as what failed here, changes no simulation.
    silent = resolved.model_copy(update={"spec": resolved.spec.model_copy(update={"notes": ""})})
    problem = {
        "model": spec.name,
        "model_hash": silent.hash,
        "design": table.name,
        "design_hash": table.hash,
        **settings,
        "ranked": RANKED,
        "seed": seed,
    }
    attempts = (
        {**settings, "target_accept": 0.95},
        {"draws": 2 * draws, "tune": tune, "chains": chains, "target_accept": 0.97},
    )
    kept = None if folder is None else _kept(Path(folder))
    records = [] if kept is None or not kept.exists() else _earlier(kept, problem)
    seeds = [_SEEDS * seed + i for i in range(len(records), simulations)]
    with reporter(progress) as report:
        if seeds:
            report("compiling", 0.0)
        for record in _records(resolved, table, seeds, attempts, cores, jobs):
            records.append(record)
            if kept is not None:
                SBC(records, problem).save(kept, overwrite=True)
            report(
                f"{spec.name}: {counted(len(records), 'simulation')}", len(records) / simulations
            )
    return SBC(records[:simulations], problem)


def _records(
    model: ResolvedModel,
    design: Runs,
    seeds: Sequence[int],
    attempts: Attempts,
    cores: int | None,
    jobs: int,
) -> Iterator[dict[str, Any]]:
    """The simulations of these seeds, in their order, as they are done."""
    if not seeds:
        return
    if jobs == 1:
        tested = bench(model, design)
        for seed in seeds:
            yield tested.record(seed, attempts, cores=cores)
        return
    # Not forked: a process whose sampler has started threads cannot be copied safely.
    fresh = multiprocessing.get_context("spawn")
    workers = min(jobs, len(seeds))
    with ProcessPoolExecutor(workers, fresh, _prepare, (model, design)) as pool:
        yield from pool.map(_simulation, seeds, repeat(attempts), repeat(cores))


_prepared: list[Bench] = []  # the bench of a process that simulates, once it is compiled


def _prepare(model: ResolvedModel, design: Runs) -> None:
    _prepared[:] = [bench(model, design)]


def _simulation(seed: int, attempts: Attempts, cores: int | None) -> dict[str, Any]:
    return _prepared[0].record(seed, attempts, cores=cores)


def _kept(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BayescaleError(f"cannot write {folder}: {error.strerror or error}") from None
    return folder / FILE


def _earlier(path: Path, problem: dict[str, Any]) -> list[dict[str, Any]]:
    """Simulations that a folder holds, if they are of the same problem."""
    found = load_sbc(path)
    other = [k for k in problem if found.problem.get(k) != problem[k]]
    if other:
        raise DataError(
            f"{path} holds simulations of another problem ({', '.join(other)} differ); name another folder"
        )
    return found.records
