"""Would it have been right? Back-tests on public sweeps under one configuration: fit below, score above.

Run ``python3 -m uv run python case_studies/calibration/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (the best part of an hour on two cores; it resumes where it was stopped, fold by fold, in ``--folder``). It writes
``results.json``, the tables of the README and the figure.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.plots import calibration, save
from bayescale.predict import Backtest
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import with_tables
from sweeps import Case, chinchilla, gadre, olmo

HERE = Path(__file__).parent
# The configuration, frozen before any set was scored: the defaults; beside them the same law without drift, that of
# Hoffmann et al. without drift, and what their authors and Besiroglu et al. do, a Huber fit of it with a bootstrap.
DEFAULT = "parameter-data"
MODELS = (DEFAULT, load_model(DEFAULT).exact(), "chinchilla", "huber-bootstrap")
SHOWN = (DEFAULT, "huber-bootstrap")  # in the figure
SEED = 20261122
COLUMNS = ("runs", "groups", "cover50", "cover90", "se90", "width90", "rmsle", "bias", "log_score")


CASES = {
    "chinchilla_fig4": Case(chinchilla, "compute", (1e20, 3e20, 1e21), ("chinchilla",)),
    "gadre_overtraining": Case(gadre, "params", (1e9, 5e9), ("gadre",)),
    "olmo_ladder": Case(olmo, "params", (1e9, 2e9), ("olmo",)),
}


def run(name: str, case: Case, folder: Path) -> Backtest:
    """Back-test one set."""
    frame = pd.read_csv(Path(os.environ["BAYESCALE_DATA"]) / name / "data.csv")
    return bs.backtest(
        case.read(frame),
        MODELS,
        by=case.by,
        cuts=case.cuts,
        exclude=case.exclude,
        seed=SEED,
        folder=folder / name,
    )


def markdown(results: dict[str, Backtest]) -> str:
    """The table of the README."""
    head = ["set", "model", "held out", *COLUMNS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * 3 + " ---: |" * len(COLUMNS)]
    for name, result in results.items():
        for row in result.summary().to_dict("records"):
            cells = [name, str(row["model"]), str(row["fold"])]
            cells += [str(row[c]) if c in ("runs", "groups") else _number(row[c]) for c in COLUMNS]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if abs(value) >= 0.2 else f"{value:.4f}"


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("calibration-folds"))
    parser.add_argument("--only", choices=list(CASES), action="append")
    options = parser.parse_args()
    results = {
        n: run(n, c, options.folder) for n, c in CASES.items() if n in (options.only or CASES)
    }
    for result in results.values():
        print(result, flush=True)
    if options.only:
        return
    content = {
        name: {
            "problem": r.problem,
            "summary": r.summary().to_dict("records"),
            "by_distance": r.by_distance().to_dict("records"),
            "folds": r.folds.to_dict("records"),
        }
        for name, r in results.items()
    }
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")
    every = Backtest(
        pd.concat(
            [
                r.rows[r.rows["model"].isin(SHOWN)].assign(group=name + " " + r.rows["group"])
                for name, r in results.items()
            ]
        ),
        pd.DataFrame(),
        {},
    )
    save(calibration(every), HERE / "calibration")
    readme = HERE / "README.md"
    text = with_tables(readme.read_text(encoding="utf-8"), {"results": markdown(results)})
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
