"""Puts the ladder runs of Bhagia et al. 2024 into the one table that the study reads, `olmo_tasks/data.csv`.

Run ``python3 -m uv run python case_studies/two_steps/convert.py RUNS FOLDER``: RUNS is the folder
``src/scripts/paper/data/ladder-runs`` of allenai/OLMo-ladder at commit 67a3f44 (Apache-2.0), FOLDER that of the public
sets. The study checks the SHA-256 of what is written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.files import written_beside

# All but the input embedding, from the configurations of the paper.
PARAMS = {
    "190M": 190_354_176,
    "370M": 371_262_464,
    "760M": 758_220_288,
    "1B": 1_279_395_840,
    "3B": 3_169_537_280,
    "7B": 6_887_575_552,
    "13B": 13_202_396_160,
}
# Four groups of MMLU, by the paper's weights.
MMLU = {
    "mmlu_stem_test": 0.215,
    "mmlu_humanities_test": 0.335,
    "mmlu_social_sciences_test": 0.219,
    "mmlu_other_test": 0.231,
}
TASKS: dict[str, dict[str, float]] = {
    "mmlu": MMLU,
    "hellaswag": {"hellaswag_val": 1.0},
    "arc_challenge": {"arc_challenge_test": 1.0},
    "arc_easy": {"arc_easy_test": 1.0},
    "piqa": {"piqa_val": 1.0},
    "csqa": {"csqa_val": 1.0},
    "socialiqa": {"socialiqa_val": 1.0},
    "openbookqa": {"openbookqa_test": 1.0},
}
TARGETS = {"peteish7_eval_anneal": ("7B-4T", "7B"), "peteish13_eval_final": ("13B-5T", "13B")}
COLUMNS = ("run", "size", "multiple", "target", "params", "checkpoint", "tokens", "task")


def rows_of(path: Path, run: str, size: str, multiple: float, target: int) -> Iterator[list[Any]]:
    """One row a checkpoint and task of one file."""
    frame = pd.read_csv(path)
    seen = "throughput/total_tokens"
    tokens = (
        frame[seen] if seen in frame else frame["_step"] * frame["batch_size_in_tokens"]
    ).to_numpy()
    for at in range(len(frame)):
        for task, parts in TASKS.items():
            means = [
                np.average(
                    [frame[head.format(part)].iloc[at] for part in parts],
                    weights=list(parts.values()),
                )
                for head in (
                    "eval/downstream_bpb/{}_rc_5shot_bpb",
                    "eval/downstream/{}_rc_5shot_len_norm",
                )
            ]
            yield [run, size, multiple, target, PARAMS[size], at, int(tokens[at]), task, *means]


def convert(source: Path) -> pd.DataFrame:
    """The table, ladder runs first."""
    rows: list[list[Any]] = []
    for path in sorted(source.glob("*xC*.csv")):
        found = re.fullmatch(r"(\w+)-([\d.]+)xC(-rerun)?", path.stem)
        if found is None:
            raise SystemExit(f"{path} is no ladder run (expected a name such as 190M-1xC.csv)")
        rows += rows_of(path, path.stem, found[1], float(found[2]), 0)
    for name, (run, size) in TARGETS.items():
        rows += rows_of(source / f"{name}.csv", run, size, float("nan"), 1)
    return pd.DataFrame(rows, columns=[*COLUMNS, "bpb", "accuracy"])


def main() -> None:
    """Command line of the conversion."""
    if len(sys.argv) != 3:
        raise SystemExit(
            "convert.py RUNS FOLDER: a folder of ladder runs, and that of the public sets"
        )
    source, folder = map(Path, sys.argv[1:])
    target = folder / "olmo_tasks" / "data.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as beside:
        convert(source).to_csv(beside, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
