"""Does it help to be told where published valleys lie? The decisions of `study.py`, by two priors on the same runs.

Run ``python3 -m uv run python case_studies/replay/valley.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (a quarter of an hour on one core; it resumes where it was stopped, in ``--folder``). It writes ``valley.json``
and its table of the README; with ``--only`` it makes the decisions of one table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from replay import DRAWS, RULE, SEED
from sets import CASES, Case, as_runs
from study import HERE, percent, problems, with_waste

import bayescale as bs
from bayescale.files import written_beside

DEFAULT = "parameter-data"
MODELS = (DEFAULT, "valley")
TABLES = [name for name, case in CASES.items() if not case.drift]


def decide(seen: pd.DataFrame, actions: pd.DataFrame, case: Case) -> dict[str, Any]:
    """What the run of least expected waste loses by each prior, and that nearest to 20 tokens a parameter."""
    pairs = list(zip(actions["params"], actions["tokens"], strict=True))
    loss, found = actions["loss"].to_numpy(), dict[str, Any]()
    for model in MODELS:
        fit = bs.fit(
            as_runs(seen),
            model,
            exclude=case.exclude,
            drift=False,
            sweep=False,
            draws=DRAWS,
            seed=SEED,
            cores=1,
            progress=False,
            allow_unconverged=True,
        )
        plan = bs.plan(
            fit,
            float(actions["compute"].max()),
            candidates=pairs,
            allow_unconverged=True,
            allow_experimental=True,
        )
        (taken,) = plan.recommendations
        far = np.abs(np.log(np.array(pairs) / [taken.params, taken.tokens])).sum(axis=1)
        found[model] = float(loss[np.argmin(far)] - loss.min())
        found[f"{model} converged"] = fit.convergence.passed
    rule = np.log(actions["tokens"] / actions["params"] / 20.0).abs().to_numpy()
    return found | {RULE: float(loss[np.argmin(rule)] - loss.min())}


def replayed(name: str, folder: Path) -> pd.DataFrame:
    """All decisions on one table; those kept in the folder are not made again."""
    path = folder / f"valley-{name.replace(' ', '-').replace(',', '')}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {tuple(row[k] for k in ("cost", "size", "subset")) for row in kept}
    sets = list(problems(CASES[name]))
    for called, seen, actions in sets:
        if tuple(called.values()) in done:
            continue
        kept.append(called | {"runs": len(actions)} | decide(seen, actions, CASES[name]))
        with path.open("a") as file:
            file.write(json.dumps(kept[-1]) + "\n")
    rows = [
        {k: row[k] for k in ("cost", "size", "subset")} | {"policy": policy, "regret": row[policy]}
        for row in kept
        for policy in (*MODELS, RULE)
    ]
    losses = {called["cost"]: actions["loss"] for called, _, actions in sets}
    return with_waste(pd.DataFrame(rows), losses)


def summary(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What each prior wasted, and by how much less than the default, clustered by cost."""
    out = []
    for size, part in rows.groupby("size"):
        by = {p: g.set_index(["cost", "subset"])["waste"] for p, g in part.groupby("policy")}
        for policy in (*MODELS, RULE):
            less = (by[DEFAULT] - by[policy]).groupby("cost").mean()
            out.append(
                {
                    "size": int(str(size)),
                    "policy": policy,
                    "decisions": len(by[policy]),
                    "waste": float(by[policy].mean()),
                    "worst": float(by[policy].quantile(0.9)),
                    "less": float(less.mean()),
                    "se": float(less.std(ddof=1) / np.sqrt(less.size)),
                    "better": int((by[policy] < by[DEFAULT] - 1e-9).sum()),
                    "worse": int((by[policy] > by[DEFAULT] + 1e-9).sum()),
                }
            )
    return out


def markdown(content: dict[str, Any]) -> str:
    """The table of the README."""
    head = ["table", "runs seen", "prior", "decisions", "wasted", "wasted, worst tenth from"]
    head += ["less than the default's", "better", "worse"]
    lines = ["| " + " | ".join(head) + " |", "| --- | ---: | --- |" + " ---: |" * (len(head) - 3)]
    for name, rows in content["tables"].items():
        for row in rows:
            cells = [name, str(row["size"]), row["policy"], str(row["decisions"])]
            cells += [percent(row["waste"]), percent(row["worst"])]
            own = f"{100 * row['less']:.1f} ± {100 * row['se']:.1f}"
            same = row["policy"] == DEFAULT
            cells += ["–"] * 3 if same else [own, str(row["better"]), str(row["worse"])]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("replayed"))
    parser.add_argument("--only", choices=TABLES, action="append")
    options = parser.parse_args()
    for name in options.only or ():
        replayed(name, options.folder)
    if options.only:
        return
    content = {
        "seed": SEED,
        "tables": {name: summary(replayed(name, options.folder)) for name in TABLES},
    }
    with written_beside(HERE / "valley.json") as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"valley": markdown(content)})


if __name__ == "__main__":
    main()
