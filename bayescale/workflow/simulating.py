"""`sbc`: truths from the prior, data from the truths, refits on one compiled program, and the ranks of the truths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescale.checks import SBC, load_sbc, quantities
from bayescale.errors import BayescaleError, DataError, ModelError
from bayescale.posterior import INDEPENDENT, Convergence, Fit, assess, diagnostics
from bayescale.predict import all_rows
from bayescale.runs import Runs, load_runs
from bayescale.spec import ModelSpec, ResolvedModel, prior_draws, resolve
from bayescale.workflow.fitting import Report, recorded_rows, reporter
from bayescale.zoo import load_model, load_populations

if TYPE_CHECKING:
    from bayescale.sample import Compiled

FILE = "sbc.json"
RHAT_MAX, DIVERGENT_SHARE_MAX = 1.03, 0.005
# A posterior draws its new groups by another key than the truth does, or both would know the same ones.
_OTHER_KEY = 20261122
_SEEDS = 100_000  # simulations that seeds of consecutive studies are apart

Quantities = Callable[[Fit], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Bench:
    """A model compiled on a design, for any number of simulations.

    Attributes
    ----------
    model : ResolvedModel
        Its data-scaled priors are those of the design, whatever is simulated.
    rows : dict of str to Dataset
        What a fit keeps of its rows, in the order that the program reads them.
    program : Compiled
        With data that can be swapped.
    design : str
        Hash of the design.
    """

    model: ResolvedModel
    rows: dict[str, xr.Dataset]
    program: Compiled
    design: str

    def truth(self, seed: int) -> Fit:
        """One draw from the prior, dressed as a fit so that forecasts and checks read it."""
        return self._as_fit(prior_draws(self.model, 1, seed), INDEPENDENT, seed)

    def simulate(self, truth: Fit, seed: int) -> np.ndarray:
        """Log losses of the design's rows under a truth, noise included, shape (run,)."""
        return all_rows(truth).simulate(np.random.default_rng([seed, 1]))[0]

    def refit(
        self,
        log_loss: np.ndarray,
        seed: int,
        attempts: Sequence[Mapping[str, Any]],
        cores: int | None = None,
    ) -> tuple[Fit, Convergence, int]:
        """The posterior of simulated losses, its verdict, and which attempt gave it: the first good one or the last."""
        from bayescale.sample import draw

        data = self.program.with_data(log_loss=log_loss).settled(cores=cores, seed=seed)
        attempt = 0
        for settings in attempts:
            attempt += 1
            tree = draw(data, **settings, cores=cores, seed=seed)
            draws = tree["posterior"].to_dataset()
            verdict = assess(diagnostics(draws), tree["sample_stats"].to_dataset())
            if good_enough(verdict):
                break
        return self._as_fit(draws, verdict, _OTHER_KEY + seed), verdict, attempt

    def with_losses(self, fit: Fit, log_loss: np.ndarray) -> Fit:
        """The fit on other losses; the standard error of each row's log loss stays the program's."""
        before = fit.runs["loss"].to_numpy()
        constant = fit.tree["constant_data"].to_dataset()
        if "loss_se" in constant:
            constant["loss_se"] = constant["loss_se"] * np.exp(log_loss) / before
        rows = {
            "constant_data": constant,
            "observed_data": xr.Dataset({"loss": ("run", np.exp(log_loss))}),
        }
        return Fit(_tree(fit.posterior, rows), fit.model, fit.convergence, "", fit.seed, {})

    def record(
        self,
        seed: int,
        attempts: Sequence[Mapping[str, Any]],
        of: Quantities = quantities,
        cores: int | None = None,
    ) -> dict[str, Any]:
        """Draw a truth, simulate, refit, rank; one entry of :attr:`bayescale.checks.SBC.records`."""
        truth = self.truth(seed)
        log_loss = self.simulate(truth, seed)
        fitted, verdict, attempt = self.refit(log_loss, seed, attempts, cores)
        ranks = rank(of(self.with_losses(truth, log_loss)), of(self.with_losses(fitted, log_loss)))
        return {
            "seed": seed,
            "attempt": attempt,
            "rhat": verdict.rhat,
            "divergences": verdict.divergences,
            "good": good_enough(verdict),
            "ranks": ranks,
        }

    def _as_fit(self, draws: xr.Dataset, verdict: Convergence, seed: int) -> Fit:
        return Fit(_tree(draws, self.rows), self.model, verdict, self.design, seed, {})


def bench(model: ResolvedModel, design: Runs) -> Bench:
    """Compile a resolved model on the table it was resolved on."""
    from bayescale.build import build
    from bayescale.sample import compile_model

    program = compile_model(build(model, design), reusable=True)
    return Bench(model, recorded_rows(model, design), program, design.hash)


def rank(true: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Share of draws below the true value of each quantity."""
    return {name: float(np.mean(found[name] < value[0])) for name, value in true.items()}


def good_enough(verdict: Convergence) -> bool:
    """A gate for ranks: an error of the rank that is small beside that of some hundred simulations."""
    return verdict.rhat <= RHAT_MAX and verdict.divergences <= DIVERGENT_SHARE_MAX * verdict.draws


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
        Of the sampler. Chains with R̂ over 1.03 or over .5 % of divergences are sampled a second time, twice as long
        and with smaller steps; the second is counted whatever it is.
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
        If the folder holds simulations of another problem, or fewer than two are asked for.
    """
    if simulations < 2:
        raise ModelError(f"simulations = {simulations} (expected 2 or more)")
    table = design if isinstance(design, Runs) else load_runs(design)
    spec = load_model(model)
    resolved = resolve(spec, table, load_populations(), prior, exclude, pool, drift, sweep)
    settings = {"draws": draws, "tune": tune, "chains": chains}
    problem = {
        "model": spec.name,
        "model_hash": resolved.hash,
        "design": table.name,
        "design_hash": table.hash,
        **settings,
        "seed": seed,
    }
    attempts = (
        {**settings, "target_accept": 0.95},
        {"draws": 2 * draws, "tune": 2 * tune, "chains": chains, "target_accept": 0.99},
    )
    kept = None if folder is None else _kept(Path(folder))
    records = [] if kept is None or not kept.exists() else _earlier(kept, problem)
    with reporter(progress) as report:
        if len(records) < simulations:
            report("compiling", 0.0)
            tested = bench(resolved, table)
        while len(records) < simulations:
            report(f"{spec.name}: simulation {len(records) + 1}", len(records) / simulations)
            records.append(tested.record(_SEEDS * seed + len(records), attempts, cores=cores))
            if kept is not None:
                SBC(records, problem).save(kept, overwrite=True)
    return SBC(records[:simulations], problem)


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


def _tree(draws: xr.Dataset, rows: Mapping[str, xr.Dataset]) -> xr.DataTree:
    return xr.DataTree.from_dict({"/posterior": draws} | {f"/{k}": v for k, v in rows.items()})
