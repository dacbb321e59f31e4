"""Tables and figure of the account of γ: the posterior by set, and how much each part of a recipe moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from calibration.sets import RECOUNTED
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.plots.style import GREY, INK, PRIOR_GREYS, colour, foot, new_figure, style

# What is changed, from one setting of Porian et al. to another: training set, hyper-parameters, warm-up, decay, how N
# is counted. Where N alone is counted otherwise, the runs are the same.
CONTRASTS: dict[str, list[tuple[str, str]]] = {
    "shorter warm-up": [
        ("{} base long kaplan standard", "{} base short kaplan standard"),
        ("refinedweb base long kaplan attention", "refinedweb base short kaplan attention"),
    ],
    "decay that ends with the budget": [
        ("{} base short kaplan standard", "{} base short chinchilla standard"),
        ("refinedweb base short kaplan attention", "refinedweb base short chinchilla attention"),
    ],
    "tuned, constant rate": [
        ("{} base short chinchilla standard", "{} tuned short const standard"),
        ("refinedweb base short chinchilla attention", "refinedweb tuned short const attention"),
    ],
    "the head counted in N": [("{} base long kaplan kaplan", "{} base long kaplan standard")],
    "attention's FLOP counted in N": [
        ("refinedweb base long kaplan standard", "refinedweb base long kaplan attention"),
        ("refinedweb base short kaplan standard", "refinedweb base short kaplan attention"),
        ("refinedweb base short chinchilla standard", "refinedweb base short chinchilla attention"),
        ("refinedweb tuned short const standard", "refinedweb tuned short const attention"),
    ],
}
CORPORA = ("refinedweb", "openwebtext2")


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the README, by their names there."""
    return {"posterior": _posterior(found), "contrasts": _contrasts(found)}


def contrasts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Factor by which γ moves from one setting to the other: median and 90 % interval of independent posteriors."""
    out = []
    for change, pairs in CONTRASTS.items():
        for one, other in pairs:
            for corpus in CORPORA if "{}" in one else ("",):
                names = [f"porian {side.format(corpus)}" for side in (one, other)]
                before, after = (np.array(found[name]["exact"]["log_gamma"]) for name in names)
                factor = np.exp(np.subtract.outer(after, before))
                low, middle, high = np.quantile(factor, [0.05, 0.5, 0.95])
                out.append(
                    {
                        "change": change,
                        "from": names[0].removeprefix("porian "),
                        "median": float(middle),
                        "lo90": float(low),
                        "hi90": float(high),
                    }
                )
    return out


def _posterior(found: Mapping[str, Any]) -> str:
    lines = [
        "| set | runs | γ | 90 % | δ | P(γ > 1) | P(γ < δ) | prior variance gone | γ as shipped, 90 % |",
        "| --- |" + " ---: |" * 8,
    ]
    for name, both in found.items():
        one = both["exact"]
        cells = [
            name + ("" if one["converged"] else " (not converged)"),
            str(one["runs"]),
            f"{one['gamma'][2]:.2f}",
            f"{one['gamma'][0]:.2f}–{one['gamma'][4]:.2f}",
            f"{one['delta'][2]:.2f}",
            f"{one['above_one']:.2f}",
            f"{one['below_delta']:.2f}",
            f"{one['contraction']:.2f}",
            _shipped(both.get("shipped")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shipped(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "not run"
    low, _, middle, _, high = one["gamma"]
    doubt = "" if one["converged"] else " (not converged)"
    return f"{middle:.2f}, {low:.2f}–{high:.2f}{doubt}"


def _contrasts(found: Mapping[str, Any]) -> str:
    lines = ["| change | from | factor of γ | 90 % |", "| --- | --- | ---: | ---: |"]
    for row in contrasts(found):
        said = [row["change"], row["from"], f"{row['median']:.2f}"]
        lines.append("| " + " | ".join([*said, f"{row['lo90']:.2f}–{row['hi90']:.2f}"]) + " |")
    return "\n".join(lines)


def figure(found: Mapping[str, Any]) -> Figure:
    """Median, 50 and 90 % intervals of γ by set over its prior, Hoffmann's sum as a line, Kaplan's γ = δ as crosses."""
    again = {"porian " + " ".join(setting[:5]) for setting in RECOUNTED}
    with style():
        canvas = new_figure("text", 0.5 + 0.155 * len(found))
        axes = canvas.subplots()
        for row, (name, both) in enumerate(found.items()):
            one, prior = both["exact"], both["exact"]["prior"]
            for low, high, grey in ((0, 4, PRIOR_GREYS[0]), (1, 3, PRIOR_GREYS[1])):
                wide = prior[high] - prior[low]
                axes.barh(row, wide, 0.86, left=prior[low], color=grey, lw=0, zorder=0)
            _interval(axes, row, one["gamma"], _ink(name), "w" if name in again else _ink(name))
            axes.plot(one["delta"][2], row, "x", color=INK, ms=3.0, mew=0.7)
            if "shipped" in both:
                _interval(axes, row + 0.3, both["shipped"]["gamma"], GREY, GREY)
        axes.axvline(1.0, color=INK, lw=0.6, zorder=0.5)
        axes.set_yticks(np.arange(len(found)), list(found))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xscale("log")
        ticks = (0.1, 0.2, 0.5, 1.0, 2.0)
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(r"$\gamma$: 1 is Hoffmann's sum, towards 0 the maximum")
        axes.spines["left"].set_visible(False)
        foot(canvas, _legend(), 4, _NOTE)
    return canvas


_NOTE = (
    "Equal-tailed intervals; all but the grey ones assume the law is exact. "
    "Hollow: runs of a setting above, N counted otherwise."
)


def _interval(axes: Axes, row: float, q: Sequence[float], ink: str, face: str) -> None:
    axes.plot([q[0], q[4]], [row, row], color=ink, lw=0.9, solid_capstyle="butt")
    axes.plot([q[1], q[3]], [row, row], color=ink, lw=3.2, solid_capstyle="butt")
    # A white rim keeps the marker apart from the bar of its own colour.
    axes.plot(q[2], row, "o", mfc=face, mec=ink if face == "w" else "w", ms=3.9, mew=0.5)


def _ink(name: str) -> str:
    if "tuned" in name:
        return colour(2)
    return colour(0) if name.startswith("porian") else colour(1)


def _legend() -> dict[str, Any]:
    def line(ink: str) -> Line2D:
        return Line2D([], [], color=ink, lw=0.9, marker="o", mec="w", mew=0.5, ms=3.9)

    return {
        "Porian et al., base": line(colour(0)),
        "Porian et al., tuned": line(colour(2)),
        "other sets": line(colour(1)),
        "as shipped, with drift": line(GREY),
        "median of δ: Kaplan's γ": Line2D([], [], color=INK, marker="x", ms=3.0, ls="none"),
        "50 % interval": Line2D([], [], color=INK, lw=3.2, solid_capstyle="butt"),
        "prior, 50 and 90 %": tuple(Patch(color=grey, lw=0) for grey in PRIOR_GREYS[::-1]),
    }
