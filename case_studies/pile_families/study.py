"""Two designs that each leave an exponent open, Pythia's (D constant) and Cerebras-GPT's (D ∝ N), alone and pooled.

Run ``python3 -m uv run python case_studies/pile_families/study.py`` (six fits, two minutes on two cores). It prints
the tables, draws the figures, and exits with 1 if a number is off ``expected.json`` by more than Monte-Carlo error
allows.
``--update`` writes ``expected.json`` and the tables of the README instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from quantities import numbers
from report import compare, tables

import bayescale as bs
from bayescale.posterior import Fit
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill, off

HERE = Path(__file__).parent
SEED, DRAWS, ACCEPT = 20261122, 2000, 0.98
INDEPENDENT = {
    "beta": "LogNormal(median=0.28, sigma=0.4)",
    "delta": "LogNormal(median=0.27, sigma=0.4)",
}
PYTHIA, CEREBRAS = {"architecture": "Pythia"}, {"architecture": "Cerebras-GPT"}
# Name → rows, priors other than the model file's.
FITS: dict[str, tuple[dict[str, Any], dict[str, str] | None]] = {
    "Pythia alone": (PYTHIA, None),
    "Cerebras alone": (CEREBRAS, None),
    "pooled": ({}, None),
    "pooled, unflagged": ({"unflagged": True}, None),
    "Pythia alone, (β, δ)": (PYTHIA, INDEPENDENT),
    "Cerebras alone, (β, δ)": (CEREBRAS, INDEPENDENT),
}


def fit_all(runs: Runs, seed: int) -> dict[str, Fit]:
    """Fit every case; `bs.fit` raises for one that does not converge."""
    return {
        name: bs.fit(
            runs.where(**rows),
            prior=prior,
            draws=DRAWS,
            seed=seed,
            target_accept=ACCEPT,
            drift=False,
        )
        for name, (rows, prior) in FITS.items()
    }


def result_of(runs: Runs, fits: dict[str, Fit]) -> dict[str, Any]:
    """The content of ``expected.json``."""
    return {
        "data": {"name": runs.name, "rows": len(runs), "hash": runs.hash},
        "sampler": {"draws": DRAWS, "seed": fits["pooled"].seed},
        "verdicts": {name: str(fit.convergence) for name, fit in fits.items()},
        "notes": {name: list(fit.summary().notes) for name, fit in fits.items()},
        "numbers": numbers(fits),
    }


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """What is off, one line each; notes and verdicts hold rounded numbers and are not compared."""
    said = []
    if found["data"] != expected["data"]:
        said.append(f"data: {found['data']}, expected {expected['data']}")
    return said + off(found["numbers"], expected["numbers"])


def draw(found: dict[str, Any], fits: dict[str, Fit], folder: Path) -> None:
    """Write ``forest`` and ``compare``, PDF and PNG."""
    bs.plot.save(bs.plot.posterior(fits["pooled"]), folder / "forest")
    bs.plot.save(compare(found["numbers"]), folder / "compare")


def main(arguments: list[str] | None = None) -> int:
    """Command line of the study; 0 if every number is as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="record the numbers of this run")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--figures", type=Path, default=HERE, help="folder of the figures")
    options = parser.parse_args(arguments)
    runs = bs.load_runs("pile-families")
    fits = fit_all(runs, options.seed)
    found = result_of(runs, fits)
    draw(found, fits, options.figures)
    print("\n\n".join(tables(found).values()))
    expected = HERE / "expected.json"
    if options.update:
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        expected.write_text(text, encoding="utf-8")
        fill(HERE / "README.md", tables(found))
        return 0
    said = differences(found, json.loads(expected.read_text(encoding="utf-8")))
    print("\n".join(said) or f"all {len(found['numbers'])} numbers as expected", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
