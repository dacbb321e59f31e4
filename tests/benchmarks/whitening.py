"""What whitening brings: one compiled program, sampled as it is and settled, side by side.

Run it with ``python3 -m uv run python tests/benchmarks/whitening.py``; it prints and writes
``tests/benchmarks/whitening.json``. With ``BAYESCALE_DATA`` it takes the 240 Chinchilla runs too, in sweeps of thirds
of a decade of compute, and the 72 image curves of ``case_studies/curves``. The time of the settled one holds its short
runs; that of compiling is apart. Steps and ESS per gradient do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sampling import machine

import bayescale as bs
from bayescale.build import build
from bayescale.files import written_beside
from bayescale.posterior import diagnostics
from bayescale.runs import Runs
from bayescale.sample import Compiled, compile_model, draw
from bayescale.spec import resolve
from bayescale.workflow.folds import folds
from bayescale.zoo import load_model, load_populations

RESULT = Path(__file__).with_suffix(".json")
SETTINGS = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.9}
# Many curves are tuned half as long, as in their study.
TUNE = {"saturating": 500}
CURVES = Path(__file__).parents[2] / "case_studies" / "curves"


def tables() -> dict[str, tuple[str, Runs]]:
    """Model and table: the embedded one and, where the public sets are, Chinchilla's and the image curves."""
    found = {"pile-families": ("parameter-data", bs.load_runs("pile-families"))}
    if "BAYESCALE_DATA" in os.environ:
        table = bs.load_runs("chinchilla").where(unflagged=True).table
        third = np.floor(3.0 * np.log10(6.0 * table["params"] * table["tokens"])).astype(int)
        swept = table.assign(sweep=third.astype(str))
        runs = bs.load_runs(swept, param_count="total", name="chinchilla")
        found["chinchilla, in sweeps"] = ("parameter-data", runs)
        sys.path.append(str(CURVES))
        from study import DOMAINS, read

        (fold,) = folds(read(DOMAINS["IC"]), "held_out")
        found["72 image curves"] = (DOMAINS["IC"].model, fold.fitted)
    return found


def timed(program: Compiled, settings: dict[str, Any], seed: int, settle: bool) -> dict[str, float]:
    """One run: seconds, steps a trajectory, and the worst bulk ESS of what a reader sees."""
    start = time.perf_counter()
    used = program.settled(cores=os.cpu_count(), seed=seed) if settle else program
    tree = draw(used, seed=seed, cores=os.cpu_count(), **settings)
    seconds = time.perf_counter() - start
    stats = tree["sample_stats"].to_dataset()
    found = diagnostics(tree["posterior"].to_dataset())
    smallest = float(found["ess_bulk"].min())
    return {
        "seconds": seconds,
        "steps": float(stats["n_steps"].mean()),
        "min_bulk_ess": smallest,
        "ess_per_second": smallest / seconds,
        "ess_per_1000_gradients": 1000.0 * smallest / float(stats["n_steps"].sum()),
        "divergences": int(stats["diverging"].sum()),
    }


def measure(name: str, runs: Runs, seeds: int) -> dict[str, Any]:
    """Medians over seeds of both, which alternate in one process, and the ratio of their rates."""
    settings = SETTINGS | {"tune": TUNE.get(name, SETTINGS["tune"])}
    start = time.perf_counter()
    model = resolve(load_model(name), runs, load_populations())
    program = compile_model(build(model, runs))
    compiling = time.perf_counter() - start
    program.settled(cores=1, seed=0)  # what is compiled at the first call is no part of a rate
    sides: dict[str, list[dict[str, float]]] = {"as compiled": [], "settled": []}
    for seed in range(seeds):
        for side, found in sides.items():
            found.append(timed(program, settings, seed, side == "settled"))
            print(seed, side, {k: round(v, 2) for k, v in found[-1].items()}, flush=True)
    medians = {
        side: {k: float(np.median([one[k] for one in found])) for k in found[0]}
        for side, found in sides.items()
    }
    rate = "ess_per_second"
    ratio = medians["settled"][rate] / medians["as compiled"][rate]
    return medians | {
        "settings": settings,
        "ratio": ratio,
        "compiling": compiling,
        "dimensions": int(program.program.n_dim),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="one of the tables; the others stay as they were recorded")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if options.only:
        result = json.loads(RESULT.read_text("utf-8"))
    here = {"machine": machine(), "seeds": options.seeds}
    for name, (model, runs) in tables().items():
        if options.only in (None, name):
            print(name, flush=True)
            result[name] = here | measure(model, runs, options.seeds)
    with written_beside(RESULT) as path:
        path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
