"""What is said of curves that rise again? Double descent (Nakkiran et al. 2019), a control of the gate and the checks.

Run ``python3 -m uv run python case_studies/double_descent/study.py`` where ``BAYESCALE_DATA`` names a folder of the
public sets. It writes ``expected.json`` and the table of the README.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.checks import predictive
from bayescale.files import written_beside

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261203
SHA256 = "84bb24966b55896d1856a677fd1bdf354f0296cfeb17e63fb15c0a7a265204f6"
CURVES = (
    "cifar10-resnet18k-50k-adam",
    "cifar100-resnet18k-50k-adam",
    "cifar10-mcnn-p10-sgd",
    "cifar10-mcnn-noaug-sgd",
)
PER_WIDTH = (
    1e4  # parameters of a network of width one, nominal: they grow as the square of the width
)
SAMPLER: dict[str, Any] = {"draws": 400, "tune": 400, "chains": 2, "seed": SEED}


def table(folder: Path) -> pd.DataFrame:
    """The curves as they are published."""
    path = folder / "double_descent" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def checked(params: np.ndarray, loss: np.ndarray) -> dict[str, Any]:
    """A power law of one curve, as its errors were losses, and what gate and checks say of it."""
    frame = pd.DataFrame({"params": params, "loss": loss})
    runs = bs.load_runs(frame, task_info={"loss": {"metric": "nats/token"}}, name="curve")
    fit = bs.fit(runs, "parameter-power", **SAMPLER, allow_unconverged=True)
    rows = predictive(fit)
    return {
        "rows": len(frame),
        "converged": bool(fit.convergence.passed),
        "pit": rows.uniformity.p,
        "neighbours": rows.neighbours,
        "sigma": float(fit.posterior["sigma"].mean()),
    }


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The table of the README."""
    lines = [
        "| curve | rows | gate | p of PIT | p of neighbours |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    for name, row in found.items():
        gate = "passed" if row["converged"] else "missed"
        cells = [name, str(row["rows"]), gate, f"{row['pit']:.3f}", f"{row['neighbours']:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return {"results": "\n".join(lines)}


def main() -> None:
    """Fit, check, write."""
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    found: dict[str, Any] = {}
    for name in CURVES:
        curve = frame[frame["task"] == name].groupby("x", as_index=False)["value"].mean()
        params = PER_WIDTH * curve["x"].to_numpy() ** 2
        found[f"`{name}`"] = checked(params, curve["value"].to_numpy())
    rng = np.random.default_rng(SEED)
    straight = (
        0.4 * (params / params.mean()) ** -0.1 * np.exp(0.01 * rng.standard_normal(len(params)))
    )
    found["a power law with 1 % of noise, at the widths of the last"] = checked(params, straight)
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", tables(found))


if __name__ == "__main__":
    main()
