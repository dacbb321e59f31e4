"""Plans: closed forms for a point mass, regret by its definition, P(hit) by simulation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs
from scipy.optimize import brentq
from test_laws import TEXTBOOK

from bayescale.decide import Budget, CVaR, Entropic, Expectation, IsoFlop, Plan, Quantile, plan
from bayescale.decide.plans.judging import read_risks
from bayescale.errors import (
    PlanError,
)
from bayescale.laws import joint_frontier, textbook_theta
from bayescale.posterior import Fit, Stacked
from bayescale.predict import predict
from bayescale.runs.flops import training_flop_per_token

CHINCHILLA = Budget(compute=5.76e23)
PRICED = Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
RISKS = [Expectation(), CVaR(0.1), Quantile(0.9)]


def besiroglu(gamma: float = 1.0, draws: int = 10) -> Fit:
    """A point mass at the fit of Besiroglu et al. 2024, or at its amplitudes and exponents with another γ."""
    p = TEXTBOOK["besiroglu"]
    log_n, log_d = math.log(1e9), math.log(2e10)
    by_n = (p["A"] * math.exp(-p["beta"] * log_n)) ** (1 / gamma)
    by_d = (p["B"] * math.exp(-p["delta"] * log_d)) ** (1 / gamma)
    theta = textbook_theta(**p, gamma=gamma)
    values = {
        "R0": (by_n + by_d) ** gamma,
        "omega": by_n / (by_n + by_d),
        "alpha": theta["alpha"],
        "a": theta["a"],
        "L_inf": p["L_inf"],
        "sigma": 0.01,
    }
    if gamma == 1.0:
        return make_fit("chinchilla", make_runs(), draws=draws, values=values)
    return make_fit(runs=make_runs(), draws=draws, values=values | {"gamma": gamma})


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def made(fit: Fit) -> Plan:
    return plan(fit, PRICED, RISKS, target_loss=2.0)


# ------------------------------------------------------------------ a point mass


def test_besiroglu_at_chinchillas_budget_is_72_billion_parameters() -> None:
    made = plan(besiroglu(), CHINCHILLA)
    (best,) = made.recommendations
    assert best.params == pytest.approx(72.2487e9, rel=1e-3)
    assert best.tokens == pytest.approx(1.32874e12, rel=1e-3)
    assert made.optimum["params"]["median"] == pytest.approx(7.22487e10, rel=6e-6)
    assert made.optimum["tokens"]["median"] == pytest.approx(1.32874e12, rel=6e-6)
    assert made.optimum["tokens_per_param"]["median"] == pytest.approx(18.3912, rel=6e-6)
    assert best.regret == pytest.approx(0.0, abs=1e-6)
    assert "72.2B" in str(made)


@pytest.mark.parametrize("gamma", [0.4, 0.8, 1.0, 1.4])
@pytest.mark.parametrize("risk", RISKS, ids=lambda r: r.name)
def test_a_certain_law_has_one_answer_whatever_the_risk(gamma: float, risk: Any) -> None:
    fit = besiroglu(gamma)
    made = plan(fit, Budget(compute=1e24), risk)
    theta = textbook_theta(**TEXTBOOK["besiroglu"], gamma=gamma)
    exact = float(
        np.exp(joint_frontier(theta, {"params": 0, "tokens": 0}).log_params(math.log(1e24)))
    )
    # The loss is flat at its minimum: a search resolves the place to the root of its precision.
    assert made.recommendations[0].params == pytest.approx(exact, rel=1e-3)
    assert made.optimum["params"]["lo90"] == pytest.approx(exact, rel=1e-9)
    assert made.optimum["params"]["hi90"] == pytest.approx(exact, rel=1e-9)
    spend = 6 * made.table["params"] * made.table["tokens"]
    np.testing.assert_allclose(spend, 1e24, rtol=1e-12)


def test_regret_set_of_a_certain_law_is_its_valley() -> None:
    made = plan(besiroglu(), CHINCHILLA)
    assert made.regret_set is not None
    theta = textbook_theta(**TEXTBOOK["besiroglu"])
    width = float(joint_frontier(theta, {"params": 0, "tokens": 0}).valley_width(0.05))
    found = made.regret_set["params_hi"] / made.regret_set["params_lo"]
    step = float(np.log(made.table["params"][1] / made.table["params"][0]))
    assert abs(math.log(found) - math.log(width)) < 2 * step


# ------------------------------------------------------------------ regret and risk


def test_regret_is_the_share_of_the_budget_that_the_frontier_would_save(fit: Fit) -> None:
    iso = IsoFlop.of(fit, fit.groups(), 1e23)
    log_params = np.linspace(math.log(1e9), math.log(1e12), 5)
    log_r = iso.log_reducible(log_params)
    waste = iso.wasted_share(log_r)
    frontier = joint_frontier(iso.theta, iso.curve.pivots)
    for draw in (0, 7, 123):
        for action in range(5):
            # C′ such that the draw's own frontier gives the loss of the action.
            gap = lambda c, d=draw, k=action: float(frontier.log_reducible(c)[d] - log_r[d, k])  # noqa: E731
            enough = brentq(gap, iso.log_compute - 200.0, iso.log_compute + 1e-9, xtol=1e-12)
            direct = 1 - math.exp(enough - iso.log_compute)
            assert waste[draw, action] == pytest.approx(direct, abs=1e-9)


def test_regret_is_zero_at_each_draws_own_optimum(fit: Fit) -> None:
    iso = IsoFlop.of(fit, fit.groups(), 1e23)
    log_n, log_r = iso.optimum
    at_own = np.diagonal(iso.log_reducible(log_n))
    np.testing.assert_allclose(at_own, log_r, atol=1e-11)
    np.testing.assert_allclose(iso.wasted_share(log_r[:, None]), 0.0, atol=1e-12)
    waste = iso.wasted_share(iso.log_reducible(np.linspace(0.0, 50.0, 40)))
    assert np.all((waste >= 0) & (waste <= 1))


def test_recommendations_have_the_least_risk_of_the_table(made: Plan) -> None:
    assert [r.risk for r in made.recommendations] == ["expectation", "cvar:0.1", "quantile:0.9"]
    for r in made.recommendations:
        least = float(made.table[f"risk_{r.risk}"].min())
        assert r.risk_value <= least * (1 + 1e-6)
        assert 6 * r.params * r.tokens == pytest.approx(PRICED.flop)
        assert r.regret_dollars == pytest.approx(r.regret * 5e6)
        assert r.loss["lo90"] < r.loss["lo50"] < r.loss["median"] < r.loss["hi50"] < r.loss["hi90"]
    np.testing.assert_array_equal(made.table["loss"], made.table["risk_expectation"])
    assert np.all(made.table["risk_cvar:0.1"] >= made.table["risk_quantile:0.9"])


def test_every_risk_is_reached_by_name_and_is_what_it_says(fit: Fit) -> None:
    names = ["p_miss:2.2", "expected_regret", "minimax_regret"]
    made = plan(fit, 1e23, names)
    assert [r.risk for r in made.recommendations] == names
    iso = IsoFlop.of(fit, fit.groups(), 1e23)
    loss = iso.loss(iso.log_reducible(np.log(made.table["params"].to_numpy())))
    np.testing.assert_allclose(made.table["risk_p_miss:2.2"], (loss > 2.2).mean(axis=0))
    # Against what each draw could have had, not against the best of the table.
    regret = loss - iso.loss(iso.optimum[1])[:, None]
    assert np.all(regret > -1e-12)
    np.testing.assert_allclose(made.table["risk_expected_regret"], regret.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(made.table["risk_minimax_regret"], regret.max(axis=0), atol=1e-12)
    for r in made.recommendations:
        assert r.risk_value <= float(made.table[f"risk_{r.risk}"].min()) * (1 + 1e-9)


def test_a_worst_case_is_over_the_laws_of_a_stack(fit: Fit) -> None:
    other = make_fit("chinchilla", make_runs(), draws=300, seed=1)
    risks = ["worst_case(expectation)", "expectation"]
    made = plan(Stacked((fit, other), (0.5, 0.5)), 1e23, risks)
    log_n = np.log(made.table["params"].to_numpy())
    mean = []
    for member, draws in Stacked((fit, other), (0.5, 0.5)).parts:
        iso = IsoFlop.of(member, member.groups(), 1e23)
        mean.append(iso.loss(iso.log_reducible(log_n))[draws].mean(axis=0))
    np.testing.assert_allclose(made.table["risk_worst_case(expectation)"], np.max(mean, axis=0))
    assert np.all(made.table[f"risk_{risks[0]}"] >= made.table["risk_expectation"])
    with pytest.raises(PlanError, match=r"worst_case\(expectation\) is over the laws of a stack"):
        plan(fit, 1e23, risks)


def test_an_entropic_risk_of_a_loss_without_limits_is_refused(fit: Fit) -> None:
    for risk in ("entropic:1", "worst_case(entropic:1)"):
        with pytest.raises(PlanError, match=r"does not exist: E\[exp|of a stack"):
            plan(fit, 1e23, risk)
    curve = IsoFlop.of(fit, fit.groups(), 1e23).curve
    limited = replace(curve, upper=4.0)  # type: ignore[type-var]
    assert read_risks("entropic:1", limited) == [Entropic(1.0, "bounded")]


def test_the_optimum_is_that_of_the_draws(fit: Fit, made: Plan) -> None:
    theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(fit.groups()).items()}
    frontier = joint_frontier(theta, fit.model.pivots)
    log_c = math.log(PRICED.flop)
    n, d = np.exp(frontier.log_params(log_c)), np.exp(frontier.log_tokens(log_c))
    head = np.exp(frontier.log_reducible(log_c))
    for name, draws in {
        "params": n,
        "tokens": d,
        "tokens_per_param": d / n,
        "headroom": head,
        "loss": head + theta["L_inf"],
        "floor": theta["L_inf"],
    }.items():
        assert made.optimum[name]["median"] == pytest.approx(float(np.median(draws)), rel=1e-9)
        assert made.optimum[name]["hi90"] == pytest.approx(
            float(np.quantile(draws, 0.95)), rel=1e-9
        )


# ------------------------------------------------------------------ targets


def test_p_hit_is_the_share_of_simulated_runs_that_reach_the_target() -> None:
    fit = make_fit(runs=make_runs(), draws=4000)
    made = plan(fit, Budget(compute=1e23), target_loss=2.1)
    at = 120
    params = float(made.table["params"][at])
    runs = predict(fit, params=params, compute=1e23, kind="run").draws
    hits = float((runs <= 2.1).mean())
    n = runs.size
    assert abs(float(made.table["p_hit"][at]) - hits) < 4 * math.sqrt(hits * (1 - hits) / n)
    assert 0.05 < hits < 0.95


def test_p_target_below_floor(fit: Fit, made: Plan) -> None:
    floor = fit.posterior["L_inf"]
    assert made.p_target_below_floor == pytest.approx(float((floor > 2.0).mean()))
    hopeless = plan(besiroglu(), CHINCHILLA, target_loss=1.7)
    assert hopeless.p_target_below_floor == 1.0
    # Noise on the log loss does not stop at the floor, but a tenth of it is twelve standard deviations.
    assert hopeless.recommendations[0].p_hit == pytest.approx(0.0, abs=1e-2)
    easy = plan(besiroglu(), CHINCHILLA, target_loss=3.0)
    assert easy.p_target_below_floor == 0.0
    assert easy.recommendations[0].p_hit == pytest.approx(1.0, abs=1e-2)
    assert plan(fit, CHINCHILLA).p_target_below_floor is None
    assert plan(fit, CHINCHILLA).recommendations[0].p_hit is None


@pytest.mark.parametrize("gamma", [0.4, 1.0])
def test_what_the_loss_is_made_of(gamma: float) -> None:
    made = plan(besiroglu(gamma), CHINCHILLA)
    share = {p: made.optimum[f"share_{p}"]["median"] for p in ("params", "tokens", "floor")}
    assert sum(share.values()) == pytest.approx(1.0)
    # On the frontier β times N's inner share is δ times D's, whatever γ is.
    p = TEXTBOOK["besiroglu"]
    assert share["params"] / share["tokens"] == pytest.approx(p["delta"] / p["beta"])
    assert share["floor"] == pytest.approx(p["L_inf"] / made.optimum["loss"]["median"])


def test_ten_times_the_budget_reaches_what_a_plan_of_it_would(fit: Fit, made: Plan) -> None:
    larger = plan(fit, 10 * PRICED.flop, target_loss=2.0)
    assert made.p_target_tenfold == pytest.approx(float(larger.table["p_hit"].max()), rel=1e-12)
    assert made.p_target_tenfold > float(made.table["p_hit"].max())
    assert plan(fit, CHINCHILLA).p_target_tenfold is None


@pytest.mark.parametrize("drift", [False, True])
def test_an_uncertain_price_is_carried_draw_by_draw(drift: bool) -> None:
    fit = make_fit(runs=make_runs(), draws=100, drift=drift)
    price = "LogNormal(median=2.7, sigma=0.5)"
    budget = Budget(dollars=5e6, price_per_hour=price, mfu=0.4, hardware="H100-SXM")
    made, iso = plan(fit, budget), IsoFlop.of(fit, fit.groups(), budget)
    flop = budget.flop_draws(200, fit.seed)
    own = [IsoFlop.of(fit, fit.groups(), c) for c in flop[:200:25]]
    log_n = np.log(made.table["params"].to_numpy()[::60])
    waste = iso.wasted_share(iso.log_reducible(log_n))
    for i, alone in zip(range(0, 200, 25), own, strict=True):
        assert iso.optimum[1][i] == pytest.approx(alone.optimum[1][i], abs=0.01 if drift else 1e-9)
        log_r = alone.log_reducible(log_n)
        exact = alone.wasted_share(log_r)[i]
        # A drifting frontier is read off a table of budgets .3 nats apart.
        np.testing.assert_allclose(waste[i], exact, atol=0.05 if drift else 1e-9)
    (best,) = made.recommendations
    assert 6 * best.params * best.tokens == pytest.approx(np.median(flop))
    assert made.problem["compute"] == pytest.approx(np.median(flop))
    assert best.regret_dollars == pytest.approx(5e6 * best.regret)
    assert any("price_per_hour: uncertain, the money buys" in c for c in made.caveats)
    assert made.optimum["params"]["hi90"] > plan(fit, PRICED).optimum["params"]["hi90"] * 0.9


# ------------------------------------------------------------------ more than 6ND a token


@pytest.mark.parametrize("drift", [False, True])
def test_a_budget_that_pays_for_attention_too(drift: bool) -> None:
    fit = make_fit(runs=make_runs(), draws=60, drift=drift)
    counted = Budget(compute=1e22, context=8192.0, vocabulary=50_000.0)
    made = plan(fit, counted)
    params, tokens = (made.table[name].to_numpy() for name in ("params", "tokens"))
    # Every action spends the whole budget, as the one accounting of the package counts it.
    spent = training_flop_per_token(params, 8192.0, 50_000.0) * tokens
    np.testing.assert_allclose(spent, 1e22, rtol=1e-9)
    # Each draw's optimum is the lowest point of its own curve along that budget.
    iso = IsoFlop.of(fit, fit.groups(), counted)
    best_n, best_r = iso.optimum
    near = iso.log_reducible(np.concatenate([best_n + step for step in (-0.05, 0.05)]))
    # A drifting draw may have its optimum where no model can be, at an end of the search.
    for i in np.flatnonzero(best_n > np.log(1e7)):
        assert near[i, [i, len(best_n) + i]].min() >= best_r[i] - 1e-9
    waste = iso.wasted_share(iso.log_reducible(best_n))
    assert np.abs(np.diagonal(waste)).max() < 1e-3
    plain = plan(fit, 1e22)
    assert made.by_utility["loss"].loss > plain.by_utility["loss"].loss
    assert made.problem["context"] == 8192.0
    assert any("6ND and attention over 8192 tokens and an output head" in c for c in made.caveats)
    # Next to no attention is none.
    close = plan(fit, Budget(compute=1e22, context=1e-6))
    assert close.by_utility["loss"].loss == pytest.approx(plain.by_utility["loss"].loss, rel=1e-6)


def test_a_listed_action_pays_for_attention_too() -> None:
    fit = make_fit(runs=make_runs(), draws=20)
    pair = (1e9, 1e22 / 6e9)
    assert plan(fit, 1e22, candidates=[pair]).table.sizes["action"] == 1
    with pytest.raises(PlanError, match="budget: needs"):
        plan(fit, Budget(compute=1e22, context=8192.0), candidates=[pair])
    with pytest.raises(PlanError, match="context = -1"):
        Budget(compute=1e22, context=-1.0)
