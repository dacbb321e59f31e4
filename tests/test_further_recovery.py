"""Laws of which no table was had: truths found in simulated tables, and nothing found where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.posterior import Fit
from bayescale.spec.scale import mean_logs
from bayescale.zoo import load_model

pytestmark = pytest.mark.slow

BASE = {"R0": 0.9, "omega": 0.45, "alpha": 0.15, "a": 0.5, "gamma": 0.8, "L_inf": 1.7}
NOISE = 0.003


@dataclass(frozen=True)
class Simulation:
    """Values of the further inputs on a design of N and D, true parameters, and what to look at."""

    model: str
    inputs: Callable[[pd.DataFrame, np.random.Generator], dict[str, Any]]
    truth: dict[str, float]
    seen: tuple[str, ...]
    without: dict[str, float]
    none: dict[str, float]


def repeated(values: tuple[float, ...]) -> Callable[[pd.DataFrame, np.random.Generator], Any]:
    return lambda frame, _: np.resize(values, len(frame))


SIMULATIONS = [
    Simulation(
        "rounding",
        lambda frame, rng: {"post_bits": repeated((2.0, 3.0, 4.0, 6.0, np.nan))(frame, rng)},
        {"post_level": 0.02, "post_bits_scale": 0.7, "post_by_tokens": 0.6, "post_by_params": 0.3},
        ("post_level", "post_bits_scale", "post_by_tokens", "post_by_params"),
        {"post_level": 1e-12},
        # Of what four bits cost, .02 above.
        {"post_level": 0.002},
    ),
    Simulation(
        "data-quality",
        lambda frame, rng: {"quality": repeated((0.25, 0.5, 1.0, 2.0))(frame, rng)},
        {"quality_power": 0.8},
        ("quality_power",),
        {"quality_power": 1e-9},
        {"quality_power": 0.15},
    ),
    Simulation(
        "granularity",
        lambda frame, rng: {"granularity": repeated((1.0, 2.0, 4.0, 16.0, 64.0))(frame, rng)},
        {"coarse_cost": 0.3, "granularity_exponent": 0.6},
        ("coarse_cost", "granularity_exponent"),
        {"coarse_cost": 1e-9},
        {"coarse_cost": 0.1},
    ),
    Simulation(
        "aspect-ratio",
        lambda frame, rng: {"aspect_ratio": repeated((4.0, 16.0, 64.0, 256.0, 1024.0))(frame, rng)},
        {
            "aspect_ratio_best": 1.6,
            "aspect_ratio_by_params": 0.15,
            "aspect_ratio_curvature": 0.03,
        },
        ("aspect_ratio_best", "aspect_ratio_by_params", "aspect_ratio_curvature"),
        {"aspect_ratio_curvature": 1e-9},
        {"aspect_ratio_curvature": 0.006},
    ),
    Simulation(
        "distillation",
        lambda frame, rng: {
            "teacher_loss": repeated((1.9, 2.1, 2.4, 2.8))(frame, rng),
            "student_loss": np.resize((2.2, 2.5, 2.9), len(frame)),
        },
        {
            "L_inf": 0.0,
            "teacher_power": -0.6,
            "gap_power": 2.0,
            "gap_at": 0.9,
            "gap_softness": 0.1,
        },
        ("teacher_power", "gap_power", "gap_at"),
        # No gap is no truth to be found: one beyond the teachers of the table cannot be told from none.
        {},
        {},
    ),
]


def simulated(one: Simulation, truth: dict[str, float], seed: int = 4) -> Fit:
    """The model's fit to 75 runs, five N by five D by three of the further inputs, of the law at ``truth``."""
    rng = np.random.default_rng(seed)
    n, d, _ = np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(2e9, 2e11, 5), range(3))
    frame = pd.DataFrame({"params": n.ravel(), "tokens": d.ravel()}).sample(
        frac=1, random_state=seed
    )
    frame = frame.assign(**one.inputs(frame, rng), loss=2.5).reset_index(drop=True)
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    blank = bs.load_runs(frame, task_info=info, name="simulated")
    law = load_model(one.model).get_law()
    pivots = mean_logs(law, blank)
    logs = {k: v - pivots[k] for k, v in law.logs(law.values(frame)).items()}
    theta = law.complete(BASE | truth)
    loss = law.loss(law.effective_inputs(logs, theta), theta, beside=logs)
    frame["loss"] = loss * np.exp(NOISE * rng.standard_normal(len(frame)))
    runs = bs.load_runs(frame, task_info=info, name="simulated")
    return bs.fit(
        runs, one.model, drift=False, sweep=False, draws=500, tune=500, chains=2, cores=1, seed=1
    )


@pytest.mark.parametrize("one", SIMULATIONS, ids=lambda one: one.model)
def test_a_truth_is_found(one: Simulation) -> None:
    fit = simulated(one, one.truth)
    for name in one.seen:
        draws = np.log(np.abs(fit.posterior[name].to_numpy().ravel()))
        # Within four standard deviations of the posterior, on the scale of its prior.
        assert abs(draws.mean() - np.log(abs(one.truth[name]))) < 4.0 * draws.std(), name
        assert np.sign(np.median(fit.posterior[name])) == np.sign(one.truth[name])
    # And seen: the first parameter is known to a third.
    assert np.log(np.abs(fit.posterior[one.seen[0]].to_numpy())).std() < 0.35


@pytest.mark.parametrize("one", [s for s in SIMULATIONS if s.none], ids=lambda one: one.model)
def test_where_there_is_nothing_nothing_is_found(one: Simulation) -> None:
    fit = simulated(one, one.truth | one.without)
    for name, most in one.none.items():
        assert float(np.median(fit.posterior[name])) < most, name
