"""Stop it? The monitor replayed on public loss curves: each run half-way, its fellows as references.

Run ``python3 -m uv run python case_studies/monitor/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets (a minute or two; nothing is sampled). It writes ``results.json``, the tables of the README and the figure.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bayescale.decide import FinalLoss, Gap, Part, RunForecast, TrainingCurve, assess
from bayescale.files import written_beside
from bayescale.plots import save
from bayescale.plots.style import GREY, INK, PALETTE, SHADES, foot, new_figure, style
from bayescale.predict import Noise

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
CHECKPOINTS = (0.25, 0.5, 0.75)
RISK = 0.05
RISKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
LEAST = 3  # fellows, for a forecast and for references


@dataclass(frozen=True)
class Run:
    """One finished run: its curve, who its fellows are, and what it cost.

    ``peers`` names the runs whose final losses make its forecast and its target; ``model`` is the cluster it counts in.
    """

    curve: TrainingCurve
    peers: str
    model: str
    flop: float


def read(name: str) -> pd.DataFrame:
    """A public set."""
    return pd.read_csv(Path(os.environ["BAYESCALE_DATA"]) / name / "data.csv")


def curve(name: str, rows: pd.DataFrame, loss: str) -> TrainingCurve:
    """The checkpoints of a run after its start."""
    kept = rows[(rows["step"] > 0) & rows[loss].notna()].drop_duplicates("step").sort_values("step")
    return TrainingCurve(name, "step", kept["step"].to_numpy(float), kept[loss].to_numpy(float))


def routed_moe() -> dict[str, list[Run]]:
    """223 language models of Clark et al. 2022, dense and routed, six base sizes, one schedule; validation loss."""
    found = []
    for name, rows in read("routed_moe").groupby("run"):
        size = str(rows["model_size_label"].iloc[0])
        flop = float(rows["flops_per_step"].iloc[0])
        found.append(Run(curve(str(name), rows, "loss_validation"), size, str(name), flop))
    return {"": found}


def routed_moe_by_size() -> dict[str, list[Run]]:
    """The same, each run judged by those of its own base size alone."""
    everything = routed_moe()[""]
    return {
        s: [r for r in everything if r.peers == s] for s in sorted({r.peers for r in everything})
    }


def lr_annealing() -> dict[str, list[Run]]:
    """Runs of Luo et al. 2025 of 25M to 400M under cosine, and under constant, rates, of two lengths."""
    frame = read("lr_annealing")
    return {
        kind: [_annealed(rows, run) for (run, _), rows in part.groupby(["run", "params"])]
        for kind, part in frame.groupby("schedule")
        if kind in ("cosine", "constant")
    }


def _annealed(rows: pd.DataFrame, run: str) -> Run:
    params = float(rows["params"].iloc[0])
    name = f"{run} {params:.0e}"
    return Run(curve(name, rows, "loss"), "all", name, params * float(rows["tokens"].max()))


def pythia_curves() -> dict[str, list[Run]]:
    """16 Pythia models (Biderman et al. 2023) on nine tasks, zero-shot: error, and log perplexity on LAMBADA."""
    frame = read("pythia_curves")
    frame = frame[(frame["shots"] == 0) & (frame["step"] >= 3000)]
    frame = frame[frame["metric"] != "accuracy_norm"]
    value = frame["value"].where(frame["metric"] == "ppl", 1.0 - frame["value"])
    frame = frame.assign(loss=value.where(frame["metric"] != "ppl", np.log(value)))
    found: dict[str, list[Run]] = {}
    for (task, metric, size, deduped), rows in frame.groupby(["task", "metric", "size", "deduped"]):
        name = f"{size} {'deduped' if deduped else ''}"
        one = Run(curve(name, rows, "loss"), "all", name, float(rows["params"].iloc[0]))
        found.setdefault(f"{task} {metric}", []).append(one)
    return found


CASES: dict[str, Callable[[], dict[str, list[Run]]]] = {
    "routed_moe": routed_moe,
    "routed_moe, own size": routed_moe_by_size,
    "lr_annealing": lr_annealing,
    "pythia_curves": pythia_curves,
}


def forecast_of(log_finals: np.ndarray) -> RunForecast:
    """The next value after some of a Normal whose mean and variance are unknown: a Student-t, in place of a plan's."""
    n = len(log_finals)
    scale = np.array([log_finals.std(ddof=1) * np.sqrt(1 + 1 / n)])
    centre = np.array([log_finals.mean()])
    noise = Noise("student-t", scale, np.array([n - 1.0]))
    return RunForecast("", 1.0, 1.0, (Part(noise, centre, centre),))


def independent(
    fractions: np.ndarray, log_loss: np.ndarray, references: list[TrainingCurve]
) -> Gap:
    """The control: each checkpoint taken for a measurement of the final loss of its own."""
    gaps = np.array(
        [
            np.interp(np.log(fractions), np.log(r.fractions()), r.log_loss) - r.log_loss[-1]
            for r in references
        ]
    )
    precision = 1.0 / gaps.var(axis=0, ddof=1)
    final = precision @ (log_loss - gaps.mean(axis=0)) / precision.sum()
    scale = float(precision.sum() ** -0.5)
    return Gap(float(log_loss[-1] - final), scale, np.inf, len(gaps), 0, 1.0)


def replay(runs: list[Run], references: list[Run] | None = None) -> Iterator[dict[str, Any]]:
    """Every run at a quarter, a half and three quarters of its training; its fellows, or others, are the references."""
    for run in runs:
        others = [r for r in runs if r is not run]
        known = [r.curve for r in (others if references is None else references)]
        finals = np.array([r.curve.log_loss[-1] for r in others if r.peers == run.peers])
        if min(len(finals), len(known)) < LEAST:
            continue
        forecast, target = forecast_of(finals), float(np.median(finals))
        fractions, final = run.curve.fractions(), float(run.curve.log_loss[-1])
        for at in CHECKPOINTS:
            done = fractions <= at + 1e-9
            far, losses = fractions[done], run.curve.log_loss[done]
            begun = max(c.fractions()[0] for c in known)
            found, gap = assess(far, losses, known, forecast)
            assert gap is not None
            kept = far >= begun
            alone = independent(far[kept], losses[kept], known)
            control = FinalLoss.of(forecast, alone, float(losses[-1]))
            yield {
                "model": run.model,
                "run": run.curve.run_id,
                "flop": run.flop * float(run.curve.at[-1]),
                "at": at,
                "hit": float(final <= target),
                "p": found.probability(target),
                "p_prior": float(forecast.cdf(np.array([target]))[0]),
                "p_control": control.probability(target),
                "pit": found.probability(final),
                "pit_control": control.probability(final),
                "scale": gap.scale,
            }


def pairs(name: str) -> pd.DataFrame:
    """All (run, checkpoint) pairs of a set."""
    parts = {part: pd.DataFrame(replay(runs)) for part, runs in CASES[name]().items()}
    return pd.concat([frame.assign(part=part) for part, frame in parts.items()], ignore_index=True)


def calibration(frame: pd.DataFrame) -> list[dict[str, float]]:
    """Coverage of the final loss and Brier scores of P(final ≤ target), checkpoint by checkpoint."""
    out = []
    for at, rows in frame.groupby("at"):
        inside = rows["pit"].between(0.05, 0.95).astype(float)
        control = rows["pit_control"].between(0.05, 0.95)
        brier = {
            n: float(((rows[n] - rows["hit"]) ** 2).mean()) for n in ("p", "p_prior", "p_control")
        }
        out.append(
            {
                "at": float(at),
                "pairs": len(rows),
                "cover50": float(rows["pit"].between(0.25, 0.75).mean()),
                "cover90": float(inside.mean()),
                "se90": clustered(inside, rows["model"]),
                "control90": float(control.mean()),
                "mean_p": float(rows["p"].mean()),
                "hits": float(rows["hit"].mean()),
                "brier": brier["p"],
                "brier_prior": brier["p_prior"],
                "brier_control": brier["p_control"],
            }
        )
    return out


def clustered(values: pd.Series, group: pd.Series) -> float:
    """Standard error of a mean where the values of one model move together."""
    total = (values - values.mean()).groupby(group).sum()
    count = len(total)
    return float(np.sqrt((total**2).sum() * count / (count - 1)) / len(values))


def stopping(frame: pd.DataFrame, risk: float, column: str = "p") -> dict[str, float]:
    """Stop each run at the first checkpoint where P < risk: FLOP saved, and runs stopped that would have got there."""
    saved, spent, stopped, wrong, good = 0.0, 0.0, 0, 0, 0
    for _, rows in frame.sort_values("at").groupby(["part", "run"], sort=False):
        flop, hit = float(rows["flop"].iloc[0]), bool(rows["hit"].iloc[0])
        spent, good = spent + flop, good + hit
        low = rows[rows[column] < risk]
        if len(low):
            saved += flop * (1.0 - float(low["at"].iloc[0]))
            stopped, wrong = stopped + 1, wrong + hit
    runs = frame.groupby(["part", "run"]).ngroups
    missed = frame.drop_duplicates(["part", "run"]).query("hit == 0")["flop"].sum()
    return {
        "risk": risk,
        "runs": runs,
        "would_meet": good,
        "stopped": stopped,
        "wrongly": wrong,
        "saved": saved / spent,
        "most": 0.75 * float(missed) / spent,
    }


def reliability(frame: pd.DataFrame) -> list[dict[str, float]]:
    """What P said and what came true, by bins of P."""
    bins = pd.cut(frame["p"], list(EDGES), include_lowest=True)
    return [
        {
            "low": float(interval.left),
            "high": float(interval.right),
            "pairs": len(rows),
            "said": float(rows["p"].mean()),
            "came": float(rows["hit"].mean()),
            "se": clustered(rows["hit"], rows["model"])
            if rows["model"].nunique() > 1
            else float("nan"),
        }
        for interval, rows in frame.groupby(bins, observed=True)
    ]


def other_schedule() -> list[dict[str, float]]:
    """Cosine runs judged by references at a constant rate: what the monitor refuses where a table says so."""
    sets = lr_annealing()
    frame = pd.DataFrame(replay(sets["cosine"], sets["constant"])).assign(part="")
    return calibration(frame)


def figure(frames: dict[str, pd.DataFrame]) -> Figure:
    """PIT of the final loss, reliability of P, and what stopping saves at each risk."""
    everything = pd.concat(
        [
            f.assign(model=n + f["model"], part=n + f["part"])
            for n, f in frames.items()
            if "own" not in n
        ]
    )
    with style():
        drawn = new_figure("text", 2.1)
        left, middle, right = drawn.subplots(1, 3)
        for shade, (at, rows) in zip(SHADES, everything.groupby("at"), strict=True):
            pit = np.sort(rows["pit"].to_numpy())
            left.step(
                pit, np.arange(1, len(pit) + 1) / len(pit) - pit, color=shade, label=f"{at:g}"
            )
        left.axhline(0.0, color=GREY, lw=0.6)
        left.set_xlabel("PIT of the final loss")
        left.set_ylabel("ECDF − uniform")
        left.legend(title="done", loc="lower right")
        rows = reliability(everything)
        middle.plot([0, 1], [0, 1], color=GREY, lw=0.6)
        middle.errorbar(
            [r["said"] for r in rows],
            [r["came"] for r in rows],
            [2 * r["se"] for r in rows],
            fmt="o",
            color=INK,
            lw=0.8,
        )
        middle.set_xlabel("P(final loss ≤ target)")
        middle.set_ylabel("share that met it")
        for i, (name, frame) in enumerate((n, f) for n, f in frames.items() if "own" not in n):
            at = [stopping(frame, risk) for risk in RISKS]
            right.plot(RISKS, [s["saved"] / s["most"] for s in at], color=PALETTE[i], label=name)
            wrong = [s["wrongly"] / s["would_meet"] for s in at]
            right.plot(RISKS, wrong, color=PALETTE[i], ls="--")
        right.plot(RISKS, RISKS, color=GREY, lw=0.6)
        right.set_xscale("log")
        right.set_ylim(0.0, 1.05)
        right.set_xticks(RISKS, [f"{r:g}" for r in RISKS])
        right.minorticks_off()
        right.set_xlabel("stop where P is below")
        right.set_ylabel("share")
        right.legend(loc="center left")
        foot(
            drawn,
            {},
            1,
            "Right: solid, FLOP saved, of what can be; dashed, runs stopped of those that would have met their target.",
        )
    return drawn


SHOWN = (
    "at",
    "pairs",
    "cover50",
    "cover90",
    "se90",
    "control90",
    "mean_p",
    "hits",
    "brier",
    "brier_prior",
    "brier_control",
)
STOPS = ("runs", "would_meet", "stopped", "wrongly", "saved", "most")


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Rows as Markdown, the set first."""
    lines = ["| set | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for row in rows:
        cells = [f"{row[c]:.3f}" if isinstance(row[c], float) else str(row[c]) for c in columns]
        lines.append(f"| {row['set']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def results() -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Everything the README says."""
    frames = {name: pairs(name) for name in CASES}
    stops = {n: stopping(f, RISK) for n, f in frames.items()}
    control = {n: stopping(f, RISK, "p_control") for n, f in frames.items()}
    return {
        "calibration": {n: calibration(f) for n, f in frames.items()},
        "other schedule": other_schedule(),
        "stopping": stops,
        "stopping, checkpoints as independent": control,
        "reliability": {n: reliability(f) for n, f in frames.items()},
    }, frames


def markdown(content: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by marker."""
    calibrated = [{"set": n, **r} for n, rows in content["calibration"].items() for r in rows]
    calibrated += [{"set": "cosine by constant", **r} for r in content["other schedule"]]
    stops = [
        {"set": n + after, **content[key][n]}
        for n in content["stopping"]
        for key, after in (("stopping", ""), ("stopping, checkpoints as independent", ", control"))
    ]
    return {"calibration": table(calibrated, SHOWN), "stopping": table(stops, STOPS)}


def main() -> None:
    """Run the study and write what it found."""
    content, frames = results()
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    save(figure(frames), HERE / "monitor")
    fill(HERE / "README.md", markdown(content))


if __name__ == "__main__":
    main()
