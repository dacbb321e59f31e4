"""Figures as data: what is drawn agrees with the fit, the forecast and the plan it was computed from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale import plots
from bayescale.errors import ForecastError
from bayescale.laws import numeric_optimum
from bayescale.posterior import Fit, population_parameters

LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95
DRAWS = 2000  # in both chains


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(draws=DRAWS // 2)


@pytest.fixture(scope="module")
def curves(fit: Fit) -> xr.Dataset:
    return plots.curve_numbers(fit)


@pytest.fixture(scope="module")
def plan(fit: Fit) -> bs.Plan:
    return bs.plan(fit, bs.Budget(compute=1e24), architecture="Pythia")


def rises(values: xr.DataArray) -> bool:
    return bool((values.diff("prob") >= 0).all())


# The forest


def test_the_forest_holds_the_posterior_of_every_group(fit: Fit) -> None:
    numbers = plots.posterior_numbers(fit)
    known = list(fit.model.groups["architecture"])
    assert list(numbers["parameter"].to_numpy()) == ["beta", "delta", "alpha", "L_inf"]
    assert list(numbers["group"].to_numpy()) == ["population", *known, "new family"]
    assert list(numbers["kind"].to_numpy()) == ["population", *["known"] * 6, "new"]
    assert list(numbers["runs"].to_numpy()) == [0, 7, 5, 1, 1, 8, 8, 0]
    assert rises(numbers["posterior"])
    assert rises(numbers["prior"])
    pythia = fit.parameters(fit.groups("Pythia"))
    for name in ("beta", "L_inf"):
        drawn = numbers["posterior"].sel(parameter=name, group="Pythia")
        np.testing.assert_allclose(drawn, np.quantile(pythia[name], numbers["prob"]))
    population = population_parameters(fit.posterior, fit.model)["alpha"]
    drawn = numbers["posterior"].sel(parameter="alpha", group="population", prob=MIDDLE)
    assert float(drawn) == pytest.approx(float(np.median(population)))


def test_the_new_family_is_the_one_that_a_forecast_speaks_of(fit: Fit) -> None:
    theta = fit.parameters(fit.groups(bs.New("new family")))
    drawn = plots.posterior_numbers(fit)["posterior"].sel(parameter="beta", group="new family")
    np.testing.assert_allclose(drawn, np.quantile(theta["beta"], drawn["prob"]))


def test_the_prior_in_the_forest_is_the_models(fit: Fit) -> None:
    numbers = plots.posterior_numbers(fit, ["alpha", "gamma"])
    for name in ("alpha", "gamma"):
        exact = fit.model.parameters[name].get_prior().quantile(numbers["prob"].to_numpy())
        np.testing.assert_allclose(numbers["prior"].sel(parameter=name), exact, rtol=0.08)


def test_a_floor_over_tasks_alone_is_marked_as_shared(fit: Fit) -> None:
    numbers = plots.posterior_numbers(fit)
    assert dict(
        zip(numbers["parameter"].to_numpy(), numbers["shared"].to_numpy(), strict=True)
    ) == {
        "beta": False,
        "delta": False,
        "alpha": False,
        "L_inf": True,
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("compute", ["alpha", "L_inf"]),
        ("parameter", ["beta", "L_inf"]),
        ("data", ["delta", "L_inf"]),
        ("kaplan", ["beta", "delta", "alpha"]),
        ("chinchilla", ["beta", "delta", "alpha", "L_inf"]),
    ],
)
def test_the_forest_shows_what_a_law_has_and_does_not_fix(model: str, expected: list[str]) -> None:
    numbers = plots.posterior_numbers(make_fit(model, draws=20))
    assert list(numbers["parameter"].to_numpy()) == expected


def test_a_fixed_parameter_is_not_drawn() -> None:
    with pytest.raises(ForecastError, match="'gamma' is fixed"):
        plots.posterior_numbers(make_fit("chinchilla", draws=20), ["gamma"])


def test_without_pooling_there_is_neither_population_nor_new_family() -> None:
    apart = make_fit(runs=make_runs(["a", "b"], ["web", "code"]), draws=50, pool=False)
    with pytest.raises(ForecastError, match="say which task"):
        plots.posterior_numbers(apart)
    numbers = plots.posterior_numbers(apart, task="code")
    assert list(numbers["group"].to_numpy()) == ["a", "b"]
    own = apart.posterior["alpha"].sel(architecture="b", task="code")
    drawn = numbers["posterior"].sel(parameter="alpha", group="b")
    np.testing.assert_allclose(drawn, np.quantile(own, drawn["prob"]))
    assert not numbers["shared"].any()
    curves = plots.curve_numbers(apart, task="code")
    assert list(curves["group"].to_numpy()) == ["a", "b"]
    assert curves.sizes["run"] == 18  # nine runs of each family in this task, none of the other
    assert len(plots.posterior(apart, task="code").axes) == 4


# The curve


def test_each_family_follows_its_own_design(curves: xr.Dataset) -> None:
    assert dict(zip(curves["group"].to_numpy(), curves["design"].to_numpy(), strict=True)) == {
        "Cerebras-GPT": "D = 20 N",
        "Cerebras-GPT-muP": "D = 20 N",
        "GPT-J": "D = 66 N",
        "GPT-NeoX": "D = 24 N",
        "Pythia": "D = 300B",
        "Pythia-deduped": "D = 300B",
    }


def test_the_fan_is_the_forecast_along_that_design(fit: Fit, curves: xr.Dataset) -> None:
    one = curves.sel(group="Pythia")
    tokens = float(fit.runs["tokens"].to_numpy()[fit.runs["architecture"] == "Pythia"][0])
    for kind in ("expected", "run"):
        forecast = bs.predict(
            fit,
            params=one["x"].to_numpy() / (6 * tokens),
            tokens=np.full(one.sizes["point"], tokens),
            architecture="Pythia",
            kind=kind,
        )
        exact = forecast.draws.quantile([LOW, MIDDLE, HIGH], ("chain", "draw"))
        drawn = one["loss"].sel(kind=kind, prob=[LOW, MIDDLE, HIGH]).transpose("prob", "point")
        np.testing.assert_allclose(drawn, exact, rtol=1e-6)


def test_a_fan_is_ordered_falls_with_scale_and_stays_above_its_floor(curves: xr.Dataset) -> None:
    assert rises(curves["loss"])
    expected = curves["loss"].sel(kind="expected")
    assert (expected.diff("point") < 0).all()
    assert (expected >= curves["floor"]).all()
    width = curves["loss"].sel(prob=HIGH) - curves["loss"].sel(prob=LOW)
    # The noise of a run widens every interval. A 5 % quantile of n normal draws has a standard error
    # of sqrt(.05 * .95 / n) / .103 sd, a 90 % interval is 3.29 sd wide: four errors of its width.
    error = np.sqrt(2 * 0.05 * 0.95 / DRAWS) / 0.103 / 3.29
    assert (width.sel(kind="run") > (1 - 4 * error) * width.sel(kind="expected")).all()


def test_the_curve_reaches_a_decade_and_a_half_beyond_its_runs(
    fit: Fit, curves: xr.Dataset
) -> None:
    reach = np.log10(curves["x"].isel(point=-1) / curves["edge_high"])
    np.testing.assert_allclose(reach, 1.5)
    assert (curves["x"].isel(point=0) < curves["edge_low"]).all()
    rows = fit.runs
    np.testing.assert_allclose(curves["run_x"], 6 * rows["params"] * rows["tokens"])
    np.testing.assert_allclose(curves["run_loss"], rows["loss"])


def test_a_new_family_follows_the_frontier(fit: Fit) -> None:
    one = plots.curve_numbers(fit, architecture=bs.New("mamba-3")).squeeze("group")
    assert str(one["design"].item()) == "compute-optimal N, D"
    forecast = bs.predict(
        fit, compute=one["x"].to_numpy(), architecture=bs.New("mamba-3"), kind="expected"
    )
    median = forecast.draws.median(("chain", "draw"))
    np.testing.assert_allclose(one["loss"].sel(kind="expected", prob=MIDDLE), median, rtol=1e-6)


def test_a_family_that_does_not_vary_the_axis_is_left_out_and_counted(fit: Fit) -> None:
    numbers = plots.curve_numbers(fit, "tokens")
    assert "Pythia" not in numbers["group"].to_numpy()
    assert numbers.attrs["left_out"] == 2
    said = [t.get_text() for t in plots.curve(fit, "tokens").texts]
    assert any(t.startswith("2 families that do not vary it") for t in said)


def test_a_complete_design_follows_the_frontier_or_its_mean_proportion() -> None:
    fit = make_fit("chinchilla", make_runs(), draws=50)
    assert plots.curve_numbers(fit)["design"].item() == "compute-optimal N, D"
    along = plots.curve_numbers(fit, "params")
    assert along["design"].item() == "D = 20 N"
    assert along.attrs["axis"] == "params"


@pytest.mark.parametrize(
    ("model", "axis"), [("compute", "compute"), ("parameter", "params"), ("data", "tokens")]
)
def test_a_law_of_one_axis_is_drawn_along_it(model: str, axis: str) -> None:
    fit = make_fit(model, draws=50)
    numbers = plots.curve_numbers(fit, architecture=["Cerebras-GPT", bs.New("next")])
    assert numbers.attrs["axis"] == axis
    assert list(numbers["design"].to_numpy()) == ["", ""]
    np.testing.assert_allclose(numbers["run_x"], fit.runs[axis])
    assert rises(numbers["loss"])
    assert len(plots.curve(fit, architecture="Cerebras-GPT").axes) == 1


@pytest.mark.parametrize("model", ["kaplan", "saturating"])
def test_laws_without_a_floor_or_with_a_ceiling_are_drawn(model: str) -> None:
    bounded = model == "saturating"
    runs = make_runs(["a", "b"], metric="error", corpus=None, upper=0.9) if bounded else None
    fit = make_fit(model, runs, draws=50)
    low, high = plots.curve(fit).axes[0].get_ylim()
    assert 0 < low < high
    if bounded:
        assert float(plots.curve_numbers(fit)["loss"].sel(kind="expected").max()) < 0.9


# The frontier


def test_the_plan_carries_the_frontier_of_its_draws(fit: Fit, plan: bs.Plan) -> None:
    numbers = plots.frontier_numbers(plan)
    np.testing.assert_allclose(numbers["valley_compute"], [1e22, 1e23, 1e24], rtol=1e-5)
    for name in ("valley_loss", "best_params", "best_loss", "params", "tokens", "loss"):
        assert rises(numbers[name]), name
    best = numbers["best_params"].sel(prob=MIDDLE).to_numpy()
    assert best[-1] == pytest.approx(plan.optimum["params"]["median"], rel=1e-4)
    assert float(numbers["best_loss"].isel(budget=-1).sel(prob=HIGH)) == pytest.approx(
        plan.optimum["loss"]["hi90"], rel=1e-4
    )
    theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(fit.groups("Pythia")).items()}
    for step in (0, -1):
        log_compute = float(np.log(numbers["compute"][step]))
        law, pivots = fit.model.get_law(), fit.model.pivots
        log_n, _ = numeric_optimum(law, theta, pivots, log_compute)
        drawn = float(numbers["params"].isel(step=step).sel(prob=MIDDLE))
        assert drawn == pytest.approx(float(np.median(np.exp(log_n))), rel=1e-3)


def test_a_valley_is_the_forecast_at_its_budget(fit: Fit, plan: bs.Plan) -> None:
    numbers = plots.frontier_numbers(plan).isel(budget=1)
    size = numbers["valley_params"].to_numpy()
    forecast = bs.predict(
        fit,
        params=size,
        compute=np.full(size.size, float(numbers["valley_compute"])),
        architecture="Pythia",
        kind="expected",
    )
    exact = forecast.draws.quantile(numbers["prob"].to_numpy(), ("chain", "draw"))
    np.testing.assert_allclose(numbers["valley_loss"].transpose("prob", "size"), exact, rtol=1e-4)


def test_the_frontier_is_kept_with_the_saved_plan(plan: bs.Plan, tmp_path: Path) -> None:
    saved = json.loads(plan.save(tmp_path / "plan.json").read_text(encoding="utf-8"))["frontier"]
    for name, variable in plan.frontier.variables.items():
        assert saved[name]["dims"] == list(variable.dims)
        np.testing.assert_array_equal(saved[name]["values"], variable.to_numpy())
