"""How many epochs until repeated tokens are worth nothing? Muennighoff et al. 2023's runs, with intervals.

Run ``python3 -m uv run python case_studies/repeated_data/study.py`` where ``BAYESCALE_DATA`` names a folder of the
public sets. It writes ``expected.json``, which a test recomputes in part and holds the account to, a table of the
README and the figure; fits are kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.laws import LAWS, textbook_theta
from bayescale.plots.style import GREY, INK, colour, new_figure, style
from bayescale.posterior import Fit
from bayescale.predict import Backtest
from bayescale.runs import Runs
from bayescale.spec import ModelSpec
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261122
SHA256 = "8a77cce2903331414d49c497a55828bd2121081b1fb98927e14c069b778a99ab"
# Hoffmann et al.'s C4 law as Muennighoff et al. fitted it, exponents tied, and their decay constants on top of it.
BASE = {
    "A": np.exp(6.255414),
    "B": np.exp(7.3049974),
    "beta": 0.3526596,
    "delta": 0.3526596,
    "L_inf": np.exp(0.6254804),
}
PUBLISHED = {"R_D_star": 15.387756, "R_N_star": 5.309743}
HUBER = 1e-3
BEYOND = 1e21  # FLOP: what the back-test holds out
# The law as exact. The budgets that agree within 5 % were no campaigns.
SAMPLER: dict[str, Any] = {
    "draws": 800,
    "tune": 500,
    "chains": 2,
    "seed": SEED,
    "drift": False,
    "sweep": False,
}
# The models and their sampler as shipped, but for those budgets.
DRIFTING: dict[str, Any] = {"seed": SEED, "sweep": False}
MODELS = ("repeated-data", "parameter-data")
SCORES = ("inside90", "se90", "width90", "rmsle", "bias", "log_score")


def table(folder: Path) -> pd.DataFrame:
    """The rows of the authors' own fit."""
    path = folder / "datablations" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    frame = pd.read_csv(path)
    return frame.loc[frame["in_sldbench_182"] == 1].reset_index(drop=True)


def as_runs(frame: pd.DataFrame) -> Runs:
    """Losses on C4 in nats per token; the set's own evidence leaves the priors by its name."""
    columns = ["run", "params", "tokens", "unique_tokens", "loss"]
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(frame[columns], task_info=info, param_count="total", name="datablations")


# ------------------------------------------------------------------ the authors' objective


def objective(frame: pd.DataFrame, r_d: float, r_n: float) -> float:
    """Sum of Huber losses of log residuals, base law held, of the law as printed."""
    law = LAWS["parameter-data"].reading(["repeated-data-printed"])
    theta = textbook_theta(**BASE) | {"R_D_star": r_d, "R_N_star": r_n}
    logs = law.logs(law.values(frame))
    loss = law.loss(law.effective_inputs(logs, theta), theta)
    far = np.abs(np.log(loss) - np.log(frame["loss"].to_numpy()))
    return float(np.where(far < HUBER, far**2 / 2, HUBER * (far - HUBER / 2)).sum())


def held(frame: pd.DataFrame) -> dict[str, Any]:
    """Optima of that objective from several starts, and its least value at each R_D*."""

    def at_logs(x: np.ndarray) -> float:
        return objective(frame, *np.exp(x))

    close = {"xatol": 1e-6, "fatol": 1e-12}
    optima: dict[str, Any] = {}
    for start in ((10.0, 5.0), (20.0, 5.0), (30.0, 3.0), (60.0, 2.0)):
        end = minimize(at_logs, np.log(start), method="Nelder-Mead", options=close)
        r_d, r_n = np.exp(end.x)
        optima[f"{r_d:.2f}"] = {"R_D_star": r_d, "R_N_star": r_n, "objective": end.fun}
    profile = {}
    for r_d in np.geomspace(6.0, 120.0, 41):
        least = min(
            minimize(
                lambda x, r_d=r_d: objective(frame, r_d, float(np.exp(x[0]))),
                np.log([start]),
                method="Nelder-Mead",
            ).fun
            for start in (2.0, 6.0)
        )
        profile[f"{r_d:.3f}"] = least
    law = LAWS["parameter-data"].reading(["repeated-data-printed"])
    logs = law.logs(law.values(frame))
    theta = textbook_theta(**BASE) | PUBLISHED
    ratio = law.loss(law.effective_inputs(logs, theta), theta) / frame["loss"].to_numpy()
    return {
        "rows": len(frame),
        "published": objective(frame, PUBLISHED["R_D_star"], PUBLISHED["R_N_star"]),
        "optima": sorted(optima.values(), key=lambda o: o["R_D_star"]),
        "profile": profile,
        "median_log_ratio": float(np.median(np.log(ratio))),
    }


# ------------------------------------------------------------------ everything free


def fitted(runs: Runs, folder: Path) -> Fit:
    """The exact law's fit from the folder, or made and kept there."""
    path = folder / "free.nc"
    if path.exists():
        return bs.load_fit(path)
    start = time.perf_counter()
    fit = bs.fit(runs, "repeated-data", **SAMPLER)
    print(f"fitted in {time.perf_counter() - start:.0f} s")
    folder.mkdir(parents=True, exist_ok=True)
    fit.save(path)
    return fit


def interval(fit: Fit, name: str) -> dict[str, float]:
    """Median and 90 % interval of a parameter."""
    low, middle, high = np.quantile(fit.posterior[name].to_numpy(), [0.05, 0.5, 0.95])
    return {"median": float(middle), "lo90": float(low), "hi90": float(high)}


def said(fit: Fit) -> dict[str, Any]:
    """What a fit found."""
    names = ("R_D_star", "R_N_star", "L_inf", "alpha", "a", "gamma", "sigma")
    found = {name: interval(fit, name) for name in names}
    return {"rows": fit.runs.sizes["run"], "verdict": str(fit.convergence), **found}


# ------------------------------------------------------------------ held out


def beyond(frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Fit below 1e21 FLOP, score above, with and without the effect of repetition, exact and with drift."""
    runs = as_runs(frame)
    held: dict[str, Any] = {"by": "compute", "cuts": [BEYOND], "folder": folder / "backtest"}
    tests = [
        bs.backtest(runs, MODELS, **held, **SAMPLER),
        bs.backtest(runs, [drifting(name) for name in MODELS], **held, **DRIFTING),
    ]
    folds = pd.concat([test.folds for test in tests])
    rows = pd.concat([test.rows for test in tests], ignore_index=True)
    by_run = frame.set_index("run")
    rows["epochs"] = rows["run_id"].map(by_run["tokens"] / by_run["unique_tokens"])
    # Runs of one size share what is particular to it.
    rows["group"] = rows["params"].map("{:.3g}".format)
    kept = ["model", "run_id", "group", "epochs", "loss", "median", "lo90", "hi90"]
    return {
        "verdicts": folds.set_index("model")["verdict"].to_dict(),
        "scores": scores(rows),
        "rows": rows[kept].round(4).to_dict("records"),
    }


def drifting(name: str) -> ModelSpec:
    """A model as shipped, by a name that stands beside the exact one's."""
    return load_model(name).model_copy(update={"name": f"{name}, drifting"})


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model; the runs of one size are a cluster."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",))
    named = found.rename(columns={"cover90": "inside90"})
    kept = named[["model", "runs", "groups", *SCORES]].set_index("model")
    return {str(model): row.to_dict() for model, row in kept.iterrows()}


def markdown(found: dict[str, dict[str, float]]) -> str:
    """The table of the README."""
    head = ["model", "90 % holds", "s.e.", "width", "RMSLE", "bias", "log score"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    said = {"repeated-data": "`repeated-data`", "parameter-data": "blind to repetition"}
    shown = {name: f"{text}, exact" for name, text in said.items()}
    shown |= {f"{name}, drifting": f"{text}, as shipped: drifts" for name, text in said.items()}
    for model, text in shown.items():
        row, cells = found[model], [text]
        cells += [f"{row[name]:.2f}" for name in ("inside90", "se90")]
        cells += [f"{row['width90']:.3f}", f"{row['rmsle']:.4f}", f"{row['bias']:+.4f}"]
        lines.append("| " + " | ".join([*cells, f"{row['log_score']:.2f}"]) + " |")
    return "\n".join(lines)


# ------------------------------------------------------------------ the figure


def figure(found: dict[str, Any], fit: Fit) -> list[Path]:
    """Profile of the authors' objective, posteriors of R_D*, and held-out runs."""
    with style():
        canvas = new_figure("text", 2.3)
        left, middle, right = canvas.subplots(1, 3)
        r_d = np.array([float(k) for k in found["held"]["profile"]])
        least = 1e3 * np.array(list(found["held"]["profile"].values()))
        left.plot(r_d, least, color=INK)
        left.plot(
            PUBLISHED["R_D_star"],
            1e3 * found["held"]["published"],
            "o",
            color=colour(1),
            label="published",
        )
        left.set(xscale="log", xlabel="$R_D^*$", ylabel="Huber loss × 10³", title="Base law held")
        left.legend()
        for i, name in enumerate(PUBLISHED):
            draws = np.log10(fit.posterior[name].to_numpy().ravel())
            height, edges = np.histogram(draws, bins=40, density=True)
            symbol = "$R_D^*$" if name == "R_D_star" else "$R_N^*$"
            middle.stairs(height, 10**edges, color=colour(i), label=symbol, linewidth=1.0)
            middle.axvline(PUBLISHED[name], color=colour(i), linestyle=":", linewidth=0.8)
        middle.set(xscale="log", xlabel="scale of decay", yticks=[], title="Everything free")
        middle.legend()
        rows = pd.DataFrame(found["beyond"]["rows"])
        rows = rows[~rows["model"].str.endswith("drifting")]
        for i, (model, part) in enumerate(rows.groupby("model", sort=False)):
            at = part["epochs"] * 1.06**i
            ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
            right.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(i), linewidth=0.8)
            right.plot(at, ratio["median"], ".", color=colour(i), label=str(model))
        right.axhline(1.0, color=GREY, linewidth=0.6)
        right.set(xscale="log", xlabel="epochs", title=r"Held out: $C \geq 10^{21}$ FLOP")
        right.set_ylabel("forecast / loss")
        right.legend()
        return plots.save(canvas, HERE / "repeated_data.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("repeated-data-fits"))
    options = parser.parse_args()
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    found: dict[str, Any] = {"held": held(frame)}
    fit = fitted(as_runs(frame), options.folder)
    found["free"] = said(fit)
    found["beyond"] = beyond(frame, options.folder)
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"beyond": markdown(found["beyond"]["scores"])})
    for path in figure(found, fit):
        print(path)


if __name__ == "__main__":
    main()
