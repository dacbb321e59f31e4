"""Stacking weights, and what they rest on: every held-out group's log density against the best model's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.errors import ForecastError
from bayescale.plots.style import GREY, INK, Width, named, pair, style
from bayescale.predict import Comparison

_LINEAR = 1.0  # nats about zero that are drawn in proportion; beyond, by decades
_SPREAD = 0.24  # of a row's height, over which groups are laid out


def stacking_numbers(comparison: Comparison) -> xr.Dataset:
    """What :func:`stacking` draws.

    Returns
    -------
    Dataset
        ``weight``, ``mean`` and ``error`` (model): stacking weight, mean over held-out groups of the difference of log
        density from the best model, nats a group, and its standard error; ``difference`` (model, group).

    Raises
    ------
    ForecastError
        If the comparison was made without a back-test.
    """
    if comparison.groups.empty:
        raise ForecastError("a comparison without a back-test has no weights to draw")
    table, groups = comparison.table, comparison.groups
    models = [str(m) for m in table["model"]]
    return xr.Dataset(
        {
            "weight": ("model", table["weight"].to_numpy(float)),
            "mean": ("model", table["difference"].to_numpy(float) / len(groups)),
            "error": ("model", table["se"].to_numpy(float) / len(groups)),
            "difference": (("model", "group"), groups[models].to_numpy(float).T),
        },
        coords={"model": models, "group": groups["group"].astype(str).to_numpy()},
    )


def stacking(
    comparison: Comparison, *, width: Width = "text", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw weights, and differences of log density by held-out group, of a comparison.

    Parameters
    ----------
    comparison : Comparison
        From :func:`bayescale.compare` with a back-test.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : sequence of two Axes, optional
        Where to draw; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = stacking_numbers(comparison)
    across, models = width == "text", numbers.sizes["model"]
    with style():
        panel = 0.75 + 0.24 * models
        figure, panels = pair(axes, width, (panel, 2 * panel), _legend(), 3, _NOTE)
        _weights(panels[0], numbers)
        _differences(panels[1], numbers)
        if axes is None and across:
            panels[1].set_yticklabels([])
    return figure


_NOTE = "Bars: two standard errors over groups. Axis logarithmic beyond one nat."


def _weights(axes: Axes, numbers: xr.Dataset) -> None:
    weight = numbers["weight"].to_numpy()
    equal = 1.0 / len(weight)
    axes.axvline(equal, color="0.6", lw=0.7, ls=(0, (3, 2)), zorder=0)
    axes.hlines(np.arange(len(weight)), 0.0, weight, color=GREY, lw=1.1)
    axes.plot(weight, np.arange(len(weight)), "o", color=INK, ms=3.9, clip_on=False)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("stacking weight")
    _rows(axes, numbers)


def _differences(axes: Axes, numbers: xr.Dataset) -> None:
    difference = numbers["difference"].to_numpy()
    # Laid out in the order of the groups, the same in every row.
    within = _SPREAD * np.linspace(-1.0, 1.0, difference.shape[1] + 2)[1:-1]
    axes.axvline(0.0, color="0.6", lw=0.7, zorder=0)
    for i, own in enumerate(difference):
        axes.plot(own, i + within, "o", mfc="none", mec=GREY, ms=2.6, mew=0.6)
    axes.errorbar(
        numbers["mean"],
        np.arange(len(difference)),
        xerr=2 * numbers["error"].to_numpy(),
        fmt="o",
        color=INK,
        ms=3.9,
        lw=0.9,
    )
    axes.set_xscale("symlog", linthresh=_LINEAR)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}".replace("-", "−"))
    axes.set_xlabel("log density − best (nats a group)")
    _rows(axes, numbers)


def _rows(axes: Axes, numbers: xr.Dataset) -> None:
    names = [named(str(name)) for name in numbers["model"].to_numpy()]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _legend() -> dict[str, Line2D]:
    return {
        "mean": Line2D([], [], marker="o", color=INK, ls="none", ms=3.9),
        "a held-out group": Line2D(
            [], [], marker="o", mfc="none", mec=GREY, ls="none", ms=2.6, mew=0.6
        ),
        "equal weights": Line2D([], [], color="0.6", lw=0.7, ls=(0, (3, 2))),
    }
