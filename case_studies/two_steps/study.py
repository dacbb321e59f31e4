"""Do errors follow from N and D by way of the loss? Two published ladders, chained, on the models that they were for.

Run ``python3 -m uv run python case_studies/two_steps/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the tables of the README and the figure; fits are kept in ``--folder``, so that a
study that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.files import written_beside
from bayescale.posterior import Fit
from bayescale.runs import Runs

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
# Of the samplers. A first step of 16 runs is taken without drift, which these do not show, by the quick engine.
SEED = {"gadre": 20261201, "olmo": 1}
SAMPLER: dict[str, Any] = {
    "draws": 1000,
    "tune": 1000,
    "chains": 2,
    "cores": 1,
    "allow_unconverged": True,  # said in the tables
}
SHA256 = {
    "gadre_overtraining": "3f40a906bdbb6022c73d9d938444695cdd91d8a14ed549e759d50546c4b6e682",
    "olmo_tasks": "709880468702e278e9e97ecd1bae8bd01f93d27a96def68f68bd12bcc3f1bce5",
}
ERRORS = {"metric": "error", "upper": 1.0}
COUNT: dict[str, Any] = {"gadre": "total", "olmo": "non-embedding"}
LAST = 5  # checkpoints whose mean is a run's, as the paper has it
COLUMNS = ["run", "params", "tokens", "task", "upstream_loss", "loss", "sweep"]


@dataclass(frozen=True)
class Ladder:
    """One chain to make and to hold to its target models.

    Attributes
    ----------
    name : str
        Of the table, by which its own evidence leaves the priors.
    label, task : str
        Of the ladder in the tables, and of the error.
    rows : DataFrame
        ``run, params, tokens, sweep, upstream_loss, loss`` (an error), and ``target``, of held-out rows; else empty.
    unit : dict
        Of the upstream loss.
    model : str
        Of the second step.
    """

    name: str
    label: str
    task: str
    rows: pd.DataFrame
    unit: dict[str, Any]
    model: str

    @property
    def fitted(self) -> pd.DataFrame:
        """The ladder."""
        return self.rows[self.rows["target"] == ""]

    @property
    def held(self) -> pd.DataFrame:
        """The models that it was for."""
        return self.rows[self.rows["target"] != ""]

    def losses(self) -> Runs:
        """The table of the first step."""
        frame = self.fitted.assign(loss=self.fitted["upstream_loss"])
        columns = [c for c in COLUMNS if c in frame and c not in ("upstream_loss", "sweep")]
        return bs.load_runs(
            frame[columns], task_info={"*": self.unit}, param_count=COUNT[self.name], name=self.name
        )

    def errors(self) -> Runs:
        """The table of the second step."""
        return bs.load_runs(
            self.fitted[[c for c in COLUMNS if c in self.fitted]],
            task_info={"*": ERRORS},
            param_count=COUNT[self.name],
            name=self.name,
        )


def read(folder: Path, name: str) -> pd.DataFrame:
    """A table that is the one of this study."""
    path = folder / name / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def olmo(folder: Path) -> Iterator[Ladder]:
    """Bhagia et al. 2024: eight tasks, each with its own loss; 16 runs to 1.3B, then 3B, 7B and 13B."""
    every = read(folder, "olmo_tasks")
    last = every["checkpoint"] > every.groupby("run")["checkpoint"].transform("max") - LAST
    keys = ["run", "size", "multiple", "params", "task"]
    means = every[last].groupby(keys, dropna=False)
    rows = means.agg(
        upstream_loss=("bpb", "mean"), accuracy=("accuracy", "mean"), tokens=("tokens", "max")
    )
    rows = rows.reset_index().assign(loss=lambda r: 1.0 - r["accuracy"], sweep=lambda r: r["size"])
    target = rows["size"].map({"3B": "3B", "7B": "7B-4T", "13B": "13B-5T"}).fillna("")
    ladder = (target == "") & rows["multiple"].isin([1, 2, 5, 10])
    kept = rows[(ladder | (target != "")) & ~rows["run"].str.endswith("rerun")]
    kept = kept.assign(target=target)
    for task, part in kept.groupby("task"):
        yield Ladder("olmo", "OLMo", str(task), part, {"metric": "bits/byte"}, "error-loss")


def gadre(folder: Path) -> Iterator[Ladder]:
    """Gadre et al. 2024: three training sets, the loss on C4; networks below 1B and one of 1.4B, then two targets."""
    every = read(folder, "gadre_overtraining")
    large = every["architecture"].str.startswith("open_lm")
    big = every["architecture"] == "open_lm_7b"
    far = (every["architecture"] == "open_lm_1b") & (every["tokens_per_param"] > 21)
    target = np.select([big, far], ["6.9B, M = 20", "1.4B, over-trained"], "")
    kept = ~large | (target != "") | (every["tokens_per_param"].round() == 20)
    for task in ("avg17",):
        rows = every.assign(
            target=target,
            upstream_loss=every["loss_c4"],
            loss=every[f"error_{task}"],
            sweep=every["architecture"],
        )[kept]
        # Who answers nothing has no log odds.
        for data, part in rows[rows["loss"] < 1.0].groupby("train_data"):
            unit = {"metric": "nats/token", "corpus": "web"}
            model = "error-loss-exponential"
            yield Ladder("gadre", f"Gadre, {data}", task, part, unit, model)


def fitted(kept: Path, name: str, runs: Runs, model: str, drift: bool) -> Fit:
    """A fit, from the folder if it is there and of this table."""
    path = kept / f"{name.replace(', ', '-')}.nc"
    if path.exists() and (found := bs.load_fit(path)).data_hash == runs.hash:
        return found
    quick = runs.name == "olmo" and model == "parameter-data"
    engine: Any = "quick" if quick else "nuts"
    fit = bs.fit(
        runs, model, drift=drift, engine=engine, seed=SEED[runs.name], progress=False, **SAMPLER
    )
    fit.save(path, overwrite=True)
    return fit


def scored(ladder: Ladder, kept: Path) -> list[dict[str, Any]]:
    """The target models of one chain: by how many points the median is off, and what interval held."""
    own = f"-{ladder.task}" if ladder.name == "olmo" else ""
    drift = ladder.name == "gadre"
    first = fitted(kept, f"{ladder.label}{own}-loss", ladder.losses(), "parameter-data", drift)
    second = fitted(kept, f"{ladder.label}-{ladder.task}", ladder.errors(), ladder.model, False)
    held = ladder.held
    at = {axis: held[axis].to_numpy(float) for axis in ("params", "tokens")}
    seen = held["upstream_loss"].to_numpy(float)
    forecasts = {
        "chain": bs.predict(bs.chain(first, second), **at, allow_unconverged=True),
        "second step": bs.predict(second, upstream_loss=seen, allow_unconverged=True),
        "first step": bs.predict(first, **at, allow_unconverged=True),
    }
    rows = []
    for step, forecast in forecasts.items():
        true = seen if step == "first step" else held["loss"].to_numpy(float)
        said = forecast.intervals((0.5, 0.9))
        for i, target in enumerate(held["target"]):
            low, high, median = (float(said[c][i]) for c in ("lo90", "hi90", "median"))
            rows.append(
                {
                    "ladder": ladder.label,
                    "task": ladder.task,
                    "target": target,
                    "step": step,
                    # Of an error in points; of a loss in per cent.
                    "off": 100.0
                    * abs(median - true[i])
                    / (true[i] if step == "first step" else 1.0),
                    "relative": 100.0 * abs(median - true[i]) / true[i],
                    "width": 100.0 * (high - low),
                    "inside50": bool(said["lo50"][i] <= true[i] <= said["hi50"][i]),
                    "inside90": bool(low <= true[i] <= high),
                    "converged": first.convergence.passed and second.convergence.passed,
                }
            )
    return rows


def summary(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By ladder, target and step: mean errors, shares held, and widths."""
    family = rows["ladder"].str.split(",").str[0]
    mean = rows["task"].where(rows["task"] == "avg17", "single tasks")
    keys = [family, rows["target"], mean, rows["step"]]
    found = rows.groupby(keys)[["off", "relative", "width", "inside50", "inside90"]].mean()
    counts = rows.groupby(keys).size()
    named = {" | ".join(map(str, k)): row.round(3).to_dict() for k, row in found.iterrows()}
    for key, count in counts.items():
        named[" | ".join(map(str, key))]["runs"] = int(count)
    return named


# Ladder, target, which errors, what the paper says of the same.
SHOWN = (
    ("OLMo", "3B", "single tasks", "–"),
    ("OLMo", "7B-4T", "single tasks", "3.8 points"),
    ("OLMo", "13B-5T", "single tasks", "4.2 points"),
    ("Gadre", "1.4B, over-trained", "avg17", "3.6 % (RedPajama)"),
    ("Gadre", "6.9B, M = 20", "avg17", ".05 % (RedPajama)"),
)


def markdown(found: dict[str, dict[str, float]]) -> str:
    """The table of the README."""
    head = ["ladder", "target", "errors", "n", "off, points", "off, %", "in print", "50 %", "90 %"]
    head += ["width", "second step alone: 90 %", "first step: 90 %"]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- | --- |" + " ---: |" * (len(head) - 3)]
    for ladder, target, which, printed in SHOWN:
        if f"{ladder} | {target} | {which} | chain" not in found:
            continue
        by = {s: found[f"{ladder} | {target} | {which} | {s}"] for s in STEPS}
        row = by["chain"]
        cells = [ladder, target, "mean of 17 tasks" if which == "avg17" else which]
        cells += [f"{row['runs']:.0f}", f"{row['off']:.1f}", f"{row['relative']:.1f}", printed]
        cells += [f"{row['inside50']:.2f}", f"{row['inside90']:.2f}", f"{row['width']:.1f}"]
        cells += [f"{by[s]['inside90']:.2f}" for s in STEPS[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


STEPS = ("chain", "second step", "first step")


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("two-steps-fits"))
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    data = Path(os.environ["BAYESCALE_DATA"])
    rows: list[dict[str, Any]] = []
    for ladder in (*olmo(data), *gadre(data)):
        rows += scored(ladder, options.folder)
        record(pd.DataFrame(rows))  # after each, so that a study that was stopped has an account
        print(ladder.label, ladder.task, flush=True)


def record(frame: pd.DataFrame) -> None:
    """Write what was scored so far."""
    kept = ["ladder", "task", "target", "step", "inside90", "converged"]
    found = {
        "summary": summary(frame),
        "rows": frame[kept].assign(off=frame["off"].round(1)).to_dict("records"),
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"results": markdown(found["summary"])})


if __name__ == "__main__":
    main()
