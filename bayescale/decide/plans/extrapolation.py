"""`extrapolation`: what a fit says 1, 2 and 3 decades beyond its data, and whether its curves still behave there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks import decade_beyond
from bayescale.decide.plans.isoflop import EDGE_SHARE
from bayescale.decide.plans.outward import STEP, Outward
from bayescale.errors import ForecastError
from bayescale.posterior import Fit, Group, Side, require_fit
from bayescale.predict import as_groups, assumption

DECADES = (1.0, 2.0, 3.0)
_SYMBOL = {"params": "N", "tokens": "D", "compute": "C"}


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """A fit beyond its data.

    Attributes
    ----------
    table : DataFrame
        One row per group and distance: ``architecture, task, decades``; where that is, on ``axis``; ``median, lo90,
        hi90, width90`` of the expected loss (drift included) there; ``p_below_floor``, the share of draws with a loss
        below their own L∞, and ``p_rises_<axis>``, the share whose loss rises somewhere: along the axis from the data
        to there, and for a law in N and D with N at fixed D and with D at fixed N too, within a decade of the frontier.
        All of these must be zero. For a law in N and D also ``params_lo90, params_median, params_hi90`` of N*, and
        ``regret``, the mean share of the compute that the action of least expected loss wastes.
    axis : str
        What is extrapolated: ``compute``, along each draw's own frontier, for a law in N and D; else the law's axis.
    unit : str
        Of the loss.
    notes : tuple of str
        What a reader must know, any probability above zero first.
    """

    table: pd.DataFrame
    axis: str
    unit: str
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether no draw falls below its floor or rises with scale."""
        return not _violations(self.table)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "axis": self.axis,
            "unit": self.unit,
            "sound": self.sound,
            "rows": self.table.to_dict("records"),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        along = "the compute-optimal frontier" if "regret" in self.table else f"{self.axis} alone"
        head = f"Expected loss in {self.unit} beyond the data, along {along}, 90 % equal-tailed intervals"
        body = self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")
        return "\n".join([head, body, *(f"note: {n}" for n in self.notes)])


def extrapolation(
    fit: Fit,
    *,
    decades: Sequence[float] = DECADES,
    architecture: Group | Sequence[Group] | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
) -> Extrapolation:
    """Follow the curves of a fit beyond its data: how wide, whether they behave, and what that leaves of a decision.

    Parameters
    ----------
    fit : Fit
        Of any law.
    decades : sequence of float
        Distances beyond the largest run of the group's own architecture (of a new one: of all), in decades of compute
        for a law in N and D, else of the law's axis.
    architecture, task, study : str, New, or (architecture only) a list of them
        As in :func:`bayescale.predict`; by default the group of the largest run.
    allow_unconverged : bool
        Follow a fit that missed the gate.

    Returns
    -------
    Extrapolation

    Raises
    ------
    ForecastError, UnknownNameError, ConvergenceError
    """
    require_fit(fit, "extrapolation")
    fit.require_converged(allow_unconverged)
    far = np.unique(np.asarray(decades, float))
    if far.size == 0 or not (np.isfinite(far).all() and far[0] > 0):
        raise ForecastError(f"decades = {decades!r} (expected distances above 0)")
    steps = np.union1d(np.arange(0.0, far[-1], STEP), far)
    rows, unbounded = [], []
    for where in _groups(fit, architecture, task, study):
        path = Outward.of(fit, where, steps)
        for distance in map(float, far):
            at = int(np.searchsorted(steps, distance))
            row: dict[str, Any] = {
                **{side: str(where[side]) for side in ("architecture", "task")},
                "decades": distance,
                path.axis: float(np.exp(path.log_scale[at])),
                **path.interval(at),
                **path.broken(at),
            }
            if path.joint:
                decided, outside = path.decision(at)
                row |= decided
                if outside > EDGE_SHARE:
                    unbounded.append(
                        f"N* of {row['architecture']} at {distance:g} decades is unbounded: "
                        f"{100 * outside:.0f} % of the optima lie on an edge of the grid"
                    )
            rows.append(row)
    table = pd.DataFrame(rows)
    missed = [] if fit.convergence.passed else [str(fit.convergence)]
    return Extrapolation(
        table,
        path.axis,
        fit.model.loss_unit,
        (*_violations(table), *unbounded, assumption(fit), *missed),
    )


def _groups(
    fit: Fit,
    architecture: Group | Sequence[Group] | None,
    task: Group | None,
    study: Group | None,
) -> list[dict[Side, Group]]:
    if architecture is None and task is None and study is None:
        largest = decade_beyond(fit)
        return [fit.groups(largest["architecture"], largest["task"], largest["study"])]
    return [fit.groups(one, task, study) for one in as_groups(architecture)]


def _violations(table: pd.DataFrame) -> list[str]:
    """What a curve must never do, and some draws do."""
    said = {"p_below_floor": "fall below their own L∞"}
    said |= {f"p_rises_{axis}": f"rise with {symbol}" for axis, symbol in _SYMBOL.items()}
    return [
        f"{100 * row[column]:.2g} % of the draws {what} at {row['decades']:g} decades "
        f"({row['architecture']}): this form must not be used there"
        for row in table.to_dict("records")
        for column, what in said.items()
        if row.get(column, 0.0) > 0.0
    ]
