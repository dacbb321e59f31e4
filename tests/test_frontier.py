"""The frontier: closed forms against published optima and against blind minimisation; the flat valley around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from test_laws import DIGITS, ORACLE, ORIGIN, TEXTBOOK, inputs_of, joint_loss

from bayescale.errors import BayescaleError
from bayescale.laws import (
    LAWS,
    Array,
    Axis,
    Frontier,
    Namespace,
    joint_frontier,
    numeric_frontier,
    numeric_optimum,
    numpy_namespace,
    textbook_theta,
)

GAMMAS = (0.2, 0.6, 1.0, 1.5)
PIVOTS = {"params": math.log(1e9), "tokens": math.log(2e10)}


def theta_at(gamma: float, beta: float = 0.4, delta: float = 0.28) -> dict[str, float]:
    theta = {"R0": 0.8, "omega": 0.45, "beta": beta, "delta": delta, "gamma": gamma}
    return {**LAWS["parameter-data"].complete(theta), "L_inf": 1.7}


def reducible(theta: dict[str, float], log_n: float, log_c: float) -> float:
    """Log R at a budget, from the law alone."""
    log_d = log_c - math.log(6.0) - log_n
    at = {"params": log_n - PIVOTS["params"], "tokens": log_d - PIVOTS["tokens"]}
    return float(LAWS["parameter-data"].log_reducible(at, theta))


# ------------------------------------------------------------------ published optima

OPTIMA = [r for r in ORACLE if r["quantity"].startswith(("Nopt", "Dopt", "tok_per"))]


@pytest.mark.parametrize("row", OPTIMA, ids=lambda r: f"{r['quantity']}-{r['inputs']}")
def test_closed_form_gives_the_published_optimum(row: dict[str, str]) -> None:
    quantity = row["quantity"]
    (source,) = (s for s in TEXTBOOK if s in quantity)
    frontier = joint_frontier(textbook_theta(**TEXTBOOK[source]), ORIGIN)
    log_c = math.log(inputs_of(row["inputs"])["C"])
    got = {
        "Nopt": np.exp(frontier.log_params(log_c)),
        "Dopt": np.exp(frontier.log_tokens(log_c)),
        "tok": frontier.tokens_per_param(log_c),
    }[quantity.split("_")[0]]
    # The brute-force row is good to the grid it was taken on.
    digits = 1e-5 if "bruteforce" in quantity else DIGITS
    assert float(got) == pytest.approx(float(row["value"]), rel=digits)


def test_optimum_of_besiroglu_at_chinchillas_budget_is_72_billion() -> None:
    frontier = joint_frontier(textbook_theta(**TEXTBOOK["besiroglu"]), ORIGIN)
    assert float(np.exp(frontier.log_params(np.log(5.76e23)))) == pytest.approx(72.2e9, rel=1e-3)


# ------------------------------------------------------------------ closed forms against minimisation


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("compute", [1e19, 6e22, 1e27])
def test_closed_form_agrees_with_blind_minimisation(gamma: float, compute: float) -> None:
    theta, log_c = theta_at(gamma), math.log(compute)
    frontier = joint_frontier(theta, PIVOTS)
    log_n, log_r = numeric_optimum(LAWS["parameter-data"], theta, PIVOTS, log_c)
    # Around a minimum a float resolves the place to the root of its precision.
    assert float(log_n) == pytest.approx(float(frontier.log_params(log_c)), abs=1e-6)
    assert float(log_r) == pytest.approx(float(frontier.log_reducible(log_c)), abs=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_everything_of_the_frontier_is_found_numerically_too(gamma: float) -> None:
    theta, log_c = theta_at(gamma), math.log(3e22)
    closed = joint_frontier(theta, PIVOTS)
    found = numeric_frontier(LAWS["parameter-data"], theta, PIVOTS, log_c)
    assert float(found.alpha) == pytest.approx(float(closed.alpha), abs=1e-9)
    assert float(found.log_kappa) == pytest.approx(float(closed.log_kappa), abs=1e-7)
    ratio = float(closed.tokens_per_param(log_c))
    assert float(found.tokens_per_param) == pytest.approx(ratio, rel=1e-5)
    for share in (0.01, 0.3):
        width = float(closed.valley_width(share))
        assert float(found.valley_width(share)) == pytest.approx(width, rel=1e-5)
    with pytest.raises(BayescaleError, match="share"):
        found.valley_width(1.0)


def test_a_law_without_a_closed_form_has_a_frontier_too() -> None:
    """A second, slower power of N beside the joint law; the reference is a dense grid."""
    joint = LAWS["parameter-data"]

    def log_reducible(xp: Namespace, u: Mapping[Axis, Array], theta: Mapping[str, Array]) -> Array:
        slow = np.log(0.3) - 0.1 * u["params"]
        return xp.logaddexp(joint.core.log_reducible(xp, u, theta), slow)

    law = replace(joint, core=replace(joint.core, log_reducible=log_reducible))
    theta, log_c, n = theta_at(0.6), math.log(3e22), np.linspace(15.0, 35.0, 200_001)

    def valley(at: float) -> np.ndarray:
        u = {"params": n - PIVOTS["params"], "tokens": at - math.log(6.0) - n - PIVOTS["tokens"]}
        return np.asarray(log_reducible(numpy_namespace, u, theta))

    found = numeric_frontier(law, theta, PIVOTS, log_c)
    best = valley(log_c).argmin()
    assert float(found.log_params) == pytest.approx(n[best], abs=1e-4)
    slope = (valley(log_c - 0.01).min() - valley(log_c + 0.01).min()) / 0.02
    assert float(found.alpha) == pytest.approx(slope, abs=1e-5)
    assert float(found.log_kappa - found.alpha * log_c) == pytest.approx(valley(log_c).min())
    inside = n[valley(log_c) <= valley(log_c + math.log1p(-0.05)).min()]
    assert math.log(float(found.valley_width(0.05))) == pytest.approx(np.ptp(inside), abs=2.1e-4)
    # Not what the joint law alone says.
    assert float(found.alpha) < 0.95 * float(joint_frontier(theta, PIVOTS).alpha)


def test_a_valley_that_never_rises_again_is_infinitely_wide() -> None:
    """Where D says nothing more parameters are always better, at any budget."""
    joint = LAWS["parameter-data"]
    law = replace(
        joint, core=replace(joint.core, log_reducible=lambda xp, u, theta: -0.3 * u["params"])
    )
    found = numeric_frontier(law, theta_at(0.6), PIVOTS, math.log(3e22))
    assert found.valley_width(0.05) == math.inf


def test_both_work_on_arrays_of_draws() -> None:
    rng = np.random.default_rng(0)
    theta = LAWS["parameter-data"].complete(
        {
            "R0": rng.uniform(0.4, 1.2, (2, 5)),
            "omega": rng.uniform(0.2, 0.8, (2, 5)),
            "beta": rng.uniform(0.2, 0.6, (2, 5)),
            "delta": rng.uniform(0.2, 0.6, (2, 5)),
            "gamma": rng.uniform(0.3, 1.4, (2, 5)),
        }
    )
    frontier = joint_frontier(theta, PIVOTS)
    log_n, _ = numeric_optimum(LAWS["parameter-data"], theta, PIVOTS, math.log(1e23))
    assert log_n.shape == (2, 5)
    np.testing.assert_allclose(log_n, frontier.log_params(math.log(1e23)), atol=1e-6)
    assert frontier.valley_width(0.05).shape == (2, 5)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_terms_balance_on_the_frontier(gamma: float) -> None:
    theta = theta_at(gamma)
    f = joint_frontier(theta, PIVOTS)
    log_c = math.log(3e22)
    by_n = (f.log_A - f.beta * f.log_params(log_c)) / gamma
    by_d = (f.log_B - f.delta * f.log_tokens(log_c)) / gamma
    assert math.log(f.beta) + by_n == pytest.approx(math.log(f.delta) + by_d)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_kappa_is_the_printed_formula(gamma: float) -> None:
    theta = theta_at(gamma)
    f = joint_frontier(theta, PIVOTS)
    b, d = theta["beta"], theta["delta"]
    big_g = ((b / d) ** gamma * math.exp(f.log_A) / math.exp(f.log_B)) ** (1 / (b + d))
    kappa = 6 ** theta["alpha"] * math.exp(f.log_A) * big_g**-b * ((b + d) / d) ** gamma
    assert math.exp(f.log_G) == pytest.approx(big_g)
    assert math.exp(f.log_kappa) == pytest.approx(kappa)
    compute = 1e24
    at_optimum = math.exp(
        reducible(theta, float(f.log_params(math.log(compute))), math.log(compute))
    )
    assert at_optimum == pytest.approx(kappa * compute ** -theta["alpha"])


def test_textbook_amplitudes_come_back() -> None:
    p = TEXTBOOK["besiroglu"]
    for gamma in GAMMAS:
        f = joint_frontier(textbook_theta(**p, gamma=gamma), ORIGIN)
        assert math.exp(f.log_A) == pytest.approx(p["A"])
        assert math.exp(f.log_B) == pytest.approx(p["B"])


def test_frontier_loss_is_the_loss_at_the_optimum() -> None:
    theta = textbook_theta(**TEXTBOOK["besiroglu"])
    f, log_c = joint_frontier(theta, ORIGIN), math.log(5.76e23)
    n, d = np.exp(f.log_params(log_c)), np.exp(f.log_tokens(log_c))
    assert 6 * n * d == pytest.approx(5.76e23)
    expected = theta["L_inf"] + float(np.exp(f.log_reducible(log_c)))
    assert joint_loss(theta, n, d) == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------ the valley


@pytest.mark.parametrize("gamma", GAMMAS)
def test_excess_is_the_law_at_the_same_budget(gamma: float) -> None:
    theta, log_c = theta_at(gamma), math.log(1e23)
    f = joint_frontier(theta, PIVOTS)
    best = float(f.log_params(log_c))
    for x in (-2.0, -0.3, 0.0, 0.7, 3.0):
        direct = reducible(theta, best + x, log_c) - reducible(theta, best, log_c)
        assert float(f.log_excess(x)) == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_nothing_is_wasted_at_the_optimum_and_little_beside_it(gamma: float) -> None:
    theta = theta_at(gamma)
    f = joint_frontier(theta, PIVOTS)
    assert float(f.wasted_share(0.0)) == pytest.approx(0.0, abs=1e-14)
    x = 1e-3
    second_order = theta["beta"] * theta["delta"] * x**2 / (2 * gamma)
    assert float(f.log_excess(x)) == pytest.approx(second_order, rel=5e-3)
    assert float(f.log_excess(-x)) == pytest.approx(second_order, rel=5e-3)
    assert float(f.wasted_share(x)) == pytest.approx(second_order / theta["alpha"], rel=5e-3)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_wasted_share_is_what_a_smaller_budget_on_the_frontier_would_save(gamma: float) -> None:
    theta, log_c = theta_at(gamma), math.log(1e23)
    f = joint_frontier(theta, PIVOTS)
    x = 1.1
    reached = reducible(theta, float(f.log_params(log_c)) + x, log_c)
    # Find the budget whose optimum is as good, by blind minimisation at each trial budget.
    enough = brentq(
        lambda c: float(numeric_optimum(LAWS["parameter-data"], theta, PIVOTS, c)[1]) - reached,
        log_c - 8.0,
        log_c,
        xtol=1e-10,
    )
    assert float(f.wasted_share(x)) == pytest.approx(1 - math.exp(enough - log_c), abs=1e-7)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_valley_width_is_where_the_waste_reaches_the_share(gamma: float, share: float) -> None:
    theta = theta_at(gamma)
    f = joint_frontier(theta, PIVOTS)
    x = np.linspace(-12.0, 12.0, 240_001)
    inside = x[f.wasted_share(x) <= share]
    # The grid has a step of 1e-4 in log N, at either end.
    assert math.log(float(f.valley_width(share))) == pytest.approx(np.ptp(inside), abs=2.1e-4)


def test_the_valley_is_flatter_for_larger_gamma() -> None:
    widths = [float(joint_frontier(theta_at(g), PIVOTS).valley_width(0.05)) for g in GAMMAS]
    assert widths == sorted(widths)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_valley_of_an_impossible_share_is_an_error(share: float) -> None:
    f: Frontier = joint_frontier(theta_at(0.6), PIVOTS)
    with pytest.raises(BayescaleError, match="share"):
        f.valley_width(share)


def test_no_frontier_draw_lies_below_its_floor_up_to_1e40_flop() -> None:
    f = joint_frontier(theta_at(0.6), PIVOTS)
    log_r = f.log_reducible(np.log(np.geomspace(1e10, 1e40, 61)))
    assert np.all(np.isfinite(log_r))
    assert np.all(np.diff(log_r) < 0)
