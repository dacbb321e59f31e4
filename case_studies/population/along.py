"""What public learning curves say of the length over which a run forgets its residual: what `study.py` does for drift.

Run ``python3 -m uv run python case_studies/population/along.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (some minutes on two cores; each set's fit is kept in ``--folder``). It writes ``along.json``, which the numbers
behind the population ``correlation_length`` of ``models/priors.toml`` must equal (a test holds them to it).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from sweeps import public_sets

HERE = Path(__file__).parent
SEED = 20261201
# Wide: what a set says of its own curves, not what the others said.
WIDE = {"correlation_length": "LogNormal(median=0.5, sigma=1.5)"}
POINTS = 16  # of a curve, even in the log of steps


def language_models(folder: Path) -> Runs:
    """Five language models of Alabdulmohsin et al. 2022, validation loss against examples."""
    frame = pd.read_csv(folder / "alabdulmohsin_language" / "data.csv")
    mine = frame[frame["domain"] == "language_model"]
    named = mine.rename(columns={"examples_seen": "step", "error": "loss"})
    return curves(named.assign(run=named["architecture"], tokens=named["step"]))


def constant_rates(folder: Path) -> Runs:
    """Six runs of Luo et al. 2025 at a constant learning rate: three sizes, two lengths."""
    frame = pd.read_csv(folder / "lr_annealing" / "data.csv")
    mine = frame[frame["schedule"] == "constant"]
    name = mine["params"].map("{:.0f}".format) + " " + mine["run"]
    return curves(mine.assign(run=name, architecture=name))


def curves(frame: pd.DataFrame) -> Runs:
    """Thinned; every run is an architecture, hence a curve of its own."""
    kept = pd.concat([thin(part) for _, part in frame.groupby("run")])
    columns = ["run", "architecture", "step", "params", "tokens", "loss"]
    info = {"loss": {"metric": "loss"}}
    return bs.load_runs(kept[columns], task_info=info, param_count="total", checkpoints="all")


def thin(part: pd.DataFrame) -> pd.DataFrame:
    """The rows of a curve that are nearest to points even in the log of steps."""
    part = part.groupby("step", as_index=False).first()
    at = np.log(part["step"].to_numpy(float))
    wanted = np.linspace(at[0], at[-1], POINTS)
    return part.iloc[np.unique(np.abs(at - wanted[:, None]).argmin(axis=1))]


# Name of the study in models/priors.toml → its table, and what is left out of the other priors.
SETS: dict[str, tuple[Callable[[Path], Runs], tuple[str, ...]]] = {
    "alabdulmohsin-2022": (language_models, ("alabdulmohsin",)),
    "luo-2025": (constant_rates, ()),
}


def fitted(name: str, folder: Path) -> Fit:
    """The fit of one set, from the folder if it is there."""
    path = folder / f"{name}.nc"
    if path.exists():
        return bs.load_fit(path)
    read, exclude = SETS[name]
    fit = bs.fit(
        read(public_sets()),
        "data",
        prior=WIDE,
        exclude=exclude,
        run_effect=False,
        correlation=True,
        seed=SEED,
    )
    folder.mkdir(parents=True, exist_ok=True)
    fit.save(path)
    return fit


def evidence(fit: Fit) -> dict[str, Any]:
    """Median and standard deviation of the log of the length, e-folds of training, and what the rows count."""
    logs = np.log(fit.posterior["correlation_length"].to_numpy().ravel())
    counted = fit.summary().evidence
    if counted is None:
        raise SystemExit("a fit with a correlation says what its rows count")
    return {
        "median": round(float(np.exp(np.median(logs))), 3),
        "log_sd": round(float(logs.std()), 3),
        "rows": counted.rows,
        "effective": round(counted.effective, 1),
        "verdict": str(fit.convergence),
    }


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("population-fits"))
    options = parser.parse_args()
    found = {name: evidence(fitted(name, options.folder)) for name in SETS}
    with written_beside(HERE / "along.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
