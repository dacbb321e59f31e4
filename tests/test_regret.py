"""P(miss), regret, worst case and entropic risk: closed forms within Monte-Carlo error, weights, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bayescale.decide import (
    CVaR,
    Entropic,
    Expectation,
    ExpectedRegret,
    MinimaxRegret,
    PMiss,
    Quantile,
    Risk,
    WorstCase,
    require_moment,
)
from bayescale.errors import PlanError, UnknownNameError

DRAWS = 200_000
MU, SIGMA = 0.7, 0.25


def unit(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(DRAWS)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("z", [-1.0, 0.0, 2.0])
def test_p_miss_is_the_survival_function(z: float, log: bool) -> None:
    normal, at = MU + SIGMA * unit(), MU + SIGMA * z
    draws, target = (np.exp(normal), math.exp(at)) if log else (normal, at)
    exact = float(stats.norm.sf(z))
    error = math.sqrt(exact * (1 - exact) / DRAWS)
    assert abs(float(PMiss(target)(draws)) - exact) < 4 * error


def test_reaching_the_target_exactly_is_no_miss() -> None:
    draws, weights = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 2.0])
    assert float(PMiss(2.0)(draws)) == pytest.approx(1 / 3)
    assert float(PMiss(2.0)(draws, weights)) == pytest.approx(1 / 2)


@pytest.mark.parametrize("shift", [0.0, 0.1, -0.3])
def test_expected_regret_of_two_normal_actions(shift: float) -> None:
    # The difference d of the two is Normal(m, s): E max(d, 0) = m·Φ(m/s) + s·φ(m/s).
    first, second = MU + shift + SIGMA * unit(1), MU + SIGMA * unit(2)
    regret = ExpectedRegret()(np.stack([first, second], axis=1))
    s = SIGMA * math.sqrt(2)
    exact = [m * stats.norm.cdf(m / s) + s * stats.norm.pdf(m / s) for m in (shift, -shift)]
    # max(d, 0) varies less than d.
    np.testing.assert_allclose(regret, exact, atol=4 * s / math.sqrt(DRAWS))


def test_regret_of_a_dominating_action_is_zero() -> None:
    losses = np.random.default_rng(3).normal(size=(50, 3))
    losses[:, 1] = losses.min(axis=1) - 0.1
    for measure in (ExpectedRegret(), MinimaxRegret()):
        regret = measure(losses)
        assert regret[1] == 0.0
        assert np.all(regret[[0, 2]] > 0.0)


def test_minimax_regret_by_hand() -> None:
    # Three states, three actions (rows, columns); least losses 1, 2, 0.
    losses = np.array([[1.0, 2.0, 4.0], [6.0, 3.0, 2.0], [0.0, 1.5, 1.0]])
    np.testing.assert_allclose(MinimaxRegret()(losses), [4.0, 1.5, 3.0])
    # A state without weight does not count.
    np.testing.assert_allclose(MinimaxRegret()(losses, np.array([1.0, 0.0, 2.0])), [0.0, 1.5, 3.0])
    np.testing.assert_allclose(
        ExpectedRegret()(losses, np.array([2.0, 1.0, 1.0])), [1.0, (2 + 1 + 1.5) / 4, 7 / 4]
    )


@pytest.mark.parametrize("measure", [ExpectedRegret(), MinimaxRegret()], ids=lambda m: m.name)
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_regret_of_one_action_is_refused(
    measure: ExpectedRegret | MinimaxRegret, shape: tuple[int, ...]
) -> None:
    with pytest.raises(PlanError, match="regret compares actions"):
        measure(np.zeros(shape))


def test_worst_case_over_laws_is_the_largest_mean() -> None:
    laws = np.repeat(["a", "b", "c"], DRAWS // 4)
    means = np.repeat([0.1, 0.5, 0.3], DRAWS // 4)
    draws = means + SIGMA * unit()[: len(laws)]
    worst = WorstCase(Expectation(), laws)
    error = SIGMA / math.sqrt(DRAWS // 4)
    assert abs(float(worst(draws)) - 0.5) < 4 * error
    assert float(worst(draws)) == pytest.approx(draws[laws == "b"].mean())
    # A law without weight is none; weights within a law do not need to sum to one.
    assert float(worst(draws, np.where(laws == "b", 0.0, 3.0))) == pytest.approx(
        draws[laws == "c"].mean()
    )
    two = np.stack([draws, -draws], axis=1)
    assert worst(two).shape == (2,)
    assert worst(two)[1] == pytest.approx(-draws[laws == "a"].mean())
    assert WorstCase(CVaR(0.1), laws)(draws) > worst(draws)
    with pytest.raises(PlanError, match="labels of laws"):
        worst(draws[:-1])


@pytest.mark.parametrize("theta", [0.1, 1.0, 4.0])
def test_entropic_risk_of_a_normal(theta: float) -> None:
    draws = MU + SIGMA * unit()
    exact = MU + theta * SIGMA**2 / 2
    # Delta method: sd of exp(θX) over its mean is √(exp(θ²σ²) − 1).
    error = math.sqrt(math.expm1((theta * SIGMA) ** 2) / DRAWS) / theta
    risk = Entropic(theta, "normal")
    assert abs(float(risk(draws)) - exact) < 4 * error
    # Tilting by exp(X/2σ) moves the mean by σ/2; the effective number of draws is e^(−1/4) of all.
    weights = np.exp(0.5 * (draws - MU) / SIGMA)
    tilted = error * math.exp(0.125 + theta * SIGMA)
    assert abs(float(risk(draws, weights)) - exact - SIGMA / 2) < 4 * tilted


def test_entropic_risk_lies_between_mean_and_worst_and_does_not_overflow() -> None:
    draws = np.array([1.0, 2.0, 5000.0])
    assert float(Entropic(1e-9, "bounded")(draws)) == pytest.approx(draws.mean(), rel=1e-4)
    assert float(Entropic(50.0, "bounded")(draws)) == pytest.approx(5000.0, rel=1e-4)
    both = Entropic(0.1, "bounded")(np.stack([draws, draws + 3], axis=1))
    assert both[1] - both[0] == pytest.approx(3.0)


def test_entropic_risk_of_an_unbounded_lognormal_is_refused() -> None:
    for tail in ("lognormal", "log-student"):
        with pytest.raises(PlanError, match=r"does not exist: E\[exp"):
            Entropic(1.0, tail)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="did you mean 'lognormal'"):
        Entropic(1.0, "lognorml")  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="tail of the loss is not stated"):
        Entropic(1.0)(np.ones(3))
    with pytest.raises(PlanError, match="laws of the draws are not stated"):
        WorstCase(Expectation())(np.ones(3))
    for theta in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(PlanError, match="Entropic theta"):
            Entropic(theta, "normal")


def test_a_mean_of_exp_student_is_refused_where_a_quantile_is_not() -> None:
    means: list[Risk] = [Expectation(), CVaR(0.1)]
    for risk in means:
        require_moment(risk, "lognormal")
        with pytest.raises(PlanError, match="no mean"):
            require_moment(risk, "log-student")
    for risk in (Quantile(0.9), PMiss(2.0)):
        require_moment(risk, "log-student")


def test_a_target_is_a_number() -> None:
    with pytest.raises(PlanError, match="PMiss target"):
        PMiss(math.nan)
    with pytest.raises(PlanError, match="expected a number"):
        PMiss("2")  # type: ignore[arg-type]
