"""What public sweeps and curves say of what a user's few runs cannot tell: drift, offsets, noise, exponents, floors.

Run ``python3 -m uv run python case_studies/population/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (the best part of an hour on two cores; each set's fit is kept in ``--folder``). It writes ``evidence.json`` and,
with ``--write``, the populations that rest on it in ``models/priors.toml`` (a test holds the file to the evidence).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from learn import by_population, rewritten
from recorded import fill
from sets import SOURCES, WIDE_DRIFT, curves_of

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit, population_parameters

HERE = Path(__file__).parent
PRIORS = HERE.parents[1] / "models" / "priors.toml"
SEED = 20261122
# Many curves in one fit take more draws than adaptation.
MANY, CHAINS = 50, {"draws": 1200, "tune": 500}
SHOWN = ("drift", "sweep", "sigma", "alpha", "a", "beta", "delta", "gamma", "phi", "L_inf")


TABLE = ("drift", "sweep", "sigma", "phi", "delta")


def fitted(name: str, folder: Path) -> Fit:
    """The fit of one set, from the folder if it is there; of drift it says what it says itself, by a wide prior."""
    path = folder / f"{name}.nc"
    if path.exists():
        return bs.load_fit(path)
    source = SOURCES[name]
    runs = source.read()
    fit = bs.fit(
        runs,
        source.model,
        prior={"drift": WIDE_DRIFT},
        exclude=[source.uses],
        seed=SEED,
        progress=False,
        **(CHAINS if curves_of(runs) > MANY else {}),
    )
    folder.mkdir(parents=True, exist_ok=True)
    fit.save(path)
    return fit


def evidence(fit: Fit) -> dict[str, Any]:
    """Median of each population parameter, and the standard deviation of its log."""
    found = population_parameters(fit.posterior, fit.model)
    out: dict[str, Any] = {}
    for name in SHOWN:
        if name in found and float(found[name].std()) > 0:
            logs = np.log(found[name].to_numpy().ravel())
            out[name] = {"median": round(float(np.exp(np.median(logs))), 4)}
            out[name]["log_sd"] = round(float(logs.std()), 3)
    return out


def table(found: dict[str, dict[str, Any]]) -> str:
    """The table of the README: what each set says of what is learned."""
    head = ["set", "model", "rows", "curves", *TABLE]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 2)]
    for name, said in found.items():
        values = [said["parameters"].get(p) for p in TABLE]
        cells = ["–" if v is None else f"{v['median']:.4f} ({v['log_sd']:.2f})" for v in values]
        lines.append(
            f"| {name} | {said['model']} | {said['rows']} | {said['curves']} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("population-fits"))
    parser.add_argument("--only", choices=list(SOURCES), action="append", help="fit these alone")
    parser.add_argument("--write", action="store_true", help="write models/priors.toml as well")
    options = parser.parse_args()
    found = {}
    for name in options.only or SOURCES:
        fit, source = fitted(name, options.folder), SOURCES[name]
        found[name] = {
            "model": source.model,
            "uses": source.uses,
            "rows": int(fit.runs.sizes["run"]),
            "curves": curves_of(source.read()),
            "verdict": str(fit.convergence),
            "parameters": evidence(fit),
        }
        print(name, found[name], flush=True)
    if options.only:
        return
    with written_beside(HERE / "evidence.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"evidence": table(found)})
    if options.write:
        text = rewritten(PRIORS.read_text("utf-8"), by_population(found))
        with written_beside(PRIORS) as beside:
            beside.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
