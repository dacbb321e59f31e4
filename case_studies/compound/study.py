"""Deeper, wider or finer? Compound scaling of four networks: its step's posterior, held-out members, where it stops.

Run ``python3 -m uv run python case_studies/compound/study.py``: the table is embedded. It writes ``expected.json``, the
tables of the README and the figure; folds of the back-tests are kept in ``--folder``.
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
from bayescale.laws.compound import INPUTS
from bayescale.plots.style import colour, new_figure, style
from bayescale.predict import Backtest
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261202
SAMPLER: dict[str, Any] = {"seed": SEED, "chains": 2, "cores": 1}
SHOWN = {"compound": "`compound`", "family": "`family`, blind to the mix"}
# Tan & Le 2019, section 3.3.
PUBLISHED = {"a": 1.2, "b": 1.1, "c": 1.15}
HELD = {
    "EfficientNet B5 to B7": ("EfficientNet B5", "EfficientNet B6", "EfficientNet B7"),
    "compound rows of the other three": (
        "MobileNetV1 compound",
        "MobileNetV2 compound",
        "ResNet-50 compound",
    ),
}


def holding(runs: Runs, networks: tuple[str, ...]) -> Runs:
    """The table with these rows held out."""
    frame = runs.table.rename(columns={"compute": "flops"})
    columns = ["run_id", "architecture", "flops", *INPUTS, "loss"]
    marked = frame[columns].assign(held_out=frame["run_id"].isin(networks))
    info = {"loss": {"metric": "error", "upper": 1.0}}
    return bs.load_runs(
        marked, columns={"compute": "flops (FLOP)"}, task_info=info, name="compound-scaling"
    )


def scored(rows: pd.DataFrame) -> dict[str, Any]:
    """By model: how many intervals held, their width, the error of the median; and every forecast."""
    found = Backtest(rows, pd.DataFrame(), {}).summary(("model",)).set_index("model")
    names = {
        "cover90": "inside90",
        "width90": "width90",
        "rmsle": "rmsle",
        "log_score": "log_score",
    }
    return {
        str(model): {new: float(found.loc[model, old]) for old, new in names.items()}
        | {
            "rows": {
                str(row["run_id"]): [
                    round(float(row[c]), 4) for c in ("loss", "lo90", "median", "hi90")
                ]
                for _, row in rows[rows["model"] == model].iterrows()
            }
        }
        for model in found.index
    }


def results(found: dict[str, Any]) -> str:
    """The first table of the README."""
    lines = ["| held out | model | network | error | forecast (90 %) | RMSLE | log score |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for held, by_model in found.items():
        for model, said in SHOWN.items():
            one = by_model[model]
            for i, (network, (loss, low, median, high)) in enumerate(one["rows"].items()):
                own = [f"{one['rmsle']:.4f}", f"{one['log_score']:.2f}"] if i == 0 else ["", ""]
                first = [held, said] if i == 0 else ["", ""]
                cells = [
                    *first,
                    network,
                    f"{loss:.3f}",
                    f"{median:.3f} ({low:.3f} to {high:.3f})",
                    *own,
                ]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def steps(found: dict[str, Any]) -> str:
    """The second table of the README."""
    lines = [
        "| network | a (depth) | b (width) | c (resolution) | a step gains < .005 from φ | accuracy per FLOP peaks |"
    ]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for network, one in found.items():
        cells = [network]
        for at in (*(one["step"][k] for k in "abc"), one["stop"]["gain"], one["stop"]["per_flop"]):
            digits = 2 if at["median"] < 2 and at["median"] > 0 else 1
            cells.append(
                f"{at['median']:.{digits}f} ({at['lo90']:.{digits}f} to {at['hi90']:.{digits}f})"
            )
        lines.append("| " + " | ".join(cells) + " |")
    a, b, c = (PUBLISHED[k] for k in "abc")
    lines.append(f"| Tan & Le's choice for B0 | {a:g} | {b:g} | {c:g} | | |")
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README by their markers."""
    return {"results": results(found["scores"]), "steps": steps(found["steps"])}


def figure(scaled: dict[str, bs.Scaled], runs: Runs) -> list[Path]:
    """EfficientNet-B0 and MobileNetV2 scaled up, with the published networks."""
    with style():
        canvas = new_figure("text", 2.6)
        for axes, (network, found) in zip(canvas.subplots(1, 2), scaled.items(), strict=True):
            plots.scaled(found, axes=axes)
            own = runs.table[runs.table["architecture"] == network]
            multiples = own[list(INPUTS)].fillna(np.nan)
            for i, name in enumerate(INPUTS):
                others = [other for other in INPUTS if other != name]
                alone = (multiples[name] > 1) & (multiples[others] == 1).all(axis=1)
                axes.plot(own["compute"][alone], own["loss"][alone], "o", color=colour(i))
            rest = ~((multiples > 1).sum(axis=1) == 1)
            axes.plot(own["compute"][rest], own["loss"][rest], "k.")
            axes.set_title(network)
        return plots.save(canvas, HERE / "compound.pdf")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("compound-folds"))
    folder = parser.parse_args().folder
    runs = bs.load_runs("compound-scaling")
    found: dict[str, Any] = {"scores": {}, "verdicts": {}, "steps": {}}
    for held, networks in HELD.items():
        test = bs.backtest(
            holding(runs, networks),
            [*SHOWN],
            by="held_out",
            folder=folder / held,
            progress=False,
            **SAMPLER,
        )
        found["scores"][held] = scored(test.rows)
        found["verdicts"][held] = test.folds.set_index("model")["verdict"].to_dict()
    fit = bs.fit(runs, "compound", progress=False, **SAMPLER)
    scaled = {}
    for network in sorted(set(runs.table["architecture"])):
        scaled[network] = bs.scale_up(fit, architecture=network, allow_experimental=True)
        found["steps"][network] = {
            key: {
                name: {q: round(v, 4) for q, v in at.items()}
                for name, at in getattr(scaled[network], key).items()
            }
            for key in ("step", "stop")
        }
    found["fit"] = str(fit.convergence)
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in figure({n: scaled[n] for n in ("EfficientNet", "MobileNetV2")}, runs):
        print(path)
    fill(HERE / "README.md", markdown(found))


if __name__ == "__main__":
    main()
