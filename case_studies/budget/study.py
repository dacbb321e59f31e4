"""You have $2M and eight pilot runs: from their table to the signed plan, and what larger runs then say of it.

Run ``python3 -m uv run python case_studies/budget/study.py`` where ``BAYESCALE_DATA`` names a folder of the public sets
(else the table is downloaded; four fits, under five minutes on two cores). It prints the tables, draws the figures, and
exits with 1 if a number is off ``expected.json`` by more than Monte-Carlo error allows. ``--update`` writes
``expected.json``, ``plan.json`` and the tables of the README instead.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from report import Numbers, draw, of_design, of_held_out, of_plan, of_refits, of_stopping, tables
from steps import (
    SEED,
    Decided,
    choose_pilots,
    decide,
    distances,
    fitted,
    further,
    information,
    planned,
    stop,
    wanted_pilots,
    written,
)

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill, off

HERE = Path(__file__).parent


def listed(pilots: pd.DataFrame, wanted: np.ndarray) -> list[dict[str, Any]]:
    """Which rows of the published table the pilots are, and how far off what was wanted (in e-folds); no losses."""
    there = np.log(pilots[["params", "tokens"]].to_numpy(float))
    off = np.linalg.norm(there - np.log(wanted), axis=1)
    return [
        {
            "run": row.run_id,
            "sweep": row.sweep,
            "params": float(f"{row.params:.4g}"),
            "tokens": float(f"{row.tokens:.4g}"),
            "ratio": round(row.tokens / row.params, 1),
            "off": round(float(far), 3),
        }
        for row, far in zip(pilots.itertuples(), off, strict=True)
    ]


def added_to(pilots: pd.DataFrame, added: pd.DataFrame, folder: Path, seed: int) -> Fit:
    """A fit of the eight pilots and the runs that stand for one more."""
    return fitted(written(pd.concat([pilots, added]), folder / "more.csv"), seed)


def study(folder: Path, figures: Path, seed: int) -> tuple[dict[str, Any], bs.Plan]:
    """The content of ``expected.json``, and the plan that is signed."""
    published = bs.load_runs("chinchilla").where(unflagged=True)
    table = published.table
    pilots = choose_pilots(table)
    runs = written(pilots, folder / "pilots.csv")
    fit = fitted(runs, seed)
    fit.save(folder / "pilots.nc", overwrite=True)
    design, offered = information(fit)
    pairs = further(table.drop(pilots.index), design, offered)
    best, added = pairs[0]
    # Held out of both fits, so that they are judged by the same runs.
    rows = distances(fit, table.drop(pilots.index.union(added.index)))
    eight = decide(fit, published, rows)
    again = added_to(pilots, added, folder, seed)
    more = decide(again, published, rows)
    others = {pilot.name: added_to(pilots, rows, folder, seed) for pilot, rows in pairs[1:]}
    refits = {best.name: more.plan} | {name: planned(one) for name, one in others.items()}
    stopping = stop(fit)
    draw(eight, design, more, figures)
    waste_error = design.evpi.error / design.problem["total"]

    def numbers(said: Decided, name: str) -> Numbers:
        effective = min(said.fit.convergence.ess_bulk, said.fit.convergence.ess_tail)
        made = of_plan(said, effective, waste_error) | of_held_out(said, effective)
        return {f"{name}/{path}": entry for path, entry in made.items()}

    least = min(fit.convergence.ess_bulk, fit.convergence.ess_tail)
    found = {
        "data": {"name": published.name, "rows": len(published), "hash": published.hash},
        "pilots hash": runs.hash,
        "pilots": listed(pilots, wanted_pilots()),
        "added": listed(added, np.array(best.runs)),
        "best pilot": best.name,
        "refitted": list(refits),
        "conclusion": design.conclusion(),
        "risks": [r.risk for r in eight.plan.recommendations],
        "groups of parameters": list(design.evppi),
        "sampler": {"seed": fit.seed, "draws": fit.posterior.sizes["draw"]},
        "convergence": {
            name: str(one.convergence)
            for name, one in ({"eight": fit, "more": again} | others).items()
        },
        "verdicts": {n: design.verdict(n) for n in design.table["pilot"].to_numpy().tolist()},
        "caveats": list(eight.plan.caveats),
        "plan": eight.plan.hash,
        "hashes": {k: eight.plan.provenance[k] for k in ("model_hash", "priors_hash", "data_hash")},
        "numbers": numbers(eight, "eight")
        | numbers(more, "more")
        | of_design(design)
        | of_refits(eight.plan, refits, least, waste_error)
        | of_stopping(stopping, least),
    }
    for said in (eight.plan, eight.cheapest, design, stopping, more.plan, more.cheapest):
        print(said, end="\n\n")
    return found, eight.plan


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """What is off, one line each; the plan's hash is of its draws, which differ between machines in the last digit."""
    said = [
        f"{what}: {found[what]}, expected {expected[what]}"
        for what in ("data", "pilots hash", "pilots", "added", "refitted", "hashes")
        if found[what] != expected[what]
    ]
    return said + off(found["numbers"], expected["numbers"])


def main(arguments: list[str] | None = None) -> int:
    """Command line of the study; 0 if every number is as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="record the numbers of this run")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--figures", type=Path, default=HERE, help="folder of the figures")
    parser.add_argument("--folder", type=Path, help="keep the tables and the fit here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as spare:
        found, plan = study(options.folder or Path(spare), options.figures, options.seed)
    print("\n\n".join(tables(found).values()))
    expected = HERE / "expected.json"
    if options.update:
        plan.save(HERE / "plan.json", overwrite=True)
        with written_beside(expected) as beside:
            text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
            beside.write_text(text, encoding="utf-8")
        fill(HERE / "README.md", tables(found))
        return 0
    said = differences(found, json.loads(expected.read_text(encoding="utf-8")))
    print("\n".join(said) or f"all {len(found['numbers'])} numbers as expected", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
