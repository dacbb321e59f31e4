"""Simulated truth: parameters drawn from the prior, data from the model, and how often 90 % intervals hold them.

Run ``python3 -m uv run python case_studies/simulated_truth/study.py --simulations 200`` (an hour and more on two cores;
it resumes where it was stopped); ``... study.py --report`` turns the ranks so far into ``coverage.json``.
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
from bayescale.files import written_beside
from bayescale.posterior import Fit
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, resolve
from bayescale.workflow.bench import Bench, bench
from bayescale.zoo import load_model, load_populations

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
RANKS = HERE / "ranks.jsonl"
ARCHITECTURES, TASKS, SEED = 6, 4, 20261122
POPULATION = ("R0", "omega", "alpha", "a", "beta", "delta", "gamma", "L_inf", "sigma")
# At the noise of real misfit (.005), and with effects of single cells, one such fit takes minutes.
NOISE = {"sigma": "LogNormal(median=0.02, sigma=0.3)"}
FAR = {"params": 3e11, "tokens": 6e12}
NEW = bs.New("a seventh architecture")
PROBABILITIES = (0.5, 0.9)
# More, and then smaller steps, where the first attempt was not good enough (the middle one came after 140 of them).
ATTEMPTS: tuple[dict[str, Any], ...] = (
    {"draws": 800, "tune": 600, "chains": 2, "target_accept": 0.95},
    {"draws": 1600, "tune": 600, "chains": 4, "target_accept": 0.95},
    {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.99},
)


def study_model() -> ModelSpec:
    """The default model with effects of architectures and of tasks, but not of single cells."""
    spec = load_model("parameter-data")
    keep = {
        "R0": ("architecture", "task"),
        "alpha": ("architecture", "task"),
        "omega": ("architecture",),
    }
    keep |= {"a": ("architecture",), "L_inf": ("task",)}
    parameters = {
        name: entry.model_copy(
            update={"pool": {k: v for k, v in entry.pool.items() if k in keep.get(name, ())}}
        )
        for name, entry in spec.parameters.items()
    }
    sigma = spec.likelihood.sigma.model_copy(update={"pool": {}})
    likelihood = spec.likelihood.model_copy(update={"sigma": sigma})
    return spec.model_copy(update={"parameters": parameters, "likelihood": likelihood})


def design(architectures: int = ARCHITECTURES, tasks: int = TASKS) -> Runs:
    """A table of the design: three budgets, three sizes each, of every architecture on every task; losses are 1."""
    rows = [
        {
            "architecture": f"architecture {a}",
            "task": f"task {t}",
            "params": (budget / 120) ** 0.5 * ratio,
            "tokens": (budget / 120) ** 0.5 * 20 / ratio,
            "loss": 1.0,
        }
        for a in range(architectures)
        for t in range(tasks)
        for budget in (1e19, 1e20, 1e21)
        for ratio in (0.3, 1.0, 3.0)
    ]
    info = {f"task {t}": {"metric": "nats/token", "corpus": "web"} for t in range(tasks)}
    return bs.load_runs(pd.DataFrame(rows), task_info=info, param_count="total", name="design")


def quantities(fit: Fit) -> dict[str, np.ndarray]:
    """What is checked, draw by draw: population, one group, scales, and forecasts a decade and more out."""
    groups = {"architecture": "architecture 0", "task": "task 0"}
    where = fit.groups(**groups)
    population = bs.posterior.population_parameters(fit.posterior, fit.model)
    group = fit.parameters(where)
    out = {name: population[name] for name in POPULATION}
    out |= {f"{name}, one group": group[name] for name in ("beta", "delta", "R0", "L_inf")}
    tau = fit.posterior["tau_architecture"]
    out |= {f"tau of {n}": tau.sel(parameter_architecture=n) for n in ("R0", "alpha")}
    far = {**FAR, "task": "task 0", "kind": "expected", "allow_unconverged": True}
    out["loss far out"] = bs.predict(fit, **far, architecture="architecture 0").draws.squeeze(
        "point"
    )
    out["loss far out, new architecture"] = bs.predict(fit, **far, architecture=NEW).draws.squeeze(
        "point"
    )
    return {name: values.to_numpy().ravel() for name, values in out.items()}


def one(seed: int, tested: Bench) -> dict[str, Any]:
    """One record: draw a truth, simulate, fit, rank each true quantity among the posterior draws."""
    found = tested.record(seed, ATTEMPTS, quantities, cores=2)
    kept = {name: found[name] for name in ("attempt", "rhat", "divergences", "ranks")}
    return {"seed": seed, "chains": "long"} | kept


def study_bench(runs: Runs) -> Bench:
    """The study's model, compiled on a design."""
    return bench(resolve(study_model(), runs, load_populations(), priors=NOISE, drift=False), runs)


def read() -> list[dict[str, Any]]:
    """Records so far."""
    text = RANKS.read_text(encoding="utf-8") if RANKS.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def run(simulations: int) -> None:
    """Simulate until ``ranks.jsonl`` holds as many records of long chains as asked for; each is appended when done."""
    records = read()
    tested = study_bench(design())
    finished = sum(r["chains"] == "long" for r in records)
    for i, seed in enumerate(range(len(records), len(records) + simulations - finished)):
        record = one(seed, tested)
        with RANKS.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{finished + i + 1}/{simulations}: R-hat {record['rhat']:.3f}", flush=True)


def coverage(records: list[dict[str, object]], probability: float) -> dict[str, float]:
    """Share of simulations whose equal-tailed interval holds the truth, by quantity, of those that recorded it."""
    ranks = pd.DataFrame([r["ranks"] for r in records])
    inside = (ranks >= (1 - probability) / 2) & (ranks <= (1 + probability) / 2)
    return {str(k): float(v) for k, v in inside.where(ranks.notna()).mean().items()}


def report() -> None:
    """Write ``coverage.json`` and the table of the README from the ranks, apart for long and for short chains."""
    records = read()
    content = {"architectures": ARCHITECTURES, "tasks": TASKS} | {
        chains: _coverage([r for r in records if r["chains"] == chains])
        for chains in ("long", "short")
    }
    with written_beside(HERE / "coverage.json") as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _tabulate(content)
    print(json.dumps(content, indent=2))


def _coverage(records: list[dict[str, Any]]) -> dict[str, Any]:
    n = len(records)
    return {
        "simulations": n,
        "monte_carlo_error": {
            f"{100 * p:.0f}": float(np.sqrt(p * (1 - p) / n)) for p in PROBABILITIES
        },
        "recorded": {
            name: sum(name in r["ranks"] for r in records) for name in records[-1]["ranks"]
        },
        "coverage": {f"{100 * p:.0f}": coverage(records, p) for p in PROBABILITIES},
        "second_attempts": sum(r["attempt"] > 1 for r in records),
        "divergent": sum(r["divergences"] > 0 for r in records),
    }


def _tabulate(content: dict[str, Any]) -> None:
    """Write the table of the README."""
    head, rule = "| quantity |", "| --- |"
    for chains in ("long", "short"):
        one = content[chains]
        for p, error in one["monte_carlo_error"].items():
            head += f" {p} %, {chains} chains ({one['simulations']}; ± {2 * error:.3f}) |"
            rule += " ---: |"
    lines = [head, rule]
    for name in content["long"]["coverage"]["90"]:
        found = [
            content[chains]["coverage"][p].get(name)
            for chains in ("long", "short")
            for p in ("50", "90")
        ]
        cells = ["–" if share is None else f"{share:.3f}" for share in found]
        count = content["long"]["recorded"][name]
        label = name if count == content["long"]["simulations"] else f"{name} ({count} only)"
        lines.append(f"| {label} | {' | '.join(cells)} |")
    fill(HERE / "README.md", {"coverage": "\n".join(lines)})


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        run(options.simulations)
    report()


if __name__ == "__main__":
    main()
