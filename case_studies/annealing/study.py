"""Do curves of three schedules foretell six others? The 27 loss curves of Luo et al. 2025, split as in the paper.

Run ``python3 -m uv run python case_studies/annealing/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; folds are kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.runs import Runs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261202
SHA256 = "884f351cf684d2979c372780bcac5262899143bd0071c3e4faaa2edf3a67332b"
WARM_UP = 2160  # steps, of which the table has none
CHECKPOINTS = 16  # of each curve, even in log steps
MEMORIES = (200, 400, 700, 1000, 1400, 2000, 3000)  # steps
SAMPLER: dict[str, Any] = {"draws": 800, "tune": 600, "chains": 2, "seed": SEED, "drift": False}
SHOWN = {
    "annealing": "`annealing`",
    "plain": "`parameter-data`, exact, blind to the schedule",
}


def table(folder: Path) -> pd.DataFrame:
    """The curves as they are published."""
    path = folder / "lr_annealing" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def rates(curve: pd.DataFrame) -> np.ndarray:
    """Learning rate of every step: between logged steps on a line, before them a linear warm-up."""
    steps = np.arange(1, int(curve["step"].max()) + 1)
    logged = np.interp(steps, curve["step"], curve["lr"])
    return np.where(steps < WARM_UP, logged[0] * steps / WARM_UP, logged)


def with_inputs(frame: pd.DataFrame, memory: float) -> pd.DataFrame:
    """Every checkpoint as a run that ends there, with what laws read of its schedule."""
    parts = []
    for _, curve in frame.groupby(["params", "run"]):
        ordered = curve.sort_values("step").reset_index(drop=True)
        inputs = bs.schedule_inputs(rates(ordered), ordered["step"].to_numpy(), memory)
        parts.append(ordered.join(inputs[["mean_rate", "end_rate"]]))
    return pd.concat(parts, ignore_index=True)


def thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Checkpoints of each curve even in log steps, the last one among them."""
    kept = []
    for _, curve in frame.groupby(["params", "run"]):
        at = np.geomspace(curve["step"].min(), curve["step"].max(), CHECKPOINTS)
        nearest = {int((curve["step"] - step).abs().idxmin()) for step in at}
        kept.append(curve.loc[sorted(nearest)])
    return pd.concat(kept, ignore_index=True)


def as_runs(frame: pd.DataFrame) -> Runs:
    """Curves of three schedules to fit, six held out."""
    named = frame.assign(
        run_id=frame["params"].map("{:.0e} ".format) + frame["run"],
        held_out=frame["paper_train"] == 0,
    )
    columns = ["run_id", "params", "tokens", "step", "mean_rate", "end_rate", "held_out", "loss"]
    info = {"loss": {"metric": "nats/token", "corpus": "text"}}
    return bs.load_runs(
        named[columns], task_info=info, checkpoints="all", param_count="total", name="annealing"
    )


def memory_of(frame: pd.DataFrame) -> dict[int, float]:
    """Misfit of least squares to the fitted schedules, each size by itself, by the memory of the smoothed rate."""
    found = {}
    for memory in MEMORIES:
        fitted = with_inputs(frame[frame["paper_train"] == 1], memory)
        squares = [_misfit(curve) for _, curve in fitted.groupby("params")]
        found[memory] = float(np.sqrt(np.mean(squares)))
    return found


def _misfit(curves: pd.DataFrame) -> float:
    log_s = np.log(curves["step"] * curves["mean_rate"] / 1e4).to_numpy()
    end, log_loss = curves["end_rate"].to_numpy(), np.log(curves["loss"]).to_numpy()

    def off(theta: np.ndarray) -> np.ndarray:
        floor, level, exponent, hill = np.exp(theta)
        return np.asarray(np.log(floor + level * np.exp(-exponent * log_s) + hill * end) - log_loss)

    fit = least_squares(off, np.log([2.5, 0.5, 0.5, 0.1]), loss="soft_l1", f_scale=0.001)
    return float(np.mean(off(fit.x) ** 2))


def scores(rows: pd.DataFrame) -> dict[str, Any]:
    """By model, of all checkpoints and of the last of each curve; the curves of one schedule are a cluster."""
    found: dict[str, Any] = {}
    for model, mine in rows.groupby("model"):
        last = mine.sort_values("tokens").groupby("run_id").tail(1)
        by = mine.groupby("schedule")
        found[str(model)] = {
            "checkpoints": len(mine),
            "inside90": float(mine["inside90"].mean()),
            "least90": float(by["inside90"].mean().min()),
            "last90": float(last["inside90"].mean()),
            "width90": float((mine["width90"] / mine["loss"]).mean()),
            "rmsle": float(np.sqrt((mine["error"] ** 2).mean())),
            "absolute": float(mine["error"].abs().mean()),
            "worst": float(mine["error"].abs().max()),
            "last_rmsle": float(np.sqrt((last["error"] ** 2).mean())),
            "bias": float(mine["error"].mean()),
            "log_score": float(mine["log_score"].mean()),
            "by_schedule": {
                str(name): {
                    "inside90": float(part["inside90"].mean()),
                    "rmsle": float(np.sqrt((part["error"] ** 2).mean())),
                }
                for name, part in by
            },
        }
    return found


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README."""
    head = ["model", "90 % holds", "of the worst schedule", "of the 18 ends", "width", "RMSLE"]
    head += ["of the ends", "bias", "log score"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * 8]
    for model, said in SHOWN.items():
        row = found["scores"][model]
        cells = [f"{row[c]:.2f}" for c in ("inside90", "least90", "last90")]
        cells += [f"{100 * row[c]:.2f} %" for c in ("width90", "rmsle", "last_rmsle")]
        cells += [f"{100 * row['bias']:+.2f} %", f"{row['log_score']:.2f}"]
        lines.append("| " + " | ".join([said, *cells]) + " |")
    made = {"results": "\n".join(lines)}
    row = found["scores"]["annealing"]["by_schedule"]
    lines = ["| schedule held out | 90 % holds | RMSLE |", "| --- | ---: | ---: |"]
    lines += [
        f"| `{name}` | {own['inside90']:.2f} | {100 * own['rmsle']:.2f} % |"
        for name, own in row.items()
    ]
    made["schedules"] = "\n".join(lines)
    return made


def figure(rows: pd.DataFrame) -> list[Path]:
    """Three held-out schedules of the middle size: losses and 90 % intervals."""
    with style():
        canvas = new_figure("text", 2.2)
        shown = ("wsd_20000_24000", "wsdcon_3", "cosine_72000")
        for axes, name in zip(canvas.subplots(1, 3), shown, strict=True):
            for i, model in enumerate(("annealing", "plain")):
                mine = rows[
                    (rows["model"] == model) & (rows["schedule"] == name) & (rows["params"] == 1e8)
                ].sort_values("tokens")
                axes.fill_between(
                    mine["tokens"], mine["lo90"], mine["hi90"], color=colour(i), alpha=0.3
                )
                axes.plot(mine["tokens"], mine["median"], color=colour(i), label=model)
            axes.plot(mine["tokens"], mine["loss"], ".", color=GREY, markersize=3)
            axes.set(xscale="log", title=name, xlabel="tokens")
        canvas.axes[0].set_ylabel("loss")
        canvas.axes[-1].legend()
        return plots.save(canvas, HERE / "annealing.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("annealing-folds"))
    options = parser.parse_args()
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    memories = memory_of(frame)
    memory = min(memories, key=lambda steps: memories[steps])
    runs = as_runs(thinned(with_inputs(frame, memory)))
    plain = load_model("parameter-data").model_copy(update={"name": "plain"})
    test = bs.backtest(runs, ["annealing", plain], by="held_out", folder=options.folder, **SAMPLER)
    rows = test.rows
    rows["schedule"] = rows["run_id"].str.split(" ").str[1]
    folds = test.folds
    found = {
        "fitted": int(folds["fitted"].iloc[0]),
        "memory": memory,
        "memories": memories,
        "verdicts": folds.set_index("model")["verdict"].to_dict(),
        "scores": scores(rows),
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", tables(found))
    for path in figure(rows):
        print(path)


if __name__ == "__main__":
    main()
