"""A bench: one compiled model on one design, which draws truths, simulates their losses, refits and ranks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescale.checks import quantities, thinned
from bayescale.posterior import INDEPENDENT, Convergence, Fit, assess, diagnostics
from bayescale.predict import all_rows
from bayescale.runs import Runs
from bayescale.spec import ResolvedModel, prior_draws
from bayescale.workflow.fitting import recorded_rows

if TYPE_CHECKING:
    from bayescale.sample import Compiled

# With 50 effective draws a rank varies 4 % more than a uniform value (2/ESS); 200 simulations tell that variance to
# 6 %, and few of them come near this bound.
RHAT_MAX, ESS_MIN, DIVERGENT_SHARE_MAX = 1.05, 50.0, 0.005
# Draws that a truth is ranked among, evenly spaced, so that they depend little on each other.
RANKED = 100
# A posterior draws its new groups by another key than the truth does, or both would know the same ones.
_OTHER_KEY = 20261122
_APART = 10**9  # seeds of the attempts at one simulation are apart

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

        data = self.program.with_data(log_loss=log_loss)
        attempt = 0
        for settings in attempts:
            # Settled anew: where chains went badly, it is often in coordinates that short runs misjudged.
            own = seed + attempt * _APART
            attempt += 1
            settled = data.settled(cores=cores, seed=own)
            tree = draw(settled, **settings, cores=cores, seed=own)
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
        few = thinned(self.with_losses(fitted, log_loss), RANKED)
        true, found = of(self.with_losses(truth, log_loss)), of(few)
        ranks = rank(true, found, np.random.default_rng([seed, 2]))
        return {
            "seed": seed,
            "attempt": attempt,
            "rhat": round(verdict.rhat, 4),
            "ess": round(verdict.ess_bulk, 1),
            "divergences": verdict.divergences,
            "good": good_enough(verdict),
            "ranks": {name: round(value, 4) for name, value in ranks.items()},
        }

    def _as_fit(self, draws: xr.Dataset, verdict: Convergence, seed: int) -> Fit:
        return Fit(_tree(draws, self.rows), self.model, verdict, self.design, seed, {})


def bench(model: ResolvedModel, design: Runs) -> Bench:
    """Compile a resolved model on the table it was resolved on."""
    from bayescale.build import build
    from bayescale.sample import compile_model

    program = compile_model(build(model, design), reusable=True)
    return Bench(model, recorded_rows(model, design), program, design.hash)


def rank(
    true: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, float]:
    """Rank of the true value of each quantity among n draws, as a share.

    Of the n + 1 places among the draws each is as probable as any other; a point drawn within the place, of width
    1/(n + 1), makes ranks uniform on [0, 1] however few the draws.
    """
    return {
        name: float((np.sum(found[name] < value[0]) + rng.random()) / (found[name].size + 1))
        for name, value in true.items()
    }


def good_enough(verdict: Convergence) -> bool:
    """A gate for ranks: an error of the rank that is small beside that of some hundred simulations."""
    mixed = verdict.rhat <= RHAT_MAX and verdict.ess_bulk >= ESS_MIN
    return mixed and verdict.divergences <= DIVERGENT_SHARE_MAX * verdict.draws


def _tree(draws: xr.Dataset, rows: Mapping[str, xr.Dataset]) -> xr.DataTree:
    return xr.DataTree.from_dict({"/posterior": draws} | {f"/{k}": v for k, v in rows.items()})
