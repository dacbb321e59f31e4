"""Risk measures against closed forms, within Monte-Carlo error, and their defining properties exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bayescale.decide import RISK_NAMES, CVaR, Expectation, Quantile, Risk, parse_risk
from bayescale.errors import PlanError, UnknownNameError

DRAWS = 200_000
MU, SIGMA = 0.7, 0.25
RISKS: list[Risk] = [Expectation(), Quantile(0.9), CVaR(0.1)]

samples = arrays(float, st.integers(2, 40), elements=st.floats(-100, 100))


def normal() -> np.ndarray:
    return MU + SIGMA * np.random.default_rng(0).standard_normal(DRAWS)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("log", [False, True])
def test_quantile_is_the_closed_form(p: float, log: bool) -> None:
    draws = np.exp(normal()) if log else normal()
    law = stats.lognorm(SIGMA, scale=math.exp(MU)) if log else stats.norm(MU, SIGMA)
    exact = float(law.ppf(p))
    error = math.sqrt(p * (1 - p) / DRAWS) / float(law.pdf(exact))
    assert abs(float(Quantile(p)(draws)) - exact) < 4 * error


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("log", [False, True])
def test_cvar_is_the_closed_form(share: float, log: bool) -> None:
    draws = np.exp(normal()) if log else normal()
    z = stats.norm.ppf(1 - share)
    if log:
        # E[X | X > q] of a log-normal: Φ(σ − z)·mean/share.
        exact = math.exp(MU + SIGMA**2 / 2) * stats.norm.cdf(SIGMA - z) / share
    else:
        exact = MU + SIGMA * stats.norm.pdf(z) / share
    # Influence function of CVaR: q + (X − q)₊/share.
    cut = np.quantile(draws, 1 - share) if share < 1 else draws.min()
    error = np.std(np.maximum(draws - cut, 0.0)) / share / math.sqrt(DRAWS)
    assert abs(float(CVaR(share)(draws)) - exact) < 4 * error


def test_expectation_is_the_mean() -> None:
    draws = normal()
    assert float(Expectation()(draws)) == pytest.approx(draws.mean())
    assert float(CVaR(1.0)(draws)) == pytest.approx(draws.mean())


@pytest.mark.parametrize("risk", RISKS, ids=lambda r: r.name)
def test_weights_are_counts_up_to_a_factor(risk: Risk) -> None:
    rng = np.random.default_rng(1)
    draws, counts = rng.normal(size=50), rng.integers(1, 6, 50)
    repeated = np.repeat(draws, counts)
    assert float(risk(draws, counts)) == pytest.approx(float(risk(repeated)))
    assert float(risk(draws, 0.37 * counts)) == pytest.approx(float(risk(repeated)))
    assert float(risk(draws, np.ones(50))) == pytest.approx(float(risk(draws)))


@pytest.mark.parametrize("risk", RISKS, ids=lambda r: r.name)
def test_importance_weights_reach_another_distribution(risk: Risk) -> None:
    draws = normal()
    # Tilt Normal(μ, σ) to Normal(μ + σ/2, σ).
    weights = np.exp(0.5 * (draws - MU) / SIGMA)
    there = MU + SIGMA / 2
    exact = {
        "expectation": there,
        "quantile:0.9": there + SIGMA * stats.norm.ppf(0.9),
        "cvar:0.1": there + SIGMA * stats.norm.pdf(stats.norm.ppf(0.9)) / 0.1,
    }[risk.name]
    # The effective number of draws is e^(−1/4) of all; a tail of a tenth errs by at most 3 σ/√n there.
    error = 3 * SIGMA / math.sqrt(DRAWS * math.exp(-0.25))
    assert abs(float(risk(draws, weights)) - exact) < 4 * error


@pytest.mark.parametrize("risk", RISKS, ids=lambda r: r.name)
def test_columns_are_judged_apart(risk: Risk) -> None:
    draws = np.random.default_rng(2).normal(size=(300, 4))
    weights = np.random.default_rng(3).uniform(size=300)
    for w in (None, weights):
        together = risk(draws, w)
        assert together.shape == (4,)
        np.testing.assert_allclose(together, [risk(draws[:, i], w) for i in range(4)])


@given(samples, st.floats(0.01, 0.99))
def test_cvar_lies_between_quantile_and_worst(draws: np.ndarray, p: float) -> None:
    cvar, quantile = float(CVaR(1 - p)(draws)), float(Quantile(p)(draws))
    slack = 1e-9 * (1 + np.abs(draws).max())
    assert quantile <= cvar + slack
    assert cvar <= draws.max() + slack
    assert cvar >= draws.mean() - slack
    assert quantile in draws


@given(samples, st.floats(-10, 10), st.floats(0.1, 10))
def test_risks_move_and_scale_with_the_loss(draws: np.ndarray, shift: float, scale: float) -> None:
    slack = 1e-9 * (1 + scale * np.abs(draws).max() + abs(shift))
    for risk in RISKS:
        moved = float(risk(scale * draws + shift))
        assert moved == pytest.approx(scale * float(risk(draws)) + shift, abs=slack)
        assert float(risk(draws + 1.0)) > float(risk(draws))


def test_risk_does_not_depend_on_the_order_of_draws() -> None:
    draws = normal()[:999]
    for risk in RISKS:
        assert float(risk(draws[::-1])) == pytest.approx(float(risk(draws)), rel=1e-12)


def test_cvar_takes_the_draw_at_the_edge_in_part() -> None:
    # A quarter of three draws is three quarters of the worst one.
    assert float(CVaR(0.25)(np.array([1.0, 2.0, 6.0]))) == pytest.approx(6.0)
    assert float(CVaR(0.5)(np.array([1.0, 2.0, 6.0]))) == pytest.approx((6 + 0.5 * 2) / 1.5)


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("text", [*RISK_NAMES, "cvar:1", "worst_case(p_miss:2)"])
def test_names_read_back(text: str) -> None:
    assert parse_risk(text).name == text


@pytest.mark.parametrize("risk", [CVaR, Quantile])
def test_a_risk_takes_a_number(risk: type[CVaR] | type[Quantile]) -> None:
    with pytest.raises(PlanError, match=r"= 'a' \(expected a number\)"):
        risk("a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cvra:0.1", "did you mean 'cvar:0.1'"),
        ("expectation:1", "unknown risk"),
        ("cvar", "expected cvar:NUMBER"),
        ("cvar:ten", "expected cvar:NUMBER"),
        ("p_miss", "expected p_miss:NUMBER, e.g. p_miss:2.3"),
        ("p_miss:inf", "PMiss target = inf"),
        ("entropic:0", "Entropic theta = 0"),
        ("expected_regret:1", "unknown risk"),
        ("worst_case(cvar:2)", "CVaR share = 2"),
        ("worst_case(cvra:.1)", "did you mean"),
        ("worst_case", "unknown risk"),
        ("cvar:0", r"CVaR share = 0 .*\(0, 1\]"),
        ("cvar:1.1", "CVaR share = 1.1"),
        ("cvar:nan", "CVaR share = nan"),
        ("quantile:1", "Quantile p = 1"),
        ("quantile:0", "Quantile p = 0"),
        ("quantile:nan", "Quantile p = nan"),
    ],
)
def test_bad_risks(text: str, message: str) -> None:
    with pytest.raises((PlanError, UnknownNameError), match=message):
        parse_risk(text)
