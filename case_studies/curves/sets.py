"""The learning curves of four domains, as their authors split them and as a whole, thinned evenly in log scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sweeps import public_sets

import bayescale as bs
from bayescale.runs import Runs

# Rows of a curve share one training run: more of them say less than their number. They are thinned evenly in log scale.
POINTS = 16


@dataclass(frozen=True)
class Domain:
    """Curves of one kind, the model that is fitted to all of them together, and what their values are."""

    source: str
    label: str | None
    model: str
    task: dict[str, Any]
    known_as: str  # in models/priors.toml


ERROR = {"metric": "error", "upper": 1.0}
# Losses of the second set were divided by a constant by their authors: they have no unit.
SCALED = {"metric": "loss"}
IMAGES, LANGUAGE = "alabdulmohsin-images", "alabdulmohsin-language"
DOMAINS = {
    "IC": Domain("alabdulmohsin_vision", None, "saturating", ERROR, IMAGES),
    "NMT": Domain("alabdulmohsin_language", "translation", "data", SCALED, LANGUAGE),
    "LM": Domain("alabdulmohsin_language", "language_model", "data", SCALED, LANGUAGE),
    "BB": Domain("alabdulmohsin_language", "big_bench", "saturating", ERROR, LANGUAGE),
}


CURVE = ["architecture", "task", "params"]


def read(domain: Domain, as_runs: bool = False) -> Runs:
    """The curves of one domain as split: fitted rows thinned, held-out rows as they are, marked in ``held_out``.

    Every row is a run of its own, or with ``as_runs`` every curve is one run, and its rows are the run's checkpoints.
    """
    frame = _frame(domain)
    frame["held_out"] = 1 - frame["paper_train"]
    held = frame[frame["held_out"] == 1]
    columns = [*CURVE, "held_out", "tokens", "loss"]
    fitted = _thinned(frame[frame["held_out"] == 0]).assign(held_out=0)
    return _runs(domain, pd.concat([fitted, held[columns]], ignore_index=True), as_runs)


def whole(domain: Domain) -> Runs:
    """The curves of one domain from first to last, thinned."""
    return _runs(domain, _thinned(_frame(domain)))


def _frame(domain: Domain) -> pd.DataFrame:
    frame = pd.read_csv(public_sets() / domain.source / "data.csv")
    if domain.label is not None:
        frame = frame[frame["domain"] == domain.label]
    frame = frame.rename(columns={"examples_seen": "tokens", "error": "loss"})
    frame["task"] = frame["task"].str.replace(r"[()',]", "", regex=True)
    return frame


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Every curve thinned. A scale that was evaluated several times is one row to fit."""
    once = frame.groupby([*CURVE, "tokens"], as_index=False)["loss"].mean()
    parts = [thin(part) for _, part in once.groupby(["architecture", "task"])]
    return pd.concat(parts, ignore_index=True)


def _runs(domain: Domain, table: pd.DataFrame, as_runs: bool = False) -> Runs:
    table["run_id"] = [f"row {i}" for i in range(len(table))]
    if as_runs:
        # Scales in units of the smallest are the steps; only their ratios are read.
        table["run_id"] = table["architecture"].astype(str) + " " + table["task"]
        table["step"] = table["tokens"] / table["tokens"].min()
        # What was measured again at one scale is held out, and no checkpoint before another.
        again = table.groupby(["run_id", "step"]).cumcount()
        table["run_id"] += again.map(lambda n: f" again {n}" if n else "")
    info = dict.fromkeys(table["task"].unique(), domain.task)
    kept = "all" if as_runs else "last"
    return bs.load_runs(
        table, task_info=info, param_count="total", name=domain.source, checkpoints=kept
    )


def thin(part: pd.DataFrame) -> pd.DataFrame:
    """At most so many rows of a curve, those nearest to points that are even in log scale from first to last."""
    part = part.sort_values("tokens")
    at = np.log(part["tokens"].to_numpy())
    wanted = np.linspace(at[0], at[-1], POINTS)
    return part.iloc[np.unique(np.abs(at - wanted[:, None]).argmin(axis=1))]
