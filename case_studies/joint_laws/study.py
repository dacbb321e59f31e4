"""Which joint law forecasts the largest runs? The printed laws of N and D side by side on three public sweeps.

Run ``python3 -m uv run python case_studies/joint_laws/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It resumes where it was stopped, fold by fold, in ``--folder``, and writes ``expected.json`` and the table of the
README.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.predict import Backtest
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from sweeps import chinchilla, gadre, olmo, public_sets

HERE = Path(__file__).parent
DEFAULT = "parameter-data"
MODELS = (
    DEFAULT,
    load_model(DEFAULT).exact(),
    "skaling",
    "over-training",
    "chinchilla",
)
SEED = 20261122
# The last cut of each sweep that leaves more than one size of model above it, or one with several runs.
# How each is read, along what it is cut and where, and the studies whose evidence it is.
CASES = {
    "chinchilla_fig4": (chinchilla, "compute", 1e21, "chinchilla"),
    "gadre_overtraining": (gadre, "params", 1e9, "gadre"),
    "olmo_ladder": (olmo, "params", 2e9, "olmo"),
}
COLUMNS = ("runs", "r2", "cover50", "cover90", "width90", "rmsle", "bias", "log_score")


def run(name: str, folder: Path) -> Backtest:
    """Back-test one sweep."""
    read, by, cut, study = CASES[name]
    return bs.backtest(
        read(public_sets()),
        MODELS,
        by=by,
        cuts=(cut,),
        exclude=(study,),
        seed=SEED,
        folder=folder / name,
    )


def explained(rows: pd.DataFrame) -> float:
    """R² of the median forecast: one less squared error over squared distance of the losses to their mean."""
    error = ((rows["median"] - rows["loss"]) ** 2).sum()
    return float(1.0 - error / ((rows["loss"] - rows["loss"].mean()) ** 2).sum())


def scores(result: Backtest) -> list[dict[str, Any]]:
    """One row a model: the summary of the package, and R²."""
    r2 = {str(model): explained(rows) for model, rows in result.rows.groupby("model")}
    found = result.summary().assign(r2=lambda t: t["model"].map(r2))
    converged = result.folds.set_index("model")["converged"]
    kept = found.assign(converged=found["model"].map(converged))[
        ["model", "fold", "converged", *COLUMNS]
    ]
    return json.loads(kept.to_json(orient="records", double_precision=6))


def markdown(content: dict[str, list[dict[str, Any]]]) -> str:
    """The table of the README."""
    head = ["set, held out", "model", *COLUMNS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * 2 + " ---: |" * len(COLUMNS)]
    for name, rows in content.items():
        for row in rows:
            label = str(row["model"]) + ("" if row["converged"] else " †")
            cells = [f"{name}, {row['fold']}", label, str(row["runs"])]
            cells += [_number(row[column]) for column in COLUMNS[1:]]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.2 or value == 0 else f"{value:.4f}"


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("joint-laws-folds"))
    options = parser.parse_args()
    content = {}
    for name in CASES:
        result = run(name, options.folder)
        print(result, flush=True)
        content[name] = scores(result)
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"results": markdown(content)})


if __name__ == "__main__":
    main()
