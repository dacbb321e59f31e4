"""How do the two bottlenecks combine? The posterior of γ on every public joint set, and what moves it.

Run ``python3 -m uv run python case_studies/gamma/study.py`` where ``BAYESCALE_DATA`` names a folder of the public sets
(half an hour on two cores; each set's numbers are kept in ``--folder``). It writes ``results.json``, the tables of the
README and the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from calibration import sets
from recorded import fill
from report import figure, tables
from sweeps import chinchilla, gadre_on, olmo, public_sets, steplaw, unrepeated

import bayescale as bs
from bayescale.files import written_beside
from bayescale.plots import save
from bayescale.posterior import Fit, contraction, population_parameters
from bayescale.runs import Runs
from bayescale.spec import prior_draws

HERE = Path(__file__).parent
SEED = 20261122
PRIOR_DRAWS = 20_000
# As shipped; and with the law taken as exact and no offsets of budgets, which takes no chains.
HOW: dict[str, dict[str, Any]] = {
    "shipped": {},
    "exact": {"drift": False, "sweep": False, "engine": "quick"},
}
PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)
SHOWN = ("gamma", "beta", "delta", "alpha", "a", "L_inf", "drift")
KEPT_DRAWS = 400  # quantiles of log gamma, from which contrasts of two fits are taken


# Name → its table, and the study that is left out of the priors.
SETS: dict[str, tuple[Callable[[Path], Runs], tuple[str, ...]]] = {
    **{
        name: (case.read, case.exclude)
        for name, case in sets.CASES.items()
        if name.startswith("porian")
    },
    "chinchilla": (chinchilla, ("chinchilla",)),
    **{
        f"gadre {corpus}": (partial(gadre_on, corpus=corpus), ("gadre",))
        for corpus in ("c4", "redpajama", "refinedweb")
    },
    "olmo ladder": (olmo, ("olmo",)),
    "datablations, one epoch": (unrepeated, ("datablations",)),
    "steplaw, best of grid": (steplaw, ()),
}


def fitted(name: str, how: str, folder: Path) -> dict[str, Any]:
    """What one fit of one set says, from the folder or made and kept there."""
    path = folder / f"{name}, {how}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found
    read, exclude = SETS[name]
    runs = read(public_sets())
    settings = {"seed": SEED, "progress": False, "allow_unconverged": True, **HOW[how]}
    found = said(bs.fit(runs, exclude=exclude, **settings))
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


def said(fit: Fit) -> dict[str, Any]:
    """Quantiles of the parameters and of the prior of γ, and where γ lies against one and against δ."""
    theta = population_parameters(fit.posterior, fit.model)
    if fit.model.drift:
        theta["drift"] = fit.posterior["drift"]
    prior = population_parameters(prior_draws(fit.model, PRIOR_DRAWS, SEED), fit.model)["gamma"]
    gamma, delta = theta["gamma"].to_numpy(), theta["delta"].to_numpy()
    at = (np.arange(KEPT_DRAWS) + 0.5) / KEPT_DRAWS
    return {
        "runs": fit.runs.sizes["run"],
        "sweeps": len(fit.model.sweeps),
        "verdict": str(fit.convergence),
        "converged": fit.convergence.passed,
        "prior": np.quantile(prior, PROBS).round(4).tolist(),
        **{
            name: np.quantile(theta[name], PROBS).round(4).tolist()
            for name in SHOWN
            if name in theta
        },
        "above_one": round(float((gamma > 1.0).mean()), 4),
        "below_delta": round(float((gamma < delta).mean()), 4),
        "contraction": round(float(contraction(fit)["gamma"]), 3),
        "log_gamma": np.quantile(np.log(gamma), at).round(4).tolist(),
    }


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("gamma-fits"))
    parser.add_argument("--how", choices=list(HOW), action="append", help="which fits to make")
    parser.add_argument("--report", action="store_true", help="fit nothing, write tables alone")
    options = parser.parse_args()
    path = HERE / "results.json"
    if not options.report:
        found: dict[str, dict[str, Any]] = {name: {} for name in SETS}
        for how in options.how or HOW:
            for name in SETS:
                one = found[name][how] = fitted(name, how, options.folder)
                print(name, how, one["gamma"], one["verdict"], flush=True)
        with written_beside(path) as beside:
            beside.write_text(json.dumps(found) + "\n", "utf-8")
    content = json.loads(path.read_text("utf-8"))
    fill(HERE / "README.md", tables(content))
    save(figure(content), HERE / "gamma")


if __name__ == "__main__":
    main()
