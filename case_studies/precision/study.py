"""What is a bit worth? Networks trained in 1 to 16 bits, and whether the law forecasts the two largest sizes.

Run ``python3 -m uv run python case_studies/precision/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; fits are kept in ``--folder``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayescale as bs
from bayescale import plots
from bayescale.laws import numpy_namespace
from bayescale.laws.precision import log_kept
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, ParameterModel
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from further import (
    interval,
    markdown,
    named,
    of_all,
    opened,
    options_of,
    point_scores,
    recorded,
    scores,
    tested,
)

HERE = Path(__file__).parent
SHA256 = "19dae4cc426f751ae240a4a0436d0ac8984151dd56dd597e5974d00716b30539"
LARGEST = 4e8  # parameters: what the back-test holds out
WAYS = ("no_hadamard", "fp4", "sparse_2_4_int4")
SHOWN = {
    "precision": "`precision`, exact",
    "precision, printed": "`precision` with s = 1, as printed by Kumar et al., exact",
    "precision, drifting": "`precision` as shipped: it drifts",
    "least squares": "Panferov et al.: a factor for each precision, least squares",
    "least squares, s": "N' with s free, least squares",
    "least squares, printed": "N' with s = 1, least squares",
}


def table(folder: Path) -> pd.DataFrame:
    """All 104 runs."""
    frame = opened(folder, "quest_precision/data.csv", SHA256)
    # Weights alone, and none, are of the same way of rounding.
    way = frame["group"].replace({"weight_only": "quest", "bf16": "quest"})
    return frame.assign(architecture=way, run=frame["run_index"])


def as_runs(frame: pd.DataFrame) -> Runs:
    """Ways of rounding are architectures."""
    columns = ["run", "architecture", "params", "tokens", "weight_bits", "activation_bits", "loss"]
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(
        frame[columns], task_info=info, param_count="non-embedding", name="quest-precision"
    )


def printed() -> ModelSpec:
    """Kumar et al.'s factor."""
    one = {"weight_bits_power": ParameterModel(fixed=1.0)}
    return named(load_model("precision"), "precision, printed", parameters=one)


def panferov(frame: pd.DataFrame, fitted: np.ndarray) -> np.ndarray:
    """Losses by L = A/(N·eff(P))^α + B/D^β + E, eff free for each precision and way, least squares of logs."""
    labels = frame["precision_label"].astype(str)
    kinds = [k for k in sorted(set(labels)) if k != "16"]
    code = labels.map({k: i for i, k in enumerate(kinds)}).fillna(len(kinds)).to_numpy(int)
    u, v = (np.log(frame[x].to_numpy() / at) for x, at in (("params", 1e8), ("tokens", 1e10)))
    y = np.log(frame["loss"].to_numpy())

    def log_loss(x: np.ndarray) -> np.ndarray:
        worth = np.append(x[5:], 0.0)[code]
        terms = np.exp(x[0] - np.exp(x[1]) * (u + worth)) + np.exp(x[2] - np.exp(x[3]) * v)
        return np.log(terms + np.exp(x[4]))

    ends = []
    for floor in (-6.0, 0.0, 0.5):
        start = np.r_[0.5, -2.0, -1.0, -1.3, floor, np.full(len(kinds), -0.7)]
        bounds = (np.r_[-9, -6, -9, -6, -9, np.full(len(kinds), -9)], np.full(len(start), 3.0))
        ends.append(least_squares(lambda x: (log_loss(x) - y)[fitted], start, bounds=bounds))
    return np.exp(log_loss(min(ends, key=lambda end: end.cost).x))


def by_bits(frame: pd.DataFrame, fitted: np.ndarray, *, free: bool) -> np.ndarray:
    """Losses by the law of `precision` with terms that add, least squares of logs; s = 1 unless ``free``."""
    way = pd.Categorical(frame["architecture"], ["quest", *WAYS]).codes
    u, v = (np.log(frame[x].to_numpy() / at) for x, at in (("params", 1e8), ("tokens", 1e10)))
    w, a = (np.log(frame[f"{x}_bits"].to_numpy(float)) for x in ("weight", "activation"))
    y = np.log(frame["loss"].to_numpy())

    def log_loss(x: np.ndarray) -> np.ndarray:
        power, own = np.exp(x[7]) if free else 1.0, np.append(0.0, x[8:])[way]
        worth = u + log_kept(numpy_namespace, w, np.exp(x[5] + own), power)
        worth = worth + log_kept(numpy_namespace, a, np.exp(x[6] + own), power)
        terms = np.exp(x[0] - np.exp(x[1]) * worth) + np.exp(x[2] - np.exp(x[3]) * v)
        return np.log(terms + np.exp(x[4]))

    ends = []
    for floor in (-6.0, 0.0, 0.5):
        start = np.r_[0.5, -2.0, -1.0, -1.3, floor, 1.0, 0.8, 0.2, np.zeros(len(WAYS))]
        bounds = np.full(len(start), -9.0), np.full(len(start), 3.0)
        ends.append(least_squares(lambda x: (log_loss(x) - y)[fitted], start, bounds=bounds))
    return np.exp(log_loss(min(ends, key=lambda end: end.cost).x))


def figure(rows: pd.DataFrame, kept: dict[str, Any]) -> list[Path]:
    """Held-out runs by their bits, and the share of the parameters that bits keep."""
    with style():
        canvas = new_figure("text", 2.3)
        left, right = canvas.subplots(1, 2)
        for i, (model, part) in enumerate(rows.groupby("model", sort=False)):
            # Ways of rounding and sizes apart.
            at = part["weight_bits"] * 1.02 ** (np.arange(len(part)) + 5 * i)
            ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
            left.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(i), linewidth=0.8)
            left.plot(at, ratio["median"], ".", color=colour(i), label=str(model))
        left.axhline(1.0, color=GREY, linewidth=0.6)
        left.set(xscale="log", xlabel="bits", ylabel="forecast / loss")
        left.set_title("Held out: the two largest sizes")
        left.legend()
        bits = np.geomspace(1.0, 16.0, 60)
        right.plot(bits, -np.expm1(-bits / 2.6745), color=GREY, label="Kumar et al.")
        if kept:
            band = pd.DataFrame(list(kept.values()), index=[float(b) for b in kept])
            right.fill_between(band.index, band["lo90"], band["hi90"], color=colour(0), alpha=0.3)
            right.plot(band.index, band["median"], color=colour(0), label="posterior, weights")
        right.set(xscale="log", xlabel="bits of the weights", ylabel="share of N kept")
        right.set_title("What bits keep")
        right.legend()
        return plots.save(canvas, HERE / "precision.pdf")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Of the README, by their names."""
    return {"results": markdown(found["scores"], SHOWN)}


def main() -> None:
    """Command line of the study."""
    options = options_of(__doc__, "precision-folds")
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    runs = as_runs(frame)
    held: dict[str, Any] = {"by": "params", "cuts": [LARGEST]}
    law = load_model("precision")
    tests = [tested(runs, [law], options.folder, drift=False, **held)]
    if options.every:
        tests.append(tested(runs, [printed()], options.folder, drift=False, **held))
        shipped = named(law, "precision, drifting")
        tests.append(tested(runs, [shipped], options.folder, drift=True, **held))
    folds = pd.concat([test.folds for test in tests])
    rows = pd.concat([test.rows for test in tests], ignore_index=True)
    rows["weight_bits"] = rows["run_id"].astype(int).map(frame.set_index("run")["weight_bits"])
    # Runs of one size share what is particular to it.
    rows["group"] = rows["params"].map("{:.3g}".format)
    fitted = (frame["params"] < LARGEST).to_numpy()
    guesses = {
        "least squares": panferov(frame, fitted),
        "least squares, s": by_bits(frame, fitted, free=True),
        "least squares, printed": by_bits(frame, fitted, free=False),
    }
    loss = frame["loss"].to_numpy()[~fitted]
    said = {name: point_scores(loss, guess[~fitted]) for name, guess in guesses.items()}
    found = {
        "fitted": int(folds["fitted"].iloc[0]),
        "verdicts": folds.set_index("model")["verdict"].to_dict(),
        "scores": scores(rows) | said,
    }
    fit = of_all(runs, law, options)
    if fit is not None:
        names = ("weight_bits_scale", "activation_bits_scale", "weight_bits_power", "L_inf")
        found["whole"] = {name: interval(fit.posterior[name]) for name in names}
        scale, power = (fit.posterior[name].to_numpy() for name in (names[0], names[2]))
        found["kept"] = {
            f"{bits:g}": interval(-np.expm1(-((bits / scale) ** power)))
            for bits in (1, 1.5, 2, 3, 4, 6, 8, 12, 16)
        }
    recorded(HERE, found, tables(found))
    for path in figure(rows, found.get("kept", {})):
        print(path)


if __name__ == "__main__":
    main()
