"""The fitted rows under every draw: the curve with its sweep's offset, the noise around it, and losses made of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy import stats

from bayescale.errors import ForecastError
from bayescale.posterior import Fit, Side, fitted_groups, group_curve, require_plain_rows
from bayescale.spec import prior_draws


@dataclass(frozen=True)
class Rows:
    """Distribution of the log loss of some rows, draw by draw.

    Attributes
    ----------
    index : ndarray, shape (row,)
        Positions among the fitted rows.
    observed : ndarray, shape (row,)
        Log loss.
    centre, scale : ndarray, shape (draw, row)
        Log of the curve, sweep offset included; standard deviation parameter of the noise.
    nu : ndarray or None, shape (draw, 1)
        Degrees of freedom of a Student-t; None for a Normal.
    """

    index: np.ndarray
    observed: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    nu: np.ndarray | None

    def log_density(self) -> np.ndarray:
        """Log likelihood of each row, shape (draw, row)."""
        z = (self.observed - self.centre) / self.scale
        unit = stats.norm.logpdf(z) if self.nu is None else stats.t.logpdf(z, self.nu)
        return np.asarray(unit - np.log(self.scale))

    def cdf(self) -> np.ndarray:
        """Probability of a smaller loss than the observed one, shape (draw, row)."""
        z = (self.observed - self.centre) / self.scale
        return np.asarray(stats.norm.cdf(z) if self.nu is None else stats.t.cdf(z, self.nu))

    def simulate(self, rng: np.random.Generator) -> np.ndarray:
        """One replicated log loss of each row and draw, shape (draw, row)."""
        shape = self.centre.shape
        if self.nu is None:
            return self.centre + self.scale * rng.standard_normal(shape)
        return self.centre + self.scale * rng.standard_t(np.broadcast_to(self.nu, shape))


def group_positions(fit: Fit) -> list[tuple[dict[Side, str], np.ndarray]]:
    """Every fitted architecture, task and study, with the positions of its rows."""
    labels = {s: fit.runs[s].to_numpy().astype(str) for s in ("architecture", "task", "study")}
    return [
        (where, np.flatnonzero(np.logical_and.reduce([labels[s] == g for s, g in where.items()])))
        for where, _ in fitted_groups(fit)
    ]


def row_sweeps(fit: Fit) -> np.ndarray:
    """Label of each row's sweep, shape (run,).

    Raises
    ------
    ForecastError
        If the fit does not say which sweep its rows are in.
    """
    if "sweep_of" not in fit.runs:
        raise ForecastError(
            "this fit has sweeps but does not say which row is in which (an older version saved it): fit again"
        )
    return fit.runs["sweep_of"].to_numpy().astype(str)


def by_group(fit: Fit) -> Iterator[Rows]:
    """The rows of each fitted architecture, task and study in turn, so that a large table is never in memory at once.

    Raises
    ------
    ForecastError
        If the model has a run effect, unfinished runs, correlated effects or noise that is not symmetric, or if it has
        sweeps and the fit does not say which sweep its rows are in.
    """
    require_plain_rows(fit, "a check of the rows")
    rows = fit.runs
    law, offsets = fit.model.get_law(), _offsets(fit)
    log_loss = np.log(rows["loss"].to_numpy().astype(float))
    log_se = np.zeros(len(log_loss))
    if "loss_se" in rows:
        log_se = np.nan_to_num(rows["loss_se"].to_numpy().astype(float)) / np.exp(log_loss)
    for where, index in group_positions(fit):
        curve = group_curve(fit, where)
        logs: dict[str, np.ndarray] = {
            a: np.log(rows[a].to_numpy().astype(float)[index])[None] for a in law.inputs
        }
        centre = np.log(curve.loss(curve.log_reducible(logs)))
        if offsets is not None:
            centre = centre + offsets[:, index]
        sigma = curve.theta["sigma"][:, None]
        nu = curve.theta["nu"][:, None] if "nu" in curve.theta else None
        scale = np.sqrt(sigma**2 + log_se[index] ** 2)
        yield Rows(index, log_loss[index], centre, scale, nu)


def all_rows(fit: Fit) -> Rows:
    """Every fitted row, in the fit's order."""
    parts = list(by_group(fit))
    order = np.argsort(np.concatenate([p.index for p in parts]))
    return Rows(
        index=np.arange(len(order)),
        observed=np.concatenate([p.observed for p in parts])[order],
        centre=np.concatenate([p.centre for p in parts], axis=1)[:, order],
        scale=np.concatenate([p.scale for p in parts], axis=1)[:, order],
        nu=parts[0].nu,
    )


def log_likelihood(fit: Fit) -> np.ndarray:
    """Log likelihood of all rows, shape (draw,); draws of all chains, one chain after the other."""
    return np.sum([part.log_density().sum(axis=1) for part in by_group(fit)], axis=0)


def _offsets(fit: Fit) -> np.ndarray | None:
    """Offset of each row's sweep, shape (draw, run); None without sweeps."""
    if not fit.model.sweeps:
        return None
    labels = row_sweeps(fit)
    position = {label: i for i, label in enumerate(fit.model.sweeps)}
    offset = fit.posterior["offset"].sel(sweep_label=list(fit.model.sweeps))
    flat = offset.transpose("chain", "draw", "sweep_label").to_numpy()
    return flat.reshape(-1, flat.shape[-1])[:, [position[label] for label in labels]]


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
