"""Where does the optimum lie? The isoFLOP profile beside the joint law and Farseer, on Chinchilla's and Porian's runs.

Run ``python3 -m uv run python case_studies/isoflop/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; fits are kept in ``--folder``.
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
from bayescale.plots.style import colour, new_figure, style
from bayescale.posterior import group_curve
from bayescale.predict import Backtest
from bayescale.runs import Runs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from sweeps import chinchilla, public_sets, text

HERE = Path(__file__).parent
SEED = 20261204
# Single curves of exact laws, without offsets of sweeps: what the quick engine is for.
SAMPLER: dict[str, Any] = {"seed": SEED, "engine": "quick", "sweep": False, "chains": 2, "cores": 1}
JOINT = load_model("parameter-data").exact()
MODELS = {
    "isoflop-profile": "`isoflop-profile`",
    JOINT.name: "`parameter-data`, exact",
    "farseer": "`farseer`",
}
BUDGET = 5.76e23  # FLOP, of Gopher and Chinchilla
LARGEST = 1e21  # FLOP, above which the back-test holds Chinchilla's runs out
# In print: Hoffmann et al. 2022, table 2, approach 2; Porian et al. 2024, weighted, from their repository.
PUBLISHED = {"chinchilla": 0.49, "porian, tuned": 0.497, "porian, untuned": 0.571}


def porian(tuned: bool) -> Runs:
    """RefinedWeb, all FLOP counted, loss on held-out text, matched schedules; twelve budgets."""
    frame = pd.read_csv(public_sets() / "porian_isoflop" / "data.csv")
    kept = frame[(frame["dataset"] == "refinedweb") & (frame["param_count"] == "standard")]
    kept = kept[(kept["split"] == "val") & (kept["tokens"] >= kept["params"])]
    recipe = ("tuned", "const") if tuned else ("base", "chinchilla")
    kept = kept[(kept["hparams"] == recipe[0]) & (kept["decay"] == recipe[1])]
    return text(kept.assign(sweep=kept["flops"].map("{:.3g}".format)), ["sweep"])


SETS = {
    "chinchilla": lambda: chinchilla(public_sets()),
    "porian, tuned": lambda: porian(True),
    "porian, untuned": lambda: porian(False),
}
EXCLUDE = {
    "chinchilla": ("chinchilla",),
    "porian, tuned": ("porian",),
    "porian, untuned": ("porian",),
}


def optimum(fit: bs.Fit) -> dict[str, float]:
    """The allocation exponent at the middle of the fitted budgets, and N* at the budget of Gopher, as quantiles."""
    curve = group_curve(fit, fit.groups())
    compute = np.log(6.0 * fit.runs["params"] * fit.runs["tokens"]).to_numpy()
    middle = float(np.median(compute))
    low, high = (curve.optimum(middle + step)[0] for step in (-0.5, 0.5))
    far = curve.optimum(float(np.log(BUDGET)))[0]
    found = {}
    for name, draws in {"a": high - low, "params": np.exp(far)}.items():
        quantiles = np.quantile(draws, [0.05, 0.5, 0.95])
        found |= {
            f"{name}_{q}": float(v) for q, v in zip(("lo", "mid", "hi"), quantiles, strict=True)
        }
    return found


def kept_fit(name: str, model: Any, label: str, folder: Path) -> bs.Fit:
    """A fit, from the folder if it is there."""
    path = folder / f"{name.replace(', ', '-')}-{label.replace(' ', '-')}.nc"
    if path.exists():
        return bs.load_fit(path)
    fit = bs.fit(
        SETS[name](),
        model,
        exclude=EXCLUDE[name],
        progress=False,
        allow_unconverged=True,
        **SAMPLER,
    )
    fit.save(path)
    return fit


def optima(found: dict[str, Any]) -> str:
    """The first table of the README."""
    lines = ["| set | law | a (90 %) | in print | N* at 5.76e23 FLOP, billions (90 %) |"]
    lines.append("| --- | --- | ---: | ---: | ---: |")
    for name, by_model in found.items():
        for label, said in MODELS.items():
            row = by_model[label]
            a = f"{row['a_mid']:.3f} ({row['a_lo']:.3f} to {row['a_hi']:.3f})"
            n = [row[f"params_{q}"] / 1e9 for q in ("mid", "lo", "hi")]
            size = f"{n[0]:.3g} ({n[1]:.3g} to {n[2]:.3g})"
            dagger = "" if row["converged"] else " †"
            lines.append(f"| {name} | {said}{dagger} | {a} | {PUBLISHED[name]:g} | {size} |")
    return "\n".join(lines)


def scores(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By model, of the runs held out."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",))
    kept = found[["model", "runs", "cover90", "width90", "rmsle", "bias", "log_score"]]
    return {str(m): row.to_dict() for m, row in kept.set_index("model").iterrows()}


def held(found: dict[str, Any]) -> str:
    """The second table of the README."""
    lines = ["| law | 90 % holds | width | RMSLE | bias | log score |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for label, said in {**MODELS, "isoflop": "approach 2 by least squares, bootstrap"}.items():
        row = found[label]
        cells = [said, f"{row['cover90']:.2f}", f"{row['width90']:.3f}", f"{row['rmsle']:.4f}"]
        lines.append(
            "| " + " | ".join([*cells, f"{row['bias']:+.4f}", f"{row['log_score']:.2f}"]) + " |"
        )
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by their markers."""
    return {"optima": optima(found["optima"]), "held": held(found["scores"])}


def figure(fits: dict[str, bs.Fit]) -> list[Path]:
    """N* against the budget on Chinchilla's runs, by law."""
    with style():
        canvas = new_figure("column", 2.5)
        axes = canvas.subplots()
        compute = np.geomspace(1e18, 1e24, 61)
        for i, (label, fit) in enumerate(fits.items()):
            best = np.exp(group_curve(fit, fit.groups()).optimum(np.log(compute))[0])
            low, middle, high = np.quantile(best, [0.05, 0.5, 0.95], axis=0)
            axes.fill_between(compute, low, high, color=colour(i), alpha=0.2, lw=0)
            axes.plot(compute, middle, color=colour(i), label=MODELS[label].replace("`", ""))
        axes.set(xscale="log", yscale="log", xlabel="compute (FLOP)", ylabel="N*")
        axes.legend()
        return plots.save(canvas, HERE / "isoflop.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("isoflop-fits"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    entrants = {"isoflop-profile": "isoflop-profile", JOINT.name: JOINT, "farseer": "farseer"}
    found: dict[str, Any] = {"optima": {name: {} for name in SETS}}
    fits = {}
    for label, model in entrants.items():
        for name in SETS:
            fit = kept_fit(name, model, label, folder)
            found["optima"][name][label] = optimum(fit) | {"converged": fit.convergence.passed}
            if name == "chinchilla":
                fits[label] = fit
    test = bs.backtest(
        SETS["chinchilla"](),
        [*entrants.values(), "isoflop"],
        by="compute",
        cuts=(LARGEST,),
        exclude=EXCLUDE["chinchilla"],
        folder=folder / "folds",
        progress=False,
        **SAMPLER,
    )
    found["scores"] = scores(test.rows)
    found["verdicts"] = test.folds.set_index("model")["verdict"].to_dict()
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in figure(fits):
        print(path)
    fill(HERE / "README.md", markdown(found))


if __name__ == "__main__":
    main()
