"""What public sweeps say of the scales that a user's few runs cannot tell: drift, sweep offsets, noise, exponents.

Run ``python3 -m uv run python case_studies/population/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (some minutes on two cores; each set's fit is kept in ``--folder``). It writes ``evidence.json``, which the numbers
behind the population ``drift`` of ``models/priors.toml`` must equal (a test holds them to it).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit, population_parameters
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from sweeps import chinchilla, gadre, olmo, public_sets

HERE = Path(__file__).parent
SEED = 20261122
# Wide: what a set says of its own drift, not what the others said.
WIDE = {"drift": "LogNormal(median=0.2, sigma=1.0)"}
SHOWN = ("drift", "sweep", "sigma", "alpha", "a", "beta", "delta", "gamma", "L_inf")


def pile(folder: Path) -> Runs:
    """The embedded table of six families on the Pile."""
    return bs.load_runs("pile-families")


# Name of the study in models/priors.toml → its table, the model, and what is left out of the other priors.
SETS: dict[str, tuple[Callable[[Path], Runs], str, tuple[str, ...]]] = {
    "chinchilla-refit": (chinchilla, "parameter-data", ("chinchilla",)),
    "gadre-2024-c4": (gadre, "parameter-data", ("gadre",)),
    "olmo-ladder": (olmo, "parameter-data", ("olmo",)),
    "pile-families-refit": (pile, "parameter-data", ("pile-families",)),
}


def fitted(name: str, folder: Path) -> Fit:
    """The fit of one set, from the folder if it is there."""
    path = folder / f"{name}.nc"
    if path.exists():
        return bs.load_fit(path)
    read, model, exclude = SETS[name]
    runs = read(public_sets())
    fit = bs.fit(runs, model, prior=WIDE, exclude=exclude, seed=SEED)
    folder.mkdir(parents=True, exist_ok=True)
    fit.save(path)
    return fit


def evidence(fit: Fit) -> dict[str, Any]:
    """Median and standard deviation of the log of each population parameter."""
    found = population_parameters(fit.posterior, fit.model)
    out: dict[str, Any] = {}
    for name in SHOWN:
        if name in found and float(found[name].std()) > 0:
            logs = np.log(found[name].to_numpy().ravel())
            out[name] = {"median": round(float(np.exp(np.median(logs))), 4)}
            out[name]["log_sd"] = round(float(logs.std()), 3)
    return out


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("population-fits"))
    options = parser.parse_args()
    found = {name: evidence(fitted(name, options.folder)) for name in SETS}
    with written_beside(HERE / "evidence.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    logs = np.log([entry["drift"]["median"] for entry in found.values()])
    spread = logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    print(f"drift: median {np.exp(logs.mean()):.3f}, log-sd of a new study {spread:.2f}")


if __name__ == "__main__":
    main()
