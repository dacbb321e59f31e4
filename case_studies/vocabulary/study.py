"""How large should a vocabulary be? Six sizes of network, ten vocabularies each, and the largest size held out.

Run ``python3 -m uv run python case_studies/vocabulary/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; fits are kept in ``--folder``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale import plots
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.posterior import Fit
from bayescale.runs import Runs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from further import interval, markdown, named, of_all, opened, options_of, recorded, scores, tested

HERE = Path(__file__).parent
SHA256 = "046d9fc032358cef4d2b477fe45848d845672f190de8fea55689f54eb51b2fe3"
LARGEST = 1e9  # parameters outside the embeddings: what the back-test holds out
# Losses are over those of the unigram law, hence negative. A constant makes them like those of a vocabulary whose
# unigram law has so many nats: it moves the floor, and what the noise is relative to.
UNIGRAM = 7.0
SHOWN = {
    "vocabulary": "`vocabulary`, exact",
    "vocabulary, drifting": "`vocabulary` as shipped: it drifts",
    "vocabulary-printed": "`vocabulary-printed` (Tao et al.), exact",
    "blind": "blind to the vocabulary, exact",
    "blind, drifting": "blind to the vocabulary, drifting",
}
SIZES = (3e7, 1e8, 3e8, 1e9, 3e9, 7e9)


def table(folder: Path) -> pd.DataFrame:
    """The last checkpoint of each run."""
    frame = opened(folder, "vocab_scaling/data.csv", SHA256)
    runs = frame.groupby(["params_non_vocab", "vocab_size"])
    last = frame.loc[runs["tokens"].idxmax()].reset_index(drop=True)
    return last.assign(
        loss=last["loss_unigram_normalised"] + UNIGRAM,
        vocabulary=last["vocab_size"],
        vocabulary_params=last["params_vocab"],
        run=[f"{i:02d}" for i in range(len(last))],
        sweep=last["params_non_vocab"].map("{:.3g}".format),
    )


def as_runs(frame: pd.DataFrame, *, whole: bool = False) -> Runs:
    """Runs of one size are a sweep; ``whole`` counts embeddings too."""
    own = "vocabulary_params" if whole else "vocabulary"
    sized = frame.assign(params=frame["params" if whole else "params_non_vocab"])
    info = {"loss": {"metric": "nats/token"}}
    columns = ["run", "params", "tokens", own, "sweep", "loss"]
    count = "total" if whole else "non-embedding"
    return bs.load_runs(sized[columns], task_info=info, param_count=count, name="vocab-scaling")


def seen(frame: pd.DataFrame) -> dict[str, Any]:
    """How the best loss falls from size to size, and what the largest vocabulary costs the largest network."""
    by_size = frame.groupby("params_non_vocab")["loss"].min()
    largest = frame[frame["params_non_vocab"] == by_size.index[-1]].set_index("vocabulary")
    most, fewest = largest.index.max(), largest.index.min()
    read = largest["characters"]
    return {
        "falls": [round(float(fall), 3) for fall in -by_size.diff().dropna()],
        "largest_costs": round(float(largest["loss"][most] - by_size.iloc[-1]), 3),
        "more_characters": round(float(read[most] / read[fewest] - 1.0), 3),
    }


def best(fit: Fit) -> dict[str, dict[str, float]]:
    """Posterior of the best vocabulary, by size."""
    draws = {
        name: fit.posterior[f"vocabulary_{name}"].to_numpy().ravel()
        for name in ("best", "by_params")
    }
    pivots = fit.model.pivots
    found = {}
    for size in SIZES:
        log_best = pivots["vocabulary"] + np.log(draws["best"])
        log_best = log_best + draws["by_params"] * (np.log(size) - pivots["params"])
        found[f"{size:.0e}"] = interval(np.exp(log_best))
    return found


def figure(rows: pd.DataFrame, found: dict[str, Any], frame: pd.DataFrame) -> list[Path]:
    """Held-out runs by their vocabulary, and the best vocabulary by size."""
    with style():
        canvas = new_figure("text", 2.3)
        left, right = canvas.subplots(1, 2)
        for i, (model, part) in enumerate(rows.groupby("model", sort=False)):
            at = part["vocabulary"] * 1.04**i
            ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
            left.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(i), linewidth=0.8)
            left.plot(at, ratio["median"], ".", color=colour(i), label=str(model))
        left.axhline(1.0, color=GREY, linewidth=0.6)
        left.set(xscale="log", xlabel="vocabulary", ylabel="forecast / loss")
        left.set_title("Held out: 1.13B")
        left.legend()
        if "best" in found:
            band = pd.DataFrame(list(found["best"].values()))
            sizes = [float(size) for size in found["best"]]
            right.fill_between(sizes, band["lo90"], band["hi90"], color=colour(0), alpha=0.3)
            right.plot(sizes, band["median"], color=colour(0), label="posterior")
        grid = frame.loc[frame.groupby("params_non_vocab")["loss"].idxmin()]
        right.plot(grid["params_non_vocab"], grid["vocabulary"], "o", color=GREY, label="best run")
        right.set(xscale="log", yscale="log", xlabel="parameters outside embeddings")
        right.set(ylabel="vocabulary", title="Best vocabulary")
        right.legend()
        return plots.save(canvas, HERE / "vocabulary.pdf")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Of the README, by their names."""
    return {"results": markdown(found["scores"], SHOWN)}


def main() -> None:
    """Command line of the study."""
    options = options_of(__doc__, "vocabulary-folds")
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    outside, all_of_them = as_runs(frame), as_runs(frame, whole=True)
    law, blind = load_model("vocabulary"), named(load_model("parameter-data"), "blind")
    held: dict[str, Any] = {"by": "params", "cuts": [LARGEST]}
    tests = []
    for spec in (law, blind):
        for drift in (False, True) if options.every else (False,):
            model = named(spec, spec.name + (", drifting" if drift else ""))
            tests.append(tested(outside, [model], options.folder, drift=drift, **held))
    printed = load_model("vocabulary-printed")
    tests.append(tested(all_of_them, [printed], options.folder / "all", drift=False, **held))
    folds = pd.concat([test.folds for test in tests])
    rows = pd.concat([test.rows for test in tests], ignore_index=True)
    rows["vocabulary"] = rows["run_id"].map(frame.set_index("run")["vocabulary"])
    found: dict[str, Any] = {
        "fitted": folds["fitted"].tolist(),
        "verdicts": folds.set_index("model")["verdict"].to_dict(),
        "scores": scores(rows),
        "seen": seen(frame),
    }
    for row in found["scores"].values():
        # What is left of the error where all runs of one size are off alike.
        row["apart"] = round(float(np.sqrt(row["rmsle"] ** 2 - row["bias"] ** 2)), 5)
    fit = of_all(outside, law, options)
    if fit is not None:
        names = ("vocabulary_by_params", "vocabulary_curvature", "L_inf", "gamma", "sigma")
        found["whole"] = {name: interval(fit.posterior[name]) for name in names}
        found["best"] = best(fit)
    recorded(HERE, found, tables(found))
    for path in figure(rows, found, frame):
        print(path)


if __name__ == "__main__":
    main()
