"""When to stop spending, and what cannot be had together: closed forms, brute force, what is drawn and refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs
from scipy.special import expit
from test_plan import besiroglu

from bayescale import plots
from bayescale.decide import (
    Budget,
    ByAccuracy,
    Fleet,
    IfReached,
    IsoFlop,
    PerNat,
    Stopping,
    cheapest,
    hardware_table,
    pareto,
    pareto_set,
    stopping,
)
from bayescale.errors import ForecastError, PlanError, UnknownNameError
from bayescale.laws import joint_frontier
from bayescale.posterior import Fit, Stacked

PRICES: dict[str, Any] = {"price_per_hour": 2.7, "mfu": 0.4, "hardware": "H100-SXM"}
A_DOLLAR = 989.4e12 * 0.4 * 3600 / 2.7  # FLOP
STEP = math.log(10) / 64  # between the budgets searched
FLEETS = [Fleet(hardware="H100-SXM", mfu=0.4), Fleet(hardware="A100-SXM", mfu=0.5)]


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=150)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Stopping:
    return stopping(fit, PerNat(1e8), **PRICES)


@pytest.fixture(scope="module")
def weighed(fit: Fit) -> xr.Dataset:
    return pareto(fit, FLEETS, 1e22, 1e24)


# ------------------------------------------------------------------ the stopping budget


@pytest.mark.parametrize("worth", [1e6, 1e8, 1e10])
@pytest.mark.parametrize("gamma", [0.4, 1.0])
def test_value_per_nat_stops_where_the_closed_form_says(worth: float, gamma: float) -> None:
    fit = besiroglu(gamma)
    found = stopping(fit, PerNat(worth), kind="expected", **PRICES)
    theta = {k: v.to_numpy().ravel()[0] for k, v in fit.parameters(fit.groups()).items()}
    exact = joint_frontier(theta, fit.model.pivots)
    # d/dC (v·κ·C^−α + C/r) = 0
    alpha = float(exact.alpha)
    log_c = (math.log(worth * alpha * A_DOLLAR) + float(exact.log_kappa)) / (1 + alpha)
    assert abs(math.log(found.own["median"]) - log_c) <= STEP / 2 + 1e-9
    # The N of a budget lies on a grid, whose steps move the expected value by less than the budget's own do.
    assert abs(math.log(found.compute) - log_c) <= 3 * STEP
    marginal = found.numbers["marginal"].to_numpy()
    at = int(np.argmin(np.abs(found.numbers["compute"].to_numpy() - math.exp(log_c))))
    assert marginal[at] == pytest.approx(1.0, abs=0.05)
    assert found.own["lo90"] == found.own["hi90"]
    assert (found.p_low, found.p_high) == (0.0, 0.0)


def test_each_draw_stops_where_its_own_curve_says(fit: Fit, found: Stopping) -> None:
    iso = IsoFlop.of(fit, fit.groups(), 1e22)
    exact = joint_frontier(iso.theta, iso.curve.pivots)  # type: ignore[union-attr]
    log_c = (np.log(1e8 * exact.alpha * A_DOLLAR) + exact.log_kappa) / (1 + exact.alpha)
    ends = np.log([found.problem["low"], found.problem["high"]])
    inside = np.clip(log_c, *ends)
    plain = stopping(fit, PerNat(1e8), kind="expected", **PRICES)
    for name, p in (("lo90", 0.05), ("median", 0.5), ("hi90", 0.95)):
        assert math.log(plain.own[name]) == pytest.approx(np.quantile(inside, p), abs=STEP)
    assert plain.p_low == pytest.approx(float(np.mean(log_c < ends[0])), abs=1e-9)


def test_a_target_is_paid_for_where_it_is_worth_its_price() -> None:
    fit = besiroglu()
    needed = cheapest(fit, target_loss=2.0, kind="expected", **PRICES)
    assert needed.dollars is not None
    pays = stopping(fit, IfReached(3 * needed.dollars, 2.0), kind="expected", **PRICES)
    assert 0.0 <= math.log(pays.own["median"] / needed.compute) <= STEP + 1e-6
    never = stopping(fit, IfReached(0.5 * needed.dollars, 2.0), kind="expected", **PRICES)
    assert never.p_low == 1.0
    assert never.caveats[0].startswith("no budget searched is worth its cost")


def test_the_expected_value_of_a_target_is_its_chance(fit: Fit) -> None:
    value, worth = IfReached(1e7, 2.3), 1e7
    found = stopping(fit, value, low=1e20, high=1e26, **PRICES)
    best = cheapest(fit, target_loss=2.3, probability=0.5, **PRICES)
    compute = found.numbers["compute"].to_numpy()
    at = int(np.argmin(np.abs(np.log(compute / best.compute))))
    level = found.numbers["net"] + found.numbers["dollars"]
    rise = float(level[-1] - level[at]) / worth
    # Between a chance of one half and that of the largest budget.
    assert 0.0 < rise < 0.5
    assert np.all(np.diff(level.to_numpy()) > -1e-3 * worth)


def test_accuracy_is_a_sigmoid_of_the_loss(fit: Fit) -> None:
    value = ByAccuracy(1e8, chance=0.25, best=0.9, midpoint=2.2, slope=5.0)
    loss = np.array([0.5, 2.2, 9.0])
    np.testing.assert_allclose(
        value(loss), 1e8 * (0.25 + 0.65 * expit(5 * (2.2 - loss))), rtol=1e-12
    )
    assert value(np.array([2.2]))[0] == pytest.approx(0.575e8)
    dear = stopping(fit, value, **PRICES)
    cheap = stopping(fit, ByAccuracy(1e7, 0.25, 0.9, 2.2, 5.0), **PRICES)
    assert cheap.compute < dear.compute


def test_more_worth_or_a_lower_price_buys_more(fit: Fit, found: Stopping) -> None:
    by_worth = [stopping(fit, PerNat(v), **PRICES).compute for v in (1e6, 1e7)]
    assert by_worth[0] < by_worth[1] < found.compute
    dear = stopping(fit, PerNat(1e8), **PRICES | {"price_per_hour": 27.0})
    assert dear.compute < found.compute
    # Every fourth run is lost: an hour that counts costs a third more.
    lost = stopping(fit, PerNat(1e8), **PRICES, failed=1 / 3)
    third = stopping(fit, PerNat(1e8), **PRICES | {"price_per_hour": 3.6})
    assert (lost.compute, lost.dollars) == pytest.approx((third.compute, third.dollars))
    unsure = PRICES | {"price_per_hour": "LogNormal(median=2.7, sigma=1)"}
    wide = stopping(fit, PerNat(1e8), **unsure)
    # More of the interval is price: its log has a standard deviation of one, halved and less by 1/(1+α).
    assert wide.own["hi90"] / wide.own["lo90"] > found.own["hi90"] / found.own["lo90"]
    drifting = make_fit(runs=make_runs(), draws=40, drift=True)
    both = Stacked((drifting, make_fit("chinchilla", make_runs(), draws=40)), (0.5, 0.5))
    assert stopping(both, PerNat(1e7), low=1e20, high=1e25, **PRICES).gain > 0


def test_a_stopping_budget_is_said_and_drawn_whole(found: Stopping) -> None:
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["problem"]["value"] == {"kind": "PerNat", "dollars": 1e8}
    assert f"{found.compute:.3g} FLOP (${found.dollars:,.0f})" in str(found)
    assert found.dollars == pytest.approx(Budget(compute=found.compute, **PRICES).cost or 0)
    left, right = plots.stopping(found).axes
    assert left.lines[-1].get_xdata()[0] == found.compute
    np.testing.assert_array_equal(right.lines[0].get_ydata(), found.numbers["net"])
    with pytest.raises(PlanError, match="not a dict: make one first"):
        plots.stopping(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerNat(-1.0), "PerNat dollars = -1"),
        (lambda: IfReached(0.0, 2.0), "IfReached worth = 0"),
        (lambda: IfReached(1.0, -2.0), "target_loss = -2"),
        (lambda: ByAccuracy(1.0, 0.9, 0.25, 2.0, 5.0), "chance = 0.9, best = 0.25"),
        (lambda: ByAccuracy(1.0, 0.1, 0.9, 2.0, -5.0), "ByAccuracy slope = -5"),
    ],
)
def test_bad_values(make: Any, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 1e25, "high": 1e20}, "expected the smaller one first"),
        ({"kind": "campain"}, "did you mean 'campaign'"),
        ({"mfu": 1.4}, "mfu = 1.4"),
        ({"architecture": "gtp"}, "did you mean 'gpt'"),
    ],
)
def test_bad_input(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, ForecastError, UnknownNameError), match=message):
        stopping(fit, PerNat(1e8), **PRICES | options)


# ------------------------------------------------------------------ the Pareto set


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_pareto_set_is_that_of_brute_force(size: int) -> None:
    values = np.random.default_rng(size).integers(0, 12, (200, size)).astype(float)
    brute = [
        not any(np.all(other <= one) and np.any(other < one) for other in values) for one in values
    ]
    np.testing.assert_array_equal(pareto_set(values), brute)


def test_actions_that_none_beats(fit: Fit, weighed: xr.Dataset) -> None:
    assert weighed.attrs["objectives"] == ["risk", "serving_flop", "latency", "money", "kgco2e"]
    inside = weighed.isel(action=weighed["efficient"].to_numpy())
    # At one N nothing but budget and fleet is left: within a fleet, less loss costs more.
    table = np.stack([weighed[n] for n in weighed.attrs["objectives"]], axis=1)
    np.testing.assert_array_equal(weighed["efficient"], pareto_set(table))
    np.testing.assert_allclose(weighed["serving_flop"], 2 * weighed["params"])
    np.testing.assert_allclose(6 * weighed["params"] * weighed["tokens"], weighed["compute"])
    one = inside.isel(action=0)
    fleet = FLEETS[int(one["fleet"])]
    rate = fleet.rates(1)
    hours = float(one["compute"]) / float(np.asarray(rate.flop).ravel()[0])
    assert float(one["money"]) == pytest.approx(hours * float(np.ravel(rate.money)[0]))
    # Two bytes a parameter, read once a token.
    assert float(one["latency"]) == pytest.approx(
        2 * float(one["params"]) / (fleet.chip.bandwidth or 0)
    )
    assert float(one["kgco2e"]) == pytest.approx(hours * float(np.ravel(rate.kgco2e)[0]))
    iso = IsoFlop.of(fit, fit.groups(), float(one["compute"]))
    loss = iso.loss(iso.log_reducible(np.log([float(one["params"])])))
    assert float(one["loss"]) == pytest.approx(float(loss.mean()))


def test_a_dearer_and_dirtier_fleet_is_never_chosen(fit: Fit) -> None:
    better = Fleet(hardware="H100-SXM", mfu=0.5, price_per_hour=2.0)
    worse = Fleet(hardware="H100-SXM", mfu=0.4, price_per_hour=2.5)
    found = pareto(fit, [worse, better], 1e22, 1e23)
    assert set(found["fleet"].to_numpy()[found["efficient"].to_numpy()]) == {1}


def test_a_latency_is_of_a_known_bandwidth(fit: Fit) -> None:
    unknown = next(n for n, chip in hardware_table().items() if chip.bandwidth is None)
    found = pareto(fit, [FLEETS[0], Fleet(hardware=unknown, mfu=0.4)], 1e22, 1e23)
    assert "latency" not in found
    # Of one fleet it goes with N, as the cost of serving does, and rules nothing out.
    alone = pareto(fit, FLEETS[0], 1e22, 1e23)
    table = np.stack([alone[n] for n in alone.attrs["objectives"] if n != "latency"], axis=1)
    np.testing.assert_array_equal(alone["efficient"], pareto_set(table))


def test_the_pareto_figure_draws_its_numbers(weighed: xr.Dataset) -> None:
    axes = plots.pareto(weighed).axes[0]
    drawn = sum(len(c.get_offsets()) for c in axes.collections[1:])
    assert drawn == int(weighed["efficient"].sum())
    with pytest.raises(PlanError, match="make one first, pareto"):
        plots.pareto(weighed.drop_vars("efficient"))


def test_what_pareto_refuses(fit: Fit) -> None:
    with pytest.raises(PlanError, match="fleets is an empty list"):
        pareto(fit, [], 1e22, 1e24)
    with pytest.raises(PlanError, match="expected the smaller one first"):
        pareto(fit, FLEETS, 1e24, 1e22)
    with pytest.raises(PlanError, match="finite numbers"):
        pareto_set(np.array([[np.nan, 1.0]]))
