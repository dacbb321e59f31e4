"""What drift costs where the law is exact, and what it is worth where it breaks: simulated runs, two decades out.

Run ``python3 -m uv run python case_studies/honesty/study.py --replicates 20`` (about half a minute each on one core;
it resumes where it was stopped); ``... study.py --report`` turns the replicates so far into ``results.json``, the table
of the README and the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import bayescale as bs
from bayescale.checks import with_draws
from bayescale.files import written_beside
from bayescale.plots import save
from bayescale.posterior import Fit
from bayescale.predict import Noise, mixture, predictive_log_density, run_log_loss, scored
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, ResolvedModel, prior_draws, resolve
from bayescale.workflow.bench import Bench, bench
from bayescale.zoo import load_model, load_populations

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill
from report import figure, tables

HERE = Path(__file__).parent
RECORDS = HERE / "records.jsonl"
SEED = 20261122
BUDGETS = np.geomspace(1e17, 1e21, 20)
RATIOS = np.geomspace(0.2, 5.0, 10)  # of N to that at 20 tokens a parameter
BEYOND = (1, 2)  # decades of compute beyond the largest budget
HELD_OUT = np.geomspace(0.4, 2.5, 5)
CENTRAL = 0.8  # of its prior, that every parameter of a truth lies in
CANDIDATES = 4000
# Decades beyond the largest budget at which the exponent of the frontier is halved. Halved half a decade out, the law
# falls as far behind at the end of the first decade and after it as if the exponent fell evenly over that decade.
TRUTHS: dict[str, float] = {
    "exact": np.inf,
    "halved half a decade out": 0.5,
    "halved at the edge": 0.0,
}
ATTEMPTS: tuple[dict[str, Any], ...] = (
    {"draws": 2500, "tune": 1000, "chains": 2, "target_accept": 0.9},
    {"draws": 4000, "tune": 2000, "chains": 2, "target_accept": 0.98},
)


def entrants() -> dict[str, ModelSpec]:
    """The default model, and the same law taken as exact."""
    spec = load_model("parameter-data")
    return {"drift": spec, "exact": spec.exact()}


def at(budget: float, ratios: np.ndarray) -> dict[str, np.ndarray]:
    """Sizes around 20 tokens a parameter, and the tokens that a budget leaves them."""
    params = np.sqrt(budget / 120.0) * ratios
    return {"params": params, "tokens": budget / 6.0 / params}


def design() -> Runs:
    """Twenty budgets over four decades, ten sizes each; losses of Besiroglu et al. (2024), to be replaced."""
    places = [at(c, RATIOS) | {"sweep": np.repeat(f"{c:.2g}", len(RATIOS))} for c in BUDGETS]
    frame = pd.concat([pd.DataFrame(p) for p in places], ignore_index=True)
    frame["loss"] = 1.8172 + 482.01 * frame.params**-0.3478 + 2085.43 * frame.tokens**-0.3658
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(frame, task_info=info, param_count="total", name="design")


def central_truth(model: ResolvedModel, seed: int) -> xr.Dataset:
    """One draw of the prior, every parameter in the central part of its own, as published values are; no offsets."""
    drawn = prior_draws(model, CANDIDATES, seed)
    tail = (1.0 - CENTRAL) / 2.0
    inside = np.ones(CANDIDATES, bool)
    for name in ("R0", "omega", "alpha", "a", "gamma", "L_inf", "sigma", "nu"):
        value = drawn[name].to_numpy().ravel()
        low, high = np.quantile(value, [tail, 1.0 - tail])
        inside &= (low <= value) & (value <= high)
    # The law is exact: no budget is off it. Both models look for such offsets all the same.
    drawn = drawn.assign({name: 0.0 * drawn[name] for name in ("sweep", "offset")})
    return drawn.isel(draw=[int(np.flatnonzero(inside)[0])]).assign_coords(draw=[0])


def curve(truth: Fit, decades: int, break_at: float) -> np.ndarray:
    """Log loss of the held-out runs without noise, shape (run,).

    A frontier that falls with half its exponent is the law's own at half the decades past the break: N and D are moved
    down along that frontier, and valleys keep their shape.
    """
    where = at(BUDGETS[-1] * 10.0**decades, HELD_OUT)
    behind = 10.0 ** (-0.5 * max(decades - break_at, 0.0))
    a = truth.posterior["a"].item()
    points = {"params": where["params"] * behind**a, "tokens": where["tokens"] * behind ** (1 - a)}
    return np.log(bs.predict(truth, **points, kind="law").draws.to_numpy().reshape(-1))


def scores(
    fit: Fit, decades: int, observed: dict[str, np.ndarray], true: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Means over the held-out runs at one distance, of every truth.

    Of one run: coverage, width of the 90 % interval, error of the median and log score of the log loss; of the
    curve (``expected``): coverage and width.
    """
    points = at(BUDGETS[-1] * 10.0**decades, HELD_OUT)
    where = fit.groups()
    noise = Noise.of(fit, fit.parameters(where))
    shape = (-1, len(HELD_OUT))
    log_curve = {
        kind: np.log(
            bs.predict(fit, **points, kind=kind, allow_unconverged=True)
            .draws.to_numpy()
            .reshape(shape)
        )
        for kind in ("expected", "campaign")
    }
    runs = np.exp(run_log_loss(fit, where, noise, log_curve["campaign"]))
    out = {}
    for name, log_loss in observed.items():
        run = scored(runs, np.exp(log_loss))
        expected = scored(np.exp(log_curve["expected"]), np.exp(true[name]))
        density = predictive_log_density(fit, where, noise, log_curve["campaign"], log_loss)
        out[name] = {
            "cover50": float(run["inside50"].mean()),
            "cover90": float(run["inside90"].mean()),
            "width90": float(run["width90"].mean()),
            "error": float(run["error"].mean()),
            "log_score": float(mixture(density).mean()),
            "expected cover90": float(expected["inside90"].mean()),
            "expected width90": float(expected["width90"].mean()),
        }
    return out


def one(seed: int, benches: dict[str, Bench]) -> dict[str, Any]:
    """One replicate: a truth, 200 runs, a fit of each model, and the scores of both on the same held-out runs."""
    exact = benches["exact"]
    truth = with_draws(exact.truth(seed), central_truth(exact.model, seed))
    log_loss = exact.simulate(truth, seed)
    record: dict[str, Any] = {
        "seed": seed,
        "truth": {str(k): float(v.item()) for k, v in truth.posterior.items() if v.size == 1},
        "fits": {},
        "scores": {},
    }
    true = {
        decades: {name: curve(truth, decades, place) for name, place in TRUTHS.items()}
        for decades in BEYOND
    }
    noise = Noise.of(truth, truth.parameters(truth.groups()))
    observed = {}
    for decades in BEYOND:
        centre = true[decades]["exact"][None, :]
        drawn_noise = noise.simulate(centre, np.random.default_rng([seed, 2, decades])) - centre
        observed[decades] = {name: log + drawn_noise[0] for name, log in true[decades].items()}
    for name, tested in benches.items():
        start = time.perf_counter()
        fitted, verdict, attempt = tested.refit(log_loss, seed, ATTEMPTS, cores=1)
        fitted = tested.with_losses(fitted, log_loss)
        record["fits"][name] = {
            "attempt": attempt,
            "rhat": verdict.rhat,
            "ess": verdict.ess_bulk,
            "divergences": verdict.divergences,
            "seconds": time.perf_counter() - start,
        }
        if "drift" in fitted.posterior:
            low, middle, high = np.quantile(fitted.posterior["drift"], [0.05, 0.5, 0.95])
            record["fits"][name]["amplitude"] = [float(low), float(middle), float(high)]
        record["scores"][name] = {str(d): scores(fitted, d, observed[d], true[d]) for d in BEYOND}
    return record


def read() -> list[dict[str, Any]]:
    """Replicates so far."""
    text = RECORDS.read_text(encoding="utf-8") if RECORDS.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def run(replicates: int) -> None:
    """Go on until ``records.jsonl`` holds as many replicates; each is appended when done."""
    done = len(read())
    if done >= replicates:
        return
    runs = design()
    benches = {}
    for name, spec in entrants().items():
        benches[name] = bench(resolve(spec, runs, load_populations()), runs)
        print(f"compiled: {name}", flush=True)
    for i in range(done, replicates):
        record = one(SEED + i, benches)
        with RECORDS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        seconds = ", ".join(f"{n} {f['seconds']:.0f} s" for n, f in record["fits"].items())
        print(f"{i + 1}/{replicates}: {seconds}", flush=True)


def results(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Every number of the README with its Monte-Carlo error: replicates are independent, runs of one are not."""
    out: dict[str, Any] = {"replicates": len(records), "cells": [], "price": {}}
    for decades in BEYOND:
        for truth in TRUTHS:
            for name in entrants():
                cells = [r["scores"][name][str(decades)][truth] for r in records]
                found = {k: _mean([c[k] for c in cells]) for k in cells[0]}
                out["cells"].append({"decades": decades, "truth": truth, "model": name, **found})
        pairs = [
            [r["scores"][n][str(decades)]["exact"] for n in ("drift", "exact")] for r in records
        ]
        price: dict[str, Any] = {
            f"{kind} ratio": _geometric([a[kind] / b[kind] for a, b in pairs])
            for kind in ("width90", "expected width90")
        }
        price["log_score lost"] = _mean([b["log_score"] - a["log_score"] for a, b in pairs])
        out["price"][str(decades)] = price
    drifting = [r["fits"]["drift"] for r in records]
    out["amplitude"] = [float(np.median([f["amplitude"][i] for f in drifting])) for i in range(3)]
    fits = [fit for r in records for fit in r["fits"].values()]
    out["fits"] = {
        "second attempts": sum(fit["attempt"] > 1 for fit in fits),
        "largest rhat": max(fit["rhat"] for fit in fits),
        "least ess": min(fit["ess"] for fit in fits),
    }
    return out


def _mean(values: list[float]) -> list[float]:
    found = np.asarray(values, float)
    return [float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))]


def _geometric(ratios: list[float]) -> list[float]:
    value, error = _mean(list(np.log(ratios)))
    return [float(np.exp(value)), float(np.exp(value) * error)]


def report() -> None:
    """Write ``results.json``, the figure, and the tables of the README, from the replicates so far."""
    records = read()
    found = results(records)
    with written_beside(HERE / "results.json") as beside:
        beside.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    save(figure(found, records), HERE / "honesty")
    fill(HERE / "README.md", tables(found))


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        run(options.replicates)
    report()


if __name__ == "__main__":
    main()
