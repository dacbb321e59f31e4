"""How long EVSI of 50 candidate pilots takes on 4,000 draws: under a minute of one core's time, in less than 2 GB.

Run it with ``python3 -m uv run python tests/benchmarks/design.py``. Processor time is held to the bound: it does not
depend on what else the machine does; wall time is printed beside. Draws are of the prior: their number takes the time.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import make_fit, make_runs

from bayescale.decide import Design, Pilot, design
from bayescale.decide.costs.budget import Budget
from bayescale.decide.information.designing import OUTCOMES
from bayescale.decide.information.outcomes import log_likelihood
from bayescale.decide.information.portfolio import Candidates
from bayescale.decide.information.stakes import Stakes
from bayescale.posterior import curve_of
from bayescale.runs import load_runs

SECONDS, GIGABYTES = 60.0, 2.0
COUNT = 50


def candidates() -> list[Pilot]:
    """Single runs over a grid of sizes."""
    sizes = [(n, d) for n in np.geomspace(2e8, 2e10, 10) for d in np.geomspace(5e9, 5e11, 5)]
    return [Pilot(f"{n:.2g} on {d:.2g}", n, d) for n, d in sizes][:COUNT]


def main() -> int:
    """Measure, print; 1 if a bound is missed."""
    table = make_runs().table
    runs = load_runs(table.assign(sweep=[f"budget {i % 3}" for i in range(len(table))]))
    fit = make_fit(runs=runs, draws=1000, chains=4, drift=True)
    pilots, where = candidates(), fit.groups()
    wall, cpu = time.perf_counter(), time.process_time()
    stakes, curve = Stakes.of(fit, where, Budget(compute=1e24)), curve_of(fit, where)
    source = np.linspace(0, len(stakes.utility) - 1, OUTCOMES).astype(int)
    likelihoods = [log_likelihood(fit, curve, pilot, source) for pilot in pilots]
    zero = np.zeros(len(pilots))
    every = Candidates(stakes.utility, likelihoods, zero, zero, source)
    worth = [every.single(i).value for i in range(len(pilots))]
    result = {
        "pilots": len(pilots),
        "draws": len(stakes.utility),
        "evsi_seconds": round(time.perf_counter() - wall, 1),
        "evsi_cpu_seconds": round(time.process_time() - cpu, 1),
        "largest_evsi_share": round(max(worth) / stakes.total, 4),
    }
    wall, cpu = time.perf_counter(), time.process_time()
    made: Design = design(fit, 1e24, pilots)
    result |= {
        "design_seconds": round(time.perf_counter() - wall, 1),
        "design_cpu_seconds": round(time.process_time() - cpu, 1),
        "chosen": len(made.enough.pilots),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    print(json.dumps(result, indent=2))
    met = result["evsi_cpu_seconds"] < SECONDS and result["peak_gigabytes"] < GIGABYTES
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
