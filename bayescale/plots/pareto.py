"""What cannot be had together: risk of the loss against money (or serving), the actions that none beats on top."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from bayescale.errors import PlanError
from bayescale.plots.paths import count
from bayescale.plots.style import (
    GREY,
    SHADES,
    Handle,
    Width,
    foot,
    given_axes,
    loss_axis,
    marker,
    new_figure,
    style,
)

ABOVE = 1.1  # times the best risk at the smallest budget, at which the axis ends


def pareto(numbers: xr.Dataset, *, width: Width = "text", axes: Axes | None = None) -> Figure:
    """Draw risk of the loss against what training costs, for all actions (pale) and those that none beats (by size).

    Shades give the FLOP of serving a token, light to dark; markers the hardware.

    Parameters
    ----------
    numbers : Dataset
        From :func:`bayescale.pareto`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : Axes, optional
        Where to draw; the legend is then the caller's.

    Returns
    -------
    Figure

    Raises
    ------
    PlanError
        If it is given something else.
    """
    if not isinstance(numbers, xr.Dataset) or "efficient" not in numbers:
        raise PlanError(
            f"plot.pareto draws a Pareto set, not a {type(numbers).__name__}: "
            "make one first, pareto(fit, fleets, low, high)"
        )
    with style():
        if axes is None:
            figure = new_figure(width, 2.6)
            panel = figure.subplots()
            foot(
                figure,
                _legend(numbers),
                3 if width == "text" else 1,
                f"Risk: {numbers.attrs['assumes']}.",
            )
        else:
            figure, (panel,) = given_axes(axes, 1)
        _actions(figure, panel, numbers)
    return figure


def _actions(figure: Figure, axes: Axes, numbers: xr.Dataset) -> None:
    across = "money" if "money" in numbers else "compute"
    shades = LinearSegmentedColormap.from_list("serving", SHADES)
    serving, best = numbers["serving_flop"].to_numpy(), numbers["efficient"].to_numpy()
    norm = LogNorm(float(serving[best].min()), float(serving[best].max()) * 1.01)
    # The cheapest to serve may have a loss beyond any sense: the axis ends before.
    risk = numbers["risk"].to_numpy()
    smallest = numbers["compute"].to_numpy() == float(numbers["compute"].min())
    loss_axis(axes, float(risk.min()) * 0.98, float(risk[smallest].min()) * ABOVE)
    axes.set_autoscaley_on(False)
    axes.scatter(numbers[across], numbers["risk"], s=3, color=GREY, alpha=0.3, lw=0)
    for i in range(len(numbers.attrs["fleets"])):
        mine = best & (numbers["fleet"].to_numpy() == i)
        drawn = axes.scatter(
            numbers[across].to_numpy()[mine],
            numbers["risk"].to_numpy()[mine],
            c=serving[mine],
            cmap=shades,
            norm=norm,
            marker=marker(i),
            s=9,
            lw=0,
        )
    bar = figure.colorbar(drawn, ax=axes, label="serving a token (FLOP)")
    bar.outline.set_visible(False)
    axes.set_xscale("log")
    if across == "money":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"${count(v)}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.set_xlabel("training ($)" if across == "money" else "training compute $6ND$ (FLOP)")
    axes.set_ylabel(f"{numbers.attrs['risk']} of the loss ({numbers.attrs['unit']})")


def _legend(numbers: xr.Dataset) -> dict[str, Handle]:
    found: dict[str, Handle] = {
        f"not beaten, {name}": Line2D([], [], color=SHADES[1], marker=marker(i), ls="")
        for i, name in enumerate(numbers.attrs["fleets"])
    }
    return found | {"beaten": Line2D([], [], color=GREY, marker="o", ls="", alpha=0.3)}
