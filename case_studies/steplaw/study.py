"""What does a mistuned run lose? The grids of learning rates and batches of Li et al. 2025, the largest held out.

Run ``python3 -m uv run python case_studies/steplaw/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; what was fitted is kept in ``--folder``.
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

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.posterior import Fit, load_fit
from bayescale.runs import Runs
from bayescale.spec import ModelSpec
from bayescale.workflow.folds import folds
from bayescale.workflow.scoring import score_fit
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261201
SHA256 = {
    "steplaw_dense": "52c49586438737c08f686751ba5cd52bce100dc73091b32975e0c84739b647a4",
    "steplaw_moe": "fee0ca99cd076987ed3c795dcc09ddfe8d7d8c457c933243feafc098cd7e1550",
}
DIVERGED = 4.0  # nats: no run ends between 3.2 and 4.1
HELD_OUT = 1e9  # parameters
ROWS = 30  # of every fitted grid, drawn at random: 1,700 rows say no more of eighteen parameters, and take longer
SAMPLER: dict[str, Any] = {"draws": 700, "tune": 600, "chains": 2, "seed": SEED, "drift": False}
# Medians of the paper's bootstrap: e^.578 N^-.712 D^.307, e^-.556 D^.571.
SLOPES = {
    "lr_by_params": (-0.712, -0.774, -0.655),
    "lr_by_tokens": (0.307, 0.271, 0.345),
    "batch_by_params": (0.0, 0.0, 0.0),
    "batch_by_tokens": (0.571, 0.534, 0.606),
}
BLIND = "huber-bootstrap"
SHOWN = {
    "mistuned": "`mistuned`",
    BLIND: "Hoffmann et al.'s fit, bootstrapped, blind to both",
}


def step_law(params: float, tokens: float) -> tuple[float, float]:
    """Learning rate and batch as printed."""
    return (
        float(np.exp(0.578) * params**-0.712 * tokens**0.307),
        float(np.exp(-0.556) * tokens**0.571),
    )


def table(folder: Path, name: str) -> pd.DataFrame:
    """A published grid without the runs that diverged."""
    path = folder / name / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    frame = pd.read_csv(path)
    kind = frame["moe_name"] if "moe_name" in frame else frame["params"].map("{:.3g}".format)
    frame["grid"] = kind + " " + frame["tokens"].map("{:.3g}".format)
    return frame[frame["loss"] < DIVERGED].reset_index(drop=True)


def as_runs(frame: pd.DataFrame) -> Runs:
    """All rows of the largest size, and some of every other grid; each grid is a sweep with an offset of its own."""
    large = frame["params"] >= HELD_OUT
    some = frame[~large].groupby("grid", group_keys=False).sample(ROWS, random_state=SEED)
    rows = pd.concat([some, frame[large]])
    named = rows.assign(
        learning_rate=rows["lr"],
        batch_size=rows["batch_tokens"],
        sweep=rows["grid"],
        run_id=rows.index,
    )
    columns = ["run_id", "params", "tokens", "learning_rate", "batch_size", "sweep", "loss"]
    info = {"loss": {"metric": "nats/token", "corpus": "step law"}}
    return bs.load_runs(named[columns], task_info=info, param_count="non-embedding", name="steplaw")


def excess(grid: pd.DataFrame, rate: float, batch: float) -> float:
    """What a grid says a run at this rate and batch loses against its best, in log loss; between points bilinear."""
    from scipy.interpolate import LinearNDInterpolator

    at = np.log(grid[["lr", "batch_tokens"]].to_numpy())
    surface = LinearNDInterpolator(at, np.log(grid["loss"].to_numpy()), rescale=True)
    return float(surface(np.log([rate, batch]))[()].squeeze() - np.log(grid["loss"].min()))


def advice(fit: Fit, grids: pd.DataFrame, count: str) -> list[dict[str, Any]]:
    """Of each grid: the pair recommended, the Step Law's, and what the grid says that either loses."""
    found = []
    for name, grid in grids.groupby("grid"):
        n, d = float(grid[count].iloc[0]), float(grid["tokens"].iloc[0])
        mine = bs.tuning(fit, params=n, tokens=d)
        pair = (mine.recommended_learning_rate, mine.recommended_batch_size)
        best, spread = grid.loc[grid["loss"].idxmin()], mine.quantiles()
        found.append(
            {
                "grid": str(name),
                "params": n,
                "tokens": d,
                "learning_rate": spread["learning_rate"],
                "batch_size": spread["batch_size"],
                "recommended": pair,
                "step_law": step_law(n, d),
                "best": (float(best["lr"]), float(best["batch_tokens"])),
                "loses": excess(grid, *pair),
                "step_law_loses": excess(grid, *step_law(n, d)),
                "median_loses": float(np.log(grid["loss"].median() / grid["loss"].min())),
            }
        )
    return found


def tuned(fit: Fit, grids: pd.DataFrame) -> list[dict[str, Any]]:
    """Forecasts of runs of which no rate is said, beside the best of each grid."""
    best = grids.loc[grids.groupby("grid")["loss"].idxmin()]
    at = bs.predict(fit, params=best["params"].to_numpy(), tokens=best["tokens"].to_numpy())
    said = at.table((0.9,))[["params", "tokens", "median", "lo90", "hi90"]]
    return said.assign(best=best["loss"].to_numpy()).to_dict("records")


def slopes(fit: Fit) -> dict[str, dict[str, float]]:
    """Quantiles of the exponents of the optimum."""
    return {
        name: dict(
            zip(
                ("lo90", "median", "hi90"),
                map(float, np.quantile(fit.posterior[name].to_numpy(), (0.05, 0.5, 0.95))),
                strict=True,
            )
        )
        for name in SLOPES
    }


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model; the runs of one grid are a cluster."""
    found = {}
    for model, mine in rows.groupby("model"):
        inside = mine.groupby("tokens")["inside90"].mean()
        found[str(model)] = {
            "runs": len(mine),
            "inside90": float(mine["inside90"].mean()),
            "least90": float(inside.min()),
            "width90": float(mine["width90"].mean()),
            "rmsle": float(np.sqrt((mine["error"] ** 2).mean())),
            "bias": float(mine["error"].mean()),
            "log_score": float(mine["log_score"].mean()),
        }
    return found


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README."""
    head = "| model | 90 % holds | of the worse grid | width | RMSLE | bias | log score |"
    lines = [head, "| --- |" + " ---: |" * 6]
    for model, said in SHOWN.items():
        if model in found["scores"]:
            row = found["scores"][model]
            cells = [
                said,
                f"{row['inside90']:.2f}",
                f"{row['least90']:.2f}",
                f"{row['width90']:.3f}",
            ]
            cells += [f"{row['rmsle']:.4f}", f"{row['bias']:+.4f}", f"{row['log_score']:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    made = {"results": "\n".join(lines)}
    lines = ["| exponent | here, 90 % | Li et al., 95 % |", "| --- | ---: | ---: |"]
    for name, (middle, low, high) in SLOPES.items():
        q = found["slopes"][name]
        printed = f"{middle:.3f} ({low:.3f} to {high:.3f})" if middle else "none"
        lines.append(
            f"| `{name}` | {q['median']:.3f} ({q['lo90']:.3f} to {q['hi90']:.3f}) | {printed} |"
        )
    made["slopes"] = "\n".join(lines)
    lines = [
        "| grids | recommended here loses | Step Law's pair loses | middle of the grid loses |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, said in (
        ("held_out", "two of 1.07B, held out"),
        ("moe", "sixteen with experts, N all parameters"),
        ("moe_active", "the same, N active parameters"),
    ):
        rows = pd.DataFrame(found[name])
        cells = [
            f"{100 * rows[c].mean():.2f} % (≤ {100 * rows[c].max():.2f} %)"
            for c in ("loses", "step_law_loses", "median_loses")
        ]
        lines.append("| " + " | ".join([said, *cells]) + " |")
    made["advice"] = "\n".join(lines)
    return made


def figure(rows: pd.DataFrame, found: dict[str, Any]) -> list[Path]:
    """Forecast over loss at every held-out run; best rates and batches beside the printed law's."""
    with style():
        canvas = new_figure("text", 2.4)
        left, right = canvas.subplots(1, 2)
        mine = rows[rows["model"] == "mistuned"]
        for i, (tokens, part) in enumerate(mine.groupby("tokens")):
            ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
            at = part["learning_rate"] * 1.05**i
            left.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(i), linewidth=0.5)
            left.plot(at, ratio["median"], ".", color=colour(i), label=f"D = {tokens:.3g}")
        left.axhline(1.0, color=GREY, linewidth=0.6)
        left.set(xscale="log", xlabel="learning rate", ylabel="forecast / loss")
        left.legend()
        for i, row in enumerate(found["held_out"]):
            q, b = row["learning_rate"], row["batch_size"]
            right.errorbar(
                q["median"],
                b["median"],
                xerr=[[q["median"] - q["lo90"]], [q["hi90"] - q["median"]]],
                yerr=[[b["median"] - b["lo90"]], [b["hi90"] - b["median"]]],
                color=colour(i),
                marker=".",
                label=f"D = {row['tokens']:.3g}",
            )
            right.plot(*row["step_law"], "x", color=colour(i))
            right.plot(*row["best"], "s", color=colour(i), markerfacecolor="none")
        right.set(
            xscale="log", yscale="log", xlabel="best learning rate", ylabel="best batch, tokens"
        )
        return plots.save(canvas, HERE / "steplaw.pdf")


def fitted(spec: ModelSpec, small: Runs, folder: Path) -> Fit:
    """A fit to all but the largest size; read again where it was made before."""
    path = folder / f"{spec.name}.nc"
    if not path.exists():
        bs.fit(small, spec, **SAMPLER).save(path)
    return load_fit(path)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("steplaw-fits"))
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    data = Path(os.environ["BAYESCALE_DATA"])
    dense, moe = (table(data, name) for name in SHA256)
    runs = as_runs(dense)
    (fold,) = folds(runs, "params", [HELD_OUT])
    fit = fitted(load_model("mistuned"), fold.fitted, options.folder)
    # As a back-test scores, of a fit that is kept: it is asked for learning rates too.
    held = {"by": "params", "cuts": [HELD_OUT], "seed": SEED, "folder": options.folder}
    blind = bs.backtest(runs, [BLIND], **held)
    rows = pd.concat(
        [pd.DataFrame(score_fit(fit, fold, runs)["rows"]), blind.rows], ignore_index=True
    )
    rows["learning_rate"] = rows["run_id"].astype(int).map(dense["lr"])
    large = dense[dense["params"] >= HELD_OUT]
    found = {
        "fitted": len(fold.fitted),
        "verdict": str(fit.convergence),
        "scores": scores(rows),
        "slopes": slopes(fit),
        "held_out": advice(fit, large, "params"),
        "moe": advice(fit, moe, "params"),
        "moe_active": advice(fit, moe, "params_active"),
        "tuned": tuned(fit, large),
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", tables(found))
    for path in figure(rows, found):
        print(path)


if __name__ == "__main__":
    main()
