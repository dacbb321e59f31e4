"""Groups as actions: closed forms for certain laws, shares by hand, what is drawn, written and refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs

from bayescale import plots
from bayescale.decide import Budget, Crossing, IsoFlop, Selection, plan, select
from bayescale.errors import ForecastError, PlanError, UnknownNameError
from bayescale.laws import joint_frontier
from bayescale.posterior import Fit, New

BUDGET = 1e23
AT = {"R0": 1.0, "alpha": 0.15, "a": 0.5, "omega": 0.5, "gamma": 1.0, "L_inf": 1.8, "sigma": 0.01}


def two_families(shift: dict[str, float], draws: int = 20) -> Fit:
    """Certain laws of two architectures: on the link scale they lie ``shift`` to either side of one point."""
    fit = make_fit(runs=make_runs(("gpt", "mamba")), draws=draws, values=AT)
    posterior, tree = fit.posterior.copy(deep=True), fit.tree.copy()
    for name, value in shift.items():
        where = {"parameter_architecture": name}
        posterior["effect_architecture"].loc[{**where, "architecture": "gpt"}] = value
        posterior["effect_architecture"].loc[{**where, "architecture": "mamba"}] = -value
    tree["posterior"] = xr.DataTree(posterior)
    return replace(fit, tree=tree)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(("gpt", "mamba", "rwkv")), draws=300)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Selection:
    return select(fit, BUDGET)


# ------------------------------------------------------------------ closed forms


def test_certain_laws_of_one_floor_cross_where_their_frontiers_say() -> None:
    # The steeper one starts higher: it overtakes once.
    fit = two_families({"alpha": 0.05, "R0": 0.03})
    theta = [
        {k: v.to_numpy().ravel()[0] for k, v in fit.parameters(fit.groups(a)).items()}
        for a in ("gpt", "mamba")
    ]
    one, other = (joint_frontier(t, fit.model.pivots) for t in theta)
    # κ_A·C^−α_A = κ_B·C^−α_B
    exact = (one.log_kappa - other.log_kappa) / (one.alpha - other.alpha)
    found = select(fit, BUDGET, low=1e18, high=1e28)
    pair = found.crossings.isel(pair=0)
    assert math.log(1e18) < exact < math.log(1e28)
    # A straight line between budgets a fifth of a decade apart: the difference of the losses bends by (α·step)²/8.
    slack = (float(one.alpha) * 0.2 * math.log(10)) ** 2
    for prob in (0.05, 0.5, 0.95):
        assert abs(math.log(float(pair["compute"].sel(prob=prob))) - exact) < slack
    shares = {
        k: float(pair[k]) for k in ("p_never", "p_first_beyond", "p_second_beyond", "p_several")
    }
    assert shares == {"p_never": 0, "p_first_beyond": 1, "p_second_beyond": 0, "p_several": 0}
    step = found.contrasts["difference"].sel(parameter="alpha", prob=0.5)
    assert float(step[0]) == pytest.approx(theta[0]["alpha"] - theta[1]["alpha"])
    assert float(found.contrasts["p_positive"].sel(parameter="alpha")[0]) == 1.0


def test_certain_laws_of_one_exponent_never_cross_and_waste_what_the_ratio_says() -> None:
    fit = two_families({"R0": 0.05})
    found = select(fit, BUDGET)
    pair = found.crossings.isel(pair=0)
    assert (float(pair["p_never"]), float(pair["p_second"])) == (1.0, 1.0)
    assert np.isnan(pair["compute"]).all()
    assert found.pair_rows()[0][1] == "never"
    assert found.best == "mamba"
    np.testing.assert_array_equal(found.table["p_best"], [0.0, 1.0])
    # R is e^.1 times as large at every budget: C′/C = e^(−.1/α).
    waste = found.table["regret"].to_numpy()
    assert waste[0] == pytest.approx(-math.expm1(-0.1 / AT["alpha"]), rel=1e-4)
    assert waste[1] == pytest.approx(0.0, abs=1e-6)


def test_two_groups_that_are_one_are_never_told_apart() -> None:
    """The negative control: no contrast, no regret."""
    found = select(two_families({}), BUDGET)
    np.testing.assert_allclose(found.contrasts["difference"], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.table["regret"], 0.0, atol=1e-6)
    assert float(found.crossings["p_never"][0]) == 1.0


def test_crossings_by_hand() -> None:
    at = np.array([0.0, 1.0, 2.0, 3.0])
    difference = np.array([[1, 1, 1, 1], [-2, -1, -1, -2], [1, 1, -3, -3], [1, -1, 1, -1]], float)
    one = Crossing(at, difference)
    np.testing.assert_array_equal(one.count, [0, 0, 1, 3])
    np.testing.assert_allclose(one.log_crossing, [np.nan, np.nan, 1.25, 2.5])
    assert one.shares() == {
        "p_first": 0.25,
        "p_second": 0.25,
        "p_first_beyond": 0.5,
        "p_second_beyond": 0.0,
        "p_several": 0.25,
    }


# ------------------------------------------------------------------ shares and regret by their definition


def test_p_best_and_regret_are_those_of_paired_draws(fit: Fit, found: Selection) -> None:
    sides = [IsoFlop.of(fit, fit.groups(a), BUDGET) for a in ("gpt", "mamba", "rwkv")]
    own = np.stack([s.loss(s.optimum[1]) for s in sides], axis=1)
    best = own.argmin(axis=1)
    np.testing.assert_allclose(found.table["p_best"], [(best == i).mean() for i in range(3)])
    assert float(found.table["p_best"].sum()) == pytest.approx(1.0)
    # C′ on the best group's frontier that gives the loss of the action, draw by draw.
    log_n = np.log(found.table["params"].to_numpy())
    loss = np.stack([s.loss(s.log_reducible(log_n[[i]]))[:, 0] for i, s in enumerate(sides)], 1)
    waste = np.empty_like(loss)
    for i, s in enumerate(sides):
        frontier = joint_frontier(s.theta, s.curve.pivots)  # type: ignore[union-attr]
        log_r = np.log(loss - s.curve.floor[:, None])
        enough = (frontier.log_kappa[:, None] - log_r) / frontier.alpha[:, None]
        waste[best == i] = 1 - np.exp(enough - math.log(BUDGET))[best == i]
    np.testing.assert_allclose(found.table["regret"], waste.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.table["p_regret"], (waste <= 0.05).mean(axis=0))


def test_the_size_of_a_group_is_that_of_its_own_plan(fit: Fit, found: Selection) -> None:
    for name in ("gpt", "mamba"):
        (alone,) = plan(fit, BUDGET, architecture=name).recommendations
        one = found.table.sel(group=name)
        assert float(one["params"]) == pytest.approx(alone.params)
        mean_loss = plan(fit, BUDGET, architecture=name).by_utility["waste"].loss
        assert float(one["loss"]) == pytest.approx(mean_loss)
    by_tail = select(fit, BUDGET, risk="cvar:0.1")
    assert (
        by_tail.best
        == by_tail.table["group"].to_numpy()[np.argmin(by_tail.table["risk"].to_numpy())]
    )


@pytest.mark.parametrize("drift", [False, True])
def test_drift_new_groups_studies_and_money(drift: bool) -> None:
    runs = make_runs(("gpt",), studies=("own", "published"))
    fit = make_fit(runs=runs, draws=60, drift=drift)
    priced = Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    recipes = select(fit, priced, by="study", among=["own", "published"])
    waste, money = recipes.table["regret"], recipes.table["regret_dollars"]
    np.testing.assert_allclose(money, 5e6 * waste)
    new = select(fit, BUDGET, among=["gpt", New("mamba-3")], study="own")
    assert new.table["group"].to_numpy().tolist() == ["gpt", "new: mamba-3"]
    assert 0.0 <= float(new.table["regret"].min()) <= float(new.table["regret"].max()) <= 1.0
    assert float(new.crossings["p_never"][0]) < 1.0


# ------------------------------------------------------------------ what is said, drawn and refused


def test_all_of_it_is_plain_data_and_drawn(found: Selection) -> None:
    data = json.loads(json.dumps(found.to_dict()))
    assert data["table"]["p_best"]["values"] == found.table["p_best"].to_numpy().tolist()
    assert data["crossings"]["compute"]["dims"] == ["pair", "prob"]
    assert "not calibrated here: no back-test at this distance" in data["caveats"]
    assert found.rows()[0][0] == found.best
    assert len(found.pair_rows()) == 3
    figure = plots.selection(found)
    left, right = figure.axes
    np.testing.assert_array_equal(
        left.lines[0].get_ydata(), found.frontier["loss"].sel(group="gpt", prob=0.5)
    )
    shown = [float(line.get_xdata()[0]) for line in right.lines if len(line.get_xdata()) == 1]
    assert shown[::2] == found.table["p_best"].to_numpy().tolist()
    assert shown[1::2] == found.table["regret"].to_numpy().tolist()
    with pytest.raises(PlanError, match="not a Dataset: make one first"):
        plots.selection(found.table)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "task"}, "unknown side to choose 'task'"),
        ({"among": ["gpt"]}, "two groups or more; architecture: gpt"),
        ({"among": ["gpt", "gpt"]}, "'gpt' is in the list more than once"),
        ({"among": ["gpt", "mambo"]}, "did you mean 'mamba'"),
        ({"architecture": "gpt"}, "architecture is what is chosen"),
        ({"by": "study", "architecture": "gpt"}, "two groups or more; study: own"),
        ({"low": 1e25, "high": 1e20}, "expected the smaller one first"),
        ({"risk": "cvra:0.1"}, "unknown risk"),
        ({"fit": "pile.nc"}, "select takes a fit"),
    ],
)
def test_bad_choices(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, ForecastError, UnknownNameError), match=message):
        select(**{"fit": fit, "budget": BUDGET, **options})
