"""When to stop spending: what the next dollar of training brings, and expected value less cost, against the budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bayescale.decide import Stopping
from bayescale.errors import PlanError
from bayescale.plots.paths import count
from bayescale.plots.style import (
    BEYOND,
    GREY,
    INK,
    PALETTE,
    Handle,
    Width,
    budget_axis,
    pair,
    style,
)

SHOWN = (1e-3, 1e3)  # dollars that the next one brings


def stopping(
    found: Stopping, *, width: Width = "text", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw the marginal utility of a dollar and the net value against the training budget.

    Left: what the next dollar is expected to bring; it falls below one at the stopping budget (dot). The bar is the
    90 % interval, over draws, of the budget at which it would if the curve were known. Right: expected value less cost.

    Parameters
    ----------
    found : Stopping
        From :func:`bayescale.stopping`.
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
    if not isinstance(found, Stopping):
        raise PlanError(
            f"plot.stopping draws a stopping budget, not a {type(found).__name__}: "
            "make one first, stopping(fit, value, ...)"
        )
    with style():
        note = f"Interval: {found.problem['assumes']}."
        figure, (left, right) = pair(axes, width, (2.3, 4.2), _legend(), 3, note)
        compute = found.numbers["compute"].to_numpy()
        marginal = found.numbers["marginal"].to_numpy()
        left.plot(compute, np.where(marginal > 0, marginal, np.nan), color=INK)
        left.axhline(1.0, color=GREY, lw=0.8, ls="-.")
        left.plot([found.own["lo90"], found.own["hi90"]], [1.0, 1.0], color=PALETTE[1], lw=2.2)
        left.plot(found.compute, 1.0, "o", color=PALETTE[1], zorder=5)
        left.set_yscale("log")
        left.set_ylim(*SHOWN)
        left.set_ylabel("value of the next dollar ($)")
        right.plot(compute, found.numbers["net"], color=INK)
        right.plot(found.compute, found.gain, "o", color=PALETTE[1])
        # Far beyond, the cost dwarfs all that is worth a look.
        top = max(found.gain, float(found.dollars))
        right.set_ylim(-0.3 * top, 1.15 * top)
        right.yaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{'−' if v < 0 else ''}{count(abs(v))}")
        )
        right.set_ylabel("expected value less cost ($)")
        for panel in (left, right):
            budget_axis(panel, compute, found.numbers["fitted_compute"].to_numpy())
    return figure


def _legend() -> dict[str, Handle]:
    return {
        "stopping budget (bar: 90 % if the curve were known)": Line2D(
            [], [], color=PALETTE[1], lw=2.2, marker="o"
        ),
        "a dollar for a dollar": Line2D([], [], color=GREY, lw=0.8, ls="-."),
        "beyond the fitted runs": Patch(color=BEYOND, lw=0),
    }
