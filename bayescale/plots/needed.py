"""How much is enough: the chance of a target loss against the amount of one input, e.g. of labelled examples."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.decide import Needed
from bayescale.errors import PlanError
from bayescale.plots.style import (
    BEYOND,
    GREY,
    INK,
    PALETTE,
    Handle,
    Width,
    foot,
    given_axes,
    new_figure,
    scale_axis,
    style,
)

_LABEL = {
    "params": "parameters $N$",
    "tokens": "tokens or examples $D$",
    "compute": "compute (FLOP)",
}
_AROUND = (0.005, 0.995)  # draws between which the axis runs
_MARGIN = 3.0  # times beyond the answer, at least


def needed(found: Needed, *, width: Width = "column", axes: Axes | None = None) -> Figure:
    """Draw P(loss ≤ target) against the amount of the input that was asked for.

    Dot: the least amount with the probability asked for; bar: the 90 % interval of what a draw needs, up to the edge
    where some draws never get there. Grey: beyond the fitted runs.

    Parameters
    ----------
    found : Needed
        From :func:`bayescale.needed`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    Figure

    Raises
    ------
    PlanError
        If it is given something else.
    """
    if not isinstance(found, Needed):
        raise PlanError(
            f"plot.needed draws what a target needs, not a {type(found).__name__}: "
            "make it first, needed(fit, target_loss=...)"
        )
    with style():
        if axes is None:
            figure = new_figure(width, 2.3)
            panel = figure.subplots()
            foot(figure, _legend(), 2, f"Probability: {found.problem['assumes']}.")
        else:
            figure, (panel,) = given_axes([axes], 1)
        amounts, p = curve(found), found.problem["probability"]
        low, high = found.fitted
        for start, end in ((amounts[0], low), (high, amounts[-1])):
            if start < end:
                panel.axvspan(start, end, color=BEYOND, lw=0, zorder=0)
        panel.plot(amounts, found.chance(amounts), color=INK)
        ends = [found.quantiles[q] or amounts[-1] for q in ("q05", "q95")]
        panel.plot(ends, [p, p], color=PALETTE[1], lw=2.2, zorder=4)
        panel.plot(found.amount, p, "o", color=PALETTE[1], zorder=5)
        panel.axhline(1.0 - found.p_never, color=GREY, lw=0.8, ls="-.")
        panel.set(xscale="log", xlim=(amounts[0], amounts[-1]), ylim=(0.0, 1.02))
        scale_axis(panel.xaxis, found.problem["axis"])
        panel.set_xlabel(_LABEL[found.problem["axis"]])
        panel.set_ylabel(f"P(loss ≤ {found.problem['target_loss']:g})")
    return figure


def _legend() -> dict[str, Handle]:
    return {
        "least amount, and 90 % of draws": Line2D([], [], color=PALETTE[1], lw=2.2, marker="o"),
        "share that ever gets there": Line2D([], [], color=GREY, lw=0.8, ls="-."),
        "beyond the fitted runs": Patch(color=BEYOND, lw=0),
    }


def curve(found: Needed) -> np.ndarray:
    """Amounts at which the chance is drawn: from the fitted runs to where nearly all draws that ever do get there."""
    reached = found.draws[np.isfinite(found.draws)]
    low, high = np.quantile(reached, _AROUND)
    ends = (
        min(low, found.fitted[0], found.amount / _MARGIN),
        max(high, found.fitted[1], found.amount * _MARGIN),
    )
    return np.geomspace(*ends, 201)
