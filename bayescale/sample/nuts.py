"""The NUTS engine: compile a model once with nutpie, draw from it, drop what only the sampler needs."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from pymc.model.transform.optimization import freeze_dims_and_data

from bayescale.sample.called import compiled_lightly
from bayescale.sample.maps import Whitened
from bayescale.sample.variables import Variables
from bayescale.sample.whitening import whitened

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Compiled:
    """A compiled model; if it is reusable, :meth:`with_data` runs it on other data, of as many rows as they have.

    Attributes
    ----------
    program : CompiledPyMCModel
        Log density and gradient.
    variables : Variables
        What a fit keeps.
    own : ndarray of int, shape (curve, size), or None
        Positions in a point of the coordinates that belong to each curve alone, where there are several.
    """

    program: Any
    variables: Variables
    own: np.ndarray | None = None

    @property
    def data_names(self) -> set[str]:
        """Names of the mutable data that the program reads: a model may declare some that nothing depends on."""
        return {str(variable.name) for variable in self.program.shared_var_keys}

    def with_data(
        self, coords: Mapping[str, Sequence[str]] | None = None, /, **data: Any
    ) -> Compiled:
        """The same program on other values of its mutable data (``log_loss``, ``u_params``, ...).

        ``coords`` gives the labels of these data's groups, where they differ.
        """
        program = self.program.with_data(**data)
        if coords is not None:
            labels = {dim: pd.Index(values) for dim, values in coords.items()}
            program = replace(program, _coords=program.coords | labels)
        return replace(self, program=program)

    def posterior(self, points: np.ndarray, chains: int) -> xr.Dataset:
        """What a reader of a fit sees of points in unconstrained space, shape (point, dim), of so many chains."""
        program = self.program
        if isinstance(program, Whitened):
            points = program.map.original(points)
        return self.variables.at(program, points, chains)

    def settled(self, *, cores: int | None, seed: int) -> Compiled:
        """The same posterior in coordinates in which a sampler moves freely (:mod:`bayescale.sample.whitening`)."""
        return replace(self, program=whitened(self.program, self.own, cores=cores, seed=seed))


def compile_model(model: pm.Model, reusable: bool = False) -> Compiled:
    """Compile log density and gradient with numba: the slow step, a few seconds once its parts are cached.

    Parameters
    ----------
    model : pymc.Model
        From :func:`bayescale.build.build`.
    reusable : bool
        Keep the data mutable for :meth:`Compiled.with_data`. Constant data compile sooner.
    """
    named = model
    if not reusable:
        model = freeze_dims_and_data(model)
    # Starting points and constants are worked out once: in NumPy, not by a C compiler.
    with _uncollected(), pytensor.config.change_flags(linker="py"), warnings.catch_warnings():
        # Where there is no C compiler, PyTensor fuses less, and says so.
        warnings.filterwarnings("ignore", message="Loop fusion failed", category=UserWarning)
        with compiled_lightly():
            program = nutpie.compile_pymc_model(model, var_names=[])
        return Compiled(program, Variables(model, program), _own(named, program))


def _own(model: pm.Model, program: Any) -> np.ndarray | None:
    """Positions of the coordinates of each curve: of variables over curves, or over the groups that curves are of."""
    curves = len(model.coords.get("curve", ()))
    if curves < 2:
        return None
    leading = {("curve",): 1, ("architecture", "task"): 2, ("architecture",): 1, ("task",): 1}
    dims_of = {
        v.name: model.named_vars_to_dims.get(rv.name, ()) for rv, v in model.rvs_to_values.items()
    }
    found = []
    for name, where, shape in zip(*program.shape_info, strict=True):
        dims = dims_of[name]
        if any(dims[:n] == d and np.prod(shape[:n]) == curves for d, n in leading.items()):
            found.append(np.arange(where.start, where.stop).reshape(curves, -1))
    return np.hstack(found) if found else None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which walks over all that a compiler builds up again and again.

    Compiling is shorter by as much, for more memory at its peak.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def draw(
    compiled: Compiled,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    seed: int,
    target_accept: float,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Sample the posterior.

    Parameters
    ----------
    compiled : Compiled
        From :func:`compile_model`.
    draws, tune : int
        Iterations kept and spent on adaptation, per chain.
    chains, cores : int
        Chains, and how many run at once.
    seed : int
        Seed of all chains.
    target_accept : float
        Target acceptance of the step-size adaptation.
    progress : callable, optional
        Called with (iterations done, iterations in all, divergences) about ten times a second.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior`` and ``sample_stats``, dims ``chain, draw`` first.
    """

    def report(states: Any) -> None:
        if progress is not None:
            progress(
                sum(s.finished_draws for s in states),
                sum(s.total_draws for s in states),
                sum(s.divergences for s in states),
            )

    tree = nutpie.sample(
        compiled.program,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        seed=seed,
        target_accept=target_accept,
        save_warmup=False,
        store_unconstrained=True,
        progress_bar=False,
        progress_callback=report if progress is not None else None,
    )
    stats = tree["sample_stats"].to_dataset()
    if stats.sizes["draw"] < draws:
        # nutpie answers Ctrl-C with the draws so far; a caller must not take them for a fit.
        raise KeyboardInterrupt
    points = stats["unconstrained_draw"].to_numpy().reshape(chains * draws, -1)
    posterior = compiled.posterior(points, chains)
    return xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": _plain(stats)})


def _plain(stats: xr.Dataset) -> xr.Dataset:
    """Statistics under ArviZ's names; only what diagnostics read, and only numbers."""
    names = {
        "diverging": "diverging",
        "energy": "energy",
        "n_steps": "n_steps",
        "depth": "tree_depth",
    }
    kept = stats[[n for n in names if n in stats]].rename(
        {n: new for n, new in names.items() if n in stats}
    )
    return kept.drop_vars([c for c in kept.coords if c not in ("chain", "draw")])
