"""Far beyond the pilots: N*, D* and tokens per parameter of the Chinchilla table up to 1e28 FLOP, with drift and not.

Run ``python3 -m uv run python case_studies/far_budgets/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (a few minutes). It writes ``expected.json`` and the tables of the README.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import bayescale as bs
from bayescale.decide import IsoFlop
from bayescale.files import written_beside
from bayescale.posterior import Fit
from bayescale.predict import decades_outside

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from sweeps import chinchilla, public_sets

HERE = Path(__file__).parent
SEED = 20261201
# Gopher's budget as Hoffmann et al. print it, Chinchilla's own (70B on 1.4T), and beyond anything trained.
BUDGETS = (5.76e23, 5.88e23, 1e26, 1e27, 1e28)
MODELS: dict[str, dict[str, Any]] = {
    "exact, γ = 1": {"model": "chinchilla"},
    "exact law": {"model": "parameter-data", "drift": False},
    "default": {"model": "parameter-data"},
}
LEVELS = {"lo80": 0.1, "median": 0.5, "hi80": 0.9}


def fitted(**options: Any) -> Fit:
    """All 240 runs, no evidence of theirs in the priors."""
    return bs.fit(
        chinchilla(public_sets()),
        exclude=("chinchilla",),
        draws=1000,
        seed=SEED,
        cores=1,
        progress=False,
        **options,
    )


def at(fit: Fit, compute: float) -> dict[str, Any]:
    """What a plan says at a budget: quantiles of each draw's optimum, and what it says of itself."""
    made = bs.plan(fit, compute)
    iso = IsoFlop.of(fit, fit.groups(), compute)
    log_n, _ = iso.optimum
    log_d, loss = iso.log_total - log_n, iso.frontier_loss
    drawn = {"params": log_n, "tokens": log_d, "ratio": log_d - log_n, "loss": np.log(loss)}
    fitted_flop = 6.0 * fit.runs["params"].to_numpy() * fit.runs["tokens"].to_numpy()
    low, high = np.quantile(loss, (0.05, 0.95))
    return {
        name: {k: float(np.exp(np.quantile(v, p))) for k, p in LEVELS.items()}
        for name, v in drawn.items()
    } | {
        "width90": float(high - low),
        "above floor": float(np.mean(loss > iso.curve.floor)),
        "decades": float(decades_outside(np.array([compute]), fitted_flop)[0]),
        "untested": any("not calibrated here" in c for c in made.caveats),
        "floor open": any("floor is not identified" in c for c in made.caveats),
        "waste": made.recommendations[0].regret,
        "recommended": {
            "params": made.recommendations[0].params,
            "tokens": made.recommendations[0].tokens,
        },
    }


def results() -> dict[str, Any]:
    """Everything the README says."""
    out: dict[str, Any] = {}
    for name, options in MODELS.items():
        fit = fitted(**options)
        out[name] = {
            "converged": fit.convergence.passed,
            "budgets": {f"{c:.3g}": at(fit, c) for c in BUDGETS},
        }
        print(name, fit.convergence, flush=True)
    return out


def interval(row: dict[str, float], scale: float = 1.0, digits: int = 3) -> str:
    """Median and 80 % interval."""
    low, middle, high = (f"{row[k] / scale:.{digits}g}" for k in ("lo80", "median", "hi80"))
    return f"{middle} [{low}, {high}]"


def markdown(content: dict[str, Any]) -> dict[str, str]:
    """The table of the README by marker."""
    head = ["law", "FLOP", "decades off", "N* (B)", "D* (T)", "D*/N*", "loss", "90 % width"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, one in content.items():
        for compute, row in one["budgets"].items():
            cells = [name, compute, f"{row['decades']:.1f}", interval(row["params"], 1e9)]
            cells += [interval(row["tokens"], 1e12), interval(row["ratio"])]
            cells += [interval(row["loss"], 1.0, 4), f"{row['width90']:.3f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return {"optima": "\n".join(lines)}


def main() -> None:
    """Fit, read off, write."""
    content = results()
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    fill(HERE / "README.md", markdown(content))


if __name__ == "__main__":
    main()
