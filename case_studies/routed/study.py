"""What is an expert worth? Clark et al. 2022's law of routed networks on their largest models, with and without floor.

Run ``python3 -m uv run python case_studies/routed/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; folds of the back-test are kept in
``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.predict import Backtest
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, ParameterModel
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261122
SHA256 = "c8da37a01ed264f57b6de62c902cebe86ec69776c47a5abaa46f7259c2ca1baa"
LARGEST = 1e9  # parameters: what the back-test holds out
SAMPLER: dict[str, Any] = {"draws": 800, "tune": 500, "chains": 2, "seed": SEED, "drift": False}
DRIFTING: dict[str, Any] = {"seed": SEED}  # the model and its sampler as shipped
SHOWN = {
    "routed": "`routed`, exact",
    "routed without a floor": "`routed` without a floor, as printed, exact",
    "blind to experts": "blind to experts, exact",
    "routed, drifting": "`routed` as shipped: its exponent drifts",
}
SCORES = ("inside90", "se90", "width90", "rmsle", "bias", "log_score")


def table(folder: Path) -> pd.DataFrame:
    """Last validation losses of the runs that use one expert a token in every second block."""
    path = folder / "routed_moe" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    frame = pd.read_csv(path)
    plain = (frame["k"] == 1) & (frame["routing_frequency"] == 0.5) & (frame["flop_increase"] == 1)
    last = frame[plain].dropna(subset="loss_validation").sort_values("step").groupby("run").tail(1)
    # Of three seeds of one dense size the table keeps all; a run that stopped early is none of them.
    return last[last["step"] >= 240_000].reset_index(drop=True)


def as_runs(frame: pd.DataFrame) -> Runs:
    """Routers are architectures; the set's own evidence leaves the priors by its name."""
    named = frame.assign(
        loss=frame["loss_validation"], architecture=frame["router"], experts=frame["num_experts"]
    )
    info = {"loss": {"metric": "nats/token", "corpus": "massivetext"}}
    columns = ["run", "architecture", "params", "tokens", "experts", "loss"]
    return bs.load_runs(named[columns], task_info=info, param_count="active", name="clark")


def printed() -> ModelSpec:
    """The law as printed: no floor."""
    spec = load_model("routed")
    parameters = spec.parameters | {
        "R0": ParameterModel(prior="level_no_floor_share"),
        "beta": ParameterModel(prior="exponent_no_floor"),
        "L_inf": ParameterModel(fixed=0.0),
    }
    return spec.model_copy(update={"name": "routed without a floor", "parameters": parameters})


def dense() -> ModelSpec:
    """The same law blind to experts."""
    spec = load_model("routed")
    kept = {name: spec.parameters[name] for name in ("R0", "beta", "L_inf")}
    return spec.model_copy(update={"name": "blind to experts", "effective": (), "parameters": kept})


def drifting() -> ModelSpec:
    """The law as shipped, by a name that stands beside the exact one's."""
    return load_model("routed").model_copy(update={"name": "routed, drifting"})


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model; the runs of one router are a cluster."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",))
    named = found.rename(columns={"cover90": "inside90"})
    kept = named[["model", "runs", "groups", *SCORES]].set_index("model")
    return {str(model): row.to_dict() for model, row in kept.iterrows()}


def markdown(found: dict[str, dict[str, float]]) -> str:
    """The table of the README."""
    head = ["model", "90 % holds", "s.e.", "width", "RMSLE", "bias", "log score"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for model, said in SHOWN.items():
        row, cells = found[model], [said]
        cells += [f"{row[name]:.2f}" for name in ("inside90", "se90")]
        cells += [f"{row['width90']:.3f}", f"{row['rmsle']:.4f}", f"{row['bias']:+.4f}"]
        lines.append("| " + " | ".join([*cells, f"{row['log_score']:.2f}"]) + " |")
    return "\n".join(lines)


def figure(rows: pd.DataFrame) -> list[Path]:
    """Held-out models: forecast over loss, with its 90 % interval, against the number of experts."""
    with style():
        canvas = new_figure("text", 2.3)
        models = {
            "routed": "Exact, with a floor",
            "routed without a floor": "Exact, as printed",
            "routed, drifting": "With drift",
        }
        for i, (axes, model) in enumerate(
            zip(canvas.subplots(1, 3, sharey=True), models, strict=True)
        ):
            for j, (router, part) in enumerate(
                rows[rows["model"] == model].groupby("architecture")
            ):
                at = part["experts"] * 1.08**j
                ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
                axes.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(j), linewidth=0.8)
                axes.plot(at, ratio["median"], ".", color=colour(j), label=str(router))
            axes.axhline(1.0, color=GREY, linewidth=0.6)
            axes.set(xscale="log", xlabel="experts", title=models[model])
            axes.set_ylabel("forecast / loss" if i == 0 else "")
        axes.legend()
        return plots.save(canvas, HERE / "routed.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("routed-folds"))
    options = parser.parse_args()
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    runs = as_runs(frame)
    entrants = [load_model("routed"), printed(), dense()]
    held: dict[str, Any] = {"by": "params", "cuts": [LARGEST], "folder": options.folder}
    tests = [
        bs.backtest(runs, entrants, **held, **SAMPLER),
        bs.backtest(runs, drifting(), **held, **DRIFTING),
    ]
    folds = pd.concat([test.folds for test in tests])
    rows = pd.concat([test.rows for test in tests], ignore_index=True)
    number = rows["run_id"].astype(int)
    rows = rows.assign(experts=number.map(frame.set_index("run")["num_experts"]))
    kept = ["model", "architecture", "experts", "loss", "median", "lo90", "hi90"]
    found = {
        "fitted": int(folds["fitted"].iloc[0]),
        "verdicts": folds.set_index("model")["verdict"].to_dict(),
        "scores": scores(rows),
        "rows": rows[kept].round(4).to_dict("records"),
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"results": markdown(found["scores"])})
    for path in figure(rows):
        print(path)


if __name__ == "__main__":
    main()
