"""Plans against what came true: the ECDF of their PIT in its band, and each loss in the interval it was forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayescale.checks import uniformity
from bayescale.decide import Score
from bayescale.errors import PlanError
from bayescale.plots.style import (
    BEYOND,
    GREY,
    INK,
    PALETTE,
    Width,
    pair,
    style,
)
from bayescale.plots.uniform import BAND_EDGE, difference, uniform_panel
from bayescale.posterior import QUANTILES
from bayescale.wording import counted

LEAST = 2  # outcomes, below which there is no distribution to hold against the uniform one


def ledger_numbers(scores: Sequence[Score]) -> xr.Dataset:
    """What :func:`ledger` draws.

    Parameters
    ----------
    scores : sequence of Score
        From :func:`bayescale.load_ledger`; two or more.

    Returns
    -------
    Dataset
        Over ``step``, those of :func:`bayescale.plots.uniform.difference` of the PIT; over ``outcome``, in the order of
        the ledger, the quantiles of the forecast relative to its median, ``loss`` likewise, and ``held``: whether it
        lay in the 90 % interval. ``plans``: how many there are.

    Raises
    ------
    PlanError
        With fewer than two.
    """
    if len(scores) < LEAST:
        raise PlanError(f"{len(scores)} scored outcomes (expected {LEAST} or more to draw)")
    numbers = difference(uniformity(np.array([s.pit for s in scores])))
    columns = {q: [getattr(s, q) / s.median for s in scores] for q in QUANTILES}
    columns["loss"] = [s.loss / s.median for s in scores]
    held = [s.lo90 <= s.loss <= s.hi90 for s in scores]
    found = {name: ("outcome", values) for name, values in columns.items()}
    return numbers.assign(found).assign(held=("outcome", held), plans=len({s.plan for s in scores}))


def ledger(
    scores: Sequence[Score], *, width: Width = "text", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw the calibration of plans that were scored.

    Left: ECDF of the PIT less the uniform's, in the band that 95 % of uniform samples stay in. Right: each loss, and
    its 50 % and 90 % intervals, relative to the median of its forecast.

    Parameters
    ----------
    scores : sequence of Score
        From :func:`bayescale.load_ledger`, or :func:`bayescale.score_plan`; two or more.
    width : {"text", "column"}
        6.8 inches with panels side by side, or 3.3 with one above the other; ignored with ``axes``.
    axes : two Axes, optional
        Where to draw; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = ledger_numbers(scores)
    with style():
        figure, (left, right) = pair(axes, width, (2.0, 4.0), _LEGEND, 3, _note(numbers))
        uniform_panel(left, numbers, f"{numbers.sizes['outcome']} outcomes")
        left.set_xlabel("PIT")
        left.set_ylabel("ECDF − uniform")
        _outcomes(right, numbers)
    return figure


_LEGEND = {
    "loss, in its 90 % interval": Line2D([], [], color=INK, marker="o", lw=0),
    "outside": Line2D([], [], color=PALETTE[1], marker="o", lw=0),
    "95 % of uniform samples stay within": Patch(facecolor=BEYOND, edgecolor=BAND_EDGE, lw=0.5),
}


def _outcomes(axes: Axes, numbers: xr.Dataset) -> None:
    at = np.arange(1, numbers.sizes["outcome"] + 1)
    axes.axhline(1.0, color=GREY, lw=0.6, zorder=0)
    for low, high, thick in (("lo90", "hi90", 1.0), ("lo50", "hi50", 3.0)):
        axes.vlines(at, numbers[low], numbers[high], color=PALETTE[0], alpha=0.5, lw=thick)
    held = numbers["held"].to_numpy().astype(bool)
    for chosen, shade in ((held, INK), (~held, PALETTE[1])):
        axes.plot(at[chosen], numbers["loss"].to_numpy()[chosen], "o", color=shade, zorder=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("outcome, in the ledger's order")
    axes.set_ylabel("loss / median forecast")


def _note(numbers: xr.Dataset) -> str:
    plans, outcomes = int(numbers["plans"]), numbers.sizes["outcome"]
    if plans == outcomes:
        return "Each outcome is of a plan of its own."
    said = f"{outcomes} outcomes of {counted(plans, 'plan')}"
    return f"{said}: those of one plan share its draws; the band takes them as independent."
