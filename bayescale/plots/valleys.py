"""The frontier of a plan: loss along N at a few budgets, and how the best N and D grow with compute."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.decide import Plan
from bayescale.plots.numbers import frontier_numbers
from bayescale.plots.style import (
    BEYOND,
    GREY,
    INK,
    PALETTE,
    SHADES,
    Handle,
    Width,
    loss_axis,
    named,
    pair,
    power,
    scale_axis,
    style,
)
from bayescale.runs import UNNAMED

# Open and nested, since the actions of different risk measures often nearly coincide.
_RISKS = (("o", 7.5), ("s", 5.0), ("D", 3.2), ("x", 2.5), ("+", 10.0), ("^", 11.0))
_LINES = {"params": ("-", PALETTE[0]), "tokens": ("--", PALETTE[1])}
_NAMES = {"params": "parameters $N^*$", "tokens": "tokens $D^*$"}
# From the smallest budget to the plan's own: light to dark, dotted to solid.
_BUDGETS = ((":", SHADES[0]), ("-.", SHADES[1]), ("-", SHADES[2]))
REGRET = PALETTE[4]


def frontier(plan: Plan, *, width: Width = "text", axes: Sequence[Axes] | None = None) -> Figure:
    """Draw isoFLOP valleys with their optimum, and N* and D* against compute, with what the plan recommends.

    Left: expected loss against N at the plan's budget, a tenth and a hundredth of it (median and 90 % band), the
    optimum with the 90 % interval of N*, the regret set as a bar on the axis. Right: N* and D* (median, 50 % and 90 %
    bands) and the recommendation of each risk measure.

    Parameters
    ----------
    plan : Plan
        From :func:`bayescale.plan`; nothing else is read.
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
    """
    numbers = frontier_numbers(plan)
    with style():
        note = f"Each interval: {plan.problem['assumes']}."
        figure, (left, right) = pair(axes, width, (2.5, 4.6), _legend(plan), 4, note)
        _valleys(left, numbers, plan)
        _path(right, numbers, plan)
    return figure


def _whose(plan: Plan) -> str:
    """Family and task, where they have names."""
    sides = ("architecture", "task")
    said = [named(plan.problem[s]) for s in sides if plan.problem[s] != UNNAMED[s]]
    return " on ".join(said)


def _valleys(axes: Axes, numbers: xr.Dataset, plan: Plan) -> None:
    axes.set_xscale("log")
    for i, (line, shade) in enumerate(_BUDGETS):
        size = numbers["valley_params"].to_numpy()[i]
        q = numbers["valley_loss"].to_numpy()[i].T
        best_n = numbers["best_params"].to_numpy()[i]
        axes.fill_between(size, q[0], q[4], color=shade, alpha=0.22, lw=0)
        axes.plot(size, q[2], line, color=shade)
        # On the curve drawn: the median of each draw's own least loss lies a little lower.
        height = np.interp(np.log(best_n[2]), np.log(size), q[2])
        axes.plot(best_n[[0, 4]], [height] * 2, color=INK, lw=1.0, zorder=4)
        axes.plot(best_n[2], height, "o", color=INK, ms=3.6, zorder=5)
    if plan.regret_set is not None:
        low, high = plan.regret_set["params_lo"], plan.regret_set["params_hi"]
        axes.axvspan(low, high, ymax=0.03, color=REGRET, lw=0)
    loss = numbers["valley_loss"].to_numpy()
    sizes = numbers["valley_params"].to_numpy()
    axes.set_xlim(sizes.min() / 1.2, sizes.max() * 1.2)
    loss_axis(axes, float(loss.min()) * 0.97, float(loss.max()) * 1.03)
    scale_axis(axes.xaxis, "params")
    axes.set_title(_whose(plan), pad=3)
    axes.set_xlabel("parameters $N$")
    axes.set_ylabel(f"expected loss ({plan.problem['unit']})")


def _path(axes: Axes, numbers: xr.Dataset, plan: Plan) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    compute = numbers["compute"].to_numpy()
    for key, (line, shade) in _LINES.items():
        q = numbers[key].to_numpy().T
        axes.fill_between(compute, q[0], q[4], color=shade, alpha=0.18, lw=0)
        axes.fill_between(compute, q[1], q[3], color=shade, alpha=0.3, lw=0)
        axes.plot(compute, q[2], line, color=shade)
    for r, (mark, size) in zip(plan.recommendations, cycle(_RISKS), strict=False):
        at = [plan.problem["compute"]] * 2
        axes.plot(at, [r.params, r.tokens], mark, mfc="none", mec=INK, mew=0.7, ms=size, zorder=5)
    edge = float(numbers["fitted_compute"].max())
    axes.set_xlim(compute[0], compute[-1])
    axes.axvspan(edge, compute[-1], color=BEYOND, lw=0, zorder=0)
    axes.axvline(edge, color=GREY, lw=0.6, ls=(0, (1, 1.5)))
    ends = np.array([numbers[k].to_numpy() for k in ("params", "tokens")])
    axes.set_ylim(ends.min() / 1.5, ends.max() * 1.5)
    scale_axis(axes.xaxis, "compute")
    scale_axis(axes.yaxis, "params")
    axes.set_xlabel("training compute $6ND$ (FLOP)")
    axes.set_ylabel("compute-optimal $N^*$, $D^*$")


def _legend(plan: Plan) -> dict[str, Handle]:
    entries: dict[str, Handle] = {
        "$N^*$ and 90 % interval": Line2D([], [], color=INK, lw=1.0, marker="o", ms=3.6)
    }
    budgets = plan.frontier["valley_compute"].to_numpy()
    for compute, (line, shade) in zip(budgets, _BUDGETS, strict=True):
        entries[f"{power(compute)} FLOP"] = Line2D([], [], color=shade, ls=line)
    for key, (line, shade) in _LINES.items():
        entries[_NAMES[key]] = Line2D([], [], color=shade, ls=line)
    entries["90 % band (dark: 50 %)"] = tuple(
        Patch(color="0.3", alpha=a, lw=0) for a in (0.48, 0.2)
    )
    for r, (mark, size) in zip(plan.recommendations, cycle(_RISKS), strict=False):
        entries[_said(r.risk)] = Line2D(
            [], [], ls="", marker=mark, mfc="none", mec=INK, mew=0.7, ms=size
        )
    entries["beyond the fitted runs"] = Patch(color=BEYOND, lw=0)
    if plan.regret_set is not None:
        share, p = (plan.regret_set[k] for k in ("regret", "probability"))
        entries[f"P(waste ≤ {100 * share:g} %) ≥ {p:g}"] = Patch(color=REGRET, lw=0)
    return entries


def _said(risk: str) -> str:
    """A risk measure as a reader would call it: least expected loss, least CVaR .1."""
    kind, _, number = risk.partition(":")
    words = {
        "waste": "expected waste",
        "expectation": "expected loss",
        "cvar": f"CVaR {number}",
        "quantile": f"{number} quantile",
    }
    return f"least {words.get(kind, risk)}"
