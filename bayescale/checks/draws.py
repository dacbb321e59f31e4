"""A fit with other draws: its prior in the posterior's place, or fewer of its own."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from bayescale.posterior import Fit
from bayescale.spec import prior_draws


def with_draws(fit: Fit, draws: xr.Dataset) -> Fit:
    """The same fit with other draws."""
    groups = {f"/{n}": fit.tree[n].to_dataset() for n in ("constant_data", "observed_data")}
    return replace(fit, tree=xr.DataTree.from_dict({"/posterior": draws, **groups}))


def at_prior(fit: Fit, draws: int) -> Fit:
    """The fit as it would be without data: its prior in the posterior's place."""
    return with_draws(fit, prior_draws(fit.model, draws, fit.seed))


def thinned(fit: Fit, most: int) -> Fit:
    """At most that many draws, evenly spaced in every chain."""
    posterior = fit.posterior
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    return with_draws(fit, posterior.isel(draw=slice(None, None, max(1, -(-total // most)))))
