"""Tables and figure of the account, made of the scored runs: by set, and pooled over independent groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sets import CASES, DEFAULT

from bayescale.plots import calibration
from bayescale.predict import Backtest

COLUMNS = ("runs", "groups", "cover50", "cover90", "se90", "width90", "rmsle", "bias", "log_score")
BY_FOLD = ("chinchilla_fig4", "gadre_overtraining", "gadre_targets", "gadre_five", "olmo_ladder")
SHOWN = (DEFAULT, "huber-bootstrap")  # in the figure
# Per cent: of two runs of one training set, in the authors' notebook. The other papers print none for a loss in nats.
PRINTED = {"gadre_targets": ".72", "gadre_five redpajama": ".72"}
POOLED = ("runs", "groups", "sets", "cover50", "cover90", "se90", "se90_by_set", "group_cover90")


def tables(rows: pd.DataFrame) -> dict[str, str]:
    """The tables of the README, by their names there."""
    return {
        "results": by_fold(rows[rows["set"].str.startswith(BY_FOLD)]),
        "porian": porian(rows[rows["set"].str.startswith("porian")]),
        "pooled": pooled_table(rows),
        "errors": errors_table(rows),
    }


def figure(rows: pd.DataFrame, typical: Mapping[str, float]) -> Figure:
    """Reliability and widths of the joint law as shipped and of Huber's loss, over the sets that count.

    Widths are drawn over a typical loss of each set, the median of those held out.
    """
    shown = rows[rows["model"].isin(SHOWN) & rows["set"].isin(counted(rows))]
    loss = shown["set"].map(typical)
    return calibration(
        _backtest(shown.assign(loss=loss, group=shown["set"] + " " + shown["group"]))
    )


def counted(rows: pd.DataFrame) -> list[str]:
    """Sets with runs of their own."""
    return [name for name in rows["set"].unique() if not CASES[name].recount]


def pooled(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Coverage over the rows of several sets by model, every held-out group a cluster; and by set."""
    mine = rows[rows["set"].isin(names)]
    mine = mine.assign(group=mine["set"] + " " + mine["group"])
    found = _backtest(mine).summary(("model",))
    by_set = _backtest(mine.assign(group=mine["set"])).summary(("model",))
    return found.assign(sets=by_set["groups"], se90_by_set=by_set["se90"])


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute relative error and median signed error of the median forecast, by set and model, per cent."""
    said = rows.assign(relative=100.0 * np.expm1(rows["error"]))
    said = said.assign(absolute=said["relative"].abs())
    kept = {"absolute": ("absolute", "mean"), "bias": ("relative", "median")}
    return said.groupby(["set", "model"], sort=False).agg(**kept).reset_index()


# ------------------------------------------------------------------ as text


def by_fold(rows: pd.DataFrame) -> str:
    """Scores by set, model and fold."""
    lines = _head(["set", "model", "held out"], COLUMNS)
    for name, mine in rows.groupby("set", sort=False):
        for row in _backtest(mine).summary().to_dict("records"):
            lines.append(_line([str(name), str(row["model"]), str(row["fold"])], row, COLUMNS))
    return "\n".join(lines)


def porian(rows: pd.DataFrame) -> str:
    """By setting: the joint law as shipped, and coverage and error of the models beside it where they were run."""
    kept = ("runs", "cover50", "cover90", "width90", "rmsle", "bias")
    others = [model for model in dict.fromkeys(rows["model"]) if model != DEFAULT]
    beside = [f"{name}, {model}" for model in others for name in ("cover90", "rmsle")]
    lines = _head(["setting"], [*kept, *beside])
    for name, mine in rows.groupby("set", sort=False):
        by_model = _backtest(mine).summary(("model",)).set_index("model")
        row = by_model.loc[DEFAULT].to_dict()
        for cell in beside:
            score, model = cell.split(", ")
            row[cell] = by_model[score].get(model, np.nan)
        again = " (recount)" if CASES[str(name)].recount else ""
        lines.append(_line([str(name).removeprefix("porian ") + again], row, [*kept, *beside]))
    return "\n".join(lines)


def pooled_table(rows: pd.DataFrame) -> str:
    """Pooled coverage: without the set that the form of drift was chosen on, then with it."""
    every = counted(rows)
    lines = _head(["sets", "model"], POOLED)
    chosen = {"all but the first": every[1:], "all": every}
    for said, names in chosen.items():
        for row in pooled(rows, names).to_dict("records"):
            lines.append(_line([said, str(row["model"])], row, POOLED))
    return "\n".join(lines)


def errors_table(rows: pd.DataFrame) -> str:
    """Mean absolute relative error and, behind the stroke, median signed error, per cent."""
    found = errors(rows).set_index(["set", "model"])
    models = list(dict.fromkeys(rows["model"]))
    head = ["set", "printed", *models]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in rows["set"].unique():
        cells = [name, PRINTED.get(name, "–")]
        for model in models:
            at = found.loc[(name, model)] if (name, model) in found.index else None
            cells.append("–" if at is None else f"{at['absolute']:.2f} / {at['bias']:+.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _backtest(rows: pd.DataFrame) -> Backtest:
    return Backtest(rows, pd.DataFrame(), {})


def _head(words: Sequence[str], numbers: Sequence[str]) -> list[str]:
    head = "| " + " | ".join([*words, *numbers]) + " |"
    return [head, "|" + " --- |" * len(words) + " ---: |" * len(numbers)]


def _line(words: Sequence[str], row: dict[str, float], numbers: Sequence[str]) -> str:
    cells = [*words, *(_number(name, row[name]) for name in numbers)]
    return "| " + " | ".join(cells) + " |"


def _number(name: str, value: float) -> str:
    if np.isnan(value):
        return "–"
    if name in ("runs", "groups", "sets"):
        return str(int(value))
    return f"{value:.2f}" if abs(value) >= 0.2 else f"{value:.4f}"
