"""Would forecasts that are right have held as few runs? Coverage at each cut against that of sets drawn from the fit.

Run ``python3 -m uv run python case_studies/calibration/replication.py`` where ``BAYESCALE_DATA`` names a folder of the
public sets (minutes a fit). It writes ``replication.json`` and its table in the README; the fits are its own, and
the scored runs of ``study.py`` stay as they are.
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
from sets import CASES
from study import SEED
from sweeps import public_sets

import bayescale as bs
from bayescale.files import written_beside

HERE = Path(__file__).parent
RESULT = HERE / "replication.json"
NAME = "chinchilla_fig4"
LEVELS = (50, 80, 90, 95)


def run(folder: Path, models: int, cores: int | None) -> dict[str, Any]:
    """Back-test the first models of the set, and keep what is said of their coverage."""
    case = CASES[NAME]
    result = bs.backtest(
        case.read(public_sets()),
        case.models[:models],
        by=case.by,
        cuts=case.cuts,
        exclude=case.exclude,
        seed=SEED,
        folder=folder,
        cores=cores,
    )
    kept = ["model", "fold", "level", "cover", "expected_lo", "expected_hi", "rank"]
    return {
        "set": NAME,
        "problem": result.problem,
        "rows": result.intervals()[kept].to_dict("records"),
    }


def table(rows: pd.DataFrame) -> str:
    """One line a model and cut: coverage, in brackets its expected central 90 %, and its rank in what is expected."""
    head = ["model", "held out", *(f"{level} % holds" for level in LEVELS)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for (model, fold), part in rows.groupby(["model", "fold"], sort=False):
        cells = [str(model), str(fold)]
        for row in part.to_dict("records"):
            expected = f"{row['expected_lo']:.2f}–{row['expected_hi']:.2f}"
            cells.append(f"{row['cover']:.2f} ({expected}; rank {row['rank']:.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("replication-folds"))
    parser.add_argument("--models", type=int, default=3, help="how many models of the set")
    parser.add_argument("--cores", type=int, help="chains at once")
    options = parser.parse_args()
    found = run(options.folder, options.models, options.cores)
    with written_beside(RESULT) as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    fill(HERE / "README.md", {"replication": table(pd.DataFrame(found["rows"]))})


if __name__ == "__main__":
    main()
