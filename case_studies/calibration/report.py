"""Tables and figure of the account, made of the scored runs: by set, and pooled over independent groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sets import CASES, DEFAULT

from bayescale.plots import calibration
from bayescale.predict import Backtest

COLUMNS = ("runs", "groups", "cover50", "cover90", "se90", "width90", "rmsle", "bias", "log_score")
BY_FOLD = ("chinchilla_fig4", "gadre_overtraining", "gadre_targets", "olmo_ladder")
SHOWN = (DEFAULT, "huber-bootstrap")  # in the figure
# Per cent: of two runs of one training set, in the authors' notebook. The other papers print none for a loss in nats.
PRINTED = {"gadre_targets": ".72"}
POOLED = ("runs", "groups", "sets", "cover50", "cover90", "se90", "se90_by_set", "group_cover90")


def tables(rows: pd.DataFrame) -> dict[str, str]:
    """The tables of the README, by their names there."""
    return {
        "results": by_fold(rows[rows["set"].isin(BY_FOLD)]),
        "porian": porian(rows[rows["set"].str.startswith("porian")]),
        "others": by_fold(rows[~rows["set"].isin(BY_FOLD) & ~rows["set"].str.startswith("porian")]),
        "pooled": pooled_table(rows),
        "errors": errors_table(rows),
    }


def figure(rows: pd.DataFrame) -> Figure:
    """Reliability and widths of the joint law as shipped and of Huber's loss, over the sets that count."""
    shown = rows[rows["model"].isin(SHOWN) & rows["set"].isin(counted(rows, joint=True))]
    return calibration(_backtest(shown))


def counted(rows: pd.DataFrame, *, joint: bool = False) -> list[str]:
    """Sets with runs of their own; with ``joint``, those that the joint law is fitted to."""
    kept = [name for name in rows["set"].unique() if not CASES[name].recount]
    return [n for n in kept if not joint or CASES[n].models[0] == DEFAULT]


def role(name: str, model: str) -> str:
    """Which part of the configuration a model is of a set."""
    first = CASES[name].models[0]
    if model == first:
        return "as shipped"
    if model == f"{first} (exact)":
        return "exact"
    return "γ = 1, exact" if model == "chinchilla" else model


def pooled(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Coverage over the rows of several sets by role of the model, every held-out group a cluster; and by set."""
    mine = rows[rows["set"].isin(names)]
    roles = [role(name, model) for name, model in zip(mine["set"], mine["model"], strict=True)]
    mine = mine.assign(model=roles, group=mine["set"] + " " + mine["group"])
    found = _backtest(mine).summary(("model",))
    by_set = _backtest(mine.assign(group=mine["set"])).summary(("model",))
    return found.assign(sets=by_set["groups"], se90_by_set=by_set["se90"])


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute relative error and median signed error of the median forecast, by set and role, per cent."""
    roles = [role(name, model) for name, model in zip(rows["set"], rows["model"], strict=True)]
    said = rows.assign(role=roles, relative=100.0 * (rows["median"] / rows["loss"] - 1.0))
    said = said.assign(absolute=said["relative"].abs())
    kept = {"absolute": ("absolute", "mean"), "bias": ("relative", "median")}
    return said.groupby(["set", "role"], sort=False).agg(**kept).reset_index()


# ------------------------------------------------------------------ as text


def by_fold(rows: pd.DataFrame) -> str:
    """Scores by set, model and fold."""
    lines = _head(["set", "model", "held out"], COLUMNS)
    for name, mine in rows.groupby("set", sort=False):
        for row in _backtest(mine).summary().to_dict("records"):
            lines.append(_line([str(name), str(row["model"]), str(row["fold"])], row, COLUMNS))
    return "\n".join(lines)


def porian(rows: pd.DataFrame) -> str:
    """Coverage, width and error by setting: the joint law as shipped, and Huber's loss beside it where it was run."""
    kept = ("runs", "cover50", "cover90", "width90", "rmsle", "bias")
    other = [f"{name}, Huber" for name in ("cover90", "width90", "rmsle")]
    lines = _head(["setting"], [*kept, *other])
    for name, mine in rows.groupby("set", sort=False):
        by_model = _backtest(mine).summary(("model",)).set_index("model")
        row = by_model.loc[DEFAULT].to_dict()
        huber = "huber-bootstrap"
        beside = by_model.loc[huber] if huber in by_model.index else {}
        row |= {f"{n}, Huber": beside.get(n, np.nan) for n in ("cover90", "width90", "rmsle")}
        again = " (recount)" if CASES[str(name)].recount else ""
        lines.append(_line([str(name).removeprefix("porian ") + again], row, [*kept, *other]))
    return "\n".join(lines)


def pooled_table(rows: pd.DataFrame) -> str:
    """Pooled coverage: the sets that the configuration was not chosen on, then with the first one."""
    every = [n for n in counted(rows) if n not in ("datablations", "pythia_curves")]
    lines = _head(["sets", "model"], POOLED)
    chosen = {"all but the first": every[1:], "all": every}
    for said, names in chosen.items():
        for row in pooled(rows, names).to_dict("records"):
            lines.append(_line([said, str(row["model"])], row, POOLED))
    return "\n".join(lines)


def errors_table(rows: pd.DataFrame) -> str:
    """Mean absolute relative error and, behind the stroke, median signed error, per cent."""
    roles = ("as shipped", "exact", "γ = 1, exact", "huber-bootstrap")
    found = errors(rows).set_index(["set", "role"])
    head = ["set", "printed", *roles]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in rows["set"].unique():
        cells = [name, PRINTED.get(name, "–")]
        for r in roles:
            at = found.loc[(name, r)] if (name, r) in found.index else None
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
