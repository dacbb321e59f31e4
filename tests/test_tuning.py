"""Mistuned runs: the published optima, a cost that is zero there and rises away from it, and what is recommended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit
from hypothesis import given
from hypothesis import strategies as st
from test_laws import ORACLE, inputs_of

import bayescale as bs
from bayescale.cli.run import run
from bayescale.errors import ForecastError, PlanError
from bayescale.laws import LAWS, numpy_namespace
from bayescale.laws.tuning import MOST_LOST, optimum, tokens_lost, tuned_to
from bayescale.posterior import Fit
from bayescale.runs import Runs

LAW = LAWS["parameter-data"].reading(["mistuned"])
SHAPE = {
    "noise_cost": 0.18,
    "noise_skew": 0.18,
    "noise_batch": 1.3,
    "step_cost": 0.23,
    "step_skew": 0.5,
    "step_batch": 0.42,
}
CORE = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.6}
SLOPES = {
    "lr_by_params": -0.6,
    "lr_by_tokens": 0.2,
    "batch_by_params": -0.1,
    "batch_by_tokens": 0.55,
}
TRUTH = {**CORE, **SHAPE, **SLOPES, "lr_best": 1.0, "batch_best": 1.0}
UNSAID = -60.0  # the centred log of an input that is not said
steps = st.floats(-4.0, 4.0)


def worth(x: Any, y: Any, u: float = 0.0, v: float = 0.0) -> Any:
    """Effective log D at centred logs of rate, batch, N and D."""
    theta = LAW.complete(TRUTH)
    at = {"params": np.array(u), "tokens": np.array(v), "learning_rate": x, "batch_size": y}
    return LAW.effective_inputs(at, theta)["tokens"]


# ------------------------------------------------------------------ published optima


def printed(quantity: str, at: str) -> float:
    (row,) = (r for r in ORACLE if r["quantity"] == quantity and r["inputs"] == at)
    return float(row["value"])


def test_the_optimum_of_a_joint_law_is_the_step_law() -> None:
    """Medians of their fits: e^.578·N^−.712·D^.307 and e^−.556·D^.571; pivots and centres are anywhere."""
    pivots = {"params": np.log(4e8), "tokens": np.log(2e10)}
    centre = {"learning_rate": np.log(2e-3), "batch_size": np.log(5e5)}
    theta = {
        "lr_by_params": -0.712,
        "lr_by_tokens": 0.307,
        "batch_by_params": 0.0,
        "batch_by_tokens": 0.571,
    }
    theta["lr_best"] = np.exp(0.578) * 4e8**-0.712 * 2e10**0.307 / 2e-3
    theta["batch_best"] = np.exp(-0.556) * 2e10**0.571 / 5e5
    at = {"params": np.log(1e9) - pivots["params"], "tokens": np.log(1e11) - pivots["tokens"]}
    rate, batch = optimum(numpy_namespace, at, theta, ("params", "tokens"))
    assert np.exp(rate + centre["learning_rate"]) == pytest.approx(
        printed("steplaw_lr", "N=1e9;D=1e11"), rel=6e-6
    )
    assert np.exp(batch + centre["batch_size"]) == pytest.approx(
        printed("steplaw_batch", "D=1e11"), rel=6e-6
    )


@pytest.mark.parametrize("compute", ["C=1e+20", "C=1e+24"])
def test_the_optimum_of_a_compute_law_is_deepseeks(compute: str) -> None:
    """Printed: .3118·C^−.125 and .2920·C^.3271; their C is M·D, their pivot here 1e22."""
    theta = {"lr_by_compute": -0.125, "batch_by_compute": 0.3271}
    theta |= {"lr_best": 0.3118 * 1e22**-0.125, "batch_best": 0.2920 * 1e22**0.3271}
    at = {"compute": np.log(inputs_of(compute)["C"] / 1e22)}
    rate, batch = optimum(numpy_namespace, at, theta, ("compute",))
    assert np.exp(rate) == pytest.approx(printed("deepseek_lr", compute), rel=6e-6)
    assert np.exp(batch) == pytest.approx(printed("deepseek_batch", compute), rel=6e-6)


# ------------------------------------------------------------------ the cost


def test_nothing_is_lost_at_the_optimum_nor_where_nothing_is_said() -> None:
    u, v = 1.3, -0.7
    rate, batch = optimum(numpy_namespace, {"params": u, "tokens": v}, TRUTH, ("params", "tokens"))
    assert float(worth(rate, batch, u, v)) == pytest.approx(v, abs=1e-14)
    assert float(worth(UNSAID, UNSAID, u, v)) == v


@given(steps, steps)
def test_runs_off_the_optimum_are_worth_fewer_tokens(x: float, y: float) -> None:
    lost = -float(worth(x, y))
    assert 0.0 <= lost <= MOST_LOST
    # Convex along any ray: twice as far costs at least twice as much.
    further = -float(worth(2 * x, 2 * y))
    assert further >= min(2 * lost, MOST_LOST) * (1 - 1e-9)


def test_a_rate_too_high_costs_more_than_one_too_low_and_the_curvature_is_as_named() -> None:
    assert -worth(2.0, 0.0) > -worth(-2.0, 0.0) > 0
    h = 1e-3
    at = [float(-worth(z, 0.0)) for z in (-h, 0.0, h)]
    curvature = (at[0] - 2 * at[1] + at[2]) / h**2
    assert curvature == pytest.approx(SHAPE["noise_cost"] + SHAPE["step_cost"], rel=1e-4)


def test_without_skew_it_is_a_parabola_and_a_rate_may_be_tuned_to_its_batch() -> None:
    theta = TRUTH | {"noise_skew": 1e-4, "step_skew": 1e-4}
    lost = tokens_lost(numpy_namespace, 1.0, 0.5, theta)
    noise, step = 1.0 - 1.3 * 0.5, 1.0 + 0.42 * 0.5
    assert lost == pytest.approx(0.5 * (0.18 * noise**2 + 0.23 * step**2), rel=1e-3)
    best = tuned_to(np.array(0.5), theta)
    grid = best + np.linspace(-0.5, 0.5, 101)
    assert np.argmin(tokens_lost(numpy_namespace, grid, 0.5, theta)) == 50
    # A batch that is said without a rate counts as tuned to it.
    found = -worth(UNSAID, np.array(0.5))
    assert found == pytest.approx(
        float(tokens_lost(numpy_namespace, tuned_to(np.array(0.5), TRUTH), 0.5, TRUTH)), rel=1e-12
    )


def test_numpy_and_pytensor_agree_in_value_and_gradient() -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    names = {n: pt.dscalar(n) for n in TRUTH}
    at = {
        "params": np.array([-1.0, 0.5, 1.0, 0.0, 0.0]),
        "tokens": np.array([0.3, -1.5, 2.0, 0.0, 0.0]),
        "learning_rate": np.array([0.4, -1.0, UNSAID, 2.0, UNSAID]),
        "batch_size": np.array([1.2, UNSAID, -0.8, -1.0, UNSAID]),
    }
    inputs = {n: pt.dvector(n) for n in at}
    symbolic = LAW.complete(names, xp)
    loss = LAW.loss(LAW.effective_inputs(inputs, symbolic, xp), symbolic, None, xp)
    slopes = pytensor.grad(loss.sum(), list(names.values()))
    compiled = pytensor.function(
        [*inputs.values(), *names.values()], [loss, *slopes], mode="FAST_COMPILE"
    )

    def total(values: dict[str, float]) -> np.ndarray:
        theta = LAW.complete(values)
        return np.asarray(LAW.loss(LAW.effective_inputs(at, theta), theta))

    found, *gradient = compiled(*at.values(), *TRUTH.values())
    np.testing.assert_allclose(found, total(TRUTH), rtol=1e-12)
    for name, slope in zip(TRUTH, gradient, strict=True):
        h = 1e-6 * max(abs(TRUTH[name]), 0.1)
        up, down = total(TRUTH | {name: TRUTH[name] + h}), total(TRUTH | {name: TRUTH[name] - h})
        assert float(slope) == pytest.approx((up - down).sum() / (2 * h), rel=1e-5, abs=1e-7)


# ------------------------------------------------------------------ forecasts, plans, recommendations


def grids(seed: int = 0, noise: float = 0.003, tuned: bool = False) -> Runs:
    """Four sizes by three amounts of data, each on a grid of rates and batches, from a known law."""
    rng = np.random.default_rng(seed)
    rows = [
        (n, d, lr, b)
        for n in (1e8, 3e8, 1e9, 3e9)
        for d in (4e9, 2e10, 1e11)
        for lr in np.geomspace(2e-4, 2e-2, 6)
        for b in np.geomspace(6e4, 4e6, 4)
    ]
    table = pd.DataFrame(rows, columns=["params", "tokens", "learning_rate", "batch_size"])
    logs = {name: np.log(table[name].to_numpy()) for name in table}
    centred = {name: value - value.mean() for name, value in logs.items()}
    if tuned:
        centred["learning_rate"] = centred["batch_size"] = np.full(len(table), UNSAID)
    theta = LAW.complete(TRUTH)
    loss = LAW.loss(LAW.effective_inputs(centred, theta), theta)
    return bs.load_runs(
        table.assign(loss=loss * np.exp(noise * rng.standard_normal(len(table)))),
        task_info={"loss": {"metric": "nats/token", "corpus": "text"}},
        name="grids",
    )


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("mistuned", runs=grids(), draws=100, values=SLOPES)


def test_a_run_is_forecast_with_and_without_its_rate(fit: Fit) -> None:
    at: dict[str, Any] = {"params": 1e9, "tokens": 2e10, "kind": "expected"}
    tuned = bs.predict(fit, **at)
    assert any("learning_rate not given: taken as tuned" in note for note in tuned.notes)
    mistuned = bs.predict(fit, **at, learning_rate=0.1, batch_size=6e4)
    assert (mistuned.draws > tuned.draws).all()
    with pytest.raises(ForecastError, match="learning_rate = 1000"):
        bs.predict(fit, **at, learning_rate=1000.0)


def test_a_plan_takes_runs_as_tuned_and_a_recommendation_says_how(fit: Fit) -> None:
    plan = bs.plan(fit, 1e22)
    assert any("learning_rate not given" in note for note in plan.caveats)
    found = bs.tuning(fit, params=1e9, tokens=2e10)
    # Draws share their exponents, hence the best rate moves as they say.
    further = bs.tuning(fit, params=1e10, tokens=2e10)
    np.testing.assert_allclose(further.learning_rate / found.learning_rate, 10.0**-0.6, rtol=1e-9)
    assert ((found.lost >= 0) & (found.lost < 1)).all()
    # Of all pairs about the recommended one none loses less on average.
    curve_at = {"params": 1e9, "tokens": 2e10}
    worse = []
    for a, b in [(1.3, 1.0), (0.77, 1.0), (1.0, 1.3), (1.0, 0.77)]:
        pair = {
            "learning_rate": a * found.recommended_learning_rate,
            "batch_size": b * found.recommended_batch_size,
        }
        worse.append(_lost(fit, curve_at, pair))
    best = _lost(
        fit,
        curve_at,
        {
            "learning_rate": found.recommended_learning_rate,
            "batch_size": found.recommended_batch_size,
        },
    )
    assert best == pytest.approx(found.lost.mean(), rel=1e-9)
    assert min(worse) > best


def _lost(fit: Fit, at: dict[str, float], pair: dict[str, float]) -> float:
    from bayescale.posterior import group_curve

    curve = group_curve(fit, fit.groups(None, None, None), drift=False)
    logs = {name: np.log(value) for name, value in (at | pair).items()}
    centred = {name: np.array(value - curve.pivots[name]) for name, value in logs.items()}
    worth = curve.law.effective_inputs(centred, curve.theta)["tokens"]
    return float(-np.expm1(worth - centred["tokens"]).mean())


def test_a_batch_that_is_fixed_is_kept(fit: Fit) -> None:
    free = bs.tuning(fit, params=1e9, tokens=2e10)
    held = bs.tuning(fit, params=1e9, tokens=2e10, batch_size="1M")
    assert held.recommended_batch_size == pytest.approx(1e6)
    assert held.batch_size == pytest.approx(1e6)
    assert held.lost.mean() > free.lost.mean()


def test_what_no_fitted_run_states_is_not_judged() -> None:
    columns = ["params", "tokens", "loss"]
    frame = grids().frame
    plain = bs.load_runs(frame[columns], task_info={"loss": {"metric": "nats/token"}})
    silent = make_fit("mistuned", runs=plain, draws=20)
    with pytest.raises(PlanError, match="no fitted run states learning_rate"):
        bs.tuning(silent, params=1e9, tokens=2e10)
    with pytest.raises(ForecastError, match="no fitted run states learning_rate"):
        bs.predict(silent, params=1e9, tokens=2e10, learning_rate=1e-3)
    rates = bs.load_runs(
        frame[[*columns, "learning_rate"]], task_info={"loss": {"metric": "nats/token"}}
    )
    found = bs.tuning(make_fit("mistuned", runs=rates, draws=50), params=1e9, tokens=2e10)
    assert list(found.recommended()) == ["learning_rate"]
    assert list(found.to_dict()["recommended"]) == ["learning_rate"]
    assert "batches as they had them" in str(found)


def test_what_cannot_be_recommended_is_refused(fit: Fit) -> None:
    with pytest.raises(PlanError, match="knows no best learning rate"):
        bs.tuning(make_fit(draws=10), params=1e9, tokens=2e10, architecture="Pythia")
    with pytest.raises(PlanError, match="takes one run"):
        bs.tuning(fit, params=[1e9, 2e9], tokens=2e10)  # type: ignore[arg-type]


def test_command_line(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = str(tmp_path / "fit.nc")
    fit.save(saved)
    words = ["tuning", saved, "--params", "1B", "--tokens", "20B"]
    assert run(words) == 0
    assert "recommended: learning rate" in capsys.readouterr().out
    assert run([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = bs.tuning(fit, params=1e9, tokens=2e10)
    assert found["recommended"]["learning_rate"] == pytest.approx(
        expected.recommended_learning_rate
    )
    assert run([*words[:-2], "--tokens", "many"]) == 1


# ------------------------------------------------------------------ recovery, and where nothing is to be found


@pytest.mark.slow
def test_the_exponents_of_the_optimum_are_recovered() -> None:
    fit = bs.fit(grids(), "mistuned", drift=False, draws=500, tune=600, chains=2, seed=3)
    for name, truth in (SLOPES | {"lr_best": 1.0, "batch_best": 1.0}).items():
        draws = fit.posterior[name].to_numpy().ravel()
        # Six intervals at 99.7 %: all hold but once in sixty.
        assert abs(draws.mean() - truth) < 3.0 * draws.std(), name
        assert draws.std() < 0.1, name


@pytest.mark.slow
def test_runs_that_do_not_hang_on_their_rate_say_that_it_costs_nothing() -> None:
    fit = bs.fit(grids(tuned=True), "mistuned", drift=False, draws=500, tune=600, chains=2, seed=4)
    cost = (fit.posterior["noise_cost"] + fit.posterior["step_cost"]).to_numpy().ravel()
    # An e-fold costs less than a fiftieth of the tokens, where the prior says a fifth.
    assert np.quantile(cost, 0.9) < 0.04
