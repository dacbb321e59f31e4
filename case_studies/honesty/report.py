"""Tables and figure of the account: what drift costs where the law is exact, and what it holds where it breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bayescale.plots.style import GREY, colour, new_figure, style

# Set before the study was run.
TARGET_WIDTH, TARGET_COVER = (1.3, 1.5), 0.8
KINDS = {"width90": "of a run", "expected width90": "of the curve"}
LABELS = {"drift": "with drift", "exact": "taken as exact"}
TICKS = ("exact law", "halved half a\ndecade out", "halved at\nthe edge")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The README's tables: what honesty costs, and what it covers."""
    price = ["| decades beyond the data | " + " | ".join(found["price"]) + " | target |"]
    price.append("| --- |" + " ---: |" * (len(found["price"]) + 1))
    said = {
        "width90 ratio": ("width of the 90 % interval of a run", "≤ 1.3, ≤ 1.5"),
        "expected width90 ratio": ("width of the 90 % interval of the curve", ""),
        "log_score lost": ("log score of a run, lost, nats", "≤ .1"),
    }
    for key, (label, target) in said.items():
        cells = [_said(at[key]) for at in found["price"].values()]
        price.append(f"| {label} | {' | '.join(cells)} | {target} |")
    keys = ("cover50", "cover90", "width90", "error", "log_score", "expected cover90")
    rows = ["| decades | truth | model | " + " | ".join(keys) + " |"]
    rows.append("| ---: | --- | --- |" + " ---: |" * len(keys))
    for cell in found["cells"]:
        numbers = " | ".join(_said(cell[k]) for k in keys)
        rows.append(f"| {cell['decades']} | {cell['truth']} | {cell['model']} | {numbers} |")
    return {"price": "\n".join(price), "cells": "\n".join(rows)}


def _said(value: list[float]) -> str:
    digits = 3 if abs(value[0]) < 1 else 2
    return f"{value[0]:.{digits}f} ± {value[1]:.{digits}f}"


def figure(found: dict[str, Any], records: list[dict[str, Any]]) -> Figure:
    """Left the price where the law is exact, replicate by replicate; right what is held after a break."""
    with style():
        drawn = new_figure("text", 2.6)
        left, right = drawn.subplots(1, 2)
        rng = np.random.default_rng(0)
        for i, (kind, label) in enumerate(KINDS.items()):
            for j, d in enumerate(found["price"]):
                pairs = [
                    [r["scores"][n][d]["exact"][kind] for n in ("drift", "exact")] for r in records
                ]
                ratio = [a / b for a, b in pairs]
                at = j + 0.3 * i - 0.15
                jitter = at + 0.08 * (rng.uniform(size=len(ratio)) - 0.5)
                left.plot(jitter, ratio, ".", color=colour(i), alpha=0.4, markersize=3)
                left.errorbar(
                    at,
                    found["price"][d][f"{kind} ratio"][0],
                    yerr=2 * found["price"][d][f"{kind} ratio"][1],
                    fmt="o",
                    color=colour(i),
                    markersize=4,
                    label=label if j == 0 else None,
                )
        for j, limit in enumerate(TARGET_WIDTH):
            left.hlines(limit, j - 0.35, j + 0.35, color=GREY, linestyle="--")
        left.set_xticks(
            range(len(found["price"])), [f"{d} decade{'s' * (d != '1')}" for d in found["price"]]
        )
        left.set_ylabel("width with drift / taken as exact")
        left.legend(loc="upper left")
        for i, name in enumerate(LABELS):
            cells = [c for c in found["cells"] if c["model"] == name and c["decades"] == 1]
            at = np.arange(len(cells)) + 0.2 * i - 0.1
            value, error = np.array([c["cover90"] for c in cells]).T
            right.errorbar(
                at,
                value,
                yerr=2 * error,
                fmt="o",
                color=colour(2 + i),
                markersize=4,
                label=LABELS[name],
            )
        right.hlines(0.9, -0.35, 0.35, color=GREY, linestyle="--")
        right.hlines(TARGET_COVER, 0.65, len(TICKS) - 0.65, color=GREY, linestyle="--")
        right.set_xticks(range(len(TICKS)), TICKS)
        right.set_ylabel("share in 90 % intervals, one decade out")
        right.set_ylim(-0.03, 1.03)
        right.legend(loc="upper right")
        return drawn
