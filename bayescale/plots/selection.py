"""Groups as actions: their compute-optimal frontiers over a range of budgets, and which is best at the budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.decide import Selection
from bayescale.errors import PlanError
from bayescale.plots.style import (
    BEYOND,
    GREY,
    Handle,
    Width,
    budget_axis,
    colour,
    loss_axis,
    marker,
    named,
    pair,
    style,
)


def selection(
    found: Selection, *, width: Width = "text", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw the frontier loss of each group against compute, and P(best) with the share wasted at the budget.

    Left: medians, and 90 % bands of the two groups most often best; the budget is dotted. Right: the share of draws in
    which a group is best (filled) and the expected share of the budget that choosing it wastes (open).

    Parameters
    ----------
    found : Selection
        From :func:`bayescale.select`.
    width : {"text", "column"}
        6.8 inches with panels side by side, or 3.3 with one above the other; ignored with ``axes``.
    axes : two Axes, optional
        Where to draw; the legend is then the caller's.

    Returns
    -------
    Figure

    Raises
    ------
    PlanError
        If it is given something else.
    """
    if not isinstance(found, Selection):
        raise PlanError(
            f"plot.selection draws a selection, not a {type(found).__name__}: "
            "make one first, select(fit, budget)"
        )
    with style():
        note = f"Intervals: {found.problem['assumes']}."
        figure, (left, right) = pair(axes, width, (2.3, 4.2), _legend(found), 4, note)
        _frontiers(left, found)
        _shares(right, found)
    return figure


def _frontiers(axes: Axes, found: Selection) -> None:
    numbers = found.frontier
    compute = numbers["compute"].to_numpy()
    likely = np.argsort(-found.table["p_best"].to_numpy())[:2]
    for i, name in enumerate(numbers["group"].to_numpy().tolist()):
        loss = numbers["loss"].sel(group=name)
        axes.plot(compute, loss.sel(prob=0.5), color=colour(i), marker=marker(i), markevery=12)
        if i in likely:
            ends = (loss.sel(prob=0.05), loss.sel(prob=0.95))
            axes.fill_between(compute, *ends, color=colour(i), alpha=0.15, lw=0)
    budget_axis(axes, compute, numbers["fitted_compute"].to_numpy())
    axes.axvline(found.problem["compute"], color=GREY, lw=0.8, ls=":")
    shown = numbers["loss"].isel(group=likely)
    loss_axis(axes, float(shown.min()) * 0.97, float(shown.max()) * 1.03)
    axes.set_ylabel(f"frontier loss ({found.problem['unit']})")


def _shares(axes: Axes, found: Selection) -> None:
    names = found.table["group"].to_numpy().tolist()
    for i in range(len(names)):
        row = len(names) - 1 - i
        best, wasted = (float(found.table[k][i]) for k in ("p_best", "regret"))
        axes.plot([best, wasted], [row, row], color=GREY, lw=0.5, zorder=1)
        axes.plot(best, row, marker(i), color=colour(i))
        axes.plot(wasted, row, marker(i), color=colour(i), mfc="white")
    axes.set_yticks(range(len(names)), [named(name) for name in names[::-1]])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("P(best) (filled), share wasted (open)")


def _legend(found: Selection) -> dict[str, Handle]:
    names = found.table["group"].to_numpy().tolist()
    entries: dict[str, Handle] = {
        named(name): Line2D([], [], color=colour(i), marker=marker(i))
        for i, name in enumerate(names)
    }
    entries["beyond the fitted runs"] = Patch(color=BEYOND, lw=0)
    return entries
