"""Risk against budget: the chance of reaching a target as compute grows, and the loss to expect there."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.decide import Cheapest
from bayescale.errors import PlanError
from bayescale.plots.style import (
    BEYOND,
    GREY,
    INK,
    PALETTE,
    Handle,
    Width,
    budget_axis,
    loss_axis,
    pair,
    style,
)

_LINES = {"loss": ("-", PALETTE[0]), "cvar": ("--", PALETTE[1])}


def budget(
    numbers: xr.Dataset,
    cheapest: Cheapest | None = None,
    *,
    width: Width = "text",
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw P(loss ≤ target), and mean loss and CVaR, against the training budget.

    Left: the probability at the best N of each budget; with ``cheapest``, its budget and the 90 % interval that the
    number of draws leaves open. Right: mean loss and CVaR there, and the target. Grey: beyond the fitted runs.

    Parameters
    ----------
    numbers : Dataset
        From :func:`bayescale.budget_frontier`.
    cheapest : Cheapest, optional
        From :func:`bayescale.cheapest`, of the same target.
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
        If it is given other numbers, or those of another target.
    """
    if not isinstance(numbers, xr.Dataset) or "p_hit" not in numbers:
        raise PlanError(
            f"plot.budget draws a budget frontier, not a {type(numbers).__name__}: "
            "make one first, budget_frontier(fit, target_loss, low, high)"
        )
    if cheapest is not None:
        for what in ("target_loss", "kind"):
            if cheapest.problem[what] != numbers.attrs[what]:
                raise PlanError(
                    f"{what} is {cheapest.problem[what]} of the cheapest budget, "
                    f"{numbers.attrs[what]} of the frontier; make both for one"
                )
    with style():
        note, entries = f"Probabilities: {numbers.attrs['assumes']}.", _legend(numbers, cheapest)
        figure, (left, right) = pair(axes, width, (2.3, 4.2), entries, 3, note)
        _chance(left, numbers, cheapest)
        _loss(right, numbers)
        for panel in (left, right):
            budget_axis(panel, numbers["compute"].to_numpy(), numbers["fitted_compute"].to_numpy())
    return figure


def _chance(axes: Axes, numbers: xr.Dataset, cheapest: Cheapest | None) -> None:
    axes.plot(numbers["compute"], numbers["p_hit"], color=INK)
    if cheapest is not None:
        at, p = cheapest.compute, cheapest.problem["probability"]
        high = cheapest.compute_hi or float(numbers["compute"].max())
        axes.plot([cheapest.compute_lo, high], [p, p], color=PALETTE[1], lw=2.2, zorder=4)
        axes.plot([at, at], [0.0, p], color=PALETTE[1], lw=0.7, ls=":")
        axes.plot(at, p, "o", color=PALETTE[1], zorder=5)
    axes.set_ylim(0.0, 1.0)
    axes.set_ylabel(f"P(loss ≤ {numbers.attrs['target_loss']:g})")


def _loss(axes: Axes, numbers: xr.Dataset) -> None:
    for name, (line, shade) in _LINES.items():
        axes.plot(numbers["compute"], numbers[name], line, color=shade)
    target = numbers.attrs["target_loss"]
    axes.axhline(target, color=GREY, lw=0.8, ls="-.")
    low = min(float(numbers["loss"].min()), target)
    loss_axis(axes, low * 0.97, float(numbers["cvar"].max()) * 1.03)
    axes.set_ylabel(f"loss ({numbers.attrs['unit']})")


def _legend(numbers: xr.Dataset, cheapest: Cheapest | None) -> dict[str, Handle]:
    names = {"loss": "mean loss", "cvar": f"CVaR {numbers.attrs['share']:g}"}
    entries: dict[str, Handle] = {
        names[name]: Line2D([], [], color=shade, ls=line) for name, (line, shade) in _LINES.items()
    }
    entries["target"] = Line2D([], [], color=GREY, lw=0.8, ls="-.")
    if cheapest is not None:
        p = cheapest.problem["probability"]
        entries[f"cheapest, P ≥ {p:g} (bar: MC 90 %)"] = Line2D(
            [], [], color=PALETTE[1], lw=2.2, marker="o"
        )
    entries["beyond the fitted runs"] = Patch(color=BEYOND, lw=0)
    return entries
