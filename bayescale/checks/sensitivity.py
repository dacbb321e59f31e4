"""How far a forecast hangs on each prior: prior and likelihood power-scaled by importance weights, without a refit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks.components import prior_components
from bayescale.checks.target import decade_beyond
from bayescale.checks.weights import KHAT_MAX, smoothed
from bayescale.errors import ForecastError
from bayescale.posterior import Fit, Group
from bayescale.predict import log_likelihood, predict

POWERS = (0.8, 1.25)
LIKELIHOOD = "likelihood"
# Posterior standard deviations. The 90 % interval is 3.3 of them wide, so that both bounds mean about a tenth.
MEDIAN_MOVES, WIDTH_MOVES = 0.1, 0.3
_LOW, _MIDDLE, _HIGH = 0.05, 0.5, 0.95


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What power-scaling each component does to the log loss of a forecast.

    Attributes
    ----------
    table : DataFrame
        One row per component and power: ``median_shift`` and ``width_change`` (of the 90 % interval), in posterior
        standard deviations of the log loss, and ``khat`` of the weights.
    target : dict
        Where the forecast is: arguments of :func:`bayescale.predict`.
    median, sd, width : float
        Of the log loss there, under the posterior as it is.
    notes : tuple of str
        What a reader must know.
    """

    table: pd.DataFrame
    target: dict[str, Any]
    median: float
    sd: float
    width: float
    notes: tuple[str, ...]

    def by_component(self) -> pd.DataFrame:
        """The change of largest size of each component over the powers, and its worst k̂; the largest change first."""
        rows = []
        for name, part in self.table.groupby("component", sort=False):
            moved = {c: _furthest(part[c]) for c in ("median_shift", "width_change")}
            rows.append({"component": name, **moved, "khat": float(part["khat"].max())})
        frame = pd.DataFrame(rows)
        frame["sensitive"] = (frame["median_shift"].abs() > MEDIAN_MOVES) | (
            frame["width_change"].abs() > WIDTH_MOVES
        )
        size = np.maximum(
            frame["median_shift"].abs().to_numpy() / MEDIAN_MOVES,
            frame["width_change"].abs().to_numpy() / WIDTH_MOVES,
        )
        return frame.iloc[np.argsort(-size, kind="stable")].reset_index(drop=True)

    @property
    def sensitive(self) -> list[str]:
        """Prior components that move the median by over .1, or the width by over .3, posterior standard deviations."""
        frame = self.by_component()
        return [str(c) for c in frame.loc[frame["sensitive"], "component"] if c != LIKELIHOOD]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "target": {k: v if isinstance(v, float) else str(v) for k, v in self.target.items()},
            "log_loss": {"median": self.median, "sd": self.sd, "width90": self.width},
            "powers": sorted(set(self.table["power"])),
            "components": self.by_component().to_dict("records"),
            "rows": self.table.to_dict("records"),
            "sensitive": self.sensitive,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        body = self.by_component().to_string(index=False, float_format=lambda v: f"{v:.3g}")
        head = "Power-scaling sensitivity of the forecast (changes in posterior sd of the log loss)"
        return "\n".join([head, body, *(f"note: {n}" for n in self.notes)])


def sensitivity(
    fit: Fit,
    *,
    params: float | None = None,
    tokens: float | None = None,
    compute: float | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    powers: Sequence[float] = POWERS,
    allow_unconverged: bool = False,
) -> Sensitivity:
    """Power-scale each prior component, and the likelihood, and say what that does to a forecast.

    Every density is raised to a power, weaker at .8 and stronger at 1.25, by Pareto-smoothed importance weights on the
    posterior draws (Kallioinen et al. 2023, section 2.3); the forecast is the expected log loss, drift included.

    Parameters
    ----------
    fit : Fit
        A posterior.
    params, tokens, compute, architecture, task, study
        One point, as in :func:`bayescale.predict`. With no scale given: one decade of compute beyond the data, for the
        family of the largest run.
    powers : sequence of float
        Positive, none of them 1.
    allow_unconverged : bool
        Also for a fit that missed the gate.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ForecastError
        If more than one point is given, or a power is not positive.
    """
    for power in powers:
        if not power > 0 or power == 1.0:
            raise ForecastError(f"power {power:g} (expected a positive number other than 1)")
    scales = {"params": params, "tokens": tokens, "compute": compute}
    groups = {"architecture": architecture, "task": task, "study": study}
    target: dict[str, Any] = {k: v for k, v in {**scales, **groups}.items() if v is not None}
    if not any(scale in target for scale in scales):
        target = decade_beyond(fit) | target
    forecast = predict(fit, **target, kind="expected", allow_unconverged=allow_unconverged)
    draws = forecast.draws.transpose("chain", "draw", ...).to_numpy()
    count = draws.shape[0] * draws.shape[1]
    if draws.size != count:
        raise ForecastError("sensitivity is of one forecast: give one point and one architecture")
    value = np.log(draws.reshape(count))
    components = {**prior_components(fit), LIKELIHOOD: log_likelihood(fit)}
    table = power_scale(value, components, powers)
    low, median, high = _quantiles(value, np.full(count, 1.0 / count))
    notes = [*forecast.notes, *_unreliable(table)]
    if not fit.model.pooled:
        notes.append("fitted without pooling: a component is the sum over all curves")
    return Sensitivity(table, target, median, float(value.std()), high - low, tuple(notes))


def power_scale(
    value: np.ndarray, components: Mapping[str, np.ndarray], powers: Sequence[float] = POWERS
) -> pd.DataFrame:
    """Changes of a quantity's median and 90 % interval when components of the log density are multiplied by a power.

    Parameters
    ----------
    value : ndarray, shape (draw,)
        The quantity.
    components : mapping of str to ndarray, shape (draw,)
        Log densities.
    powers : sequence of float
        Positive, none of them 1.

    Returns
    -------
    DataFrame
        ``component, power, median_shift, width_change`` (over the sd of ``value``) and ``khat``.
    """
    low, median, high = _quantiles(value, np.full(len(value), 1.0 / len(value)))
    sd = float(value.std())
    rows = []
    for name, log_density in components.items():
        for power in powers:
            weight, khat = smoothed((power - 1.0) * log_density)
            q = _quantiles(value, weight)
            rows.append(
                {
                    "component": name,
                    "power": float(power),
                    "median_shift": (q[1] - median) / sd,
                    "width_change": ((q[2] - q[0]) - (high - low)) / sd,
                    "khat": float(khat),
                }
            )
    return pd.DataFrame(rows)


def _quantiles(value: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    found = np.quantile(value, [_LOW, _MIDDLE, _HIGH], weights=weight, method="inverted_cdf")
    return float(found[0]), float(found[1]), float(found[2])


def _furthest(values: pd.Series) -> float:
    return float(values.iloc[int(values.abs().to_numpy().argmax())])


def _unreliable(table: pd.DataFrame) -> list[str]:
    poor = sorted(set(table.loc[~(table["khat"] <= KHAT_MAX), "component"]))
    return (
        [f"Pareto k̂ over {KHAT_MAX}, weights not to be trusted: {', '.join(poor)}"] if poor else []
    )
