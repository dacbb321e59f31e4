"""The calibration of a back-test: how often intervals held what came true, and how wide they were by distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.plots.style import (
    Handle,
    Width,
    colour,
    marker,
    pair,
    style,
)
from bayescale.predict import Backtest

LEVELS = (50, 80, 90, 95)


def calibration_numbers(result: Backtest) -> xr.Dataset:
    """What :func:`calibration` draws.

    Returns
    -------
    Dataset
        ``observed`` and ``error`` (model, level): share of held-out runs inside the interval, and its standard error
        clustered by group; ``nominal`` (level). ``decades``, ``width`` (90 %, relative to the loss) and ``inside`` of
        every held-out run over dim ``run``, with ``run_model``.
    """
    rows = result.rows
    models = [str(m) for m in rows["model"].unique()]
    scores = result.summary(("model",)).set_index("model").loc[models]
    observed = scores[[f"cover{level}" for level in LEVELS]].to_numpy()
    error = scores[[f"se{level}" for level in LEVELS]].to_numpy()
    return xr.Dataset(
        {
            "observed": (("model", "level"), observed),
            "error": (("model", "level"), error),
            "nominal": ("level", np.array(LEVELS) / 100.0),
            "decades": ("run", rows["decades"].to_numpy(float)),
            "width": ("run", (rows["width90"] / rows["loss"]).to_numpy(float)),
            "inside": ("run", rows["inside90"].to_numpy(bool)),
            "run_model": ("run", rows["model"].astype(str).to_numpy()),
        },
        coords={"model": models, "level": list(LEVELS)},
    )


def calibration(
    result: Backtest, *, width: Width = "text", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw reliability, and width against distance, of a back-test.

    Parameters
    ----------
    result : Backtest
        From :func:`bayescale.backtest`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : sequence of two Axes, optional
        Where to draw; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = calibration_numbers(result)
    with style():
        figure, panels = pair(axes, width, (2.3, 4.4), _legend(numbers), 4, _NOTE)
        _reliability(panels[0], numbers)
        _widths(panels[1], numbers)
    return figure


_NOTE = "Bars: two standard errors, clustered by group. Hollow: runs that fell outside their 90 % interval."


def _reliability(axes: Axes, numbers: xr.Dataset) -> None:
    axes.plot([0.4, 1.0], [0.4, 1.0], color="0.6", lw=0.7, zorder=0)
    nominal = numbers["nominal"].to_numpy()
    for i, model in enumerate(numbers["model"].to_numpy()):
        one = numbers.sel(model=model)
        # Side by side, so that the bars of several models can be told apart.
        at = nominal + 0.008 * (i - (numbers.sizes["model"] - 1) / 2)
        axes.errorbar(
            at,
            one["observed"],
            2 * one["error"].to_numpy(),
            fmt=marker(i),
            color=colour(i),
            ms=3.9,
            lw=0.9,
        )
    axes.set_xticks(nominal, [f"{100 * v:.0f}" for v in nominal])
    axes.set_ylim(min(0.4, float((numbers["observed"] - 2 * numbers["error"]).min())), 1.02)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f}")
    axes.set_xlabel("interval says (%)")
    axes.set_ylabel("interval holds (%)")


def _widths(axes: Axes, numbers: xr.Dataset) -> None:
    owner = numbers["run_model"].to_numpy()
    for i, model in enumerate(numbers["model"].to_numpy()):
        mine = numbers.isel(run=owner == model)
        inside = mine["inside"].to_numpy()
        for chosen, face in ((inside, colour(i)), (~inside, "w")):
            axes.plot(
                mine["decades"].to_numpy()[chosen],
                mine["width"].to_numpy()[chosen],
                marker(i),
                mfc=face,
                mec=colour(i),
                ms=3.2,
                mew=0.6,
                ls="none",
            )
    axes.set_yscale("log")
    axes.set_xlabel("decades beyond the fitted runs")
    axes.set_ylabel("90 % width / loss")


def _legend(numbers: xr.Dataset) -> dict[str, Handle]:
    return {
        str(model): Line2D([], [], marker=marker(i), color=colour(i), ls="none", ms=3.9)
        for i, model in enumerate(numbers["model"].to_numpy())
    }
