"""How fast `chinchilla` samples on 240 real runs, against the same posterior in textbook coordinates.

Run it with ``python3 -m uv run python tests/benchmarks/sampling.py`` where ``BAYESCALE_DATA`` names a folder of the
public sets; it prints and writes ``tests/benchmarks/sampling.json``. Both models have the same priors, likelihood,
sampler and settings and alternate in one process, so that what else the machine does hits both;
gradients per draw do not depend on it at all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

import bayescale as bs
from bayescale.build import build, observations
from bayescale.files import written_beside
from bayescale.laws import joint_frontier
from bayescale.posterior import Fit, diagnostics
from bayescale.runs import Runs
from bayescale.sample import Compiled, compile_model, draw
from bayescale.spec import Prior, ResolvedModel, resolve
from bayescale.zoo import load_model, load_populations

RESULT = Path(__file__).with_suffix(".json")
RATIO = 7.0  # at least, in bulk ESS per second of the worst quantity
WARM = 10.0  # seconds at most, for compiling and 4 × (1,000 + 1,000) iterations
QUANTITIES = ("log_A", "log_B", "beta", "delta", "R0", "omega", "alpha", "a", "L_inf", "sigma")
SETTINGS = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.9}
Z_MAX = 4.0  # standard errors by which posterior means of the two may differ


@dataclass(frozen=True)
class Timed:
    """One sampling run: its common quantities, wall time and gradient evaluations after adaptation."""

    draws: xr.Dataset
    seconds: float
    cpu_seconds: float
    gradients: int
    divergences: int

    @property
    def bulk(self) -> dict[str, float]:
        """Bulk ESS of every common quantity."""
        found = diagnostics(self.draws)
        return dict(zip(found["scalar"].values, found["ess_bulk"].values, strict=True))

    @property
    def smallest(self) -> float:
        """The worst of them."""
        return float(min(self.bulk.values()))


def chinchilla_runs() -> Runs:
    """The 240 runs that Besiroglu et al. fitted."""
    return bs.load_runs("chinchilla").where(unflagged=True)


def textbook(model: ResolvedModel, runs: Runs) -> pm.Model:
    """L∞ + A·N^−β + B·D^−δ sampled in (log A, log B, log β, log δ), under the priors of ``model``.

    The map from these to (log R₀, logit ω, log α, logit a), where the priors are stated, has determinant ±1 at γ = 1,
    so the density is that of the priors at the mapped point, whatever the pivots.
    """
    data = observations(model, runs)
    pivot_n, pivot_d = model.pivots["params"], model.pivots["tokens"]
    log_n, log_d = data.centred["params"] + pivot_n, data.centred["tokens"] + pivot_d
    prior = {n: p.get_prior() for n, p in model.parameters.items() if p.prior is not None}
    level = prior["R0"]["mu"] + np.log(0.5)
    exponent = prior["alpha"]["mu"] + np.log(2.0)
    with pm.Model() as built:
        log_a = pm.Flat("log_A", initval=level + np.exp(exponent) * pivot_n)
        log_b = pm.Flat("log_B", initval=level + np.exp(exponent) * pivot_d)
        log_beta = pm.Flat("log_beta", initval=exponent)
        log_delta = pm.Flat("log_delta", initval=exponent)
        beta, delta = pt.exp(log_beta), pt.exp(log_delta)
        by_n, by_d = log_a - beta * pivot_n, log_b - delta * pivot_d
        logit_omega, logit_a = by_n - by_d, log_delta - log_beta
        log_alpha = log_beta + log_delta - pt.log(beta + delta)
        for name, value in (("R0", pt.logaddexp(by_n, by_d)), ("alpha", log_alpha)):
            stated = pm.Normal.dist(prior[name]["mu"], prior[name]["sigma"])
            pm.Potential(f"prior_{name}", pm.logp(stated, value))
        for name, logit in (("omega", logit_omega), ("a", logit_a)):
            # Beta density of x times dx/dlogit = x(1 − x), up to a constant.
            first, second = prior[name]["alpha"], prior[name]["beta"]
            pm.Potential(
                f"prior_{name}", -first * pt.softplus(-logit) - second * pt.softplus(logit)
            )
        floor = pm.LogNormal("L_inf", prior["L_inf"]["mu"], prior["L_inf"]["sigma"])
        sigma = pm.LogNormal("sigma", prior["sigma"]["mu"], prior["sigma"]["sigma"])
        tail = Prior.parse(str(model.nu_minus_2))
        nu = pm.Gamma("nu_minus_2", tail["alpha"], tail["beta"]) + 2.0
        loss = floor + pt.exp(log_a - beta * log_n) + pt.exp(log_b - delta * log_d)
        pm.StudentT("y", nu=nu, mu=pt.log(loss), sigma=sigma, observed=data.log_loss)
    return built


def from_level_and_share(posterior: xr.Dataset, model: ResolvedModel, runs: Runs) -> xr.Dataset:
    """The common quantities of the package's own draws."""
    cell = {s: labels[0] for s, labels in model.groups.items() if s in posterior.dims}
    drawn = posterior.sel(cell).drop_vars(list(cell))
    theta = {n: drawn[n] for n in ("R0", "omega", "alpha", "a", "L_inf", "sigma")}
    theta = model.get_law().complete(theta | {"gamma": xr.ones_like(drawn["R0"])})
    frontier = joint_frontier(theta, model.pivots)
    every = theta | {"log_A": frontier.log_A, "log_B": frontier.log_B}
    return xr.Dataset({n: every[n] for n in QUANTITIES})


def from_textbook(posterior: xr.Dataset, model: ResolvedModel, runs: Runs) -> xr.Dataset:
    """The common quantities of textbook draws."""
    beta, delta = np.exp(posterior["log_beta"]), np.exp(posterior["log_delta"])
    by_n = posterior["log_A"] - beta * model.pivots["params"]
    by_d = posterior["log_B"] - delta * model.pivots["tokens"]
    return xr.Dataset(
        {
            "log_A": posterior["log_A"],
            "log_B": posterior["log_B"],
            "beta": beta,
            "delta": delta,
            "R0": np.exp(np.logaddexp(by_n, by_d)),
            "omega": 1.0 / (1.0 + np.exp(by_d - by_n)),
            "alpha": beta * delta / (beta + delta),
            "a": delta / (beta + delta),
            "L_inf": posterior["L_inf"],
            "sigma": posterior["sigma"],
        }
    )


def timed(
    program: Compiled, common: Any, model: ResolvedModel, runs: Runs, seed: int, settle: bool
) -> Timed:
    """Sample once; the time is the sampler's own, and of the short runs that settle coordinates as ``fit`` does."""
    start, cpu = time.perf_counter(), time.process_time()
    if settle:
        program = program.settled(cores=os.cpu_count(), seed=seed)
    tree = draw(program, seed=seed, cores=os.cpu_count(), **SETTINGS)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    stats = tree["sample_stats"].to_dataset()
    posterior = tree["posterior"].to_dataset()
    return Timed(
        common(posterior, model, runs),
        seconds,
        cpu_seconds,
        int(stats["n_steps"].sum()),
        int(stats["diverging"].sum()),
    )


def disagreement(one: list[Timed], two: list[Timed]) -> dict[str, float]:
    """Difference of posterior means over its Monte-Carlo standard error, all seeds together."""
    out = {}
    for name in QUANTITIES:
        means, variances = [], []
        for side in (one, two):
            all_draws = np.concatenate([t.draws[name].to_numpy().ravel() for t in side])
            means.append(all_draws.mean())
            variances.append(all_draws.var() / sum(t.bulk[name] for t in side))
        out[name] = float((means[0] - means[1]) / np.sqrt(sum(variances)))
    return out


def warm_seconds(runs: Runs, repeats: int, drift: bool) -> list[float]:
    """Wall times of whole fits, building and compiling included, once the process has compiled one.

    Of the law alone, or with all that the package adds to it by default: drift and the offsets of sweeps.
    """
    times = []
    for seed in range(repeats):
        start = time.perf_counter()
        fit: Fit = bs.fit(
            runs, "chinchilla", pool=False, drift=drift, sweep=drift, seed=seed, progress=False
        )
        times.append(time.perf_counter() - start)
        assert fit.convergence.passed
    return times


def measure(seeds: int) -> dict[str, Any]:
    """Alternate the two models over seeds; medians, ratios and whether both tell the same posterior."""
    runs = chinchilla_runs()
    # The law and its noise alone, as the textbook has them.
    model = resolve(
        load_model("chinchilla"), runs, load_populations(), pool=False, drift=False, sweep=False
    )
    sides = {
        "level and share": (compile_model(build(model, runs)), from_level_and_share, True),
        "textbook": (compile_model(textbook(model, runs)), from_textbook, False),
    }
    for program, *_ in sides.values():  # what is compiled at the first call is no part of a rate
        draw(program, seed=0, cores=1, draws=10, tune=10, chains=1, target_accept=0.9)
    found: dict[str, list[Timed]] = {name: [] for name in sides}
    for seed in range(1, seeds + 1):
        # The slow one between two of the fast one: a load that drifts meanwhile hits both.
        for name, key in (
            ("level and share", seed),
            ("textbook", seed),
            ("level and share", -seed),
        ):
            program, common, settle = sides[name]
            found[name].append(timed(program, common, model, runs, 1000 + key, settle))
            last = found[name][-1]
            print(
                f"seed {seed}  {name:16} {last.seconds:6.2f} s  min bulk ESS {last.smallest:5.0f}  "
                f"{last.smallest / last.seconds:7.1f} / s  {last.divergences} divergences",
                flush=True,
            )
    return summary(found) | {"runs": len(runs), "settings": SETTINGS, "seeds": seeds}


def summary(found: dict[str, list[Timed]]) -> dict[str, Any]:
    """Medians over seeds, and ratios seed by seed, per second and per gradient."""
    ours, theirs = found["level and share"], found["textbook"]
    triples = list(zip(ours[::2], theirs, ours[1::2], strict=True))
    ratio = [
        0.5 * (a.smallest / a.seconds + b.smallest / b.seconds) / (t.smallest / t.seconds)
        for a, t, b in triples
    ]
    by_gradient = [
        0.5 * (a.smallest / a.gradients + b.smallest / b.gradients) / (t.smallest / t.gradients)
        for a, t, b in triples
    ]
    by_cpu = [
        0.5 * (a.smallest / a.cpu_seconds + b.smallest / b.cpu_seconds) * t.cpu_seconds / t.smallest
        for a, t, b in triples
    ]
    rates = {
        name: {
            "min_ess_per_second": float(np.median([t.smallest / t.seconds for t in side])),
            "min_bulk_ess": float(np.median([t.smallest for t in side])),
            "seconds": float(np.median([t.seconds for t in side])),
            "cpu_seconds": float(np.median([t.cpu_seconds for t in side])),
            "gradients_per_draw": float(np.median([t.gradients for t in side]) / 4000),
            "divergences": sum(t.divergences for t in side),
            "worst": min(side[0].bulk, key=lambda n: side[0].bulk[n]),
        }
        for name, side in found.items()
    }
    z = disagreement(ours, theirs)
    return {
        **rates,
        "ratio": float(np.median(ratio)),
        "ratio_by_seed": ratio,
        "ratio_per_cpu_second": float(np.median(by_cpu)),
        "ratio_per_gradient": float(np.median(by_gradient)),
        "means_differ_by_standard_errors": z,
        "largest_difference": max(abs(v) for v in z.values()),
    }


def machine() -> dict[str, Any]:
    """What it ran on, in general terms; ``load_before`` counts processes that wanted a core in the minute before."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "cores": os.cpu_count(),
        "cpu": model,
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> int:
    """Measure, print, write; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    where = machine()
    result = {"machine": where} | measure(options.seeds)
    times = warm_seconds(chinchilla_runs(), options.repeats, drift=False)
    drifting = warm_seconds(chinchilla_runs(), options.repeats, drift=True)
    result |= {
        "compile_and_sample_seconds": times,
        "warm_median": float(np.median(times)),
        "compile_and_sample_seconds_with_drift": drifting,
        "warm_median_with_drift": float(np.median(drifting)),
    }
    met = {
        "ratio": result["ratio"] >= RATIO,
        "same_posterior": result["largest_difference"] <= Z_MAX,
        "warm": result["warm_median"] < WARM,
        "warm_with_drift": result["warm_median_with_drift"] < WARM,
    }
    result["met"] = met
    with written_beside(RESULT) as path:
        path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "settings"}, indent=2))
    return int(not all(met.values()))


if __name__ == "__main__":
    sys.exit(main())
