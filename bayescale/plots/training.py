"""Runs in training: the curve so far, the way ahead by earlier runs, and the final loss against its target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.decide import Monitored
from bayescale.plots.style import (
    GREY,
    INK,
    PALETTE,
    Handle,
    Width,
    foot,
    given_axes,
    loss_axis,
    named,
    new_figure,
    style,
)
from bayescale.posterior import QUANTILES

MOST = 12  # panels
_PLAN, _FINAL = 1.04, 1.09  # where the final loss is drawn, by the plan and with the curve


def monitor(
    result: Monitored, *, width: Width = "text", axes: Axes | Sequence[Axes] | None = None
) -> Figure:
    """Draw runs in training, one panel a run, first the one to stop first; up to twelve.

    The band ahead is that of the references alone, 50 % and 90 %. Beyond the end: the plan's forecast of the final loss
    (grey), and what it becomes with the curve (coloured).

    Parameters
    ----------
    result : Monitored
        From :func:`bayescale.monitor`.
    width : {"text", "column"}
        6.8 inches with up to three panels a row, or 3.3 with one; ignored with ``axes``.
    axes : Axes or sequence of Axes, optional
        Where to draw, one a run; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    shown = result.runs[:MOST]
    with style():
        if axes is None:
            columns = min(len(shown), 3 if width == "text" else 1)
            rows = -(-len(shown) // columns)
            figure = new_figure(width, 1.9 * rows + 0.2)
            grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
            panels = list(grid.flat[: len(shown)])
            for spare in grid.flat[len(shown) :]:
                spare.set_visible(False)
            left_out = len(result.runs) - len(shown)
            said = f"{left_out} more runs are not drawn. " if left_out else ""
            foot(figure, _legend(), 3 if width == "text" else 2, said + _NOTE)
        else:
            columns = 1
            figure, panels = given_axes(axes, len(shown))
        for i, (panel, run) in enumerate(zip(panels, shown, strict=True)):
            _panel(panel, result, run.run_id)
            panel.set_title(
                f"{named(run.run_id)}: P(≤ {result.problem['target_loss']:g}) = {run.p_target:.2f}"
            )
            panel.set_xlabel("fraction of training")
            if i % columns == 0:
                panel.set_ylabel(f"loss ({result.problem['unit']})")
    return figure


_NOTE = "The band ahead: the reference curves alone, from the run's last checkpoint."


def _panel(axes: Axes, result: Monitored, run_id: str) -> None:
    fan, target = result.fans[run_id], result.problem["target_loss"]
    planned = [result.problem["planned"][q] for q in QUANTILES]
    ahead = fan["ahead"]
    axes.plot(fan["fraction"], fan["loss"], color=INK)
    for low, high, alpha in (("lo90", "hi90", 0.25), ("lo50", "hi50", 0.4)):
        axes.fill_between(ahead, fan[low], fan[high], color=PALETTE[0], alpha=alpha, lw=0)
    axes.plot(ahead, fan["median"], color=PALETTE[0], lw=0.9)
    for at, values, shade in ((_PLAN, planned, GREY), (_FINAL, fan["final"], PALETTE[1])):
        axes.vlines(at, values[0], values[4], color=shade, lw=1.0)
        axes.vlines(at, values[1], values[3], color=shade, lw=3.0)
        axes.plot(at, values[2], "_", color=shade, ms=6.0)
    axes.axhline(target, color=GREY, lw=0.8, ls="-.")
    axes.set_xlim(0.0, 1.13)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    # The first steps, ten times the final loss, would leave no room for what is decided.
    late = np.array(fan["loss"])[np.array(fan["fraction"]) >= 0.3 * ahead[0]]
    everything = np.concatenate([late, planned, fan["final"], fan["lo90"], fan["hi90"], [target]])
    low, high = everything.min(), min(everything.max(), 1.5 * max(late.max(), target))
    loss_axis(axes, low * 0.99, high * 1.01)


def _legend() -> dict[str, Handle]:
    return {
        "curve so far": Line2D([], [], color=INK),
        "way ahead, 50/90 %": (
            Patch(color=PALETTE[0], alpha=0.55, lw=0),
            Patch(color=PALETTE[0], alpha=0.25, lw=0),
        ),
        "target": Line2D([], [], color=GREY, lw=0.8, ls="-."),
        "final loss, planned": Line2D([], [], color=GREY, lw=3.0),
        "final loss, with the curve": Line2D([], [], color=PALETTE[1], lw=3.0),
    }
