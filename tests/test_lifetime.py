"""The inference-aware optimum: a published result, closed forms, brute force, and curves that drift."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from helpers import make_fit, make_runs
from scipy.optimize import minimize_scalar

from bayescale.cli.run import run
from bayescale.decide import cheapest_lifetime, lifetime_optimum
from bayescale.errors import PlanError
from bayescale.laws import get_law, joint_frontier, textbook_theta
from bayescale.posterior import Curve, group_curve

# Hoffmann et al. 2022 in our notation, with the exponents at three digits that Sardana et al. 2023 take.
SARDANA = {"A": 406.4, "B": 410.7, "beta": 0.336, "delta": 0.283, "L_inf": 1.69}
PIVOTS = {"params": 0.0, "tokens": 0.0}


def curve(law: Mapping[str, float] = SARDANA, draws: int = 1) -> Curve:
    theta = {k: np.full(draws, v) for k, v in textbook_theta(**law).items()}
    return Curve(get_law("parameter-data"), theta, PIVOTS, None, {})


def loss_at(made: Curve, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    logs = {"params": np.log(params)[:, None], "tokens": np.log(tokens)[:, None]}
    return made.loss(made.log_reducible(logs))[:, 0]


def test_sardana_13b_and_two_trillion_served_tokens() -> None:
    # Figure 1: a model of the quality of a compute-optimal 13B, with 2T tokens served, is best made as a 7B: 1.7e22
    # fewer FLOP, 17 % of all.
    law, served = SARDANA, 2e12
    params = 13e9
    ratio = law["delta"] * law["B"] / (law["beta"] * law["A"])
    tokens = (ratio * params ** law["beta"]) ** (1 / law["delta"])
    target = float(loss_at(curve(), np.array([params]), np.array([tokens]))[0])

    trained = cheapest_lifetime(curve(), target)
    assert trained.params[0] == pytest.approx(params, rel=1e-3)
    assert trained.tokens[0] == pytest.approx(tokens, rel=1e-3)

    lived = cheapest_lifetime(curve(), target, served)
    before = trained.training_flop[0] + 2 * params * served
    assert lived.params[0] == pytest.approx(7e9, rel=0.01)
    assert before - lived.flop[0] == pytest.approx(1.7e22, rel=0.01)
    assert 1 - lived.flop[0] / before == pytest.approx(0.17, abs=0.005)


@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_without_serving_it_is_the_closed_form_frontier(gamma: float) -> None:
    made = curve(SARDANA | {"gamma": gamma})
    frontier = joint_frontier(made.theta, PIVOTS)
    log_compute = np.log(1e22)
    target = float(SARDANA["L_inf"] + np.exp(frontier.log_reducible(log_compute))[0])
    best = cheapest_lifetime(made, target)
    # The last grid has steps of 3e-4 nats; the optimum is flat, so that FLOP agree far better.
    assert np.log(best.params[0]) == pytest.approx(frontier.log_params(log_compute)[0], abs=4e-4)
    assert best.flop[0] == pytest.approx(1e22, rel=1e-6)
    assert not best.on_edge.any()
    assert best.serving_flop[0] == 0.0


@pytest.mark.parametrize("served", [1e11, 2e12, 1e14])
def test_a_sum_of_terms_against_its_closed_form_in_d(served: float) -> None:
    law, target = SARDANA, 2.05

    def flop(log_n: float) -> float:
        # γ = 1: D = [B / (L − L∞ − A·N^−β)]^(1/δ).
        left = target - law["L_inf"] - law["A"] * np.exp(-law["beta"] * log_n)
        tokens = (law["B"] / left) ** (1 / law["delta"])
        return float(6 * np.exp(log_n) * tokens + 2 * np.exp(log_n) * served)

    least = np.log(law["A"] / (target - law["L_inf"])) / law["beta"]
    exact = minimize_scalar(flop, bounds=(least + 1e-6, least + 6), options={"xatol": 1e-9})
    best = cheapest_lifetime(curve(), target, served)
    assert np.log(best.params[0]) == pytest.approx(exact.x, abs=4e-4)
    assert best.flop[0] == pytest.approx(exact.fun, rel=1e-6)


def test_more_served_tokens_never_ask_for_a_larger_model() -> None:
    sizes = [cheapest_lifetime(curve(), 2.05, s).params[0] for s in (0.0, 1e11, 1e12, 1e13, 1e15)]
    assert np.all(np.diff(sizes) < 0)


def test_a_target_below_the_floor_is_never_reached() -> None:
    law = curve(draws=3)
    law.theta["L_inf"][1] = 2.2
    best = cheapest_lifetime(law, 2.05, 1e12)
    assert best.p_reached == pytest.approx(2 / 3)
    assert np.isnan([best.params[1], best.tokens[1], best.flop[1]]).all()
    assert best.params[0] == best.params[2]


def test_drifting_draws_reach_the_target_and_nothing_near_is_cheaper() -> None:
    fit = make_fit("parameter-data", draws=30, drift=True)
    made = group_curve(fit, fit.groups("Pythia"))
    target, served = 2.2, 1e12
    best = lifetime_optimum(fit, target_loss=target, served_tokens=served, architecture="Pythia")
    assert best.on_edge.mean() < 0.05
    there = np.isfinite(best.params) & ~best.on_edge
    assert there.sum() > 20
    found, flop = np.where(there, best.params, 1e9), np.where(there, best.flop, 1e22)
    got = loss_at(made, found, np.where(there, best.tokens, 1e9))
    np.testing.assert_allclose(got[there], target, rtol=1e-8)
    for factor in (0.5, 0.8, 1.25, 2.0):
        params = found * factor
        # With the tokens that cost as much in all as the optimum does, no neighbour does better.
        tokens = (flop - 2 * params * served) / (6 * params)
        able = there & (tokens > 1)
        assert able.any()
        worse = loss_at(made, params, np.where(able, tokens, 1.0))
        assert np.all(worse[able] >= target - 1e-9)


def test_uncertain_demand_goes_with_the_draws() -> None:
    made = curve(draws=200)
    demand = "LogNormal(median=2e12, sigma=1)"
    best = cheapest_lifetime(made, 2.05, demand, seed=5)
    np.testing.assert_array_equal(best.params, cheapest_lifetime(made, 2.05, demand, seed=5).params)
    order = np.argsort(best.serving_flop / best.params)
    assert np.all(np.diff(best.params[order]) <= 4e-4 * best.params[order][1:])


def test_what_has_no_n_and_d_is_refused() -> None:
    with pytest.raises(PlanError, match="law 'compute' has no choice of N and D"):
        lifetime_optimum(make_fit("compute", draws=10), target_loss=2.0, architecture="Pythia")
    with pytest.raises(PlanError, match="target_loss = -2"):
        cheapest_lifetime(curve(), -2.0)
    with pytest.raises(PlanError, match="served_tokens = -1"):
        cheapest_lifetime(curve(), 2.0, -1.0)


def test_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = make_fit(runs=make_runs(), draws=50)
    saved = str(fit.save(tmp_path / "fit.nc"))
    words = ["lifetime", saved, "--target-loss", "2.4", "--served-tokens", "2T"]
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = lifetime_optimum(fit, target_loss=2.4, served_tokens=2e12)
    assert said == json.loads(json.dumps(found.to_dict()))
    reached = np.isfinite(found.params)
    assert said["params"]["median"] == pytest.approx(np.median(found.params[reached]))
    assert any("not calibrated here" in note for note in said["caveats"])
    assert run(words) == 0
    assert f"reached at all): {found.p_reached:.2f}" in capsys.readouterr().out
    # A loss below every draw's floor; demands that are no number, and negative.
    assert run(["lifetime", saved, "--target-loss", "0.1"]) == 0
    assert "reached at all): 0.00" in capsys.readouterr().out
    assert run([*words[:-1], "many"]) == 1
    assert "many" in capsys.readouterr().err
    assert run([*words[:-1], "Normal(mu=0, sigma=1)"]) == 1
    assert "served_tokens: " in capsys.readouterr().err
