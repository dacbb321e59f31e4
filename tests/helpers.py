"""Fits without sampling (prior draws dressed as a posterior), and processes that are stopped half-way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.posterior import Convergence, Fit
from bayescale.runs import Runs, Task, load_runs, sweeps
from bayescale.spec import Family, ModelSpec, prior_draws, resolve
from bayescale.zoo import load_model, load_populations

FRACTIONS = np.linspace(0.05, 1.0, 20)  # of training, of simulated curves

_ORDER = ("architecture", "task", "study", "params", "tokens", "compute", "loss")

PASSED = Convergence(1.002, "alpha", 1500.0, "gamma", 1200.0, "L_inf", 0, 4000, 0.9)
FAILED = Convergence(1.4, "alpha", 35.0, "gamma", 20.0, "L_inf", 40, 4000, 0.2)


@cache
def pile_families() -> Runs:
    """The embedded table: six architectures on one task."""
    return load_runs("pile-families")


def make_runs(
    architectures: Iterable[str] = ("gpt",),
    tasks: Iterable[str] = ("web",),
    studies: Iterable[str] = ("own",),
    *,
    metric: str = "nats/token",
    corpus: str | None = "web",
    upper: float | None = None,
    centre: tuple[float, float] = (1e9, 2e10),
    scale: float = 1.0,
    seed: int = 0,
) -> Runs:
    """A small complete design, 3 × 3 runs a cell, whose mean logs lie at ``centre``.

    The loss follows the joint law of Besiroglu et al. 2024 (of unit nats per token) times ``scale``, with a little
    noise; of metric "error" it lies between .1 and .6 instead, and follows from that loss.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for architecture in architectures:
        for task in tasks:
            for study in studies:
                for i in (-1.0, 0.0, 1.0):
                    for j in (-1.0, 0.0, 1.0):
                        params, tokens = centre[0] * 5.0**i, centre[1] * 5.0**j
                        loss = 1.8172 + 482.01 * params**-0.3478 + 2085.43 * tokens**-0.3658
                        upstream = loss
                        loss = 0.25 * (loss - 1.4) if metric == "error" else loss * scale
                        loss *= float(np.exp(0.005 * rng.standard_normal()))
                        rows.append((architecture, task, study, params, tokens, upstream, loss))
    names = ["architecture", "task", "study", "params", "tokens", "upstream_loss", "loss"]
    frame = pd.DataFrame(rows, columns=names)
    if metric != "error":  # whose first step is the law that the losses follow
        frame = frame.drop(columns="upstream_loss")
    info = {t: Task(t, metric=metric, corpus=corpus, upper=upper) for t in frame["task"].unique()}
    return load_runs(frame, task_info=info, convert=False)


def stating(runs: Runs, model: str | ModelSpec) -> Runs:
    """The runs with usual values of what a model reads of every run, besides N, D and C."""
    needed = [g for g in load_model(model).get_law().given if g.missing is None]
    return replace(runs, frame=runs.table.assign(**{g.name: g.usual for g in needed}))


def make_fit(
    model: str | ModelSpec = "parameter-data",
    runs: Runs | None = None,
    draws: int = 500,
    chains: int = 2,
    seed: int = 0,
    pool: bool = True,
    *,
    drift: bool = False,
    noise: Family | None = None,
    prior: Mapping[str, str] | None = None,
    values: Mapping[str, float] | None = None,
    converged: bool = True,
) -> Fit:
    """A `Fit` whose posterior is the prior.

    Parameters
    ----------
    model : str or ModelSpec
        A shipped name, a path or a specification.
    runs : Runs, optional
        Fitted table; ``pile-families`` by default.
    draws, chains : int
        Draws per chain, and chains.
    seed : int
        Of the draws, and of the fit.
    pool : bool
        As in :func:`bayescale.fit`.
    drift : bool
        Whether local exponents drift, if the model says so; closed forms hold without.
    noise : str, optional
        Family of the noise in place of the model's.
    prior : mapping, optional
        Priors stated by the caller.
    values : mapping, optional
        Parameter → value at which every draw is put, with all group effects at zero: a point-mass posterior.
    converged : bool
        Whether the gate was passed.
    """
    table = pile_families() if runs is None else runs
    resolved = resolve(
        load_model(model), table, load_populations(), prior, (), pool, drift, noise=noise
    )
    posterior = _in_chains(prior_draws(resolved, draws * chains, seed), chains)
    if values is not None:
        posterior = _at(posterior, values)
    sample_stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros((chains, draws), bool)),
            "energy": (
                ("chain", "draw"),
                np.random.default_rng(seed).standard_normal((chains, draws)),
            ),
        },
        coords={"chain": np.arange(chains), "draw": np.arange(draws)},
    )
    names = [str(v) for v in posterior.data_vars]
    diagnosed = xr.Dataset(
        {
            name: ("scalar", np.full(len(names), value))
            for name, value in (("rhat", 1.002), ("ess_bulk", 1500.0), ("ess_tail", 1200.0))
        },
        coords={"scalar": names},
    )
    rows = table.table
    rows = rows.sort_values([c for c in _ORDER if c in rows], kind="stable", ignore_index=True)
    text = {
        c: rows[c].astype(str).to_numpy(object) for c in rows if rows[c].dtype.kind not in "fib"
    }
    numbers = {c: rows[c].to_numpy(float) for c in rows if c not in text and c != "loss"}
    if resolved.sweeps:
        own = sweeps(table)
        assert own is not None
        columns = [c for c in _ORDER if c in table.table]
        order = table.table.sort_values(columns, kind="stable").index
        text["sweep_of"] = own.loc[order].to_numpy(object)
    tree = xr.DataTree.from_dict(
        {
            "/posterior": posterior,
            "/sample_stats": sample_stats,
            "/diagnostics": diagnosed,
            "/constant_data": xr.Dataset({k: ("run", v) for k, v in (text | numbers).items()}),
            "/observed_data": xr.Dataset({"loss": ("run", rows["loss"].to_numpy(float))}),
        }
    )
    return Fit(
        tree,
        resolved,
        PASSED if converged else FAILED,
        table.hash,
        seed,
        {"bayescale": "0.0.0"},
        table.notes,
    )


def _in_chains(draws: xr.Dataset, chains: int) -> xr.Dataset:
    out = {}
    for name, value in draws.data_vars.items():
        array = value.transpose("chain", "draw", ...).to_numpy()
        out[str(name)] = (value.dims, array.reshape(chains, -1, *array.shape[2:]))
    each = draws.sizes["draw"] // chains
    labels = {k: v for k, v in draws.coords.items() if k not in ("chain", "draw")}
    return xr.Dataset(out, coords=labels | {"chain": np.arange(chains), "draw": np.arange(each)})


def _at(posterior: xr.Dataset, values: Mapping[str, float]) -> xr.Dataset:
    for name in values:
        assert name in posterior, f"{name!r} is not sampled (sampled: {', '.join(posterior)})"
    changed = {n: xr.full_like(posterior[n], v) for n, v in values.items()}
    effects = {str(n): 0.0 * posterior[n] for n in posterior if str(n).startswith("effect_")}
    return posterior.assign(changed | effects)


def stopped(
    code: str, folder: Path, mark: str, number: signal.Signals
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own, and send it a signal once it has made the file ``mark``."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (folder / mark).exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def training_paths(rng: np.random.Generator, count: int) -> np.ndarray:
    """Log loss less its final value: a mean path, a slope of the run's own, a bridge to the end and logging noise."""
    left = 1.0 - FRACTIONS
    steps = rng.normal(size=(count, 20)) * np.sqrt(np.diff(FRACTIONS, prepend=0.0))
    walk = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1] - steps[:, -1:]
    own = rng.normal(size=(count, 1))
    noise = 0.002 * rng.normal(size=(count, 20)) * (left > 0)
    return 0.4 * left**1.5 + 0.02 * own * left + 0.02 * walk + noise
