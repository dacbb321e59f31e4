"""Would it have been right? Back-tests on public sweeps under one configuration: fit below, score above.

Run ``python3 -m uv run python case_studies/calibration/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (hours on two cores; it resumes where it was stopped, fold by fold, in ``--folder``). It writes, set by set,
``results.json`` and ``rows.csv``; the tables of the README and the figure are made of the latter.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from report import figure, tables
from sets import CASES, Case
from sweeps import public_sets

import bayescale as bs
from bayescale.files import written_beside
from bayescale.plots import save
from bayescale.predict import Backtest

HERE = Path(__file__).parent
SEED = 20261122
PLAIN: dict[str, Any] = {"sweep": False, "engine": "quick"}  # of exact laws on many sets
COLUMNS = [
    "set", "model", "fold", "architecture", "task", "group", "decades", "error",
    *(f"inside{level}" for level in (50, 80, 90, 95)), "width90", "crps", "log_score",
    "interval_score90",
]  # fmt: skip


def run(name: str, case: Case, folder: Path, models: int | None) -> Backtest:
    """Back-test one set; with a number, of its first models only."""
    common: dict[str, Any] = {
        "by": case.by,
        "cuts": case.cuts,
        "exclude": case.exclude,
        "seed": SEED,
        "folder": folder / name,
        "progress": False,
    }
    runs = case.read(public_sets())
    first = bs.backtest(runs, case.models[:models], **common)
    if models is not None or not case.plain:
        return first
    plain = bs.backtest(runs, case.plain, **common, **PLAIN)
    return Backtest(
        pd.concat([first.rows, plain.rows], ignore_index=True),
        pd.concat([first.folds, plain.folds], ignore_index=True),
        first.problem | {"plain": plain.problem},
        (*first.notes, *plain.notes),
    )


def recorded(result: Backtest) -> dict[str, Any]:
    """What the results keep of a back-test beside its rows."""
    return {
        "problem": result.problem,
        "summary": result.summary().to_dict("records"),
        "by_distance": result.by_distance().to_dict("records"),
        "folds": result.folds.to_dict("records"),
        # The losses themselves stay where they were published.
        "typical_loss": float(f"{result.rows['loss'].median():.2g}"),
    }


def keep(name: str, result: Backtest) -> None:
    """Put one set into the results: its summaries into ``results.json``, its scored runs into ``rows.csv``."""
    content = json.loads((HERE / "results.json").read_text("utf-8"))
    content[name] = recorded(result)
    ordered = {n: content[n] for n in CASES if n in content}
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(ordered, indent=1, default=float) + "\n", "utf-8")
    rows = pd.read_csv(HERE / "rows.csv")
    mine = result.rows.assign(set=name)[COLUMNS]
    every = pd.concat([rows[rows["set"] != name], mine])
    every = every.sort_values("set", key=lambda s: s.map(list(CASES).index), kind="stable")
    with written_beside(HERE / "rows.csv") as beside:
        every.to_csv(beside, index=False, float_format="%.5g")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("calibration-folds"))
    parser.add_argument("--only", choices=list(CASES), action="append", help="sets to run")
    parser.add_argument("--models", type=int, help="how many of a set's models, the default first")
    parser.add_argument("--report", action="store_true", help="run nothing, write tables alone")
    options = parser.parse_args()
    for name, case in CASES.items():
        if options.report or name not in (options.only or CASES):
            continue
        result = run(name, case, options.folder, options.models)
        print(f"{name}: {result}", flush=True)
        keep(name, result)
    rows = pd.read_csv(HERE / "rows.csv")
    content = json.loads((HERE / "results.json").read_text("utf-8"))
    fill(HERE / "README.md", tables(rows))
    typical = {name: found["typical_loss"] for name, found in content.items()}
    save(figure(rows, typical), HERE / "calibration")


if __name__ == "__main__":
    main()
