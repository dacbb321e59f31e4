"""Pilots ranked by what they are worth less what they cost, with the Monte-Carlo error of each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from bayescale.decide import Design
from bayescale.decide.information.design import LEVEL
from bayescale.errors import PlanError
from bayescale.plots.style import (
    GREY,
    INK,
    PALETTE,
    Handle,
    Width,
    foot,
    given_axes,
    named,
    new_figure,
    style,
)

ROW = 0.2  # inches a pilot


def pilots(design: Design, *, width: Width = "text", axes: Axes | None = None) -> Figure:
    """Draw the net benefit of each pilot, in percent of the final budget, the best on top.

    Bars are 90 % intervals of the Monte-Carlo error; to the left of the line a pilot costs more than it tells. Filled:
    in the best set within the pilot budget.

    Parameters
    ----------
    design : Design
        From :func:`bayescale.design`.
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
    if not isinstance(design, Design):
        raise PlanError(
            f"plot.pilots draws a design, not a {type(design).__name__}: "
            "make one first, design(fit, budget, pilots)"
        )
    with style():
        if axes is None:
            figure = new_figure(width, 0.7 + ROW * design.table.sizes["pilot"])
            panel = figure.subplots()
            note = f"EVPI {100 * design.evpi.value / design.problem['total']:.2g} % of the budget."
            foot(figure, _legend(), 3 if width == "text" else 1, note)
        else:
            figure, (panel,) = given_axes(axes, 1)
        _ranking(panel, design)
    return figure


def _ranking(axes: Axes, design: Design) -> None:
    percent = 100.0 / design.problem["total"]
    # A pilot dearer than the whole budget would squeeze all others to a point.
    axes.set_xscale("symlog", linthresh=1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ranked = design.table.isel(pilot=np.argsort(design.table["net"].to_numpy()))
    for row, name in enumerate(ranked["pilot"].to_numpy().tolist()):
        one = ranked.sel(pilot=name)
        net, error = percent * float(one["net"]), percent * LEVEL * float(one["error"])
        shade = PALETTE[0] if net >= 0 else PALETTE[1]
        fill = shade if name in design.portfolio.pilots else "white"
        axes.errorbar(net, row, xerr=error, fmt="o", color=shade, mfc=fill, capsize=2.0, lw=1.0)
    axes.axvline(0.0, color=INK, lw=0.6)
    labels = [named(name) for name in ranked["pilot"].to_numpy().tolist()]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.6, ranked.sizes["pilot"] - 0.4)
    axes.set_xlabel("net benefit (% of the final budget)")
    axes.grid(axis="y", color=GREY, lw=0.3, alpha=0.4)


def _legend() -> dict[str, Handle]:
    def mark(shade: str, fill: str) -> Line2D:
        return Line2D([], [], color=shade, marker="o", mfc=fill, ls="")

    return {
        "in the best set": mark(PALETTE[0], PALETTE[0]),
        "pays alone": mark(PALETTE[0], "white"),
        "do not run": mark(PALETTE[1], "white"),
    }
