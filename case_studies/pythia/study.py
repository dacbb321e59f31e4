"""Learning curves of sixteen Pythia models, the last part of their training forecast from the part before it.

Run ``python3 -m uv run python case_studies/pythia/study.py`` where ``BAYESCALE_DATA`` names a folder of the public sets
(some minutes on two cores; it resumes where it was stopped, fit by fit, in ``--folder``). It writes ``results.json``,
the tables of the README and the figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.plots import calibration, save
from bayescale.predict import Backtest
from bayescale.runs import Runs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from sweeps import public_sets

HERE = Path(__file__).parent
SHA256 = "3d3f31c5d4bd10b16d884a9cc661d2a55bef8145d8bdada1c62db556b7a8dac6"
# Before it the learning rate still warms up, and models guess: an error at the level of guessing says nothing of a law.
FIRST = 1_000
# Checkpoints at or beyond it are held out: 73,000 to 143,000 steps, the last to 2.3 times the last that is fitted.
CUT = 70_000
POINTS = 8  # of a curve to fit, even in the log of steps
ESTIMATORS = ("m2", "m3", "m4")
SETTINGS: dict[str, Any] = {
    # Every curve is one run, whose level is its own: a later checkpoint has no other offset.
    "run_effect": False,
    "draws": 1000,
    "tune": 500,
    # The priors of drift and exponents know the end of these models' training.
    "exclude": ["pile-families"],
    "seed": 20261201,
}
COLUMNS = (
    "runs", "groups", "cover50", "cover90", "se90", "se90_by_model", "group_cover90", "width90",
    "rmsle", "bias", "log_score",
)  # fmt: skip


@dataclass(frozen=True)
class Domain:
    """The curves of one task, what is known of it, and the model that is fitted to all of them."""

    task: str
    model: str
    info: dict[str, Any]


def error(task: str, guess: float) -> Domain:
    """A task whose error is ``guess`` where a model guesses."""
    return Domain(task, "saturating", {"metric": "error", "upper": guess})


# Zero-shot. Tasks on which the models stay near guessing (ARC challenge, LogiQA, MMLU, WSC, WinoGrande) are left out:
# no bounded law has a value for an error above that of guessing.
DOMAINS = {
    "LAMBADA": error("lambada_openai", 1.0),
    "SciQ": error("sciq", 0.75),
    "ARC easy": error("arc_easy", 0.75),
    "PIQA": error("piqa", 0.5),
}


def table() -> pd.DataFrame:
    """The public table."""
    path = public_sets() / "pythia_curves" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def read(frame: pd.DataFrame, domain: Domain) -> Runs:
    """The curves of one domain: fitted rows thinned, held-out rows as they are; every model is an architecture."""
    mine = (frame["metric"] == "accuracy") & (frame["shots"] == 0) & (frame["step"] >= FIRST)
    frame = frame[mine & (frame["task"] == domain.task)]
    model = frame["size"] + np.where(frame["deduped"] == 1, " deduped", "")
    frame = frame.assign(architecture=model, run_id=model)
    frame = frame.assign(loss=1.0 - frame["value"], loss_se=frame["value_se"])
    early = frame[frame["step"] < CUT].groupby("architecture")
    kept = pd.concat([*(thin(part) for _, part in early), frame[frame["step"] >= CUT]])
    columns = [
        "run_id", "architecture", "task", "step", "params", "tokens", "loss", "loss_se",
    ]  # fmt: skip
    return bs.load_runs(
        kept[columns],
        task_info={domain.task: domain.info},
        param_count="total",
        checkpoints="all",
        name="pythia_curves",
    )


def thin(part: pd.DataFrame) -> pd.DataFrame:
    """The rows of a curve that are nearest to points even in the log of steps, from the first to the last."""
    part = part.sort_values("step")
    at = np.log(part["step"].to_numpy())
    wanted = np.linspace(at[0], at[-1], POINTS)
    return part.iloc[np.unique(np.abs(at - wanted[:, None]).argmin(axis=1))]


def run(name: str, frame: pd.DataFrame, folder: Path) -> Backtest:
    """Back-test one task: the model as shipped, the same without drift, and the estimators of the literature."""
    domain = DOMAINS[name]
    model = load_model(domain.model)
    return bs.backtest(
        read(frame, domain),
        (model, model.exact(), *ESTIMATORS),
        by="step",
        cuts=[CUT],
        folder=folder / name,
        **SETTINGS,
    )


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a model; a curve is a group, and a Pythia model, with all its tasks, a cluster of the second kind."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",))
    by_model = rows.assign(group=rows["architecture"])
    wider = Backtest(by_model, pd.DataFrame(), {}).summary(("model",))
    return found.assign(se90_by_model=wider["se90"])[["model", *COLUMNS]]


def parts(rows: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The scores of one model by task and by size."""
    named = rows.assign(size=rows["architecture"].str.removesuffix(" deduped"))
    order = named.sort_values(["params", "tokens"])
    return {
        by: Backtest(order, pd.DataFrame(), {}).summary((by,)).to_dict("records")
        for by in ("task", "size")
    }


def tables(content: dict[str, Any]) -> dict[str, str]:
    """The tables of the README: all models, and the one that is shipped by task and by size."""
    every = _head(["model"], COLUMNS)
    every += [_line([row["model"]], row, COLUMNS) for row in content["scores"]]
    kept = ("runs", "cover50", "cover90", "se90", "width90", "rmsle", "bias")
    apart = _head(["task", "model size"], kept)
    for by, rows in content["parts"].items():
        for row in rows:
            words = [row[by], "all"] if by == "task" else ["all", row[by]]
            apart.append(_line(words, row, kept))
    return {"results": "\n".join(every), "parts": "\n".join(apart)}


def _head(words: list[str], numbers: tuple[str, ...]) -> list[str]:
    head = "| " + " | ".join([*words, *numbers]) + " |"
    return [head, "|" + " --- |" * len(words) + " ---: |" * len(numbers)]


def _line(words: list[str], row: dict[str, Any], numbers: tuple[str, ...]) -> str:
    cells = [*words, *(_number(name, row[name]) for name in numbers)]
    return "| " + " | ".join(cells) + " |"


def _number(name: str, value: float) -> str:
    if name in ("runs", "groups"):
        return str(int(value))
    if name == "bias":
        return f"{value:+.4f}"
    return f"{value:.4f}" if name in ("width90", "rmsle") else f"{value:.2f}"


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the figure shows: the law as shipped and exact, and two estimators, at every held-out checkpoint."""
    kept = rows[rows["model"] != "m2"]
    names = {"saturating": "hierarchical law", "saturating (exact)": "the same, exact"}
    return kept.assign(model=kept["model"].replace(names))


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("pythia-folds"))
    options = parser.parse_args()
    frame = table()
    tests = {name: run(name, frame, options.folder) for name in DOMAINS}
    rows = pd.concat([test.rows for test in tests.values()], ignore_index=True)
    content = {
        "scores": scores(rows).to_dict("records"),
        "folds": [
            {"curves": name, **fold}
            for name, test in tests.items()
            for fold in test.folds.to_dict("records")
        ],
        "parts": parts(rows[rows["model"] == "saturating"]),
    }
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")
    save(calibration(Backtest(shown(rows), pd.DataFrame(), {})), HERE / "calibration")
    fill(HERE / "README.md", tables(content))


if __name__ == "__main__":
    main()
