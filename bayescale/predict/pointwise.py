"""How well a fit knows its own runs: the log density of each under every draw, and PSIS leave-one-out from it."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayescale.posterior import Fit
from bayescale.predict.rows import by_group

K_GOOD = 0.7  # Vehtari et al. 2024, JMLR 25: above it an importance-sampling estimate is not to be trusted


@dataclass(frozen=True)
class Loo:
    """PSIS leave-one-out cross-validation of a fit (Vehtari, Gelman & Gabry 2017), on the log loss.

    Attributes
    ----------
    elpd, se : float
        Sum over runs of the log density of each, given the others, and its standard error.
    p : float
        Effective number of parameters.
    k_max : float
        Largest Pareto k̂ of a run.
    unreliable : int
        Runs with k̂ > .7.
    """

    elpd: float
    se: float
    p: float
    k_max: float
    unreliable: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def pointwise(fit: Fit) -> xr.DataArray:
    """Log density of the log loss of every fitted run under every draw, dims ``chain, draw, run``.

    As in the likelihood that was sampled: with the offset of the run's own sweep and the standard error of its loss.

    Raises
    ------
    ForecastError
        For a fit with a run effect, unfinished runs or noise that is not symmetric, and for one with sweeps saved by a
        version that did not keep which run is in which.
    """
    shape = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"], fit.runs.sizes["run"])
    density = np.empty((shape[0] * shape[1], shape[2]))
    for part in by_group(fit):
        density[:, part.index] = part.log_density()
    return xr.DataArray(density.reshape(shape), dims=("chain", "draw", "run"))


def loo(fit: Fit) -> Loo:
    """PSIS leave-one-out of a fit.

    One run is left out and its sweep kept: this scores interpolation, not larger scale.
    """
    import arviz_stats  # half a second and more: only who asks for it pays

    density = pointwise(fit)
    tree = xr.DataTree.from_dict(
        {
            "/posterior": fit.posterior,
            "/log_likelihood": xr.Dataset({"log_loss": density}),
        }
    )
    draws = density.sizes["chain"] * density.sizes["draw"]
    efficiency = min(float(fit.tree["diagnostics"]["ess_bulk"].mean()) / draws, 1.0)
    with warnings.catch_warnings():
        # That some k̂ is too large is said here, run by run, in `unreliable`.
        warnings.filterwarnings("ignore", "Estimated shape parameter", UserWarning)
        found = arviz_stats.loo(tree, pointwise=True, reff=efficiency)
    k = found.pareto_k.to_numpy()
    return Loo(
        elpd=float(found.elpd),
        se=float(found.se),
        p=float(found.p),
        k_max=float(k.max()),
        unreliable=int((k > K_GOOD).sum()),
    )
