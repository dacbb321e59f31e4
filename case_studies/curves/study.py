"""Learning curves of images and of language, forecast beyond what their authors fitted, beside the usual estimators.

Run ``python3 -m uv run python case_studies/curves/study.py`` where ``BAYESCALE_DATA`` names a folder of the public sets
(the best part of half an hour on two cores; it resumes where it was stopped, fit by fit, in ``--folder``). It writes
``results.json``, the tables of the README and the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.plots import calibration, save
from bayescale.predict import Backtest
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from curves.sets import DOMAINS, Domain, read
from recorded import fill

HERE = Path(__file__).parent
ESTIMATORS = ("m1", "m2", "m3", "m4", "bnsl")
SETTINGS: dict[str, Any] = {
    "draws": 1200,
    "tune": 500,
    "seed": 20261123,
}
# Of these the rows are also taken as checkpoints of one run a curve, with correlated residuals; an offset of the run
# would be the level of its curve.
CORRELATED = ("NMT", "LM", "BB")
ALONG: dict[str, Any] = {"correlation": True, "run_effect": False}
NAMES = {"bird": "birds", "c": "CIFAR-100", "cal": "Caltech-101", "inet": "ImageNet"}
COLUMNS = ("curves", "rows", "rmsle", "log_score", "cover50", "cover90", "se90", "bias")


def run(name: str, domain: Domain, folder: Path) -> Backtest:
    """Back-test one domain: the model as shipped, the same without drift, and the estimators of the literature."""
    model = load_model(domain.model)
    common: dict[str, Any] = {
        "by": "held_out",
        "exclude": [domain.known_as],
        "folder": folder / name,
        **SETTINGS,
    }
    first = bs.backtest(read(domain), (model, model.exact(), *ESTIMATORS), **common)
    if name not in CORRELATED:
        return first
    along = bs.backtest(read(domain, as_runs=True), (model, model.exact()), **common, **ALONG)
    rows, folds = (
        part.assign(model=part["model"] + ", correlated") for part in (along.rows, along.folds)
    )
    return Backtest(
        pd.concat([first.rows, rows], ignore_index=True),
        pd.concat([first.folds, folds], ignore_index=True),
        first.problem,
        (*first.notes, *(f"correlated: {note}" for note in along.notes)),
    )


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a model: the error is the mean over curves of each one's, the log score that of the loss itself."""
    rows = rows.assign(
        curve=rows["architecture"] + " | " + rows["task"],
        gap=np.log(rows["median"] / rows["loss"]),
        # The density of the log loss, on the scale of the loss.
        log_score=rows["log_score"] - np.log(rows["loss"]),
    )
    found = []
    for model, part in rows.groupby("model", sort=False):
        by_curve = part.groupby("curve")
        inside = by_curve["inside90"].mean()
        found.append(
            {
                "model": model,
                "curves": len(inside),
                "rows": len(part),
                "rmsle": float(by_curve["gap"].agg(lambda g: np.sqrt(np.mean(g**2))).mean()),
                "log_score": float(part["log_score"].mean()),
                "cover50": float(by_curve["inside50"].mean().mean()),
                "cover90": float(inside.mean()),
                "se90": float(inside.std(ddof=1) / np.sqrt(len(inside))),
                "bias": float(by_curve["gap"].mean().mean()),
            }
        )
    return pd.DataFrame(found)


def parts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The scores of one model by data set: what stands before the shots in the name of a task."""
    sets = rows["task"].str.split("_").str[0]
    found = [scores(part).assign(part=name) for name, part in rows.groupby(sets)]
    return pd.concat(found).to_dict("records")


def parts_table(found: list[dict[str, Any]]) -> str:
    """The second table of the README."""
    lines = ["| data set | curves | rmsle | cover50 | cover90 |", "|" + " --- |" + " ---: |" * 4]
    for row in found:
        cells = [NAMES[row["part"]], str(row["curves"]), f"{row['rmsle']:.3f}"]
        lines.append(
            "| " + " | ".join([*cells, f"{row['cover50']:.2f}", f"{row['cover90']:.2f}"]) + " |"
        )
    return "\n".join(lines)


def markdown(results: dict[str, pd.DataFrame]) -> str:
    """The table of the README."""
    lines = [
        "| curves | model | " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * 2 + " ---: |" * len(COLUMNS),
    ]
    for name, found in results.items():
        for row in found.to_dict("records"):
            cells = [name, str(row["model"]), str(row["curves"]), str(row["rows"])]
            cells += [f"{row['rmsle']:.4f}", f"{row['log_score']:.2f}"]
            cells += [f"{row[c]:.2f}" for c in ("cover50", "cover90", "se90")]
            lines.append("| " + " | ".join([*cells, f"{row['bias']:+.4f}"]) + " |")
    return "\n".join(lines)


def ends(rows: pd.DataFrame) -> pd.DataFrame:
    """The last held-out row of each curve, for the figure: the law as shipped and exact, and two estimators."""
    left_out = rows["model"].isin(("m1", "m2", "m3")) | rows["model"].str.endswith("correlated")
    kept = rows[~left_out]
    kept = kept.assign(
        model=kept["model"].replace(
            dict.fromkeys(("saturating", "data"), "hierarchical law")
            | {f"{law} (exact)": "the same, exact" for law in ("saturating", "data")}
        ),
        group=kept["architecture"] + " | " + kept["task"],
    )
    return kept.sort_values("tokens").groupby(["model", "group"], sort=False).tail(1)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("curves-folds"))
    parser.add_argument("--only", choices=list(DOMAINS), action="append")
    options = parser.parse_args()
    tests, seconds = {}, {}
    for name in options.only or DOMAINS:
        start = time.perf_counter()
        tests[name] = run(name, DOMAINS[name], options.folder)
        seconds[name] = time.perf_counter() - start
        print(
            name,
            f"{seconds[name]:.0f} s",
            scores(tests[name].rows).round(4),
            *tests[name].notes,
            sep="\n",
            flush=True,
        )
    if options.only:
        return
    results = {name: scores(test.rows) for name, test in tests.items()}
    content = {
        name: {
            "scores": results[name].to_dict("records"),
            "folds": test.folds.to_dict("records"),
            "notes": list(test.notes),
        }
        for name, test in tests.items()
    }
    images = tests["IC"].rows
    content["IC"]["parts"] = parts(images[images["model"] == DOMAINS["IC"].model])
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")
    shown = pd.concat([ends(test.rows) for test in tests.values()])
    save(calibration(Backtest(shown, pd.DataFrame(), {})), HERE / "calibration")
    made = {"results": markdown(results), "parts": parts_table(content["IC"]["parts"])}
    fill(HERE / "README.md", made)


if __name__ == "__main__":
    main()
