"""Simulation-based calibration of every shipped model file, on a small design of its own.

Run ``python3 -m uv run python case_studies/sbc/study.py MODEL ...`` (without a name all models: hours on two cores;
each resumes where it was stopped); ``... study.py --report`` turns the simulations so far into the README's table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
# Cheapest first.
MODELS = ("data", "parameter", "compute", "saturating", "chinchilla", "kaplan", "parameter-data")
ONE_AXIS = {"params": (1e7, 1e10), "tokens": (1e9, 1e12), "compute": (1e18, 1e22)}
RUNS = 12
ENOUGH = 200


def design(model: str) -> bs.Runs:
    """Runs of one family: twelve along one axis, or three budgets of four sizes in (N, D); errors for bounded laws.

    Losses fall smoothly: they only scale those priors that are stated relative to the losses of the table.
    """
    law = load_model(model).get_law()
    if len(law.inputs) == 1:
        axis = law.inputs[0]
        frame = pd.DataFrame({axis: np.geomspace(*ONE_AXIS[axis], RUNS)})
    else:
        budget, ratio = np.meshgrid([1e19, 1e20, 1e21], [0.2, 0.6, 1.7, 5.0])
        params = (budget / 120) ** 0.5 * ratio
        frame = pd.DataFrame({"params": params.ravel(), "tokens": (budget / 6 / params).ravel()})
    order = np.linspace(0.0, 1.0, len(frame))
    if law.link.bounded:
        info = {"loss": {"metric": "error", "upper": 0.9}}
        frame["loss"] = 0.6 * (0.15 / 0.6) ** order
    else:
        info = {"loss": {"metric": "nats/token", "corpus": "web"}}
        frame["loss"] = 3.6 * (2.4 / 3.6) ** order
    count = "total" if "params" in frame else None
    return bs.load_runs(frame, task_info=info, param_count=count, name=f"design of {model}")


def run(models: list[str], simulations: int) -> None:
    """Simulate; ``<model>/sbc.json`` is rewritten after each simulation."""
    for model in models:
        print(bs.sbc(model, design(model), simulations, folder=HERE / model), flush=True)


def report() -> None:
    """Write the table and the figures of the README from the simulations so far."""
    lines = [
        "| model | simulations | verdict | quantities that fail (p) |",
        "| --- | ---: | --- | --- |",
    ]
    for model in MODELS:
        path = HERE / model / "sbc.json"
        if not path.exists():
            lines.append(f"| {model} | 0 | not run | |")
            continue
        found = bs.load_sbc(path)
        verdicts = found.verdicts()
        failed = verdicts[~verdicts["passed"]]
        said = "; ".join(f"{r.quantity} ({r.p:.2g}): {r.why}" for r in failed.itertuples())
        enough = len(found.records) >= ENOUGH
        verdict = ("passes" if found.passed else "fails") if enough else "too few to say"
        lines.append(f"| {model} | {len(found.records)} | {verdict} | {said} |")
        bs.plot.save(bs.plot.ranks(found), HERE / model / "ranks")
    fill(HERE / "README.md", {"verdicts": "\n".join(lines)})


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        run(options.models, options.simulations)
    report()


if __name__ == "__main__":
    main()
