"""A back-test in words: without your largest budget we would have said …; you got …."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd

from bayescale.wording import counted

MOST = 12  # sentences of one model on one fold; of more groups the farthest are told


def sentences(replay: pd.DataFrame, most: int = MOST) -> list[str]:
    """One sentence a held-out group: the mean loss of its runs, what would have been said of it, and what came.

    Parameters
    ----------
    replay : DataFrame
        Of a :class:`bayescale.predict.Backtest`.
    most : int
        Groups told of each model and fold, the farthest from the fitted runs first.
    """
    if replay.empty:
        return []
    several = replay["model"].nunique() > 1
    replay = replay.assign(group=_short(replay["group"]))
    return [
        line
        for (model, fold), part in replay.groupby(["model", "fold"], sort=False)
        for line in _of_fold(f" ({model})" if several else "", _left_out(str(fold)), part, most)
    ]


def _of_fold(who: str, fold: str, part: pd.DataFrame, most: int) -> Iterator[str]:
    told = part.sort_values("decades", kind="stable", ascending=False)[:most]
    for row in told.to_dict("records"):
        yield f"Without {fold} we would have said{who} {_said(row)}"
    if len(part) > most:
        yield f"… and of {counted(len(part) - most, 'group')} more that lay nearer, without {fold}{who}"


def _said(row: Mapping[Hashable, Any]) -> str:
    forecast = f"{row['median']:.4g} (90 %: {row['lo90']:.4g} to {row['hi90']:.4g})"
    runs = "the run" if row["runs"] == 1 else f"the mean of {row['runs']} runs"
    where = f"of {row['group']}, {row['decades']:.1f} decades beyond the fitted runs"
    came = f"{row['observed']:.4g}{'' if row['inside90'] else ', outside'}"
    return f"{forecast} for {runs} {where}; you got {came}."


def _short(groups: pd.Series) -> pd.Series:
    """Labels (study / architecture / task / budget of a sweep, architecture | task) without what all have in common."""
    parts = groups.str.split(r" / | \| ", expand=True, regex=True)
    telling = [c for c in parts if parts[c].nunique(dropna=False) > 1] or [parts.columns[-1]]
    return parts[telling].apply(lambda row: " / ".join(row.dropna()), axis=1)


def _left_out(fold: str) -> str:
    """What a fold, by its name, was fitted without."""
    return "the rows marked held_out" if fold == "held_out" else fold.removeprefix("without ")
