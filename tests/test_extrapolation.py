"""Beyond the data: closed forms of an exact law, agreement with forecasts and plans, forms that must be found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.errors import ConvergenceError, ForecastError
from bayescale.laws import Law, joint_frontier
from bayescale.posterior import Fit, group_curve
from bayescale.posterior.local import at_target
from bayescale.spec import ResolvedModel

EDGE = 6 * 5e9 * 1e11  # compute of the largest run of make_runs()
TRUTH = {"R0": 0.8, "omega": 0.4, "alpha": 0.17, "a": 0.45, "gamma": 0.6, "L_inf": 1.8}


def with_values(fit: Fit, **values: np.ndarray) -> Fit:
    """The fit at other values of some parameters, each of shape (draw,)."""
    before = fit.posterior
    shape = before["sigma"].shape
    changed = {n: before[n].copy(data=v.reshape(shape)) for n, v in values.items()}
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    parts["/posterior"] = before.assign(changed)
    return replace(fit, tree=xr.DataTree.from_dict(parts))


@pytest.fixture(scope="module")
def drifting() -> Fit:
    return make_fit(draws=100, drift=True)


# ------------------------------------------------------------------ an exact law, in closed form


def test_a_point_mass_has_the_closed_form_and_no_width() -> None:
    fit = make_fit(runs=make_runs(), draws=5, values=TRUTH)
    theta = {k: v.to_numpy().ravel()[0] for k, v in fit.parameters(fit.groups()).items()}
    frontier = joint_frontier(theta, fit.model.pivots)
    made = bs.extrapolation(fit, decades=[0.5, 2.0])
    compute = EDGE * 10.0 ** np.array([0.5, 2.0])
    table = made.table
    np.testing.assert_allclose(table["compute"], compute, rtol=1e-12)
    expected = 1.8 + np.exp(frontier.log_reducible(np.log(compute)))
    np.testing.assert_allclose(table["median"], expected, rtol=1e-12)
    np.testing.assert_allclose(
        table["params_median"], np.exp(frontier.log_params(np.log(compute))), rtol=1e-12
    )
    np.testing.assert_allclose(table["width90"], 0.0, atol=1e-12)
    np.testing.assert_allclose(table["regret"], 0.0, atol=1e-6)
    assert (table.filter(like="p_") == 0.0).all(axis=None)
    assert made.sound


def test_the_width_of_a_law_in_one_axis_is_that_of_its_exponent() -> None:
    """With all but δ known, quantiles of the loss are the loss at quantiles of δ, the other way round."""
    delta = np.linspace(0.2, 0.4, 200)
    fit = make_fit("data", make_runs(), draws=100, values={"T": 2.5, "phi": 0.72})
    made = bs.extrapolation(with_values(fit, delta=delta))
    assert made.axis == "tokens"
    u = np.log(1e11 * 10.0 ** np.array([1, 2, 3])) - fit.model.pivots["tokens"]
    low, high = (1.8 + 0.7 * np.exp(-q * u) for q in np.quantile(delta, [0.95, 0.05]))
    # Quantiles are interpolated between draws .001 apart in δ, where e^(−δu) is nearly straight.
    np.testing.assert_allclose(made.table["lo90"], low, rtol=1e-5)
    np.testing.assert_allclose(made.table["width90"], high - low, rtol=1e-3)
    assert "regret" not in made.table


# ------------------------------------------------------------------ the same as what others say


@pytest.mark.parametrize("group", ["Pythia", bs.New("mamba-3")])
def test_it_says_what_forecast_and_plan_say_there(drifting: Fit, group: str | bs.New) -> None:
    made = bs.extrapolation(drifting, decades=[1.0, 2.0], architecture=group)
    for row in made.table.to_dict("records"):
        compute = row["compute"]
        forecast = bs.predict(drifting, compute=compute, architecture=group, kind="expected")
        frame = forecast.table().iloc[0]
        assert frame["decades"] == pytest.approx(row["decades"])
        assert frame["median"] == pytest.approx(row["median"], rel=1e-9)
        assert frame["hi90"] - frame["lo90"] == pytest.approx(row["width90"], rel=1e-9)
        plan = bs.plan(drifting, compute, architecture=group)
        assert plan.recommendations[0].regret == pytest.approx(row["regret"], rel=1e-6)
        assert plan.optimum["params"]["hi90"] == pytest.approx(row["params_hi90"], rel=1e-9)


def test_drift_widens_and_no_draw_of_it_breaks_the_law(drifting: Fit) -> None:
    made = bs.extrapolation(drifting, architecture=["Pythia", "GPT-J", bs.New("mamba-3")])
    assert list(made.table["architecture"].unique()) == ["Pythia", "GPT-J", "new: mamba-3"]
    assert (made.table.filter(like="p_") == 0.0).all(axis=None)
    assert made.sound
    exact = {"decades": [3.0], "architecture": "Pythia"}
    spread = make_fit(draws=100, drift=True, values=TRUTH | {"drift": 0.3})
    still = make_fit(draws=100, drift=False, values=TRUTH)
    assert float(bs.extrapolation(spread, **exact).table["width90"].iloc[0]) > 0.05
    assert float(bs.extrapolation(still, **exact).table["width90"].iloc[0]) < 1e-9


def test_by_default_it_is_the_family_of_the_largest_run() -> None:
    small, large = make_runs(("ant",)).table, make_runs(("bee",), centre=(1e10, 2e11)).table
    both = pd.concat([small, large])[["architecture", "params", "tokens", "loss"]]
    fit = make_fit(runs=bs.load_runs(both, param_count="total"), draws=50)
    made = bs.extrapolation(fit, decades=[1.0]).table
    assert list(made["architecture"]) == ["bee"]
    assert made["compute"].to_numpy() == pytest.approx(10 * 6 * 5e10 * 1e12)
    own = bs.extrapolation(fit, decades=[1.0], architecture="ant").table
    assert own["compute"].to_numpy() == pytest.approx(10 * EDGE)


@pytest.mark.parametrize("model", ["compute", "parameter", "saturating"])
def test_every_law_has_its_axis(model: str) -> None:
    bounded = {"metric": "error", "upper": 0.75, "corpus": None} if model == "saturating" else {}
    made = bs.extrapolation(make_fit(model, make_runs(**bounded), draws=50, drift=True))
    assert made.axis == {"compute": "compute", "parameter": "params", "saturating": "tokens"}[model]
    assert made.sound
    assert (made.table["median"].diff().dropna() < 0).all()


# ------------------------------------------------------------------ forms that must be found out


def sabotage(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    right = ResolvedModel.get_law
    monkeypatch.setattr(ResolvedModel, "get_law", lambda self: change(right(self)))


def test_draws_that_rise_are_counted() -> None:
    fit = make_fit("data", make_runs(), draws=100)
    delta = np.where(np.arange(200) % 4 == 0, -0.05, 0.3)
    made = bs.extrapolation(with_values(fit, delta=delta))
    assert list(made.table["p_rises_tokens"]) == [0.25] * 3
    assert list(made.table["p_below_floor"]) == [0.0] * 3
    assert not made.sound
    assert made.notes[0].startswith("25 % of the draws rise with D at 1 decades (gpt)")


def test_draws_below_their_floor_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """L∞ − R for the draws of high floor: below it everywhere, and rising with whatever makes R fall."""
    fit = make_fit(runs=make_runs(), draws=100)
    bound = float(fit.posterior["L_inf"].quantile(0.9))
    share = float((fit.posterior["L_inf"] > bound).mean())

    def change(law: Law) -> Law:
        def loss(xp: Any, log_r: Any, theta: Any, upper: Any) -> Any:
            floor = theta["L_inf"]
            return floor + np.where(floor > bound, -1.0, 1.0) * np.exp(log_r)

        return replace(law, link=replace(law.link, loss=loss))

    sabotage(monkeypatch, change)
    made = bs.extrapolation(fit, decades=[1.0])
    assert share == pytest.approx(0.1)
    found = made.table.filter(like="p_").iloc[0]
    assert len(found) == 4
    np.testing.assert_allclose(found, share)
    assert not made.sound


def test_a_rise_with_one_axis_alone_is_told_from_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(law: Law) -> Law:
        def log_reducible(xp: Any, centred: Mapping[str, Any], theta: Mapping[str, Any]) -> Any:
            return law.core.log_reducible(xp, centred, theta) + 2.0 * centred["params"]

        return replace(law, core=replace(law.core, log_reducible=log_reducible))

    fit = make_fit(runs=make_runs(), draws=20, values=TRUTH)
    sabotage(monkeypatch, change)
    found = bs.extrapolation(fit, decades=[1.0]).table.iloc[0]
    assert found["p_rises_params"] == 1.0
    assert found["p_rises_tokens"] == 0.0
    assert found["p_below_floor"] == 0.0


# ------------------------------------------------------------------ what it is given and gives


def test_it_prints_and_is_plain_data(drifting: Fit) -> None:
    made = bs.extrapolation(drifting, decades=[1.0])
    data = made.to_dict()
    assert data["sound"] is True
    assert data["rows"] == made.table.to_dict("records")
    assert "compute-optimal frontier" in str(made)
    assert all(f"note: {n}" in str(made) for n in made.notes)


def test_bad_requests_say_what_was_expected() -> None:
    fit = make_fit("data", make_runs(), draws=20)
    for decades in ([], [0.0, 1.0], [np.nan]):
        with pytest.raises(ForecastError, match="expected distances above 0"):
            bs.extrapolation(fit, decades=decades)
    with pytest.raises(ForecastError, match="load it first"):
        bs.extrapolation("fit.nc")  # type: ignore[arg-type]
    missed = make_fit("data", make_runs(), draws=20, converged=False)
    with pytest.raises(ConvergenceError):
        bs.extrapolation(missed)
    assert "did not converge" in bs.extrapolation(missed, allow_unconverged=True).notes[-1]


# ------------------------------------------------------------------ local exponents


def median(fit: Fit, name: str, target: Mapping[str, float] | None = None) -> float:
    table = fit.summary(target).parameters.set_index("parameter")
    return float(table.loc[name, "median"])


def test_a_single_group_keeps_its_exponent_at_the_edge() -> None:
    fit = make_fit("data", make_runs(), draws=100, drift=True)
    curve = group_curve(fit, fit.groups())
    at_edge = curve.walks["tokens"].local(np.log(1e11) - fit.model.pivots["tokens"])
    assert median(fit, "delta_edge") == pytest.approx(np.median(curve.theta["delta"] * at_edge))
    assert "delta_target" not in set(fit.summary().parameters["parameter"])


def test_the_exponent_at_a_target_is_the_slope_there() -> None:
    fit = make_fit(runs=make_runs(), draws=100, drift=True)
    curve, at = group_curve(fit, fit.groups()), {"params": 7e10, "tokens": 1.4e12}
    logs = {axis: np.full((1, 1), np.log(value)) for axis, value in at.items()}
    share = {"params": curve.param_share(logs), "tokens": 1.0 - curve.param_share(logs)}
    for axis, name in (("params", "beta"), ("tokens", "delta")):
        step = {axis: logs[axis] + 1e-5}
        fall = (curve.log_reducible(logs) - curve.log_reducible(logs | step)) / 1e-5
        # Of the log of a sum, each term's exponent counts by the term's share; a small one is lost to rounding.
        seen = share[axis][:, 0] > 0.01
        found = curve.exponent(axis, np.log(at[axis]))
        np.testing.assert_allclose(found[seen], (fall / share[axis])[seen, 0], rtol=1e-3)
        assert median(fit, f"{name}_target", at) == np.median(found)
        assert not np.allclose(found[seen], curve.theta[name][seen], rtol=1e-3)


def test_at_the_pivot_and_of_an_exact_law_it_is_the_exponent_itself() -> None:
    fit = make_fit(runs=make_runs(), draws=50)
    for target in ({"params": 1e12, "tokens": 1e14}, {"compute": 1e26}):
        assert median(fit, "beta_target", target) == median(fit, "beta")
        assert median(fit, "delta_target", target) == median(fit, "delta")
    assert median(fit, "alpha_target", {"compute": 1e26}) == pytest.approx(median(fit, "alpha"))


def test_the_exponent_of_the_frontier_is_its_slope() -> None:
    """N* and D* follow the paths of both axes; between two budgets the frontier falls by the exponents on the way."""
    fit = make_fit(runs=make_runs(), draws=20, drift=True, values=TRUTH | {"drift": 0.2})
    curve = group_curve(fit, fit.groups())
    log_c = np.log(1e22) + 0.05 * np.arange(81)
    _, log_r = curve.optimum(log_c)
    fall = log_r[:, 0] - log_r[:, -1]
    slopes = [at_target(curve, {"compute": c})["alpha_target"].mean() for c in np.exp(log_c)]
    # The mean slope integrates to the mean fall but for optima that rest on a kink, where it is one-sided.
    assert np.trapezoid(slopes, log_c) == pytest.approx(float(fall.mean()), rel=0.05)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"tokens": 1e12, "params": 1e9}, "target gives params and tokens: law 'data' needs token"),
        ({"compute": 1e24}, "law 'data' needs tokens"),
        ({}, "target gives nothing"),
        ({"tokens": -1.0}, "target tokens = -1"),
    ],
)
def test_a_target_must_be_one_place(target: dict[str, float], message: str) -> None:
    with pytest.raises(ForecastError, match=message):
        make_fit("data", make_runs(), draws=10).summary(target)
