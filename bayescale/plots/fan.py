"""The scaling curve: runs by family, fans with and without the noise of a run, and the floor."""

from __future__ import annotations

import re
from collections.abc import Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.plots.numbers import curve_numbers
from bayescale.plots.style import (
    AXIS,
    BEYOND,
    FLOOR,
    GREY,
    Handle,
    Width,
    colour,
    foot,
    given_axes,
    loss_axis,
    marker,
    named,
    new_figure,
    scale_axis,
    style,
)
from bayescale.posterior import Fit, Group
from bayescale.runs import UNNAMED

_COMPUTE_6ND = "compute $6ND$ (FLOP)"
_NEW = "#595959"  # a family that was not fitted has no colour of its own
_RUN_FILL, _RUN_EDGE = 0.09, (0, (4, 1.5))  # of the bands of a single run
_HEIGHT = {1: 2.4, 2: 2.0, 3: 1.55}  # inches a panel, by panels a row


def curve(
    fit: Fit,
    axis: str | None = None,
    architecture: Group | Sequence[Group] | None = None,
    *,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    width: Width = "text",
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw loss against scale, one panel a family: its runs, the fan of the forecast, and the floor.

    Dark bands are the expected loss, light ones with an edge a single run (50 % and 90 % of each), the hatched band the
    floor's 90 % interval. Shaded is what lies beyond the family's largest run; in the panel of a new family, which has
    none, beyond the largest of all. Runs of the other families stand behind in grey. There is a panel for each family
    that varies the axis, up to twelve; the footer counts those left out. All panels share their axes.
    The path through (N, D) is written in each panel; see :func:`curve_numbers` for how it is chosen.

    Parameters
    ----------
    fit, axis, architecture, task, study, allow_unconverged
        As in :func:`curve_numbers`.
    width : {"text", "column"}
        6.8 inches with up to three panels a row, or 3.3 with one; ignored with ``axes``.
    axes : Axes or sequence of Axes, optional
        Where to draw, one a panel; the legend is then the caller's.

    Returns
    -------
    Figure

    Raises
    ------
    ForecastError, UnknownNameError, ConvergenceError
    """
    numbers = curve_numbers(
        fit, axis, architecture, task=task, study=study, allow_unconverged=allow_unconverged
    )
    groups, known = numbers.sizes["group"], fit.model.groups["architecture"]
    with style():
        if axes is None:
            figure, panels = _frame(numbers, width)
        else:
            figure, panels = given_axes(axes, groups)
            for panel in panels:
                _label(panel, numbers)
        for i, panel in enumerate(panels):
            _panel(panel, numbers, i, known)
    return figure


def _frame(numbers: xr.Dataset, width: Width) -> tuple[Figure, list[Axes]]:
    """A figure with one panel a group, labelled at its outer edges, and the legend at its foot."""
    groups = numbers.sizes["group"]
    columns = min(groups, 3 if width == "text" else (1 if groups < 4 else 2))
    rows = -(-groups // columns)
    each = 1.3 if width == "column" and columns == 2 else _HEIGHT[columns]
    figure = new_figure(width, rows * each + 0.2)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for spare in grid.flat[groups:]:
        spare.set_visible(False)
    panels = list(grid.flat[:groups])
    for i, panel in enumerate(panels):
        bottom = i + columns >= groups
        _label(panel, numbers, bottom, i % columns == 0)
        panel.tick_params(labelbottom=bottom)
    left_out = int(numbers.attrs["left_out"])
    said = f"{_left_out(left_out)} " if left_out else ""
    said += f"Each interval: {numbers.attrs['assumes']}."
    foot(figure, _legend(numbers), 5 if width == "text" else 2, said)
    return figure, panels


def _left_out(count: int) -> str:
    if count == 1:
        return "1 family that does not vary it is not drawn."
    return f"{count} families that do not vary it are not drawn."


def _label(axes: Axes, numbers: xr.Dataset, below: bool = True, beside: bool = True) -> None:
    axis = str(numbers.attrs["axis"])
    joint = axis == "compute" and numbers.attrs["joint"]
    if below:
        axes.set_xlabel(_COMPUTE_6ND if joint else AXIS[axis])
    if beside:
        axes.set_ylabel(f"loss ({numbers.attrs['unit']})")


def _panel(axes: Axes, numbers: xr.Dataset, i: int, known: Sequence[str]) -> None:
    one = numbers.isel(group=i)
    group, new = str(one["group"].item()), bool(one["new"])
    shade, mark = (_NEW, "o") if new else (colour(known.index(group)), marker(known.index(group)))
    axes.set_xscale("log")
    _bands(axes, one, shade)
    _runs(axes, numbers, group, shade, mark, new)
    low, high, edge = float(numbers["x"].min()), float(numbers["x"].max()), float(one["edge_high"])
    axes.set_xlim(low / 1.3, high)
    axes.axvspan(edge, high, color=BEYOND, lw=0, zorder=0)
    axes.axvline(edge, color=GREY, lw=0.6, ls=(0, (1, 1.5)), zorder=1, ymax=0.86)
    loss_axis(axes, *_loss_range(numbers))
    scale_axis(axes.xaxis, str(numbers.attrs["axis"]))
    if new:
        axes.set_title(f"{named(group)} (new)", pad=3)
    elif len(known) > 1 or group != UNNAMED["architecture"]:
        axes.set_title(named(group), pad=3)
    design = re.sub(r"\b([ND])\b", r"$\1$", str(one["design"].item()))
    where = axes.transAxes
    axes.text(0.97, 0.95, design, transform=where, ha="right", va="top", fontsize=6)


def _bands(axes: Axes, one: xr.Dataset, shade: str) -> None:
    x, floor = one["x"].to_numpy(), one["floor"].to_numpy()
    if floor[4] > 0:  # some laws have no floor
        axes.axhspan(floor[0], floor[4], facecolor="none", edgecolor=FLOOR, hatch="/////", lw=0)
    run, expected = (one["loss"].sel(kind=k).to_numpy().T for k in ("run", "expected"))
    for q, low, high, alpha in (
        (run, 0, 4, _RUN_FILL),
        (run, 1, 3, _RUN_FILL),
        (expected, 0, 4, 0.3),
        (expected, 1, 3, 0.45),
    ):
        axes.fill_between(x, q[low], q[high], color=shade, alpha=alpha, lw=0)
    # Where noise is small the two nearly coincide; the edge shows that there are two.
    for edge in (0, 4):
        axes.plot(x, run[edge], color=shade, lw=0.5, ls=_RUN_EDGE)
    axes.plot(x, expected[2], color=shade, lw=0.9)


def _runs(axes: Axes, numbers: xr.Dataset, group: str, shade: str, mark: str, new: bool) -> None:
    own = (numbers["run_group"].to_numpy() == group) & (not new)
    x, loss = numbers["run_x"].to_numpy(), numbers["run_loss"].to_numpy()
    axes.plot(x[~own], loss[~own], ".", color="0.75", ms=2.2, zorder=1)
    axes.plot(x[own], loss[own], mark, mfc=shade, mec="w", mew=0.4, ms=4.2, zorder=4)


def _loss_range(numbers: xr.Dataset) -> tuple[float, float]:
    """Limits that hold runs, fans and floor, but let no band that runs away squeeze the rest."""
    runs, fan = numbers["run_loss"].to_numpy(), numbers["loss"].to_numpy()
    low = min(float(runs.min()), float(fan.min()))
    floor = float(numbers["floor"].min())
    high = min(max(float(runs.max()), float(fan.max())), 2.0 * float(runs.max()))
    return max(min(floor, low), 0.4 * low) * 0.96, high * 1.04


def _legend(numbers: xr.Dataset) -> dict[str, Handle]:
    new = numbers["new"].to_numpy()
    beyond = "all runs" if new.all() else "its runs (new: all)" if new.any() else "its runs"
    return {
        "run": Line2D([], [], color="0.2", lw=0, marker="o", ms=4),
        "expected loss, 50/90 %": _tones(0.8, 0.5),
        "one run, 50/90 %": (
            *_tones(2 * _RUN_FILL, _RUN_FILL),
            Line2D([], [], color="0.2", lw=0.5, ls=_RUN_EDGE),
        ),
        "floor $L_\\infty$, 90 %": Patch(facecolor="none", edgecolor=FLOOR, hatch="/////", lw=0),
        f"beyond {beyond}": Patch(color=BEYOND, lw=0),
    }


def _tones(*alphas: float) -> tuple[Patch, ...]:
    return tuple(Patch(color="0.2", alpha=a, lw=0) for a in alphas)
