"""How many labelled examples does an error need? Asked of eighths of ten data sets, answered by the whole of them.

Run ``python3 -m uv run python case_studies/labels/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; folds of the back-test are kept in
``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale import plots
from bayescale.decide import Needed, needed
from bayescale.errors import PlanError
from bayescale.files import written_beside
from bayescale.plots.style import GREY, INK, PALETTE, new_figure, style
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261203
SHA256 = "4066ce6c4c2ff50104f3e608920a23504d9706ef4d372d0891bf365f26845ec8"
LEARNER = "randomforest"
# One curve of an exact law at a time: what the quick engine is for.
# One curve of an exact law at a time: what the quick engine is for.
SAMPLER: dict[str, Any] = {"seed": SEED, "engine": "quick", "drift": False, "cores": 1}
SMALLEST = 128  # examples; below, errors of so small samples are those of other regimes
LARGE = 100_000  # examples that a set has, to be taken
EIGHTH = 8  # of each set, that is fitted
LEAST_ERROR = (
    0.01  # at the largest fitted sample; below, a per cent of the error is a handful of test rows
)
WANTED = 0.5  # probability of what is needed
SHOWN = {"data": "`data`, each set by itself, exact", "m2": "least squares, floor (`m2`)"}


def table(folder: Path) -> pd.DataFrame:
    """Mean test errors of one learner against the examples it was trained on; what is beyond an eighth is marked."""
    path = folder / "lcdb_tabular" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    rows = pd.read_csv(path)
    rows = rows[(rows["learner"] == LEARNER) & (rows["size_train"] >= SMALLEST)]
    most = rows.groupby("openml_id")["size_train"].transform("max")
    rows = rows.assign(held_out=rows["size_train"] > most / EIGHTH, whole=most)[most >= LARGE]
    last = rows[~rows["held_out"]].sort_values("size_train").groupby("openml_id")["error"].last()
    rows = rows[rows["openml_id"].map(last) >= LEAST_ERROR]
    return rows.assign(task="set " + rows["openml_id"].astype(str)).reset_index(drop=True)


def as_runs(rows: pd.DataFrame) -> Runs:
    """Labelled examples are tokens; data sets are tasks."""
    frame = rows.assign(
        examples=rows["size_train"].astype(float),
        loss=rows["error"],
        loss_se=rows["error_sd"] / np.sqrt(rows["repeats"]),
    )
    return bs.load_runs(
        frame[["task", "examples", "loss", "loss_se", "held_out"]],
        columns={"tokens": "examples (samples)"},
        task_info={"*": {"metric": "error", "upper": 1.0}},
        name="lcdb",
    )


def asked(rows: pd.DataFrame, fits: dict[str, bs.Fit]) -> list[dict[str, Any]]:
    """Of every set: what the error at its largest sample needs, forecast from an eighth, and what it took."""
    found = []
    for task, own in rows.groupby("task"):
        last = own.sort_values("size_train").iloc[-1]
        row = {
            "set": str(task),
            "fitted": int(own.loc[~own["held_out"], "size_train"].max()),
            "target": round(float(last["error"]), 4),
            "took": int(last["size_train"]),
        }
        try:
            one = needed(
                fits[str(task)],
                target_loss=float(last["error"]),
                probability=WANTED,
                kind="run",
            )
        except PlanError:  # half of the draws or more never get there
            one = None
        found.append(row | _said(one))
    return found


def _said(one: Needed | None) -> dict[str, Any]:
    if one is None:
        return {"q05": None, "q50": None, "q95": None, "p_never": None}
    return {q: one.quantiles[q] for q in ("q05", "q50", "q95")} | {"p_never": one.p_never}


def inside(row: dict[str, Any]) -> bool | None:
    """Whether what it took lies within the 90 % interval; None where the median draw never gets there."""
    if row["q05"] is None:
        return None
    return bool(row["q05"] <= row["took"] <= (row["q95"] or np.inf))


def forecasts(rows: pd.DataFrame, fits: dict[str, bs.Fit]) -> pd.DataFrame:
    """Forecasts of what was held out: medians and 90 % intervals of the error as it was measured, by a run's noise."""
    out = []
    for task, own in rows[rows["held_out"]].groupby("task"):
        sizes = own["size_train"].to_numpy(float)
        draws = bs.predict(fits[str(task)], tokens=sizes).draws
        low, middle, high = draws.quantile([0.05, 0.5, 0.95], ("chain", "draw")).to_numpy()
        out.append(
            pd.DataFrame(
                {"task": task, "loss": own["error"], "lo90": low, "median": middle, "hi90": high}
            )
        )
    return pd.concat(out, ignore_index=True)


def scores(rows: pd.DataFrame) -> dict[str, float]:
    """Share of intervals that held, with its standard error over data sets; mean width, RMSLE, bias of the median."""
    inside = (rows["lo90"] <= rows["loss"]) & (rows["loss"] <= rows["hi90"])
    by_set = inside.groupby(rows["task"]).mean()
    off = np.log(rows["median"] / rows["loss"])
    return {
        "rows": float(len(rows)),
        "inside90": float(inside.mean()),
        "se90": float(by_set.std(ddof=1) / np.sqrt(len(by_set))),
        "width90": float((rows["hi90"] - rows["lo90"]).mean()),
        "rmsle": float(np.sqrt((off**2).mean())),
        "bias": float(off.mean()),
    }


def markdown(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by their markers."""
    head = ["model", "90 % holds", "s.e.", "width", "RMSLE", "bias"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for model, said in SHOWN.items():
        row = found["scores"][model]
        cells = [said, f"{row['inside90']:.2f}", f"{row['se90']:.2f}", f"{row['width90']:.4f}"]
        cells += [f"{row['rmsle']:.4f}", f"{row['bias']:+.4f}"]
        lines.append("| " + " | ".join(cells) + " |")
    asks = [
        "| data set | fitted up to | target error | needed, median (90 %) | P(never) | it took |"
    ]
    asks.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for row in found["asked"]:
        never = "–" if row["p_never"] is None else f"{row['p_never']:.2f}"
        if row["q50"] is None:
            said = "more than half of the draws never get there"
        else:
            high = "never" if row["q95"] is None else f"{row['q95']:,.0f}"
            said = f"{row['q50']:,.0f} ({row['q05']:,.0f} to {high})"
        cells = [row["set"], f"{row['fitted']:,}", f"{row['target']:.4f}", said, never]
        asks.append("| " + " | ".join([*cells, f"{row['took']:,}"]) + " |")
    return {"results": "\n".join(lines), "asked": "\n".join(asks)}


def figure(found: list[dict[str, Any]]) -> list[Path]:
    """Needed over what it took, by data set."""
    with style():
        canvas = new_figure("text", 2.4)
        axes = canvas.subplots()
        told = [row for row in found if row["q50"] is not None]
        for i, row in enumerate(told):
            low, middle = row["q05"] / row["took"], row["q50"] / row["took"]
            high = row["q95"] / row["took"] if row["q95"] else 1e3
            axes.plot([i, i], [low, high], color=INK, lw=0.9)
            axes.plot(i, middle, "o", color=PALETTE[1])
        axes.axhline(1.0, color=GREY, lw=0.6)
        axes.set(yscale="log", ylim=(0.05, 100.0), ylabel="examples needed / taken")
        axes.set_xticks(range(len(told)), [row["set"] for row in told], rotation=90)
        return plots.save(canvas, HERE / "labels.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("labels-folds"))
    folder = parser.parse_args().folder
    rows = table(Path(os.environ["BAYESCALE_DATA"]))
    runs = as_runs(rows)
    alone = bs.backtest(runs, "m2", by="held_out", folder=folder, progress=False, seed=SEED)
    fits = {
        str(task): bs.fit(as_runs(own[~own["held_out"]]), "data", progress=False, **SAMPLER)
        for task, own in rows.groupby("task")
    }
    found = {
        "fitted": int((~rows["held_out"]).sum()),
        "held_out": int(rows["held_out"].sum()),
        "verdicts": {task: str(fit.convergence) for task, fit in fits.items()},
        "scores": {"data": scores(forecasts(rows, fits)), "m2": scores(alone.rows)},
        "asked": asked(rows, fits),
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in figure(found["asked"]):
        print(path)
    fill(HERE / "README.md", markdown(found))


if __name__ == "__main__":
    main()
