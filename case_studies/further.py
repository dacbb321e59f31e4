"""What the studies of further inputs share: a table by its hash, a back-test of exact or drifting models, scores."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from recorded import fill

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit
from bayescale.predict import Backtest
from bayescale.runs import Runs
from bayescale.spec import ModelSpec

SEED = 20261122
SAMPLER: dict[str, Any] = {"draws": 1000, "tune": 600, "chains": 2, "cores": 1, "seed": SEED}
SCORES = ("runs", "groups", "cover90", "se90", "width90", "rmsle", "bias", "log_score", "r2")
HEAD = ("model", "90 % holds", "s.e.", "width", "RMSLE", "bias", "log score", "R²")


def opened(folder: Path, name: str, sha256: str) -> pd.DataFrame:
    """The table of a public set, or the end of the script where it is another one."""
    path = folder / name
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def named(spec: ModelSpec, name: str, **changes: Any) -> ModelSpec:
    """A model by another name, parts and parameters changed; ``None`` takes a parameter away."""
    parameters = {**spec.parameters, **changes.pop("parameters", {})}
    kept = {key: entry for key, entry in parameters.items() if entry is not None}
    return spec.model_copy(update={"name": name, "parameters": kept, **changes})


def tested(
    runs: Runs, models: Sequence[ModelSpec], folder: Path, *, drift: bool, **held: Any
) -> Backtest:
    """Back-test of models taken as exact, or as shipped."""
    start = time.process_time()
    found = bs.backtest(runs, list(models), folder=folder, drift=drift, **held, **SAMPLER)
    print(f"{', '.join(m.name for m in models)}: {time.process_time() - start:.0f} s of processor")
    return found


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model; standard errors are clustered by ``group``."""
    summary = Backtest(rows, pd.DataFrame(), {}).summary(("model",)).set_index("model")
    found = {}
    for model, part in rows.groupby("model", sort=False):
        row = {name: float(summary.loc[model, name]) for name in SCORES if name != "r2"}
        row["r2"] = point_scores(part["loss"].to_numpy(), part["median"].to_numpy())["r2"]
        # One cluster has no standard error.
        found[str(model)] = {k: round(v, 5) for k, v in row.items() if not np.isnan(v)}
    return found


def markdown(found: Mapping[str, Mapping[str, float]], shown: Mapping[str, str]) -> str:
    """The table of a README, with ``shown`` in the place of names; without what was not run."""
    lines = ["| " + " | ".join(HEAD) + " |", "| --- |" + " ---: |" * (len(HEAD) - 1)]
    for model, said in shown.items():
        if model not in found:
            continue
        row, cells = found[model], [said]
        for name, digits in zip(SCORES[2:], (2, 2, 3, 4, 4, 2, 3), strict=True):
            sign = "+" if name == "bias" else ""
            value = row.get(name)
            cells.append("–" if value is None else f"{value:{sign}.{digits}f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def point_scores(loss: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Of forecasts without intervals."""
    off = np.log(predicted) - np.log(loss)
    spread = ((loss - loss.mean()) ** 2).sum()
    return {
        "rmsle": float(np.sqrt((off**2).mean())),
        "bias": float(off.mean()),
        "r2": float(1 - ((predicted - loss) ** 2).sum() / spread),
    }


def options_of(about: str | None, folder: str) -> argparse.Namespace:
    """Command line of a study: where it keeps its fits, and whether it takes the time for all of them."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, default=Path(folder))
    said = "fit the models beside and those that drift, and all runs, too"
    parser.add_argument("--every", action="store_true", help=said)
    return parser.parse_args()


def of_all(runs: Runs, spec: ModelSpec, options: argparse.Namespace) -> Fit | None:
    """The exact fit of all runs, from the folder or made now; None where there is neither."""
    path = options.folder / "whole.nc"
    if options.every and not path.exists():
        bs.fit(runs, spec, drift=False, **SAMPLER).save(path)
    return bs.load_fit(path) if path.exists() else None


def interval(draws: Any) -> dict[str, float]:
    """Median and 90 % interval."""
    low, middle, high = np.quantile(np.asarray(draws), [0.05, 0.5, 0.95])
    return {"median": float(middle), "lo90": float(low), "hi90": float(high)}


def recorded(here: Path, found: Mapping[str, Any], tables: Mapping[str, str]) -> None:
    """Write ``expected.json``, and the tables of the README."""
    with written_beside(here / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(here / "README.md", tables)
