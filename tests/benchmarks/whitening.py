"""What whitening brings to the default model: one compiled program, sampled as it is and settled, side by side.

Run it with ``python3 -m uv run python tests/benchmarks/whitening.py``; it prints and writes
``tests/benchmarks/whitening.json``. With ``BAYESCALE_DATA`` it takes the 240 Chinchilla runs too, in sweeps of thirds
of a decade of compute. The time of the settled one holds its short runs. Steps and ESS per gradient do not depend on
what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
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
from bayescale.zoo import load_model, load_populations

RESULT = Path(__file__).with_suffix(".json")
SETTINGS = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.9}


def tables() -> dict[str, Runs]:
    """The embedded table and, where the public sets are, Chinchilla's."""
    found = {"pile-families": bs.load_runs("pile-families")}
    if "BAYESCALE_DATA" in os.environ:
        table = bs.load_runs("chinchilla").where(unflagged=True).table
        third = np.floor(3.0 * np.log10(6.0 * table["params"] * table["tokens"])).astype(int)
        swept = table.assign(sweep=third.astype(str))
        found["chinchilla, in sweeps"] = bs.load_runs(swept, param_count="total", name="chinchilla")
    return found


def timed(program: Compiled, seed: int, settle: bool) -> dict[str, float]:
    """One run: seconds, steps a trajectory, and the worst bulk ESS of what a reader sees."""
    start = time.perf_counter()
    used = program.settled(cores=os.cpu_count(), seed=seed) if settle else program
    tree = draw(used, seed=seed, cores=os.cpu_count(), **SETTINGS)
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


def measure(runs: Runs, seeds: int) -> dict[str, Any]:
    """Medians over seeds of both, which alternate in one process, and the ratio of their rates."""
    model = resolve(load_model("parameter-data"), runs, load_populations())
    program = compile_model(build(model, runs))
    program.settled(cores=1, seed=0)  # what is compiled at the first call is no part of a rate
    sides: dict[str, list[dict[str, float]]] = {"as compiled": [], "settled": []}
    for seed in range(seeds):
        for name, found in sides.items():
            found.append(timed(program, seed, name == "settled"))
            print(seed, name, {k: round(v, 2) for k, v in found[-1].items()}, flush=True)
    medians = {
        name: {k: float(np.median([one[k] for one in found])) for k in found[0]}
        for name, found in sides.items()
    }
    rate = "ess_per_second"
    return medians | {"ratio": medians["settled"][rate] / medians["as compiled"][rate]}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "settings": SETTINGS, "seeds": options.seeds}
    for name, runs in tables().items():
        print(name, flush=True)
        result[name] = measure(runs, options.seeds)
    with written_beside(RESULT) as path:
        path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
