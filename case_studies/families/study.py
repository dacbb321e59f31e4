"""Do families of image networks scale as a law says? Their largest members, held out; and which to take at a latency.

Run ``python3 -m uv run python case_studies/families/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; folds of the back-tests are kept in
``--folder``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.predict import Backtest

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
sys.path.append(str(Path(__file__).parent))
from recorded import fill
from sets import T4_PEAK, as_runs, imagenet, yolo

HERE = Path(__file__).parent
SEED = 20261201
SAMPLER: dict[str, Any] = {"seed": SEED, "cores": 1}  # the model and its sampler as shipped
SETS = {"26 families on ImageNet": imagenet, "YOLO, five tasks": yolo}
SHOWN = {
    "family": "`family`",
    "m2": "least squares, floor (`m2`)",
    "m1": "least squares, no floor (`m1`)",
}
SCORES = ("inside90", "se90", "width90", "rmsle", "bias", "log_score")
LIMITS = (2.0, 4.0, 8.0)  # milliseconds


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",))
    named = found.rename(columns={"cover90": "inside90"})
    kept = named[["model", "runs", *SCORES]].set_index("model")
    return {str(model): row.to_dict() for model, row in kept.iterrows()}


def at_limits() -> dict[str, dict[str, dict[str, float]]]:
    """Detectors under a latency on one device: by milliseconds and generation P(least error) and the error.

    Fitted to all members, n to x.
    """
    rows = yolo(by_latency=True)
    runs = as_runs(rows, "yolo-latency")
    fit = bs.fit(runs, "family", progress=False, **SAMPLER)
    families = sorted(rows["architecture"].unique())
    limit = np.array(LIMITS)
    forecast = bs.predict(
        fit,
        compute=limit / 1e3 * T4_PEAK,
        architecture=families,
        task="detect coco",
        kind="expected",
    )
    draws = forecast.draws.stack(sample=("chain", "draw")).transpose("architecture", "point", ...)
    best = draws.to_numpy().argmin(axis=0)
    return {
        f"{limit[i]:g} ms": {
            family: {
                "p_best": float((best[i] == j).mean()),
                "median": float(draws[j, i].median()),
                "lo90": float(draws[j, i].quantile(0.05)),
                "hi90": float(draws[j, i].quantile(0.95)),
            }
            for j, family in enumerate(families)
        }
        for i in range(len(limit))
    }


def results(found: dict[str, Any]) -> str:
    """The first table of the README."""
    head = ["set", "model", "held out", "90 % holds", "s.e.", "width", "RMSLE", "bias", "log score"]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 2)]
    for name, by_model in found.items():
        for model, said in SHOWN.items():
            row = by_model[model]
            cells = [name, said, f"{row['runs']:.0f}", f"{row['inside90']:.2f}"]
            cells += [f"{row['se90']:.2f}", f"{row['width90']:.4f}", f"{row['rmsle']:.4f}"]
            cells += [f"{row['bias']:+.4f}", f"{row['log_score']:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def limits(found: dict[str, Any]) -> str:
    """The second table of the README."""
    lines = ["| latency at most | generation | P(least error) | 1 − mAP (90 %) |"]
    lines.append("| --- | --- | ---: | ---: |")
    for limit, by_family in found.items():
        for family, row in by_family.items():
            held = f"{row['median']:.3f} ({row['lo90']:.3f} to {row['hi90']:.3f})"
            lines.append(f"| {limit} | {family} | {row['p_best']:.2f} | {held} |")
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by their markers."""
    return {"results": results(found["scores"]), "limits": limits(found["limits"])}


def figure(rows: pd.DataFrame) -> list[Path]:
    """Held-out members of ImageNet families: forecast over error, with its 90 % interval."""
    with style():
        canvas = new_figure("text", 3.0)
        axes = canvas.subplots()
        for model, label, shift in (
            ("m2", "least squares with a floor", 0.25),
            ("family", "`family`", 0.0),
        ):
            own = rows[rows["model"] == model].sort_values("architecture")
            at = np.arange(len(own)) + shift
            shade = colour(0 if model == "family" else 1)
            ratio = {c: own[c] / own["loss"] for c in ("lo90", "median", "hi90")}
            axes.vlines(at, ratio["lo90"], ratio["hi90"], color=shade, linewidth=0.9)
            axes.plot(at, ratio["median"], ".", color=shade, label=label.replace("`", ""))
            axes.set_xticks(np.arange(len(own)), own["architecture"], rotation=90)
        axes.axhline(1.0, color=GREY, linewidth=0.6)
        axes.set_ylabel("forecast / error of the largest")
        axes.set_ylim(0.85, 1.15)
        axes.legend(loc="lower left")
        return plots.save(canvas, HERE / "families.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("families-folds"))
    folder = parser.parse_args().folder
    found: dict[str, Any] = {"scores": {}, "verdicts": {}, "outside": {}}
    tested = {}
    for name, read in SETS.items():
        runs = as_runs(read(), name)
        test = bs.backtest(
            runs, [*SHOWN], by="held_out", folder=folder / name, progress=False, **SAMPLER
        )
        tested[name] = test.rows
        found["scores"][name] = scores(test.rows)
        fold = test.folds[test.folds["model"] == "family"].iloc[0]
        found["verdicts"][name] = {"fitted": int(fold["fitted"]), "verdict": fold["verdict"]}
        own = test.rows[test.rows["model"] == "family"]
        missed = own[~own["inside90"].astype(bool)]
        found["outside"][name] = sorted(missed["architecture"] + ", " + missed["task"])
    found["limits"] = at_limits()
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in figure(tested["26 families on ImageNet"]):
        print(path)
    fill(HERE / "README.md", markdown(found))


if __name__ == "__main__":
    main()
