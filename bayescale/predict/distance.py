"""How far a forecast lies beyond the fitted runs, all of them and those of its own family, in decades of each axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayescale.errors import ForecastError
from bayescale.posterior import Fit, Group
from bayescale.predict.points import FLOP_PER_PARAM_TOKEN

_SYMBOL = {"params": "N", "tokens": "D", "compute": "C", "upstream_loss": "upstream loss"}
_SAID = 0.05  # decades; less is the same place


def distance(
    fit: Fit, points: Mapping[str, xr.DataArray], architecture: Group | None = None
) -> xr.Dataset:
    """Decades outside the range of the fitted runs, one ``beyond_<axis>`` an axis; zero inside.

    Parameters
    ----------
    fit : Fit
        Its rows give the range.
    points : mapping
        Axis → values, N and D in counts, C in FLOP; others have no distance.
    architecture : str or New, optional
        A fitted family: the range is then that of its own runs. Of a new family, or of none, it is that of all runs.

    Notes
    -----
    C is 6·N·D, of the points and of the runs alike, whatever compute the table reports. Only where the law reads
    compute, or the table lacks N or D, is it the table's own.
    """
    out = {}
    for axis in [a for a in points if a in _SYMBOL]:
        values, fitted = points[axis], _fitted(fit, axis, architecture)
        if fitted is not None:
            out[f"beyond_{axis}"] = decades_outside(values, fitted)
    return xr.Dataset(out)


def decades_outside[T: (np.ndarray, xr.DataArray)](values: T, fitted: T) -> T:
    """How far values lie outside the range of the fitted ones, in decades; zero inside."""
    low, high = float(fitted.min()), float(fitted.max())
    # numpy's types do not say that its functions keep a DataArray one.
    return np.maximum(np.log10(np.maximum(values / high, low / values)), 0.0)  # type: ignore[return-value]


def fitted_edge(fit: Fit, axis: str, architecture: Group | None = None) -> float:
    """The largest scale of the runs from which :func:`distance` counts, on an axis that the law reads or implies."""
    fitted = _fitted(fit, axis, architecture)
    if fitted is None:
        raise ForecastError(f"the fitted runs have no {axis}: no distance beyond them")
    return float(fitted.max())


def _fitted(fit: Fit, axis: str, architecture: Group | None) -> xr.DataArray | None:
    """Where the runs of a fitted family, or all runs, lie on an axis, as the law sees it."""
    rows = fit.runs
    if isinstance(architecture, str):
        rows = rows.isel(run=rows["architecture"].to_numpy() == architecture)
    both = "params" in rows and "tokens" in rows
    if axis == "compute" and both and "compute" not in fit.model.get_law().inputs:
        return FLOP_PER_PARAM_TOKEN * rows["params"] * rows["tokens"]
    return rows.get(axis)


def in_words(beyond: xr.Dataset, whose: str = "the fitted") -> str:
    """The largest distance by axis, for a note."""
    said = [
        f"{_SYMBOL[str(axis).removeprefix('beyond_')]} {float(values.max()):.1f}"
        for axis, values in beyond.data_vars.items()
        if float(values.max()) > _SAID
    ]
    if not said:
        return f"inside the range of {whose} runs"
    return f"beyond {whose} runs by up to {', '.join(said)} decades"


def distance_note(
    fit: Fit, points: Mapping[str, xr.DataArray], architectures: Sequence[Group]
) -> str:
    """The distance beyond all fitted runs, and beyond a family's own where that is larger on some axis."""
    pooled = distance(fit, points)
    said = [in_words(pooled)]
    for group in architectures:
        own = distance(fit, points, group)
        if any(float(own[a].max()) > float(pooled[a].max()) + _SAID for a in pooled):
            said.append(in_words(own, f"{group}'s own"))
    return "; ".join(said)
