"""Repeated data: forecasts, optima and plans that see repetition, and what runs say of its decay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from scipy.optimize import least_squares
from test_effective import PUBLISHED, REPEATED, loss

import bayescale as bs
from bayescale.errors import ForecastError, PlanError
from bayescale.laws import STEP
from bayescale.posterior import Fit, group_curve
from bayescale.runs import Runs
from bayescale.spec import resolve
from bayescale.zoo import load_model, load_populations

# ------------------------------------------------------------------ forecasts and plans


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("repeated-data", runs=make_runs(), draws=150)


@pytest.fixture(scope="module")
def drifting() -> Fit:
    return make_fit("repeated-data", runs=make_runs(), draws=60, drift=True)


def test_forecasts_see_repetition_and_only_repetition(fit: Fit, drifting: Fit) -> None:
    for one in (fit, drifting):
        at = {"params": [1e9, 1e10], "tokens": [2e11, 2e11]}
        without = bs.predict(one, **at, kind="expected")
        enough = bs.predict(one, **at, unique_tokens=2e11, kind="expected")
        few = bs.predict(one, **at, unique_tokens=2e9, kind="expected")
        np.testing.assert_array_equal(without.draws, enough.draws)
        assert (few.draws > without.draws).all()
        assert any("unlimited" in note for note in without.notes)
        assert not any("unlimited" in note for note in few.notes)


def test_a_law_that_reads_no_unique_tokens_refuses_them() -> None:
    other = make_fit(runs=make_runs(), draws=20)
    with pytest.raises(ForecastError, match="does not read unique_tokens"):
        bs.predict(other, params=1e9, tokens=1e10, unique_tokens=1e9)
    with pytest.raises(PlanError, match="unique_tokens is not read by 'parameter-data'"):
        bs.plan(other, 1e22, unique_tokens=1e9)


@pytest.mark.parametrize("unique", [0.0, float("nan"), "many"])
def test_unique_tokens_must_be_a_count(fit: Fit, unique: Any) -> None:
    with pytest.raises(PlanError, match="unique_tokens"):
        bs.plan(fit, 1e22, unique_tokens=unique, allow_experimental=True)


def test_the_numeric_optimum_is_the_closed_one_where_data_are_enough(fit: Fit) -> None:
    where = fit.groups()
    budgets = np.log([1e20, 1e22])
    closed = group_curve(fit, where).optimum(budgets)
    numeric = group_curve(fit, where, given={"unique_tokens": 1e29}).optimum(budgets)
    # Both searches stay within e^8 of N = D; some draws of the prior have their optimum beyond.
    inside = np.abs(closed[0] - 0.5 * (budgets - np.log(6.0))) < 8.0
    assert inside.mean() > 0.9
    # The second grid reaches three points of the first, 24/193 apart, in 192 steps of its own.
    step = 24 / 193 * 3 / 192
    assert np.abs(closed[0] - numeric[0])[inside].max() <= step
    assert (numeric[1] - closed[1]).min() >= -1e-12
    assert (numeric[1] - closed[1])[inside].max() < 1e-5


def test_no_action_beats_the_optimum_where_data_are_few(fit: Fit, drifting: Fit) -> None:
    for one in (fit, drifting):
        curve = group_curve(one, one.groups(), given={"unique_tokens": 5e9})
        total = np.log(1e22) - np.log(6.0)
        best, log_r = curve.optimum(np.log(1e22))
        beside = best[:, None] + np.linspace(-3.0, 3.0, 61)
        missed = log_r - curve.log_reducible({"params": beside, "tokens": total - beside}).min(
            axis=1
        )
        # A draw of the prior whose closed form lies e^20 off finds its own optimum out of reach.
        inside = np.abs(best - 0.5 * total) < 12.0
        assert inside.mean() > 0.95
        # The last grid is .0039 nats apart, in valleys whose second derivative is far below 10.
        assert missed[inside].max() < 10 * 0.0039**2 / 8


def test_a_plan_repeats_data_when_they_run_out(fit: Fit) -> None:
    with pytest.raises(PlanError, match="experimental"):
        bs.plan(fit, 1e22, unique_tokens=5e9)
    free = bs.plan(fit, 1e22, allow_experimental=True)
    short = bs.plan(fit, 1e22, unique_tokens=5e9, allow_experimental=True)
    assert short.problem["unique_tokens"] == 5e9
    assert "5B unique tokens" in str(short)
    assert "unique_tokens" not in free.problem
    assert any("unlimited" in caveat for caveat in free.caveats)
    assert not any("unlimited" in caveat for caveat in short.caveats)
    assert short.recommendations[0].tokens > 5e9
    assert short.optimum["loss"]["median"] > free.optimum["loss"]["median"]
    assert short.forecasts[0].draws.mean() > free.forecasts[0].draws.mean()


# ------------------------------------------------------------------ recovery


def repeated_runs(repeat: bool, r_d: float = 12.0, r_n: float = 4.0) -> Runs:
    """Simulated runs of four sizes on three pools, with noise of .2 %; ``repeat=False``: all tokens differ."""
    rng = np.random.default_rng(5)
    theta = PUBLISHED | {"R_D_star": r_d, "R_N_star": r_n}
    frame = pd.DataFrame(
        [
            (n, u * e, u)
            for n in (3e7, 1e8, 4e8, 2e9)
            for u in (3e8, 1e9, 4e9)
            for e in (1, 4, 16, 80)
        ],
        columns=["params", "tokens", "unique_tokens"],
    )
    if not repeat:
        frame["unique_tokens"] = frame["tokens"]
    clean = loss(REPEATED, theta, *(frame[c].to_numpy(float) for c in frame))
    frame["loss"] = clean * np.exp(0.002 * rng.standard_normal(len(frame)))
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(frame, task_info=info)


def information(runs: Runs) -> np.ndarray:
    """Fisher information of (log R_D*, log R_N*), other parameters known, at noise of .2 %."""
    columns = [runs.table[c].to_numpy(float) for c in ("params", "tokens", "unique_tokens")]
    slopes = []
    for name, truth in (("R_D_star", 12.0), ("R_N_star", 4.0)):
        theta = PUBLISHED | {"R_D_star": 12.0, "R_N_star": 4.0}
        high, low = (
            loss(REPEATED, theta | {name: truth * np.exp(s)}, *columns) for s in (1e-4, -1e-4)
        )
        slopes.append((np.log(high) - np.log(low)) / 2e-4)
    return np.array(slopes) @ np.array(slopes).T / 0.002**2


def test_decay_is_recovered_by_the_law_alone() -> None:
    runs = repeated_runs(True)
    columns = [runs.table[c].to_numpy(float) for c in ("params", "tokens", "unique_tokens")]
    observed = np.log(runs.table["loss"].to_numpy(float))

    def misfit(x: np.ndarray) -> np.ndarray:
        theta = PUBLISHED | {"R_D_star": np.exp(x[0]), "R_N_star": np.exp(x[1])}
        return np.asarray(np.log(loss(REPEATED, theta, *columns)) - observed)

    found = least_squares(misfit, np.log([40.0, 1.5])).x
    error = np.sqrt(np.diag(np.linalg.inv(information(runs))))
    assert error.max() < 0.2
    assert (np.abs(found - np.log([12.0, 4.0])) < 3.3 * error).all()


def test_runs_that_repeat_nothing_say_nothing_of_decay() -> None:
    np.testing.assert_array_equal(information(repeated_runs(False)), 0.0)


@pytest.mark.slow
def test_decay_is_recovered_from_repeats_and_stays_at_its_prior_without_them() -> None:
    settings: dict[str, Any] = {"drift": False, "engine": "quick", "progress": False, "seed": 1}
    prior = {
        "R_D_star": "LogNormal(median=10, sigma=1)",
        "R_N_star": "LogNormal(median=5, sigma=1)",
    }
    found = bs.fit(repeated_runs(True), "repeated-data", prior=prior, **settings)
    for name, truth in (("R_D_star", 12.0), ("R_N_star", 4.0)):
        draws = found.posterior[name].to_numpy().ravel()
        # Within 3.3 posterior standard deviations: passed by all but one table in a thousand.
        assert abs(np.log(draws).mean() - np.log(truth)) < 3.3 * np.log(draws).std()
        assert np.log(draws).std() < 0.3
    # One program serves both tables: they differ in numbers only.
    blind = bs.fit(repeated_runs(False), "repeated-data", prior=prior, **settings)
    for name in ("R_D_star", "R_N_star"):
        spread = np.log(blind.posterior[name].to_numpy().ravel()).std()
        # A prior of one; its sd over 400 effective draws has a standard error of .035.
        assert spread == pytest.approx(1.0, abs=0.15)


def test_walks_reach_as_far_as_tokens_may_be_worth() -> None:
    resolved = resolve(load_model("repeated-data"), repeated_runs(True), load_populations())
    plain_law = resolve(load_model("parameter-data"), repeated_runs(True), load_populations())
    # The smallest pool is also the smallest D; the justified size may be a hundredth of it.
    assert resolved.drift["tokens"] == plain_law.drift["tokens"]
    lowest = np.log(3e8 / 100) - resolved.pivots["params"]
    assert resolved.drift["params"][0] == np.floor(lowest / STEP)
    assert resolved.pivots["unique_tokens"] == resolved.pivots["tokens"]
