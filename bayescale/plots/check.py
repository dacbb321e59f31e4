"""The check of a fit: its rows in the prior's band, their residuals in the posterior's, and the ECDF of their PIT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.checks import Predictive, predictive, uniformity
from bayescale.errors import unknown
from bayescale.plots.paths import position
from bayescale.plots.ranks import LEGEND
from bayescale.plots.style import (
    AXIS,
    GREY,
    PRIOR_GREYS,
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
from bayescale.plots.uniform import difference, uniform_panel
from bayescale.posterior import Fit, require_fit
from bayescale.runs import UNNAMED

MOST_TASKS = 6
PROBS = {"lo90": 0.05, "lo50": 0.25, "median": 0.5, "hi50": 0.75, "hi90": 0.95}
_BAND, _BAND_DARK = "#BFD9EA", "#7FB2D5"


def check_numbers(
    fit: Fit, axis: str | None = None, *, checked: Predictive | None = None
) -> xr.Dataset:
    """What :func:`check` draws.

    Parameters
    ----------
    fit : Fit
        Converged or not.
    axis : {"compute", "params", "tokens"}, optional
        By default compute for a law in N and D, else the law's own input.
    checked : Predictive, optional
        If it was computed already.

    Returns
    -------
    Dataset
        Over dim ``run``: ``x``, ``loss``, ``run_task``, ``run_architecture``, ``residual`` (relative to the predictive
        median, as log ratio), ``pit``; over ``(run, prob)``: ``band`` (replicated over median loss, as log ratio) and
        ``prior`` (loss). Over ``(task, step)``: ``at``, and there ``ecdf``, ``lower``, ``upper`` less the uniform's;
        ``p`` and ``inside`` by task. Tasks with one row have no ECDF and are left out; ``left_out`` counts those
        beyond the first six.

    Raises
    ------
    UnknownNameError
        For an axis that the rows do not have.
    """
    require_fit(fit, "check")
    inputs = fit.model.get_law().inputs
    known = [*inputs, *(["compute"] if {"params", "tokens"} <= set(inputs) else [])]
    axis = known[-1] if axis is None else axis
    if axis not in known:
        raise unknown("axis", axis, known, f"a fit of law {fit.model.get_law().name!r}")
    found = predictive(fit) if checked is None else checked
    rows = found.rows
    tasks = [t for t in fit.model.groups["task"] if (rows["task"] == t).sum() > 1]
    numbers = xr.Dataset(
        {
            "x": ("run", position(fit.runs, axis, inputs)),
            "loss": ("run", rows["loss"].to_numpy(float)),
            "run_task": ("run", rows["task"].astype(str).to_numpy(object)),
            "run_architecture": ("run", rows["architecture"].astype(str).to_numpy(object)),
            "residual": ("run", rows["residual"].to_numpy(float)),
            "pit": ("run", rows["pit"].to_numpy(float)),
            "band": (
                ("run", "prob"),
                np.log(rows[[*PROBS]].div(rows["median"], axis=0).to_numpy()),
            ),
            "prior": (("run", "prob"), rows[[f"prior_{p}" for p in PROBS]].to_numpy(float)),
        },
        coords={"prob": list(PROBS.values())},
        attrs={
            "axis": axis,
            "unit": fit.model.loss_unit,
            "left_out": max(len(tasks) - MOST_TASKS, 0),
        },
    )
    parts = {
        t: difference(uniformity(rows.loc[rows["task"] == t, "pit"].to_numpy())) for t in tasks
    }
    # Tasks differ in their number of rows: the shorter end in NaN.
    longest = max(p.sizes["step"] for p in parts.values())
    panels = [p.pad(step=(0, longest - p.sizes["step"])) for p in parts.values()]
    joined = xr.concat(panels, "task").assign_coords(task=tasks)
    return numbers.merge(joined)


def check(
    fit: Fit,
    axis: str | None = None,
    *,
    checked: Predictive | None = None,
    width: Width = "text",
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the prior and posterior predictive check of a fit, three panels a task.

    Left, the rows in the 50 and 90 % bands of what the prior would have made; in the middle their residuals, relative
    to the posterior predictive median, in the posterior's bands; right, the ECDF of their PIT values, each under the
    posterior without its row, less the uniform's, in its simultaneous 95 % band.

    Parameters
    ----------
    fit, axis, checked
        As in :func:`check_numbers`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : sequence of Axes, optional
        Where to draw, three a task; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = check_numbers(fit, axis, checked=checked)
    tasks = list(numbers["task"].to_numpy()[:MOST_TASKS])
    with style():
        if axes is None:
            across = width == "text"
            shape = (len(tasks), 3) if across else (3 * len(tasks), 1)
            figure = new_figure(width, (1.7 if across else 1.5) * shape[0] + 0.1)
            panels = list(figure.subplots(*shape, squeeze=False).flat)
            foot(figure, _legend(numbers), 4 if across else 2, _note(numbers))
        else:
            figure, panels = given_axes(axes, 3 * len(tasks))
        for i, task in enumerate(tasks):
            mine = numbers.isel(run=numbers["run_task"].to_numpy() == task).sel(task=task)
            of = "" if list(tasks) == [UNNAMED["task"]] else f"{named(str(task))}: "
            _prior(panels[3 * i], mine, f"{of}prior")
            _residuals(panels[3 * i + 1], mine, f"{of}posterior")
            p = float(mine["p"])
            uniform_panel(panels[3 * i + 2], mine.dropna("step"), f"{of}PIT (p = {p:.2g})")
            panels[3 * i + 2].set_ylabel("ECDF − uniform")
            panels[3 * i + 2].set_xlabel("PIT")
    return figure


def _bars(axes: Axes, x: np.ndarray, q: np.ndarray, shades: tuple[str, str]) -> None:
    """A light and a dark bar behind every row: the rows of one x need not share a band."""
    axes.vlines(x, q[:, 0], q[:, 4], color=shades[0], lw=2.4, zorder=1)
    axes.vlines(x, q[:, 1], q[:, 3], color=shades[1], lw=2.4, zorder=2)


def _points(axes: Axes, mine: xr.Dataset, y: np.ndarray) -> None:
    owner = mine["run_architecture"].to_numpy()
    for i, name in enumerate(sorted(set(owner))):
        own = owner == name
        x = mine["x"].to_numpy()[own]
        axes.plot(x, y[own], marker(i), mfc=colour(i), mec="w", mew=0.3, ms=3.4, zorder=4)


def _scale(axes: Axes, mine: xr.Dataset) -> None:
    axes.set_xscale("log")
    x = mine["x"].to_numpy()
    axes.set_xlim(float(x.min()) / 1.4, float(x.max()) * 1.4)
    scale_axis(axes.xaxis, str(mine.attrs["axis"]))
    axes.set_xlabel(AXIS[str(mine.attrs["axis"])])


def _prior(axes: Axes, mine: xr.Dataset, title: str) -> None:
    q, loss = mine["prior"].to_numpy(), mine["loss"].to_numpy()
    _bars(axes, mine["x"].to_numpy(), q, PRIOR_GREYS)
    _points(axes, mine, loss)
    low, high = float(loss.min()), float(loss.max())
    # A prior that reaches far out must not squeeze the rows to a line.
    loss_axis(
        axes, max(float(q[:, 0].min()), low / 3) * 0.97, min(float(q[:, 4].max()), 3 * high) * 1.03
    )
    _scale(axes, mine)
    axes.set_ylabel(f"loss ({mine.attrs['unit']})")
    axes.set_title(title, pad=3)


def _residuals(axes: Axes, mine: xr.Dataset, title: str) -> None:
    _bars(axes, mine["x"].to_numpy(), 100 * mine["band"].to_numpy(), (_BAND, _BAND_DARK))
    axes.axhline(0.0, color=GREY, lw=0.6, zorder=3)
    _points(axes, mine, 100 * mine["residual"].to_numpy())
    _scale(axes, mine)
    axes.set_ylabel("residual (%)")
    axes.set_title(title, pad=3)


def _legend(numbers: xr.Dataset) -> dict[str, Handle]:
    bars = {
        "prior, 50/90 %": PRIOR_GREYS[::-1],
        "posterior, 50/90 %": (_BAND_DARK, _BAND),
    }
    names = sorted(set(numbers["run_architecture"].to_numpy()))
    shown = {
        str(n): Line2D([], [], marker=marker(i), color=colour(i), ls="none", ms=3.4)
        for i, n in enumerate(names)
        if n != UNNAMED["architecture"]
    }
    return {
        **shown,
        **{k: tuple(Line2D([], [], color=c, lw=2.4) for c in v) for k, v in bars.items()},
        **LEGEND,
    }


def _note(numbers: xr.Dataset) -> str:
    left_out = int(numbers.attrs["left_out"])
    more = f" {left_out} more tasks are not drawn." if left_out else ""
    return f"Bands are of one run at each row's own scale. PIT leaves each row out.{more}"
