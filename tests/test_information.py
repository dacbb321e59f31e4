"""Value of information: closed forms on Gaussians, what bounds it, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bayescale.decide import evpi, evppi, evsi
from bayescale.decide.information.outcomes import Scatter
from bayescale.decide.information.portfolio import Candidates
from bayescale.decide.plans.montecarlo import mean_error
from bayescale.errors import PlanError

DRAWS, OUTCOMES = 2000, 300
SOURCE = np.linspace(0, DRAWS - 1, OUTCOMES).astype(int)
GUESSES = np.linspace(
    -6.0, 6.0, 241
)  # .05 apart: what the grid costs, .025²/3, is lost in the error


def guess(truth: np.ndarray) -> np.ndarray:
    """Utility of guessing a number: minus the squared error."""
    return -np.square(truth[:, None] - GUESSES)


def unit_normal_loss(mean: float, sd: float) -> float:
    """E max(X, 0) − max(E X, 0) of a Normal X (Raiffa & Schlaifer 1961, §5.4)."""
    z = abs(mean) / sd
    return sd * float(stats.norm.pdf(z) - z * stats.norm.sf(z))


def measured(truth: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Log likelihood of simulated measurements of a number with Normal error."""
    seen = truth[SOURCE] + sigma * rng.standard_normal(OUTCOMES)
    return -0.5 * np.square((seen[:, None] - truth) / sigma)


# ------------------------------------------------------------------ perfect information


def test_where_one_action_dominates_nothing_is_worth_knowing() -> None:
    rng = np.random.default_rng(0)
    worst = rng.standard_normal((DRAWS, 3))
    utility = np.column_stack([worst, worst.max(axis=1) + 0.1])
    assert evpi(utility).value == 0.0
    assert evppi(utility, worst).value == 0.0
    found = evsi(utility, measured(worst[:, 0], 0.5, rng), SOURCE)
    assert (found.value, found.error) == (0.0, 0.0)


@pytest.mark.parametrize("mean", [0.0, 0.3, -1.0])
def test_two_actions_have_the_unit_normal_loss(mean: float) -> None:
    truth = mean + np.random.default_rng(1).standard_normal(DRAWS)
    found = evpi(np.column_stack([0.0 * truth, truth]))
    assert abs(found.value - unit_normal_loss(mean, 1.0)) < 4 * found.error


def test_knowing_a_part_is_worth_the_variance_it_explains() -> None:
    theta = np.random.default_rng(2).standard_normal((DRAWS, 3)) * [1.0, 2.0, 1.0]
    utility = guess(theta[:, 0] + 0.5 * theta[:, 1])  # each of the two explains one
    for group, worth in (([0], 1.0), ([1], 1.0), ([0, 1], 2.0), ([2], 0.0)):
        found = evppi(utility, np.exp(theta[:, group]))
        # Four errors; and what 21 terms (two parameters) fitted to 1,800 draws lose.
        assert abs(found.value - worth) < 4 * found.error + 2 * 21 / 1800
    assert abs(evpi(utility).value - 2.0) < 4 * evpi(utility).error


def test_a_regression_agrees_with_nested_simulation() -> None:
    rng = np.random.default_rng(3)
    theta = rng.standard_normal((DRAWS, 2))
    payoffs = lambda a, b: np.stack([0 * a * b, a + np.sin(2 * b), a * a - 1 + 0.5 * b], axis=-1)  # noqa: E731
    found = evppi(payoffs(*theta.T), theta[:, :1])
    outer, inner = rng.standard_normal((2000, 1)), rng.standard_normal((1, 4000))
    given = payoffs(outer, inner).mean(axis=1)
    best = given.max(axis=1) - given[:, int(np.argmax(given.mean(axis=0)))]
    nested_error = best.std() / math.sqrt(len(best))
    assert abs(found.value - best.mean()) < 4 * math.hypot(found.error, nested_error)


# ------------------------------------------------------------------ sample information


@pytest.mark.parametrize("sigma", [3.0, 1.0, 0.3])
def test_a_measurement_is_worth_what_conjugacy_says(sigma: float) -> None:
    rng = np.random.default_rng(4)
    truth = rng.standard_normal(DRAWS)
    found = evsi(guess(truth), measured(truth, sigma, rng), SOURCE)
    assert abs(found.value - 1 / (1 + sigma**2)) < 4 * found.error
    assert found.error < 0.05
    two = evsi(np.column_stack([0 * truth, truth + 0.3]), measured(truth, sigma, rng), SOURCE)
    assert abs(two.value - unit_normal_loss(0.3, (1 + sigma**2) ** -0.5)) < 4 * two.error


def test_the_error_is_as_large_as_it_says() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(16):
        truth = 0.3 + rng.standard_normal(DRAWS)  # at 0 the best action of today would be a tie
        utility = np.column_stack([0 * truth, truth])
        found.append(evsi(utility, measured(truth, 1.0, rng), SOURCE))
    apart = np.array([f.value for f in found]) - unit_normal_loss(0.3, 0.5**0.5)
    said = float(np.mean([f.error for f in found]))
    # χ² of 16 repeats: a root mean square within 1 ± 4/√32; the said error may be a third too large, since the
    # simulated outcomes are in both of its parts.
    assert 0.29 / 1.5 < math.sqrt(np.mean(apart**2)) / said < 1.71
    assert abs(apart.mean()) < 4 * said / math.sqrt(16)


def test_it_lies_between_nothing_and_everything_and_grows_with_precision() -> None:
    rng = np.random.default_rng(6)
    theta = rng.standard_normal((DRAWS, 2))
    utility, everything = guess(theta.sum(axis=1)), evpi(guess(theta.sum(axis=1))).value
    noise = rng.standard_normal(OUTCOMES)
    values = []
    for sigma in (10.0, 2.0, 0.7, 0.25, 0.08):
        seen = theta[SOURCE, 0] + sigma * noise
        likelihood = -0.5 * np.square((seen[:, None] - theta[:, 0]) / sigma)
        found = evsi(utility, likelihood, SOURCE)
        assert 0.0 <= found.value <= everything
        values.append(found.value)
    assert values == sorted(values)
    # A precise measurement of the first number is worth what knowing it is: half of everything.
    known = evppi(utility, theta[:, :1])
    assert abs(found.value - known.value) < 4 * math.hypot(found.error, known.error)


def test_outcomes_that_few_draws_explain_are_counted() -> None:
    rng = np.random.default_rng(7)
    truth = rng.standard_normal(1000)
    source = np.linspace(0, 999, OUTCOMES).astype(int)
    seen = truth[source] + 0.001 * rng.standard_normal(OUTCOMES)
    found = evsi(guess(truth), -0.5 * np.square((seen[:, None] - truth) / 0.001), source)
    assert found.unsupported > 0.5 * OUTCOMES
    assert 0.0 <= found.value <= evpi(guess(truth)).value
    vague = evsi(guess(truth), np.zeros((OUTCOMES, 1000)), source)
    assert vague.unsupported == 0
    # One draw of a thousand is left out: the mean moves by at most 4/1000, and the value by the square of that.
    assert vague.value < 1e-4


def test_an_experiment_that_always_fails_is_worth_nothing() -> None:
    rng = np.random.default_rng(8)
    truth = rng.standard_normal(DRAWS)
    whole = evsi(guess(truth), measured(truth, 1.0, rng), SOURCE)
    assert whole.if_successful(0.0).value == 0.0
    assert whole.if_successful(0.25).value == pytest.approx(whole.value / 4)


# ------------------------------------------------------------------ the density of a sweep's runs


def scatter(draws: int, sigma: float = 0.01, nu: float = 1e6, shared: float = 0.0) -> Scatter:
    fill = np.full
    return Scatter(fill(draws, sigma), fill(draws, nu), fill(draws, shared), np.zeros(draws))


@pytest.mark.parametrize("runs", [1, 2, 4])
def test_normal_runs_of_a_sweep_are_equicorrelated(runs: int) -> None:
    rng = np.random.default_rng(9)
    centre = 0.02 * rng.standard_normal((5, runs))
    seen = 0.02 * rng.standard_normal((7, runs))
    covariance = 0.01**2 * np.eye(runs) + 0.02**2
    exact = [[stats.multivariate_normal.logpdf(y, c, covariance) for c in centre] for y in seen]
    found = scatter(5, shared=0.02).log_density(seen, centre)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("nu", [2.5, 5.0, 30.0])
@pytest.mark.parametrize("shared", [0.002, 0.01, 0.05])
def test_student_runs_of_a_sweep_have_their_offset_integrated_out(
    runs: int, nu: float, shared: float
) -> None:
    rng, sigma = np.random.default_rng(10), 0.01
    one = scatter(30, sigma, nu, shared)
    centre = np.repeat(0.02 * rng.standard_normal((30, 1)), runs, axis=1)
    seen = one.simulate(centre, np.arange(30), rng)
    found = np.diag(one.log_density(seen, centre))

    def exact(apart: np.ndarray) -> float:
        # Fine around both the offset's own place and those that explain a run.
        around = [(0.0, 9 * shared), *((a, 40 * sigma) for a in apart)]
        offset = np.unique(np.concatenate([c + np.linspace(-w, w, 4001) for c, w in around]))
        log_t = stats.t.logpdf(apart[:, None] - offset, nu, scale=sigma).sum(axis=0)
        return float(
            np.log(np.trapezoid(np.exp(log_t + stats.norm.logpdf(offset, 0, shared)), offset))
        )

    apart = np.array([exact(d) for d in seen - centre])
    error = np.abs(found - apart)
    # The rule's own bound: a kernel of ν = 2.5 is narrow for a step of one standard deviation.
    assert np.median(error) < 0.03
    assert np.quantile(error, 0.9) < 0.1


def test_repeats_tell_no_more_than_the_offset_they_share_lets_through() -> None:
    rng = np.random.default_rng(11)
    truth = 0.03 * rng.standard_normal(DRAWS)
    utility = -np.square(truth[:, None] - np.linspace(-0.15, 0.15, 241))
    sigma, shared, spread = 0.01, 0.02, 0.03**2
    values = {}
    for runs in (1, 4, 40):
        centre = np.repeat(truth[:, None], runs, axis=1)
        own = scatter(DRAWS, sigma, shared=shared)
        found = evsi(utility, own.log_density(own.simulate(centre, SOURCE, rng), centre), SOURCE)
        explained = spread**2 / (spread + shared**2 + sigma**2 / runs)
        assert abs(found.value - explained) < 4 * found.error
        values[runs] = found.value
    bound = spread**2 / (spread + shared**2)
    assert values[40] < bound + 4 * found.error
    # Without the offset forty repeats would tell all but everything.
    free = scatter(DRAWS, sigma)
    told = evsi(utility, free.log_density(free.simulate(centre, SOURCE, rng), centre), SOURCE)
    assert told.value > bound + 4 * told.error


# ------------------------------------------------------------------ sets of pilots


def gaussian_candidates(cost: list[float], failure: float = 0.0) -> Candidates:
    """Three numbers to be added up and guessed, and a measurement of each; the first number is the least known."""
    rng = np.random.default_rng(12)
    theta = rng.standard_normal((DRAWS, 3)) * [2.0, 1.0, 0.5]
    each = [measured(theta[:, i], 0.5, rng).astype(np.float32) for i in range(3)]
    fails = np.full(3, failure)
    return Candidates(guess(theta.sum(axis=1)), each, np.array(cost), fails, SOURCE)


EXPLAINED = np.array([s**4 / (s**2 + 0.25) for s in (2.0, 1.0, 0.5)])


def test_measurements_of_independent_numbers_add_up() -> None:
    every = gaussian_candidates([0.1, 0.1, 0.01]).best()
    assert every.chosen == (0, 1, 2)
    assert abs(every.worth.value - EXPLAINED.sum()) < 4 * every.worth.error
    assert every.net == pytest.approx(every.worth.value - 0.21)
    assert [cost for cost, _ in every.path] == pytest.approx([0.1, 0.2, 0.21])


def test_what_costs_more_than_it_tells_is_left_out() -> None:
    candidates = gaussian_candidates([0.1, 2.0, 0.05])
    assert candidates.best().chosen == (0, 2)
    assert candidates.best(budget=0.12).chosen == (0,)
    assert candidates.best(budget=0.07).chosen == (2,)
    assert candidates.best(budget=0.01).chosen == ()
    none = gaussian_candidates([9.0, 9.0, 9.0]).best()
    assert (none.chosen, none.worth.value, none.cost) == ((), 0.0, 0.0)


def test_greedy_finds_what_every_subset_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = gaussian_candidates([0.1, 2.0, 0.05])
    wanted = [exact.best(b).chosen for b in (np.inf, 0.12)]
    monkeypatch.setattr("bayescale.decide.information.portfolio.MOST_EXACT", 0)
    assert [exact.best(b).chosen for b in (np.inf, 0.12)] == wanted


def test_pilots_that_fail_are_worth_as_much_less() -> None:
    sure, half = (gaussian_candidates([0.0] * 3, failure) for failure in (0.0, 0.5))
    assert half.single(0).value == pytest.approx(sure.single(0).value / 2)
    joint = half.best().worth
    # A guess of a sum gains from each number by itself: a half of all.
    assert abs(joint.value - EXPLAINED.sum() / 2) < 4 * joint.error
    assert gaussian_candidates([0.1] * 3, failure=1.0).best().chosen == ()


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evpi(np.zeros(4)), r"utility of shape \(4,\)"),
        (lambda: evpi(np.zeros((4, 0))), "expected .draw, action."),
        (lambda: evpi(np.full((4, 2), np.nan)), "not every value is finite"),
        (lambda: evppi(np.zeros((400, 2)), np.zeros((399, 1))), "with 400 draws"),
        (lambda: evppi(np.zeros((60, 2)), np.zeros((60, 1))), "too few to regress on 1"),
        (lambda: evsi(np.zeros((9, 2)), np.zeros((5, 8))), "by 9 draws"),
        (lambda: evsi(np.zeros((9, 2)), np.zeros((1, 9))), "two outcomes or more"),
    ],
)
def test_bad_arrays(call: Any, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        call()


def test_the_error_of_a_mean_counts_draws_that_repeat_each_other_once() -> None:
    values = np.random.default_rng(13).standard_normal(1000)
    plain = mean_error(values, (1000,), 4)
    assert plain == pytest.approx(1000**-0.5, rel=0.2)
    assert mean_error(np.repeat(values, 4), (4000,), 4) == pytest.approx(plain, rel=0.3)
