"""Waste as the default utility: what plan and design minimise, against sums by hand, and what the loss would choose."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import make_fit, make_runs
from scipy.optimize import minimize_scalar
from test_plan import besiroglu

from bayescale.decide import (
    Budget,
    CVaR,
    Expectation,
    Fleet,
    IsoFlop,
    Pilot,
    Plan,
    PMiss,
    Waste,
    WorstCase,
    design,
    evaluate,
    load_plan,
    pareto,
    parse_risk,
    plan,
)
from bayescale.errors import PlanError, UnknownNameError
from bayescale.posterior import Fit, Stacked

BUDGET = 1e23


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=200)


def mean_waste(fit: Fit, log_n: float) -> float:
    """By the closed form of a valley: R/R* and α of each draw, without the plan's own code."""
    iso = IsoFlop.of(fit, fit.groups(), BUDGET)
    t, (best, _) = iso.theta, iso.optimum
    x, beta, delta = log_n - best, t["beta"], t["delta"]
    of_n = np.log(delta / (beta + delta)) - beta * x / t["gamma"]
    of_d = np.log(beta / (beta + delta)) + delta * x / t["gamma"]
    extra = t["gamma"] * np.logaddexp(of_n, of_d)
    return float(np.mean(1.0 - np.exp(-extra / t["alpha"])))


def best_waste(made: Plan) -> float:
    return made.by_utility["waste"].regret


def test_the_default_has_the_least_expected_waste_of_any_size(fit: Fit) -> None:
    made = plan(fit, BUDGET)
    (best,) = made.recommendations
    assert best.risk == "waste"
    ends = np.log(made.table["params"].to_numpy()[[0, -1]])
    found = minimize_scalar(lambda n: mean_waste(fit, n), bounds=ends, method="bounded")
    assert best.risk_value == pytest.approx(found.fun, rel=1e-5)
    assert best.regret == pytest.approx(best.risk_value)
    assert best.params == pytest.approx(np.exp(found.x), rel=0.01)
    np.testing.assert_array_equal(made.table["risk_waste"], made.table["regret"])


def test_each_utility_is_best_by_its_own_measure_and_both_are_said(fit: Fit) -> None:
    made = plan(fit, BUDGET, ["waste", "expectation"])
    waste, loss = made.by_utility["waste"], made.by_utility["loss"]
    assert [waste.params, loss.params] == [r.params for r in made.recommendations]
    # These draws disagree on L∞ as on everything: the two utilities do name different N.
    assert abs(np.log(waste.params / loss.params)) > 0.01
    assert waste.regret < loss.regret
    assert loss.loss < waste.loss
    assert f"{100 * loss.regret:.2f} %, {loss.loss:.4f}" in str(made)
    # Asked for or not.
    assert plan(fit, BUDGET, "cvar:0.1").by_utility == made.by_utility


def test_a_certain_law_leaves_the_utilities_nothing_to_differ_by() -> None:
    made = plan(besiroglu(), BUDGET)
    waste, loss = made.by_utility["waste"], made.by_utility["loss"]
    assert waste.params == pytest.approx(loss.params, rel=1e-3)
    assert waste.regret == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("drift", [False, True])
def test_plan_and_design_name_the_same_size(drift: bool) -> None:
    fit = make_fit(runs=make_runs(), draws=120, drift=drift)
    budget = Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    made = plan(fit, budget)
    found = design(fit, budget, [Pilot("small", params=1e9, tokens=2e10)])
    assert found.problem["params"] == pytest.approx(made.recommendations[0].params, rel=1e-9)
    assert found.problem["tokens"] == pytest.approx(made.recommendations[0].tokens, rel=1e-9)
    for name, one in made.by_utility.items():
        assert found.problem["by_utility"][name]["regret"] == pytest.approx(one.regret)
    # Perfect information saves all that is wasted but what the grid's own best still wastes in each draw; to the last
    # per mille, since the grid's best N lies beside the refined one.
    iso = IsoFlop.of(fit, fit.groups(), budget)
    left = iso.wasted_share(iso.log_reducible(iso.candidates()[0])).min(axis=1).mean()
    assert found.evpi.value == pytest.approx(5e6 * (best_waste(made) - left), rel=1e-3)
    assert "of least expected waste" in str(found)
    assert "least mean loss instead: N = " in str(found)


def test_risks_of_the_share_wasted(fit: Fit) -> None:
    names = ["waste(cvar:0.1)", "waste(p_miss:0.05)", "waste(entropic:1)"]
    made = plan(fit, BUDGET, names)
    assert [r.risk for r in made.recommendations] == names
    table = made.table
    # A share has every moment, and P(waste > 5 %) is what the regret set is made of.
    np.testing.assert_allclose(table["risk_waste(p_miss:0.05)"], 1.0 - table["p_regret"])
    assert np.all(table["risk_waste(cvar:0.1)"] >= table["regret"])
    assert np.all(table["risk_waste(cvar:0.1)"] <= 1.0)
    assert np.all(table["risk_waste(entropic:1)"] >= table["regret"] - 1e-12)


def test_the_worst_law_of_a_stack_by_waste(fit: Fit) -> None:
    other = make_fit("chinchilla", make_runs(), draws=200, seed=1)
    both = Stacked((fit, other), (0.5, 0.5))
    made = plan(both, BUDGET, ["worst_case(waste)", "waste(worst_case(expectation))"])
    log_n = np.log(made.table["params"].to_numpy())
    mean = []
    for member, draws in both.parts:
        iso = IsoFlop.of(member, member.groups(), BUDGET)
        mean.append(iso.wasted_share(iso.log_reducible(log_n))[draws].mean(axis=0))
    for name in made.problem["risk"]:
        np.testing.assert_allclose(made.table[f"risk_{name}"], np.max(mean, axis=0))


def test_names() -> None:
    assert parse_risk("waste") == Waste()
    assert parse_risk("waste(cvar:0.1)") == Waste(CVaR(0.1))
    worst = parse_risk("worst_case(waste)")
    assert isinstance(worst, WorstCase)
    assert worst.risk == Waste()
    assert [Waste(r).name for r in (Expectation(), PMiss(0.05))] == ["waste", "waste(p_miss:0.05)"]
    for wrong in ("wast", "waste:0.1", "waste(", "waste(cvra:0.1)"):
        with pytest.raises((UnknownNameError, PlanError), match="risk"):
            parse_risk(wrong)


def test_there_is_nothing_to_waste_without_a_budget(fit: Fit) -> None:
    with pytest.raises(PlanError, match="pareto: waste is of one budget"):
        pareto(fit, Fleet(hardware="H100-SXM", mfu=0.4), 1e22, 1e23, risk="waste")
    iso = IsoFlop.of(fit, fit.groups(), BUDGET)
    one = np.array([1e10])
    with pytest.raises(PlanError, match="evaluate: waste"):
        evaluate(iso.curve, one, one, [Waste()], iso.frontier_loss)


def test_a_plan_is_read_back_with_both_utilities(fit: Fit, tmp_path: object) -> None:
    made = plan(fit, BUDGET)
    again = load_plan(made.save(f"{tmp_path}/plan.json"))
    assert isinstance(again, Plan)
    assert again.by_utility == made.by_utility
    assert again.hash == made.hash
