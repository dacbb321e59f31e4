"""The fitted rows under every draw: the curve with its sweep's offset, and the noise around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayescale.errors import ForecastError
from bayescale.posterior import Fit, Side, fitted_groups, group_curve, require_plain_rows
from bayescale.predict.noise import Noise


@dataclass(frozen=True)
class Rows:
    """Distribution of the log loss of some rows, draw by draw.

    Attributes
    ----------
    index : ndarray, shape (row,)
        Positions among the fitted rows.
    observed : ndarray, shape (row,)
        Log loss.
    centre : ndarray, shape (draw, row)
        Log of the curve, sweep offset included.
    noise : Noise
        Around it; ``sigma`` has shape (draw, row), with the standard error of each loss in it.
    """

    index: np.ndarray
    observed: np.ndarray
    centre: np.ndarray
    noise: Noise

    def log_density(self) -> np.ndarray:
        """Log likelihood of each row, shape (draw, row)."""
        return self.noise.log_density(self.observed, self.centre)

    def cdf(self) -> np.ndarray:
        """Probability of a smaller loss than the observed one, shape (draw, row)."""
        return self.noise.cdf(self.observed, self.centre)

    def simulate(self, rng: np.random.Generator) -> np.ndarray:
        """One replicated log loss of each row and draw, shape (draw, row)."""
        return self.noise.simulate(self.centre, rng)


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
        If the model has a run effect, a correlation along runs, unfinished runs, correlated effects or noise that is
        not symmetric, or if it has sweeps and the fit does not say which sweep its rows are in.
    """
    require_plain_rows(fit, "a check of the rows")
    rows = fit.runs
    law, offsets = fit.model.get_law(), _offsets(fit)
    every = law.logs(law.values(rows))
    log_loss = np.log(rows["loss"].to_numpy().astype(float))
    log_se = np.zeros(len(log_loss))
    if "loss_se" in rows:
        log_se = np.nan_to_num(rows["loss_se"].to_numpy().astype(float)) / np.exp(log_loss)
    for where, index in group_positions(fit):
        curve = group_curve(fit, where)
        logs = {name: value[index][None] for name, value in every.items()}
        centre = np.log(curve.loss(curve.log_reducible(logs)))
        if offsets is not None:
            centre = centre + offsets[:, index]
        noise = Noise.of(fit, curve.theta)
        yield Rows(index, log_loss[index], centre, noise.measured(log_se[index]))


def all_rows(fit: Fit) -> Rows:
    """Every fitted row, in the fit's order."""
    parts = list(by_group(fit))
    order = np.argsort(np.concatenate([p.index for p in parts]))
    sigma = np.concatenate([p.noise.sigma for p in parts], axis=1)[:, order]
    return Rows(
        index=np.arange(len(order)),
        observed=np.concatenate([p.observed for p in parts])[order],
        centre=np.concatenate([p.centre for p in parts], axis=1)[:, order],
        noise=replace(parts[0].noise, sigma=sigma),
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
