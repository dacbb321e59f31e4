"""Laws of N and D other than the joint one: the isoFLOP profile and Farseer, their optima, limits, twins, decisions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from hypothesis import given
from hypothesis import strategies as st

import bayescale as bs
from bayescale.laws import LAWS, Law, numeric_optimum
from bayescale.posterior import group_curve

PROFILE = LAWS["isoflop-profile"]
FARSEER = LAWS["parameter-data"].reading(["farseer"])
P = {"R0": 0.7, "alpha": 0.16, "a": 0.48, "n_star": 0.3, "curvature": 0.08, "fade": 0.02}
P |= {"L_inf": 1.7}
JOINT = {"R0": 0.7, "omega": 0.4, "alpha": 0.16, "a": 0.48, "gamma": 1.0, "L_inf": 1.7}
PLAIN = {"exponent_slope": 0.0, "level_slope": 0.0, "exponent_bend": 0.1, "level_bend": -0.1}
BENT = {"exponent_slope": -0.05, "level_slope": 0.07, "exponent_bend": 0.1, "level_bend": -0.1}
EXPERIMENTAL: dict[str, Any] = {"allow_experimental": True}
logs = st.floats(-4.0, 4.0)


def loss(law: Law, theta: dict[str, float], u: Any, v: Any) -> Any:
    full = law.complete(theta)
    return law.loss(law.effective_inputs({"params": u, "tokens": v}, full), full)


# ------------------------------------------------------------------ the profile


@given(logs)
def test_the_minimum_of_a_budget_is_where_the_power_law_says(total: float) -> None:
    theta = {k: np.array([v]) for k, v in PROFILE.complete(P).items()}
    # The search takes 6·N·D for the budget; pivots at zero.
    at, log_r = numeric_optimum(PROFILE, theta, {"params": 0.0, "tokens": 0.0}, total + math.log(6))
    assert float(at[0]) == pytest.approx(0.3 + 0.48 * total, abs=1e-4)
    assert float(log_r[0]) == pytest.approx(math.log(0.7) - 0.16 * total, abs=1e-8)


def test_near_its_optimum_the_joint_law_is_such_a_profile() -> None:
    joint = LAWS["parameter-data"]
    theta = joint.complete(JOINT | {"gamma": 0.7})
    beta, delta = float(theta["beta"]), float(theta["delta"])
    draws = {k: np.array([v]) for k, v in theta.items()}
    pivots = {"params": 0.0, "tokens": 0.0}
    centre, log_r = numeric_optimum(joint, draws, pivots, 1.0 + math.log(6))
    profile = {
        "R0": math.exp(float(log_r[0]) + 0.16),
        "alpha": 0.16,
        "a": 0.48,
        "n_star": float(centre[0]) - 0.48,
        "curvature": beta * delta / (2 * 0.7),
        "fade": 1e-9,
        "L_inf": 1.7,
    }
    for x in (-0.1, 0.05, 0.1):
        u = float(centre[0]) + x
        # The next term is of third order: βδ(δ − β)x³/6γ² of R.
        got, expected = loss(PROFILE, profile, u, 1.0 - u), loss(joint, theta, u, 1.0 - u)
        assert float(got) == pytest.approx(float(expected), abs=2e-5)


def test_plans_forecasts_and_inverses_read_the_profile() -> None:
    fit = make_fit("isoflop-profile", make_runs(), draws=100)
    curve = group_curve(fit, fit.groups())
    n, r = curve.optimum(np.log(1e22))
    grid_n, grid_r = curve._on_grid(np.log(1e22 / 6), n + 0.2)
    # The grid's last points are .003 nats apart.
    np.testing.assert_allclose(grid_n, n, atol=2e-3)
    np.testing.assert_allclose(grid_r, r, atol=1e-5)
    forecast = bs.predict(fit, compute=1e22, kind="expected").draws.to_numpy().ravel()
    np.testing.assert_allclose(forecast, curve.loss(r[:, None])[:, 0], rtol=1e-9)
    plan = bs.plan(fit, bs.Budget(compute=1e22), **EXPERIMENTAL)
    assert plan.optimum["params"]["median"] == pytest.approx(float(np.median(np.exp(n))), rel=1e-6)
    found = bs.cheapest(fit, target_loss=2.6, probability=0.3, **EXPERIMENTAL)
    assert found.p_hit >= 0.3
    assert (
        bs.needed(
            fit, target_loss=2.7, axis="tokens", params=1e9, probability=0.2, **EXPERIMENTAL
        ).amount
        > 0
    )


# ------------------------------------------------------------------ Farseer


@given(logs, logs)
def test_without_slopes_and_a_far_floor_it_is_the_joint_law(u: float, v: float) -> None:
    # exp(h x) − 1 is h x where the reducible part is small beside the floor.
    theta = JOINT | {"R0": 1e-6}
    got = float(loss(FARSEER, theta | PLAIN, u, v)) - 1.7
    expected = float(loss(LAWS["parameter-data"], theta, u, v)) - 1.7
    assert got == pytest.approx(expected, rel=1e-4)


@given(logs, logs)
def test_it_is_the_printed_law(u: float, v: float) -> None:
    # At pivots of one parameter and one token: s N^q + S, B N^b + Q, A N^a + E.
    theta = FARSEER.complete(JOINT | BENT)
    beta, delta = float(theta["beta"]), float(theta["delta"])
    s = math.log1p(0.4 * 0.7 / 1.7)
    a, b = BENT["exponent_bend"], BENT["level_bend"]
    big_a, big_b = BENT["exponent_slope"] / a, BENT["level_slope"] / b
    q, e = math.log(0.6 * 0.7) - big_b, math.log(delta) - big_a
    n, d = math.exp(u), math.exp(v)
    printed = math.exp(s * n**-beta + math.log(1.7))
    printed += math.exp(big_b * n**b + q) * d ** -math.exp(big_a * n**a + e)
    assert float(loss(FARSEER, JOINT | BENT, u, v)) == pytest.approx(printed, rel=1e-9)


def test_the_data_exponent_changes_with_size() -> None:
    theta = FARSEER.complete(JOINT | BENT | {"L_inf": 1.7})
    v = np.array([0.0, 1e-4])
    for u in (-2.0, 0.0, 2.0):
        # At N held, the loss less its limit of endless data is the data term alone.
        limit = float(loss(FARSEER, JOINT | BENT, u, 1e6))
        slope = np.diff(np.log(loss(FARSEER, JOINT | BENT, u, v) - limit))[0] / 1e-4
        moved = BENT["exponent_slope"] * math.expm1(0.1 * u) / 0.1
        assert -slope == pytest.approx(float(theta["delta"]) * math.exp(moved), rel=1e-4)


def test_a_budget_is_divided_under_farseer() -> None:
    fit = make_fit("farseer", make_runs(), draws=60)
    plan = bs.plan(fit, bs.Budget(compute=1e22), **EXPERIMENTAL)
    assert plan.optimum["params"]["median"] > 0


# ------------------------------------------------------------------ twins


@pytest.mark.parametrize(
    ("law", "theta"), [(PROFILE, P), (FARSEER, JOINT | BENT)], ids=["profile", "farseer"]
)
def test_numpy_and_pytensor_agree_in_value_and_gradient(law: Law, theta: dict[str, float]) -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    names = {n: pt.dscalar(n) for n in theta}
    full = law.complete(names, xp)
    at = {"params": 0.8, "tokens": -0.4}
    value = law.loss(law.effective_inputs(at, full, xp), full, xp=xp)
    grads = pytensor.grad(value, list(names.values()))
    found = pytensor.function(list(names.values()), [value, *grads])(*theta.values())
    assert float(found[0]) == pytest.approx(float(loss(law, theta, 0.8, -0.4)), rel=1e-12)
    for i, name in enumerate(theta):
        step = 1e-6 * abs(theta[name])
        up, down = (
            float(loss(law, theta | {name: theta[name] + s}, 0.8, -0.4)) for s in (step, -step)
        )
        assert float(found[1 + i]) == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-8)


# ------------------------------------------------------------------ recovery


def valleys(theta: dict[str, float], law: Law, noise: float = 0.002) -> bs.Runs:
    """Five budgets of seven sizes, simulated from a law at pivots of 1e9 parameters and 2e10 tokens."""
    rng, rows = np.random.default_rng(5), []
    for budget in np.geomspace(1e19, 1e22, 5):
        for x in np.linspace(-1.2, 1.2, 7):
            params = 1e9 * (budget / 1.2e20) ** 0.5 * math.exp(x)
            tokens = budget / 6 / params
            exact = loss(law, theta, math.log(params / 1e9), math.log(tokens / 2e10))
            rows.append((params, tokens, float(exact) * math.exp(noise * rng.standard_normal())))
    frame = pd.DataFrame(rows, columns=["params", "tokens", "loss"])
    return bs.load_runs(frame, task_info={"loss": {"metric": "nats/token", "corpus": "web"}})


@pytest.mark.slow
def test_slopes_of_farseer_are_found_where_they_are_and_not_where_none_is() -> None:
    options: dict[str, Any] = {"draws": 1500, "seed": 2, "progress": False}
    told = bs.fit(valleys(JOINT | BENT | {"exponent_slope": -0.25}, FARSEER), "farseer", **options)
    slope = told.posterior["exponent_slope"].to_numpy().ravel()
    low, high = np.quantile(slope, [0.005, 0.995])
    assert low < -0.25 < high
    assert high < 0.0
    none = bs.fit(valleys(JOINT, LAWS["parameter-data"]), "farseer", **options)
    low, high = np.quantile(none.posterior["exponent_slope"].to_numpy(), [0.005, 0.995])
    assert low < 0.0 < high


@pytest.mark.slow
def test_the_profile_finds_the_exponent_of_its_optimum() -> None:
    options: dict[str, Any] = {"draws": 1500, "seed": 2, "progress": False}
    told = bs.fit(valleys(P, PROFILE), "isoflop-profile", **options)
    for name in ("a", "alpha", "curvature"):
        low, high = np.quantile(told.posterior[name].to_numpy(), [0.005, 0.995])
        assert low < P[name] < high, name
