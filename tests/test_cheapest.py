"""The cheapest budget for a target: closed forms, brute force, the error of finitely many draws, what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs
from test_plan import besiroglu

import bayescale as bs
from bayescale import plots
from bayescale.decide import Cheapest, IsoFlop, budget_frontier, cheapest
from bayescale.errors import ConvergenceError, ForecastError, PlanError, UnknownNameError
from bayescale.laws import joint_frontier
from bayescale.posterior import Fit, Stacked
from bayescale.predict import campaign_offset

TARGET = 2.2


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Cheapest:
    return cheapest(fit, target_loss=TARGET, probability=0.5)


@pytest.fixture(scope="module")
def numbers(fit: Fit) -> xr.Dataset:
    return budget_frontier(fit, TARGET, 1e19, 1e26)


# ------------------------------------------------------------------ closed forms and brute force


@pytest.mark.parametrize("gamma", [0.4, 1.0, 1.4])
@pytest.mark.parametrize("target", [1.95, 2.3])
def test_a_certain_law_needs_what_its_frontier_says(gamma: float, target: float) -> None:
    fit = besiroglu(gamma)
    found = cheapest(fit, target_loss=target, probability=0.9)
    theta = {k: v.to_numpy().ravel()[0] for k, v in fit.parameters(fit.groups()).items()}
    exact = joint_frontier(theta, fit.model.pivots)
    # L − L∞ = κ·C^−α on the frontier, solved for C.
    log_c = (exact.log_kappa - math.log(target - theta["L_inf"])) / exact.alpha
    # N lies on a grid of .02 nats: off by at most .01, C by the valley's second-order term there.
    slack = float(exact.log_excess(0.01)) / float(exact.alpha)
    assert 0.0 <= math.log(found.compute) - log_c <= 1.05 * slack + 1e-9
    assert abs(math.log(found.params) - float(exact.log_params(log_c))) <= 0.0101
    assert 6 * found.params * found.tokens == pytest.approx(found.compute)
    assert (found.p_hit, found.p_error, found.p_below_floor) == (1.0, 0.0, 0.0)
    assert found.compute_lo == found.compute_hi == found.compute
    assert found.loss["median"] == pytest.approx(target)


@pytest.mark.parametrize("model", ["parameter-data", "chinchilla"])
@pytest.mark.parametrize("kind", ["campaign", "expected"])
@pytest.mark.parametrize("drift", [False, True])
def test_no_action_of_a_smaller_budget_reaches_the_probability(
    model: str, kind: Any, drift: bool
) -> None:
    fit = make_fit(model, make_runs(), draws=300, drift=drift)
    found = cheapest(fit, target_loss=TARGET, probability=0.6, kind=kind)
    assert found.p_hit >= 0.6 - 1e-12
    iso = IsoFlop.of(fit, fit.groups(), found.compute)
    offset = campaign_offset(fit, fit.groups(), iso.theta) if kind == "campaign" else 0.0

    def chance(compute: float, log_params: np.ndarray) -> np.ndarray:
        here = iso.at(compute)
        loss = here.loss(here.log_reducible(log_params)).T * np.exp(offset)
        return (loss <= TARGET).mean(axis=1)

    everywhere = math.log(found.params) + np.linspace(-7.0, 7.0, 2001)
    own = np.array([math.log(found.params)])
    assert chance(found.compute * 1.000001, own)[0] == pytest.approx(found.p_hit)
    # A grid apart from the search's own: a hundredth less compute is less than its steps can hide.
    assert chance(found.compute * 0.99, everywhere).max() < 0.6


def test_a_stack_of_one_law_is_that_law_and_a_stack_of_two_lies_between(fit: Fit) -> None:
    def one(posterior: Any) -> float:
        return cheapest(posterior, target_loss=TARGET, probability=0.5).compute

    alone = replace(fit, tree=fit.tree.copy())
    assert one(Stacked((fit, alone), (1.0, 0.0))) == pytest.approx(one(fit), rel=1e-12)
    other = make_fit("chinchilla", make_runs(), draws=300, seed=1)
    mixed = Stacked((fit, other), (0.5, 0.5))
    ends = sorted([one(fit), one(other)])
    # Its draws are half of each member's: what they leave open moves the ends.
    both = cheapest(mixed, target_loss=TARGET, probability=0.5)
    assert both.compute_hi is not None
    assert both.compute_lo < ends[1]
    assert both.compute_hi > ends[0]
    assert both.p_error > 0


def test_more_probability_or_a_lower_target_costs_more(fit: Fit) -> None:
    by_p = [cheapest(fit, target_loss=TARGET, probability=p).compute for p in (0.1, 0.3, 0.5, 0.7)]
    by_t = [cheapest(fit, target_loss=t, probability=0.5).compute for t in (2.4, 2.2, 2.1)]
    assert by_p == sorted(set(by_p))
    assert by_t == sorted(set(by_t))


# ------------------------------------------------------------------ the error of a finite number of draws


def test_the_monte_carlo_interval_holds_what_many_draws_say() -> None:
    options: dict[str, Any] = {"target_loss": TARGET, "probability": 0.5}
    repeats, draws = 60, 250
    whole = make_fit(runs=make_runs(), draws=repeats * draws)
    truth = cheapest(whole, **options).compute
    found = []
    for i in range(repeats):
        tree = whole.tree.copy()
        own = whole.posterior.isel(draw=slice(i * draws, (i + 1) * draws))
        tree["posterior"] = xr.DataTree(own)
        found.append(cheapest(replace(whole, tree=tree), **options))
    inside = sum(f.compute_lo <= truth <= (f.compute_hi or math.inf) for f in found)
    # Binomial(60, .9): 54 ± 2.3; four standard deviations below is 44.
    assert inside >= 44
    spread = np.std([math.log(f.compute) for f in found], ddof=1)
    said = np.mean([math.log((f.compute_hi or math.nan) / f.compute_lo) / 3.29 for f in found])
    # A standard deviation from 60 repeats is known to 1/√118 = 9 %; four of these.
    assert abs(said / spread - 1.0) < 0.37


def test_draws_that_repeat_each_other_count_once(fit: Fit, found: Cheapest) -> None:
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(
        fit.posterior.isel(draw=np.repeat(np.arange(300), 4)).assign_coords(draw=np.arange(1200))
    )
    # `expected`, since offsets are drawn anew for every draw.
    options: dict[str, Any] = {"target_loss": TARGET, "probability": 0.5, "kind": "expected"}
    sticky, plain = (cheapest(f, **options) for f in (replace(fit, tree=tree), fit))
    assert sticky.compute == pytest.approx(plain.compute)
    # Four times the draws say nothing more; taken for independent, they would halve the error.
    assert sticky.p_error == pytest.approx(plain.p_error, rel=0.25)


# ------------------------------------------------------------------ the frontier of risk


def test_the_chance_rises_with_the_budget_and_crosses_where_the_search_says(
    fit: Fit, numbers: xr.Dataset, found: Cheapest
) -> None:
    chance = numbers["p_hit"].to_numpy()
    assert np.all(np.diff(chance) >= 0)
    assert chance[0] < 0.5 < chance[-1]
    above = int(np.argmax(chance >= 0.5))
    compute = numbers["compute"].to_numpy()
    assert compute[above - 1] * 0.98 < found.compute <= compute[above] * 1.001
    assert np.all(np.diff(numbers["loss"]) < 0)
    assert np.all(numbers["cvar"] > numbers["loss"])
    np.testing.assert_allclose(6 * numbers["params"] * numbers["tokens"], compute)


@pytest.mark.parametrize("drift", [False, True])
def test_a_size_is_not_chosen_by_the_few_draws_that_reach_the_target(drift: bool) -> None:
    fit = make_fit(runs=make_runs(), draws=300, drift=drift)
    rare = budget_frontier(fit, 1.7, 1e18, 1e22)
    assert float(rare["p_hit"].max()) < 0.05
    # Where all sizes reach a target, the one of least mean loss is taken: so is it where hardly any draw does.
    easy = budget_frontier(fit, 1.0e3, 1e18, 1e22)
    np.testing.assert_allclose(rare["loss"], easy["loss"], rtol=0.02)
    assert np.all(np.diff(rare["cvar"]) < 0.0)


def test_a_frontier_of_a_certain_law_is_a_step() -> None:
    fit = besiroglu()
    at = cheapest(fit, target_loss=2.0).compute
    numbers = budget_frontier(fit, 2.0, at / 30, at * 40)  # no budget within a tenth of it
    np.testing.assert_array_equal(numbers["p_hit"], numbers["compute"] >= at * 1.001)
    np.testing.assert_allclose(numbers["loss"], numbers["cvar"])


def test_the_figure_draws_its_numbers(numbers: xr.Dataset, found: Cheapest) -> None:
    figure = plots.budget(numbers, found)
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), numbers["p_hit"])
    mark = left.lines[-1]
    assert (mark.get_xdata(), mark.get_ydata()) == ([found.compute], [0.5])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), numbers["loss"])
    (edge,) = {round(float(p.get_x()), -10) for p in left.patches if p.get_x() > 1.1e19}
    assert edge == round(float(numbers["fitted_compute"].max()), -10)
    assert len(plots.budget(numbers, width="column").axes) == 2


def test_what_the_figure_refuses(numbers: xr.Dataset, found: Cheapest) -> None:
    with pytest.raises(PlanError, match="not a Cheapest: make one first"):
        plots.budget(found)  # type: ignore[arg-type]
    other = replace(found, problem=found.problem | {"target_loss": 2.0})
    with pytest.raises(PlanError, match=r"target_loss is 2.0 .* 2\.2 of the frontier"):
        plots.budget(numbers, other)


# ------------------------------------------------------------------ what is said and refused


def test_the_answer_is_printed_and_saved_whole(fit: Fit, found: Cheapest) -> None:
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["tokens_per_param"] == pytest.approx(found.tokens / found.params)
    assert f"{found.compute:.3g} FLOP" in str(found)
    assert any("beyond the fitted runs by up to" in c for c in found.caveats)
    price: dict[str, Any] = {"price_per_hour": 2.7, "mfu": 0.4, "hardware": "H100-SXM"}
    priced = bs.cheapest(fit, target_loss=TARGET, probability=0.5, **price)
    assert priced.compute == found.compute
    assert priced.dollars == bs.Budget(compute=found.compute, **price).cost
    assert f"(${priced.dollars:,.0f})" in str(priced)


def test_an_error_that_reaches_beyond_the_reachable_is_open(fit: Fit, found: Cheapest) -> None:
    edge = cheapest(fit, target_loss=TARGET, probability=found.p_most - 0.001)
    assert edge.compute_hi is None
    assert "out of reach" in str(edge)


def test_an_unreachable_target_names_the_largest_probability(fit: Fit, found: Cheapest) -> None:
    floor = fit.posterior["L_inf"].to_numpy()
    expected = cheapest(fit, target_loss=TARGET, probability=0.5, kind="expected")
    assert expected.p_below_floor == pytest.approx(float((floor >= TARGET).mean()))
    assert expected.p_most <= 1 - expected.p_below_floor
    with pytest.raises(PlanError, match=rf"reaches {found.p_most:.3g} at most, below 0.99: in "):
        cheapest(fit, target_loss=TARGET, probability=0.99)
    with pytest.raises(PlanError, match=r"reaches 0 at most.* 100 % of the draws the floor lies"):
        cheapest(besiroglu(), target_loss=1.8)
    with pytest.raises(PlanError, match=r"reached with less than 1e\+06 FLOP"):
        cheapest(besiroglu(), target_loss=1e4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_loss": -1.0}, "target_loss = -1 .expected a positive loss"),
        ({"target_loss": math.nan}, "target_loss = nan"),
        ({"target_loss": "2"}, "target_loss = '2' .expected a number"),
        ({"probability": 0.0}, "probability = 0 .expected between 0 and 1"),
        ({"probability": 1.0}, "probability = 1 .expected between 0 and 1"),
        ({"probability": math.nan}, "probability = nan"),
        ({"probability": "most"}, "probability = 'most' .expected a number"),
        ({"kind": "campain"}, "did you mean 'campaign'"),
        ({"mfu": 0.4}, "needs all of price_per_hour, mfu and hardware"),
        ({"architecture": "gtp"}, "did you mean 'gpt'"),
        ({"fit": "pile.nc"}, "cheapest takes a fit"),
    ],
)
def test_bad_input(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, ForecastError, UnknownNameError), match=message):
        cheapest(**{"fit": fit, "target_loss": TARGET, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 1e26}, r"budgets from 1e\+26 to 1e\+26 FLOP .expected the smaller one first"),
        ({"low": -1.0}, "compute = -1 .expected a positive number"),
        ({"target_loss": 0.0}, "target_loss = 0"),
        ({"share": 0.0}, "CVaR share = 0"),
    ],
)
def test_bad_frontiers(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        budget_frontier(**{"fit": fit, "target_loss": TARGET, "low": 1e20, "high": 1e26, **options})


def test_an_unconverged_fit_and_a_law_of_one_axis_are_refused() -> None:
    bad = make_fit(runs=make_runs(), draws=20, converged=False)
    with pytest.raises(ConvergenceError, match="allow_unconverged"):
        cheapest(bad, target_loss=TARGET)
    with pytest.raises(PlanError, match="has no choice of N and D"):
        cheapest(make_fit("compute", make_runs(), draws=5), target_loss=TARGET)
