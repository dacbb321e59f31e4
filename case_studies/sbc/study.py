"""Simulation-based calibration of every shipped model file, on a small design of its own.

Run ``python3 -m uv run python case_studies/sbc/study.py MODEL ...`` (without a name all models: an hour or two;
each resumes where it was stopped); ``... study.py --report`` turns the simulations so far into the README's table.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.given import Given
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
import report

# Cheapest first.
MODELS = (
    "compute-power",
    "data-power",
    "parameter-power",
    "coverage",
    "chinchilla",
    "kaplan",
    "data",
    "over-training",
    "skaling",
    "levelling",
    "shifted-compute",
    "saturating",
    "compute",
    "parameter",
    "parameter-data",
    "valley",
    "broken",
    "general-saturating",
    "routed",
    "repeated-data",
    "family",
    "isoflop-profile",
    "broken-twice",
    "farseer",
    "compound",
    "annealing",
    "aspect-ratio",
    "critical-batch",
    "data-quality",
    "distillation",
    "emergence",
    "error-loss",
    "error-loss-exponential",
    "error-loss-known",
    "exact-match",
    "fine-tuning",
    "granularity",
    "mistuned",
    "mixture-2",
    "mixture-5",
    "parameter-steps",
    "precision",
    "rounding",
    "sparsity",
    "transfer",
    "vocabulary",
    "vocabulary-printed",
)
MIDDLE = {"params": 3e8, "tokens": 1e10, "compute": 1e20, "upstream_loss": 3.0}
# A whitened posterior moves within some tens of iterations, and a truth is ranked among a hundred draws.
DRAWS, TUNE = 500, 300
# The data law and its power law under other names, with the same priors: they get truths of their own.
SEEDS = {"parameter": 1, "parameter-power": 1}


def design(model: str) -> bs.Runs:
    """Runs of one family, few, so that priors count: six over two decades of a one-axis law, three budgets of three
    sizes in (N, D), networks of 1 to 256 experts, other inputs around a usual value; errors for bounded laws.

    Losses fall smoothly: they only scale those priors that are stated relative to the losses of the table.
    """
    law = load_model(model).get_law()
    given = [given.name for given in law.given]
    if len(law.inputs) == 1:
        axis = law.inputs[0]
        # A loss of a first step moves far less than scales do.
        reach = 1.5 if axis == "upstream_loss" else 10.0
        frame = pd.DataFrame({axis: MIDDLE[axis] * np.geomspace(1.0 / reach, reach, 6)})
    else:
        budget, ratio = np.meshgrid([1e19, 1e20, 1e21], [0.3, 1.0, 3.0])
        params = (budget / 120) ** 0.5 * ratio
        frame = pd.DataFrame({"params": params.ravel(), "tokens": (budget / 6 / params).ravel()})
    if "experts" in given:
        sizes, experts = np.meshgrid(MIDDLE["params"] * np.geomspace(0.1, 10.0, 3), [1, 16, 256])
        frame = pd.DataFrame({"params": sizes.ravel(), "experts": experts.ravel()})
    if "unique_tokens" in given:
        # Every budget and every size with little, some and much repetition.
        frame["unique_tokens"] = frame["tokens"] / [1, 4, 16, 4, 16, 1, 16, 1, 4]
    for i, one in enumerate(g for g in law.given if g.name not in frame):
        frame[one.name] = _around(one, i, len(frame))
    order = np.linspace(0.0, 1.0, len(frame))
    if law.link.bounded:
        info = {"loss": {"metric": "error", "upper": 0.9}}
        frame["loss"] = 0.6 * (0.15 / 0.6) ** order
    else:
        info = {"loss": {"metric": "nats/token", "corpus": "web"}}
        frame["loss"] = 3.6 * (2.4 / 3.6) ** order
    count = "total" if "params" in frame else None
    return bs.load_runs(frame, task_info=info, param_count=count, name=f"design of {model}")


def _around(given: Given, at: int, rows: int) -> np.ndarray:
    """A further input at half, once and twice its usual value, in an order of its own; shares take turns."""
    turn = (np.arange(rows) // (1 + at % 3) + at) % 3
    if given.linear:
        return np.clip(given.usual * (0.5 + 0.5 * turn), given.lowest, given.highest)
    return np.clip(given.usual * 2.0 ** (turn - 1.0), given.lowest, given.highest)


def run(models: list[str], simulations: int, jobs: int = 1) -> None:
    """Simulate; ``records/<model>/sbc.json`` is rewritten after each simulation."""
    for model in models:
        before = time.process_time()
        found = bs.sbc(
            model,
            design(model),
            simulations,
            draws=DRAWS,
            tune=TUNE,
            cores=1,
            jobs=jobs,
            seed=SEEDS.get(model, 0),
            folder=report.RECORDS / model,
        )
        # Of this process: with several jobs the work is in others.
        print(
            found, f"{time.process_time() - before:.0f} s of processor time", sep="\n", flush=True
        )


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        run(options.models, options.simulations, options.jobs)
    report.write()


if __name__ == "__main__":
    main()
