"""What is an idle parameter worth? Dense networks and experts of one recipe, and runs of more tokens than were fitted.

Run ``python3 -m uv run python case_studies/sparsity/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; fits are kept in ``--folder``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import bayescale as bs
from bayescale import plots
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.runs import Runs
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from further import interval, markdown, named, of_all, opened, options_of, recorded, scores, tested

HERE = Path(__file__).parent
SPARSE = "fee0ca99cd076987ed3c795dcc09ddfe8d7d8c457c933243feafc098cd7e1550"
DENSE = "52c49586438737c08f686751ba5cd52bce100dc73091b32975e0c84739b647a4"
SPLITS = {
    "more tokens": "Most tokens of each network",
    "more active": "58 % active, tokens apart",
}
DRIFTS = {"": ", exact", ", drifting": ", as shipped: drifts"}
MODELS = {
    "sparsity": "`sparsity`",
    "active alone": "active parameters alone (g = 0)",
}


def table(folder: Path) -> pd.DataFrame:
    """The best run of each grid of learning rates and batches: 16 of experts, 17 dense."""
    sparse = opened(folder, "steplaw_moe/data.csv", SPARSE)
    sparse = sparse.loc[sparse.groupby(["moe_name", "tokens"])["loss"].idxmin()]
    sparse = sparse.assign(active_share=sparse["params_active"] / sparse["params"])
    sparse = sparse.assign(params=sparse["params_active"], network=sparse["moe_name"])
    dense = opened(folder, "steplaw_dense/data.csv", DENSE)
    dense = dense.loc[dense.groupby(["params", "tokens"])["loss"].idxmin()]
    dense = dense.assign(active_share=1.0, network="dense")
    columns = ["network", "params", "tokens", "active_share", "loss"]
    both = pd.concat([sparse[columns], dense[columns]], ignore_index=True)
    return both.assign(run=[f"{i:02d}" for i in range(len(both))])


def held(frame: pd.DataFrame, split: str) -> pd.Series:
    """Rows that are scored."""
    if split == "more active":
        return frame["network"] == "3in8"
    size = frame["network"] + frame["params"].map("{:.4g}".format)
    return frame["tokens"] == frame.groupby(size)["tokens"].transform("max")


def as_runs(frame: pd.DataFrame, split: str | None = None) -> Runs:
    """One recipe; the law says how its networks differ."""
    columns = ["run", "params", "tokens", "active_share", "loss"]
    if split is not None:
        frame, columns = frame.assign(held_out=held(frame, split)), [*columns, "held_out"]
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(frame[columns], task_info=info, param_count="active", name="steplaw")


def figure(rows: pd.DataFrame) -> list[Path]:
    """Held-out runs: forecast over loss, with its 90 % interval, by what is active."""
    with style():
        canvas = new_figure("text", 2.3)
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, (split, said), x in zip(
            panels, SPLITS.items(), ("active_share", "tokens"), strict=True
        ):
            for i, (model, part) in enumerate(rows[rows["split"] == split].groupby("model")):
                at = part[x] * 1.05**i
                ratio = {c: part[c] / part["loss"] for c in ("lo90", "median", "hi90")}
                axes.vlines(at, ratio["lo90"], ratio["hi90"], color=colour(i), linewidth=0.8)
                axes.plot(at, ratio["median"], ".", color=colour(i), label=str(model))
            axes.axhline(1.0, color=GREY, linewidth=0.6)
            axes.set(xscale="log", xlabel=x.replace("_", " "), title=said)
        panels[0].set_ylabel("forecast / loss")
        axes.legend()
        return plots.save(canvas, HERE / "sparsity.pdf")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Of the README, by their names."""
    shown = {f"{m}{d}": f"{t}{s}" for m, t in MODELS.items() for d, s in DRIFTS.items()}
    scored = found["scores"]
    return {split.replace(" ", "-"): markdown(scored[split], shown) for split in SPLITS}


def main() -> None:
    """Command line of the study."""
    options = options_of(__doc__, "sparsity-folds")
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    law, plain = load_model("sparsity"), named(load_model("parameter-data"), "active alone")
    parts, verdicts = [], {}
    for split in SPLITS:
        runs = as_runs(frame, split)
        for drift in (False, True) if options.every else (False,):
            added = ", drifting" if drift else ""
            for spec in (law, plain):
                model = named(spec, spec.name + added)
                kept = options.folder / split.replace(" ", "-")
                test = tested(runs, [model], kept, drift=drift, by="held_out")
                parts.append(test.rows.assign(split=split))
                verdicts[f"{split}: {model.name}"] = test.folds["verdict"].iloc[0]
    rows = pd.concat(parts, ignore_index=True)
    by_run = frame.set_index("run")
    for column in ("network", "active_share"):
        rows[column] = rows["run_id"].map(by_run[column])
    # Runs of one network share what is particular to it.
    rows["group"] = rows["network"] + rows["params"].map("{:.3g}".format)
    found: dict[str, Any] = {"rows": len(frame), "verdicts": verdicts}
    found["scores"] = {split: scores(part) for split, part in rows.groupby("split")}
    fit = of_all(as_runs(frame), law, options)
    if fit is not None:
        names = ("idle_worth", "beta", "L_inf", "gamma", "sigma")
        found["whole"] = {name: interval(fit.posterior[name]) for name in names}
    recorded(HERE, found, tables(found))
    for path in figure(rows):
        print(path)


if __name__ == "__main__":
    main()
