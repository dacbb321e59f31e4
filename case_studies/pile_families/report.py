"""How the study is shown: the tables of the README, made from ``expected.json``, and the figure that compares fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from quantities import ALONE, CURVES, MOVED, PARAMETERS, PROBS, RATIOS

from bayescale.plots.style import PRIOR_GREYS, colour, foot, marker, new_figure, style

_NOTE = "Equal-tailed intervals; each assumes the law is exact and is known to be too narrow."
_LATEX = {"alpha": r"\alpha", "beta": r"\beta", "delta": r"\delta", "gamma": r"\gamma"}


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables(result: dict[str, Any]) -> dict[str, str]:
    """The tables of the README, by name, from the content of ``expected.json``."""
    v = {path: entry["value"] for path, entry in result["numbers"].items()}
    fits, pairs = list(result["notes"]), [f"{over} / {under}" for over, under in RATIOS]

    def grid(what: str, columns: Sequence[str], names: Mapping[str, str], form: str) -> str:
        rows = [
            [s, *(format(v[f"{what}/{c}/{p}"], form) for c in columns)] for p, s in names.items()
        ]
        return markdown([what, *columns], rows)

    def both(what: str, columns: Sequence[str], form: str) -> str:
        def cell(p: str, c: str) -> str:
            natural, log = (v[f"{k}{what}/{c}/{p}"] for k in ("", "log "))
            return f"{natural:{form}} ({log:{form}})"

        rows = [[s, *(cell(p, c) for c in columns)] for p, s in PARAMETERS.items()]
        return markdown([f"{what} (of the log)", *columns], rows)

    def interval(c: str, p: str) -> str:
        low, mid, high = (v[f"q{q}/{c}/{p}"] for q in (5, 50, 95))
        return f"{mid:.3f} ({low:.3f}–{high:.3f})"

    shown = ("prior", *ALONE, "pooled", "pooled, unflagged")
    medians = [[s, *(interval(c, p) for c in shown)] for p, s in PARAMETERS.items()]
    exponents = {p: f"{PARAMETERS[p]}, L∞" for p in ("alpha", "beta", "delta")}
    notes = [f"- {name}: {'; '.join(n) or 'no note'}" for name, n in result["notes"].items()]
    return {
        "sd": both("sd", CURVES, ".3f"),
        "sd ratio": both("sd ratio", pairs, ".2f"),
        "intervals": markdown(["median (90 %)", *shown], medians),
        "contraction": grid("contraction", fits, MOVED, "z.0%").replace("%", " %"),
        "correlation": grid("correlation", fits, exponents, "+z.2f"),
        "notes": "\n".join(notes),
    }


def compare(numbers: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw each parameter's intervals, one family alone against pooled, over the prior."""
    rows = CURVES[1:]
    with style():
        figure = new_figure("text", 0.5 + 0.17 * len(rows))
        panels = figure.subplots(1, len(PARAMETERS), sharey=True)
        foot(figure, _legend(), 3, _NOTE)
        for panel, name in zip(panels, PARAMETERS, strict=True):
            for row, curve in enumerate(CURVES, start=-1):
                _interval(
                    panel, row, [numbers[f"q{100 * p:.0f}/{curve}/{name}"]["value"] for p in PROBS]
                )
            panel.set_xlabel(f"${_LATEX[name]}$" if name in _LATEX else r"$L_\infty$ (nats/token)")
            panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            panel.set_yticks(range(len(rows)), rows)
            panel.set_ylim(len(rows) - 0.4, -0.6)
            panel.tick_params(axis="y", length=0)
            panel.spines["left"].set_visible(False)
    return figure


def _interval(axes: Axes, row: int, q: list[float]) -> None:
    if row < 0:  # the prior lies behind all rows
        axes.axvspan(q[0], q[4], color=PRIOR_GREYS[0], lw=0, zorder=0)
        axes.axvspan(q[1], q[3], color=PRIOR_GREYS[1], lw=0, zorder=0)
        return
    axes.plot([q[0], q[4]], [row, row], color=colour(row), lw=0.9, solid_capstyle="butt")
    axes.plot([q[1], q[3]], [row, row], color=colour(row), lw=3.2, solid_capstyle="butt")
    axes.plot(q[2], row, marker(row), color=colour(row), mec="w", ms=3.9, mew=0.5, zorder=3)


def _legend() -> dict[str, Any]:
    return {
        "median and 90 % interval": Line2D([], [], color="k", lw=0.9, marker="D", mec="w", ms=3.9),
        "50 % interval": Line2D([], [], color="k", lw=3.2, solid_capstyle="butt"),
        "prior, 50 and 90 %": tuple(Patch(color=grey, lw=0) for grey in PRIOR_GREYS[::-1]),
    }
