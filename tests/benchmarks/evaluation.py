"""How long 4,000 draws × 10,000 actions take, with all their risks: half a second on two cores.

Run it with ``python3 -m uv run python tests/benchmarks/evaluation.py``; the last result is in ``evaluation.json``.
Processor time is held to the bound of a second for two cores: it hangs less on what else the machine does; wall time is
beside it, and so are the losses alone by a plain broadcast of the law. Draws are of the prior.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import make_fit, make_runs

from bayescale.decide import (
    CVaR,
    Expectation,
    ExpectedRegret,
    IsoFlop,
    MinimaxRegret,
    PMiss,
    Quantile,
    evaluate,
)

CPU_SECONDS, GIGABYTES, REPEATS = 1.0, 2.0, 5
RISKS = [Expectation(), Quantile(0.9), CVaR(0.1), PMiss(2.2), ExpectedRegret(), MinimaxRegret()]


def best(work: Callable[[], object]) -> tuple[float, float]:
    """Least wall and processor time of some repeats, in seconds."""
    found = []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(w for w, _ in found), min(c for _, c in found)


def plain(iso: IsoFlop, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The exact law as it is printed, all draws by all actions at once."""
    t = {k: v[:, None] for k, v in iso.theta.items()}
    u, v = np.log(n) - iso.curve.pivots["params"], np.log(d) - iso.curve.pivots["tokens"]  # type: ignore[union-attr]
    inner = t["omega"] * np.exp(-t["beta"] * u / t["gamma"])
    inner = inner + (1 - t["omega"]) * np.exp(-t["delta"] * v / t["gamma"])
    return np.asarray(t["L_inf"] + t["R0"] * inner ** t["gamma"])


def main() -> int:
    """Measure, print; 1 if a bound is missed."""
    grid = np.meshgrid(np.geomspace(1e9, 1e12, 100), np.geomspace(1e10, 1e13, 100))
    n, d = (axis.ravel() for axis in grid)
    result: dict[str, float] = {}
    for name, drift in (("exact", False), ("drift", True)):
        fit = make_fit(runs=make_runs(), draws=1000, chains=4, drift=drift)
        iso = IsoFlop.of(fit, fit.groups(), 6 * float((n * d).max()))
        least = iso.frontier_loss
        wall, cpu = best(lambda i=iso, b=least: evaluate(i.curve, n, d, RISKS, b))  # type: ignore[misc]
        result |= {f"{name}_seconds": round(wall, 2), f"{name}_cpu_seconds": round(cpu, 2)}
        if not drift:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            wall, cpu = best(lambda i=iso: plain(i, n, d))  # type: ignore[misc]
            result |= {
                "plain_losses_seconds": round(wall, 2),
                "plain_losses_cpu_seconds": round(cpu, 2),
            }
            result["peak_gigabytes"] = round(peak, 2)
    print(json.dumps(result, indent=2))
    met = max(result["exact_cpu_seconds"], result["drift_cpu_seconds"]) < CPU_SECONDS
    return int(not (met and result["peak_gigabytes"] < GIGABYTES))


if __name__ == "__main__":
    sys.exit(main())
