"""How fast the quick engine is, where its weights hold, and how far it then lies from NUTS.

Run it with ``python3 -m uv run python tests/benchmarks/quick.py``; it prints and writes its numbers beside itself.
``BAYESCALE_DATA`` names a folder of the public sets, for Chinchilla's runs. What is timed, in a process that has
compiled the model once, is to resolve it on a table, to put the table's numbers into the program, and to draw; not to
assemble the `Fit`. CPU seconds stand beside, since they do not depend on what else the machine does. Curves with drift
are measured and not held to the bounds: `fit` gives models that learn a scale to NUTS, and their row shows why. Refits
are those of a whole back-test, fits that fell back to NUTS and the scoring of held-out runs included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Importance
from bayescale.runs import Runs
from bayescale.sample import draw, draw_quick
from bayescale.spec import resolve
from bayescale.workflow.programs import program, widened
from bayescale.zoo import load_model, load_populations

RESULT = Path(__file__).with_suffix(".json")
CURVE_MS, REFITS_SECONDS = 100.0, 60.0
MEAN_APART, SD_APART = 0.1, 0.1
CURVE = "curve"  # the bound in milliseconds is on these; a joint law on 240 rows takes longer
UNBOUND = "curve with drift"  # goes to NUTS in a fit


def curve(seed: int) -> Runs:
    """A simulated curve of 10 to 16 points over two decades of data."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(10, 17))
    tokens = np.geomspace(1e8, 1e10, rows)
    loss = rng.uniform(1.4, 2.2) + rng.uniform(1.0, 4.0) * (tokens / 1e8) ** -rng.uniform(0.2, 0.5)
    loss *= np.exp(0.004 * rng.standard_normal(rows))
    return bs.load_runs(pd.DataFrame({"tokens": tokens, "loss": loss, "task": f"task {seed}"}))


def tables(curves: int, chinchilla: bool) -> dict[str, tuple[str, dict[str, Any], list[Runs]]]:
    """Name → model, options, tables; of Chinchilla the folds of a back-test, smallest scale first."""
    own = [curve(seed) for seed in range(curves)]
    sets = {
        CURVE: ("data", {"pool": False, "drift": False}, own),
        UNBOUND: ("data", {"pool": False, "drift": True}, own),
    }
    if chinchilla:
        runs = bs.load_runs("chinchilla").where(unflagged=True)
        work = (runs.table["params"] * runs.table["tokens"]).to_numpy(float)
        cuts = np.quantile(work, np.linspace(0.5, 1.0, curves))
        folds = [runs.where(work <= cut) for cut in cuts]
        sets["chinchilla, folds"] = ("chinchilla", {"pool": False, "sweep": False}, folds)
    return sets


def apart(quick: Any, nuts: Any) -> tuple[float, float]:
    """Largest difference of means, in standard deviations, and of log standard deviations, over all scalars."""
    means, spreads = [], []
    for name in nuts.data_vars:
        a, b = quick[name].to_numpy(), nuts[name].to_numpy()
        means.append(np.abs(a.mean((0, 1)) - b.mean((0, 1))) / b.std((0, 1)))
        spreads.append(np.abs(np.log(a.std((0, 1)) / b.std((0, 1)))))
    return float(max(m.max() for m in means)), float(max(s.max() for s in spreads))


def measure(model: str, options: dict[str, Any], runs: list[Runs], against: int) -> dict[str, Any]:
    """Fit all tables; compare with NUTS on the first so many that pass."""
    start = time.perf_counter()
    resolved = [widened(resolve(load_model(model), r, load_populations(), **options)) for r in runs]
    program(resolved[0], runs[0])
    first = time.perf_counter() - start
    wall, cpu, ks, ess, mean_apart, sd_apart = [], [], [], [], [], []
    for table in runs:
        began, used = time.perf_counter(), time.process_time()
        own = widened(resolve(load_model(model), table, load_populations(), **options))
        compiled = program(own, table)
        tree, weighted = draw_quick(compiled, draws=1000, chains=4, seed=0)
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.process_time() - used))
        verdict = Importance(weighted.pareto_k, weighted.ess, weighted.draws)
        ks.append(verdict.pareto_k)
        ess.append(verdict.ess)
        if verdict.passed and len(mean_apart) < against:
            reference = draw(
                compiled, draws=4000, tune=1000, chains=4, cores=None, seed=1, target_accept=0.95
            )
            mean, spread = apart(
                tree["posterior"].to_dataset(), reference["posterior"].to_dataset()
            )
            mean_apart.append(mean)
            sd_apart.append(spread)
    held = (np.array(ks) <= 0.7) & (np.array(ess) >= 400)
    return {
        "tables": len(runs),
        "first_compilation_seconds": first,
        "ms_median": float(np.median(wall)),
        "cpu_ms_median": float(np.median(cpu)),
        "cpu_seconds_per_100": float(np.mean(cpu) / 10.0),
        "passed": int(held.sum()),
        "pareto_k": {q: float(np.quantile(ks, float(q))) for q in ("0.1", "0.5", "0.9")},
        "ess_median": float(np.median(ess)),
        "compared_with_nuts": len(mean_apart),
        "mean_apart_sd": {"median": _median(mean_apart), "max": max(mean_apart, default=None)},
        "sd_apart_log": {"median": _median(sd_apart), "max": max(sd_apart, default=None)},
    }


def refits(folds: int) -> dict[str, Any]:
    """Back-test Chinchilla's runs at so many cuts, a program of their structure compiled before."""
    runs = bs.load_runs("chinchilla").where(unflagged=True)
    work = 6.0 * (runs.table["params"] * runs.table["tokens"]).to_numpy(float)
    words: dict[str, Any] = {"pool": False, "sweep": False, "engine": "quick", "progress": False}
    cuts = [float(cut) for cut in np.quantile(work, np.linspace(0.5, 0.97, folds))]
    bs.backtest(runs, "chinchilla", cuts=cuts[:1], **words)
    began, used = time.perf_counter(), time.process_time()
    made = bs.backtest(runs, "chinchilla", cuts=cuts, **words).folds
    per_100 = 100.0 / folds
    return {
        "folds": folds,
        "cpu_seconds_per_100": per_100 * (time.process_time() - used),
        "seconds_per_100": per_100 * (time.perf_counter() - began),
        "fell_back_to_nuts": int((made["engine"] != "quick").sum()),
    }


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def machine() -> dict[str, Any]:
    """What it ran on, in general terms; ``load_before`` counts processes that wanted a core in the minute before."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> int:
    """Measure, print, write; 1 if a bound is missed where `fit` lets the engine run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument(
        "--against", type=int, default=5, help="tables compared with NUTS, each set"
    )
    parser.add_argument("--only", nargs="*", help="names of sets")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    sets = tables(options.curves, bool(os.environ.get("BAYESCALE_DATA")))
    for name in options.only or sets:
        result[name] = measure(*sets[name], options.against)
        print(name, json.dumps(result[name], indent=2), flush=True)
    found = [result[name] for name in options.only or sets if name != UNBOUND]
    whole = [refits(options.curves)] if "chinchilla, folds" in (options.only or sets) else []
    if whole:
        result["refits"] = whole[0]
        print("refits", json.dumps(whole[0], indent=2), flush=True)
    curves = [result[name] for name in options.only or sets if name == CURVE]
    result["met"] = {
        "curve_ms": all(f["ms_median"] <= CURVE_MS for f in curves),
        "curve_cpu_ms": all(f["cpu_ms_median"] <= CURVE_MS for f in curves),
        "refits": all(f["cpu_seconds_per_100"] <= REFITS_SECONDS for f in [*found, *whole]),
        "mean": all((f["mean_apart_sd"]["max"] or 0.0) <= MEAN_APART for f in found),
        "sd": all((f["sd_apart_log"]["max"] or 0.0) <= SD_APART for f in found),
    }
    with written_beside(RESULT) as path:
        path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["met"]))
    return int(not all(result["met"].values()))


if __name__ == "__main__":
    sys.exit(main())
