"""What of a model a table activates: levels with several groups, curves with rows, intervals that a walk covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from bayescale.laws import Axis, intervals
from bayescale.runs import Runs, unfinished
from bayescale.spec.model import Level, ModelSpec

# Rows from which a curve shows its own level far closer than other curves do.
ROWS_THAT_SHOW = 4
# Standard error of the log of a slope between neighbouring rows, from which on a walk's own steps say more.
SLOPE_THAT_SHOWS = 0.2


def walked_intervals(
    spec: ModelSpec, runs: Runs, pivots: Mapping[str, float]
) -> dict[Axis, tuple[int, int]]:
    """Intervals of the walk of each axis that drifts, over the range of the rows and of what they may be worth."""
    law, out = spec.get_law(), dict[Axis, tuple[int, int]]()
    reach = law.span(law.logs(law.values(runs.table)))
    for axis in spec.drift.walking if spec.drift else ():
        low, high = reach[axis]
        out[axis] = intervals(float((low - pivots[axis]).min()), float((high - pivots[axis]).max()))
    return out


def curves(runs: Runs) -> tuple[tuple[str, str], ...]:
    """Pairs of architecture and task that have rows, sorted: each is a curve of its own."""
    pairs = runs.table[["architecture", "task"]].astype(str).drop_duplicates()
    return tuple(sorted((str(a), str(t)) for a, t in pairs.to_numpy()))


def active_levels(runs: Runs, groups: Mapping[str, tuple[str, ...]]) -> list[Level]:
    """Levels with more than one group in the table, so that effects can be told."""
    active: list[Level] = [
        level for level in ("architecture", "task", "study") if len(groups[level]) > 1
    ]
    if {"architecture", "task"} <= set(active):
        active.append("cell")
    # A study level that merely renames the architectures (or tasks) cannot be told apart from them.
    for level in ("architecture", "task"):
        pairs = runs.table[[level, "study"]].drop_duplicates()
        if "study" in active and len(pairs) == len(groups[level]) == len(groups["study"]):
            active.remove("study")
    return active


def shown_levels(
    runs: Runs, active: Sequence[Level]
) -> tuple[Literal["architecture", "task"], ...]:
    """Sides whose groups, or pairs of groups, all show their level in rows of their own; empty where some do not.

    Effects of a study come on top of these, so that with any there is no one level of a group.
    """
    sides: list[Literal["architecture", "task"]] = [
        side for side in ("architecture", "task") if side in active
    ]
    if not sides or "study" in active:
        return ()
    finished = runs.table[~unfinished(runs.table)]
    groups = int(np.prod([runs.table[side].nunique() for side in sides]))
    rows = finished.groupby(sides).size()
    return tuple(sides) if len(rows) == groups and rows.min() >= ROWS_THAT_SHOW else ()


def slopes_shown(runs: Runs, axes: Sequence[Axis]) -> bool:
    """Whether neighbouring rows of a curve show its slope: false where their standard errors hide a quarter of them.

    Where slopes are hidden, sampling them makes a funnel of the walk's amplitude, which chains do not pass through.
    """
    table = runs.table
    if "loss_se" not in table or len(axes) != 1:
        return True
    table = table.sort_values(["architecture", "task", axes[0]], kind="stable")
    relative = (table["loss_se"] / table["loss"]).fillna(0.0)
    curve = [table["architecture"], table["task"]]
    fall = np.log(table["loss"]).groupby(curve).diff().abs()
    error = np.hypot(relative, relative.groupby(curve).shift()) / fall
    return not error.quantile(0.75) > SLOPE_THAT_SHOWS
