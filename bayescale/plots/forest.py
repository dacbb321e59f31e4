"""The forest of parameters: intervals of β, δ, α and L∞ by group, over their prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayescale.laws import Law
from bayescale.plots.numbers import posterior_numbers
from bayescale.plots.style import (
    INK,
    PRIOR_GREYS,
    Handle,
    Width,
    colour,
    foot,
    given_axes,
    marker,
    named,
    new_figure,
    style,
)
from bayescale.posterior import Fit, Group
from bayescale.runs import UNNAMED

WIDE_PRIOR = 4.0  # times the range of the groups, from which a prior is cut


def posterior(
    fit: Fit,
    parameters: Sequence[str] | None = None,
    *,
    task: Group | None = None,
    study: Group | None = None,
    width: Width = "text",
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw a forest of parameters by group: median, 50 % and 90 % equal-tailed intervals, prior behind in grey.

    Where the prior is more than four times as wide as all groups together, the axis follows the groups and cuts it.

    Parameters
    ----------
    fit : Fit
        Any law, pooled or not.
    parameters : sequence of str, optional
        One panel each; by default those of β, δ, α and L∞ that the law has and does not fix.
    task, study : str or New, optional
        As in :func:`bayescale.predict`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : Axes or sequence of Axes, optional
        Where to draw, one a parameter; the legend is then the caller's.

    Returns
    -------
    Figure

    Raises
    ------
    ForecastError, UnknownNameError
    """
    numbers = posterior_numbers(fit, parameters, task=task, study=study)
    names, groups = numbers.sizes["parameter"], numbers.sizes["group"]
    with style():
        if axes is None:
            columns = min(names, 4 if width == "text" else 2)
            rows = -(-names // columns)
            figure = new_figure(
                width, rows * (0.5 + 0.155 * groups) + (0.35 if width == "text" else 0.5)
            )
            panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
            for spare in panels[names:]:
                spare.set_visible(False)
            foot(figure, _legend(), 3 if width == "text" else 2, _note(numbers))
        else:
            (figure, panels), columns = given_axes(axes, names), names
        for i, panel in enumerate(panels[:names]):
            one = numbers.isel(parameter=i)
            _panel(panel, one, _title(fit.model.get_law(), one, numbers.attrs["unit"]))
            panel.tick_params(labelleft=i % columns == 0)
    return figure


def _note(numbers: xr.Dataset) -> str:
    """What every reader must know of the intervals."""
    exact = "" if numbers.attrs["drifts"] else "; each assumes the law is exact"
    return f"Equal-tailed intervals{exact}. In brackets: runs."


def _panel(axes: Axes, one: xr.Dataset, title: str) -> None:
    prior = one["prior"].to_numpy()
    axes.axvspan(prior[0], prior[4], color=PRIOR_GREYS[0], lw=0, zorder=0)
    axes.axvspan(prior[1], prior[3], color=PRIOR_GREYS[1], lw=0, zorder=0)
    kinds, known = one["kind"].to_numpy(), 0
    for row, kind in enumerate(kinds):
        q = one["posterior"].to_numpy()[row]
        if kind == "known":
            look = (colour(known), marker(known), colour(known))
            known += 1
        else:
            look = (INK, "D" if kind == "population" else "o", INK if kind == "population" else "w")
        axes.plot([q[0], q[4]], [row, row], color=look[0], lw=0.9, solid_capstyle="butt")
        axes.plot([q[1], q[3]], [row, row], color=look[0], lw=3.2, solid_capstyle="butt")
        # A white rim keeps the marker's shape apart from the bar of its own colour.
        rim = look[0] if look[2] == "w" else "w"
        axes.plot(q[2], row, look[1], mfc=look[2], mec=rim, ms=3.9, mew=0.5, zorder=3)
    for row in range(1, len(kinds)):
        if kinds[row] != kinds[row - 1]:
            axes.axhline(row - 0.5, color="0.75", lw=0.5, zorder=0.5)
    axes.set_yticks(np.arange(len(kinds)), _labels(one))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel(title)
    drawn = one["posterior"].to_numpy()
    low, high = float(drawn.min()), float(drawn.max())
    if prior[4] - prior[0] > WIDE_PRIOR * (high - low) > 0:
        margin = 0.25 * (high - low)
        axes.set_xlim(low - margin, high + margin)
    if bool(one["shared"]):
        axes.set_title("one for all families", fontsize=6, pad=2)
    axes.spines["left"].set_visible(False)


def _labels(one: xr.Dataset) -> list[str]:
    said, alone = [], int((one["kind"] == "known").sum()) == 1
    for kind, group, runs in zip(
        one["kind"].to_numpy(), one["group"].to_numpy(), one["runs"].to_numpy(), strict=True
    ):
        name = "all runs" if alone and group == UNNAMED["architecture"] else named(str(group))
        said.append(f"{name} ({runs})" if kind == "known" else name)
    return said


def _title(law: Law, one: xr.Dataset, unit: str) -> str:
    name = str(one["parameter"].item())
    known = law.parameters.get(name)
    symbol = f"${known.latex}$" if known else rf"$\{name}$"
    return f"{symbol} ({unit})" if known is not None and known.unit == "loss" else symbol


def _legend() -> dict[str, Handle]:
    return {
        "median and 90 % interval": Line2D(
            [], [], color=INK, lw=0.9, marker="D", mec="w", mew=0.5, ms=3.9
        ),
        "50 % interval": Line2D([], [], color=INK, lw=3.2, solid_capstyle="butt"),
        "prior, 50 and 90 %": tuple(Patch(color=grey, lw=0) for grey in PRIOR_GREYS[::-1]),
    }
