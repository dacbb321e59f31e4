"""How far a posterior supports a decision: what a back-test held at that distance, and whether the floor is known."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from bayescale.errors import PlanError, unknown
from bayescale.posterior import Fit, Posterior, floor_notes
from bayescale.predict import Backtest, distance, require_same_settings
from bayescale.wording import counted

UNTESTED = "not calibrated here: no back-test at this distance"
EDGES = (0.0, 0.5, 1.0, 2.0, 3.0)  # decades; held-out runs of one of these are at one distance


def calibration(
    fit: Posterior, points: Mapping[str, xr.DataArray], backtest: Backtest | None
) -> list[str]:
    """What share of the runs that were held out as far from the data as an action lay inside their intervals.

    Parameters
    ----------
    fit : Fit or Stacked
        That the decision stands on.
    points : mapping
        Axis → values of the actions; the farthest counts.
    backtest : Backtest or None
        Of the fit's models, on its data.

    Returns
    -------
    list of str
        A note for each model of the fit.

    Raises
    ------
    PlanError
        If the back-test is of other data.
    DataError, UnknownNameError
        If it is of other settings, or not of the fit's model.
    """
    if backtest is None:
        return [UNTESTED]
    far = max(float(values.max()) for values in distance(fit.members[0], points).values())
    return [_held(member, far, backtest) for member in fit.members]


def _held(fit: Fit, far: float, backtest: Backtest) -> str:
    """Of one model."""
    name = fit.model.spec.name
    if backtest.problem["data_hash"] != fit.data_hash:
        raise PlanError(
            f"the back-test is of other data than the fit of {name!r}: make one of its table"
        )
    require_same_settings([fit], backtest)
    rows = backtest.rows[backtest.rows["model"] == name]
    if rows.empty:
        raise unknown("model", name, backtest.rows["model"].unique(), "the back-test")
    reach = float(rows["decades"].max())
    if far > reach:
        return (
            f"not calibrated here: {far:.1f} decades beyond the fitted runs, and the back-test of {name!r} "
            f"ends {reach:.1f} beyond its own"
        )
    low = max(edge for edge in EDGES if edge <= far)
    high = min((edge for edge in EDGES if edge > far), default=float("inf"))
    near = rows[(rows["decades"] >= low) & (rows["decades"] < high)]
    where = f"{low:g}–{high:g}" if high < float("inf") else f"more than {low:g}"
    if near.empty:
        return f"not calibrated here: the back-test of {name!r} held no run out {where} decades off"
    inside = 100.0 * near["inside90"].astype(float).mean()
    held = f"{counted(len(near), 'run')} ({counted(near['group'].nunique(), 'group')})"
    return (
        f"back-test of {name!r}, {where} decades beyond the fitted runs: {inside:.0f} % of {held} "
        "inside their 90 % intervals"
    )


def floors(fit: Posterior) -> list[str]:
    """What the data leave open of the floor: headroom and every P(target) hang on it."""
    return list(dict.fromkeys(note for member in fit.members for note in floor_notes(member)))
