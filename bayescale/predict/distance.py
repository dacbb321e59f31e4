"""How far a forecast lies beyond the fitted runs, in decades of each axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayescale.posterior import Fit

_SYMBOL = {"params": "N", "tokens": "D", "compute": "C"}


def distance(fit: Fit, points: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Decades outside the range of the fitted runs, one ``beyond_<axis>`` an axis; zero inside."""
    rows = fit.runs
    out = {}
    for axis, values in points.items():
        if axis in rows:
            low, high = float(rows[axis].min()), float(rows[axis].max())
            out[f"beyond_{axis}"] = np.log10(
                np.maximum(np.maximum(values / high, low / values), 1.0)
            )
    return xr.Dataset(out)


def in_words(beyond: xr.Dataset) -> str:
    """The largest distance by axis, for a note."""
    said = [
        f"{_SYMBOL[str(axis).removeprefix('beyond_')]} {float(values.max()):.1f}"
        for axis, values in beyond.data_vars.items()
        if float(values.max()) > 0.05
    ]
    if not said:
        return "inside the range of the fitted runs"
    return f"beyond the fitted runs by up to {', '.join(said)} decades"
