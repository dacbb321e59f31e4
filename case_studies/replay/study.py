"""Are the decisions better? Plans from small runs, replayed against larger runs that were trained.

Run ``python3 -m uv run python case_studies/replay/study.py`` where ``BAYESCALE_DATA`` names a folder of the public sets
(an hour and a half on one core; it resumes where it was stopped, decision by decision, in ``--folder``). It writes
``results.json``, the tables of the README and the figure; with ``--only`` it makes the decisions of one table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from replay import ANY, PLUG_IN, POLICIES, RULE, SEED, decide
from sets import CASES, CHOICES, SAME_COST, Case, olmo, same_cost

from bayescale.files import written_beside
from bayescale.plots import save
from bayescale.plots.style import GREY, PALETTE, foot, new_figure, style

HERE = Path(__file__).parent
BAYES = "waste"


def problems(case: Case) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
    """What is decided: how it is called, the runs that are seen, and the trained runs to choose from."""
    table = case.read()
    for actions in same_cost(table)[-case.held_out :]:
        cost = float(actions["compute"].min())
        pool = table[table["compute"] <= case.below * cost]
        for size in case.sizes:
            for subset in range(case.subsets):
                # Keyed by what it is for, so that any one of them is drawn again by itself.
                rng = np.random.default_rng([SEED, int(np.log(cost) * 1e6), size, subset])
                if len(pool) < size:
                    continue
                seen = pool.loc[np.sort(rng.choice(pool.index, size, replace=False))]
                yield {"cost": cost, "size": size, "subset": subset}, seen, actions


def replayed(name: str, folder: Path) -> pd.DataFrame:
    """All decisions on one table; those kept in the folder are not made again."""
    case, path = CASES[name], folder / f"{name.replace(' ', '-').replace(',', '')}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {tuple(row[k] for k in ("cost", "size", "subset")) for row in kept}
    sets = list(problems(case))
    for called, seen, actions in sets:
        if tuple(called.values()) in done:
            continue
        row = called | {"runs": len(actions)} | decide(seen, actions, case)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        kept.append(row)
        print(
            name, called, {k: round(v["regret"], 4) for k, v in row["policies"].items()}, flush=True
        )
    rows = [
        {k: row[k] for k in ("cost", "size", "subset", "runs", "converged")}
        | {"policy": policy, "regret": found["regret"]}
        for row in kept
        for policy, found in row["policies"].items()
    ]
    losses = {called["cost"]: actions["loss"] for called, _, actions in sets}
    return with_waste(pd.DataFrame(rows), losses)


def with_waste(rows: pd.DataFrame, losses: Mapping[float, pd.Series]) -> pd.DataFrame:
    """Regret as a share of the cost: the best trained losses of the sets fall as C^−s, and C′ = C·(L_best/L)^(1/s)."""
    best = pd.Series({cost: loss.min() for cost, loss in losses.items()})
    slope = -np.polyfit(np.log(best.index.to_numpy()), np.log(best.to_numpy()), 1)[0]
    least = rows["cost"].map(best)

    def wasted(loss: pd.Series) -> pd.Series:
        return 1.0 - (loss.min() / loss) ** (1.0 / slope)

    waste = 1.0 - (least / (least + rows["regret"])) ** (1.0 / slope)
    blind = rows["cost"].map({cost: wasted(loss).mean() for cost, loss in losses.items()})
    lucky = rows["cost"].map({cost: (loss == loss.min()).mean() for cost, loss in losses.items()})
    guess = rows["policy"] == ANY
    hit = (rows["regret"] == 0.0).astype(float)
    return rows.assign(waste=waste.where(~guess, blind), best=hit.where(~guess, lucky), slope=slope)


def summary(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """For each number of runs seen: what each policy wasted, and the difference to the plug-in, clustered by cost."""
    out = []
    for size, part in rows.groupby("size"):
        plug = part[part["policy"] == PLUG_IN].set_index(["cost", "subset"])
        for policy in POLICIES:
            own = part[part["policy"] == policy].set_index(["cost", "subset"])
            less = (plug["waste"] - own["waste"]).groupby("cost").mean()
            out.append(
                {
                    "size": int(str(size)),
                    "policy": policy,
                    "decisions": len(own),
                    "sets": int(less.size),
                    "regret": float(own["regret"].mean()),
                    "waste": float(own["waste"].mean()),
                    "worst": float(own["waste"].quantile(0.9)),
                    "best": float(own["best"].mean()),
                    "less": float(less.mean()),
                    "se": float(less.std(ddof=1) / np.sqrt(less.size)),
                    "better": int((own["waste"] < plug["waste"] - 1e-9).sum()),
                    "worse": int((own["waste"] > plug["waste"] + 1e-9).sum()),
                }
            )
    return out


def by_set(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean waste of the posterior and of the plug-in on each set alone."""
    found = rows[rows["policy"].isin((BAYES, PLUG_IN))]
    means = found.groupby(["size", "cost", "policy"])["waste"].mean().unstack()
    return [
        {
            "size": int(size),
            "cost": float(f"{cost:.3g}"),
            **{str(k): float(v) for k, v in row.items()},
        }
        for (size, cost), row in means.iterrows()
    ]


def results(frames: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Everything the README says."""
    ladder = olmo()
    widest = max(
        ladder[(ladder["compute"] >= c) & (ladder["compute"] <= SAME_COST * c)]["params"].nunique()
        for c in ladder["compute"]
    )
    return {
        "seed": SEED,
        "left out": {"olmo_ladder": {"sizes of one cost": int(widest), "wanted": CHOICES}},
        "tables": {
            name: {
                "sets": {f"{c:.3g}": int(n) for c, n in f.groupby("cost")["runs"].first().items()},
                "slope": float(f["slope"].iloc[0]),
                "unconverged": int((~f[f["policy"] == BAYES]["converged"]).sum()),
                "summary": summary(f),
                "by set": by_set(f),
            }
            for name, f in frames.items()
        },
    }


def markdown(content: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by marker."""
    head = [
        "table",
        "runs seen",
        "policy",
        "decisions",
        "regret (mnat)",
        "wasted",
        "wasted, worst tenth from",
    ]
    head += ["best run", "less than plug-in", "better", "worse"]
    lines = ["| " + " | ".join(head) + " |", "| --- | ---: | --- |" + " ---: |" * (len(head) - 3)]
    for name, table in content["tables"].items():
        for row in table["summary"]:
            cells = [name, str(row["size"]), row["policy"], str(row["decisions"])]
            cells += [f"{1e3 * row['regret']:.1f}", percent(row["waste"]), percent(row["worst"])]
            cells += [percent(row["best"])]
            same = row["policy"] == PLUG_IN
            cells += ["–"] if same else [f"{100 * row['less']:.1f} ± {100 * row['se']:.1f}"]
            cells += ["–", "–"] if same else [str(row["better"]), str(row["worse"])]
            lines.append("| " + " | ".join(cells) + " |")
    left = content["left out"]["olmo_ladder"]
    said = f"{left['sizes of one cost']} sizes at one cost, {left['wanted']} wanted"
    return {"decisions": "\n".join(lines), "left out": f"`olmo_ladder`: {said}"}


def percent(share: float) -> str:
    """A share as people write it."""
    return f"{100 * share:.1f} %"


def _folded(name: str) -> str:
    """The name of a table on two lines."""
    return name.replace(", ", " ").replace(" ", "\n", 1)


def figure(content: dict[str, Any]) -> Figure:
    """What each policy wasted, on each table."""
    panels = [
        (n, s)
        for n, t in content["tables"].items()
        for s in sorted({r["size"] for r in t["summary"]})
    ]
    with style():
        made = new_figure("text", 2.9)
        axes = made.subplots()
        shown = (BAYES, "cvar:0.1", PLUG_IN, RULE, ANY)
        for k, policy in enumerate(shown):
            at = np.arange(len(panels)) + 0.15 * (k - 2)
            rows = [
                next(
                    r
                    for r in content["tables"][n]["summary"]
                    if (r["size"], r["policy"]) == (s, policy)
                )
                for n, s in panels
            ]
            tint = GREY if policy == ANY else PALETTE[k]
            axes.plot(at, [100 * r["waste"] for r in rows], "o", color=tint, ms=4, label=policy)
        axes.set_xticks(range(len(panels)), [f"{_folded(n)}\n{s} runs" for n, s in panels])
        axes.set_ylabel("share of the cost wasted (%)")
        axes.set_ylim(0, 50)
        axes.legend(loc="upper left", ncols=5)
        foot(made, {}, 1, "Mean over decisions, against the best trained run of the same cost.")
    return made


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("replayed"))
    parser.add_argument("--only", choices=list(CASES), action="append")
    options = parser.parse_args()
    frames = {n: replayed(n, options.folder) for n in options.only or CASES}
    if options.only:
        return
    content = results(frames)
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    save(figure(content), HERE / "replay")
    fill(HERE / "README.md", markdown(content))


if __name__ == "__main__":
    main()
