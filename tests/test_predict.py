"""Forecasts: points, grids and labelled arrays agree, kinds are ordered, and every printed one says what it assumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs
from scipy import stats
from test_laws import TEXTBOOK

from bayescale.cli.run import run
from bayescale.errors import ForecastError, UnknownNameError
from bayescale.laws import joint_frontier, textbook_theta
from bayescale.posterior import Fit, New
from bayescale.predict import complete, grid, locate, predict

N, D = [1e9, 1e10, 1e11], [2e10, 3e11, 4e12]


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def families() -> Fit:
    return make_fit(draws=200)


def test_a_grid_may_come_first(fit: Fit) -> None:
    at = grid(params=[1e9, 1e10], tokens=[1e11])
    xr.testing.assert_identical(predict(fit, at).draws, predict(fit, at=at).draws)


def test_where_one_group_was_fitted_the_spread_of_new_ones_is_said_to_be_the_prior_s(
    fit: Fit, families: Fit
) -> None:
    said = "new: z is new, and one architecture was fitted"
    at = {"params": 1e10, "tokens": 1e11}
    assert any(n.startswith(said) for n in predict(fit, **at, architecture=New("z")).notes)
    assert not any("is new" in n for n in predict(fit, **at).notes)
    assert not any("is new" in n for n in predict(families, **at, architecture=New("z")).notes)


def besiroglu(**options: Any) -> Fit:
    """A point mass at the fit of Besiroglu et al. 2024."""
    runs = make_runs()
    pivots = {"params": np.log(1e9), "tokens": np.log(2e10)}
    p = TEXTBOOK["besiroglu"]
    by_n = p["A"] * np.exp(-p["beta"] * pivots["params"])
    by_d = p["B"] * np.exp(-p["delta"] * pivots["tokens"])
    theta = textbook_theta(**p)
    values = {
        "R0": by_n + by_d,
        "omega": by_n / (by_n + by_d),
        "alpha": theta["alpha"],
        "a": theta["a"],
        "L_inf": p["L_inf"],
        "sigma": 0.01,
    }
    return make_fit("chinchilla", runs, values=values, **options)


# ------------------------------------------------------------------ where


def test_a_point_mass_forecasts_the_published_loss() -> None:
    said = predict(besiroglu(draws=5), params=7e10, tokens=1.4e12, kind="law")
    np.testing.assert_allclose(said.draws, 1.97388, rtol=6e-6)


def test_points_grid_and_labelled_arrays_agree(fit: Fit) -> None:
    points = predict(fit, params=N, tokens=D, kind="expected").draws
    product = predict(fit, at=grid(params=N, tokens=D), kind="expected").draws
    labelled = predict(
        fit,
        params=xr.DataArray(N, dims="size"),
        tokens=xr.DataArray(D, dims="data"),
        kind="expected",
    ).draws
    assert points.dims == ("chain", "draw", "point")
    assert product.dims == ("chain", "draw", "params", "tokens")
    assert labelled.dims == ("chain", "draw", "size", "data")
    for i in range(3):
        np.testing.assert_allclose(points[..., i], product[..., i, i], rtol=1e-14)
        for j in range(3):
            np.testing.assert_allclose(product[..., i, j], labelled[..., i, j], rtol=1e-14)


def test_two_of_n_d_and_c_give_the_third(fit: Fit) -> None:
    n, d = np.array(N), np.array(D)
    one = predict(fit, params=n, tokens=d, kind="law").draws
    for given in ({"params": n, "compute": 6 * n * d}, {"tokens": d, "compute": 6 * n * d}):
        np.testing.assert_allclose(predict(fit, **given, kind="law").draws, one, rtol=1e-12)
    located = complete(locate({"params": 2.0, "tokens": 3.0, "compute": None}, None))
    assert float(located["compute"][0]) == 36.0


def test_text_is_read_as_in_a_table(fit: Fit) -> None:
    said = predict(fit, params="7B", tokens=["1.4T", 2e12])
    meant = predict(fit, params=7e9, tokens=[1.4e12, 2e12])
    xr.testing.assert_identical(said.draws, meant.draws)
    at = grid(params=np.array(["7B", "70B"]), tokens="1.4T")
    assert at["params"].to_numpy().tolist() == [7e9, 70e9]
    xr.testing.assert_identical(
        predict(fit, compute="1e24").draws, predict(fit, compute=1e24).draws
    )


def test_one_number_goes_with_many(fit: Fit) -> None:
    one = predict(fit, params=1e10, tokens=D, kind="law")
    assert one.draws.sizes["point"] == 3
    np.testing.assert_array_equal(one.points["params"], 1e10)
    line = xr.DataArray([1e22, 1e23], dims="budget", coords={"budget": ["small", "large"]})
    said = predict(fit, params=1e10, compute=line, kind="law")
    assert list(said.draws["budget"].to_numpy()) == ["small", "large"]


def test_compute_alone_is_the_frontier_of_each_draw(fit: Fit) -> None:
    said = predict(fit, compute=[1e21, 1e24], kind="expected")
    theta = fit.parameters(fit.groups())
    frontier = joint_frontier(theta, fit.model.pivots)
    for i, compute in enumerate((1e21, 1e24)):
        expected = theta["L_inf"] + np.exp(frontier.log_reducible(np.log(compute)))
        np.testing.assert_allclose(said.draws[..., i], expected, rtol=1e-12)
    assert said.notes[0] == "each draw at its own compute-optimal N and D"


def test_no_split_beats_the_frontier(fit: Fit) -> None:
    best = predict(fit, compute=1e23, kind="expected").draws[..., 0]
    any_split = predict(
        fit, params=np.geomspace(1e8, 1e13, 25), compute=1e23, kind="expected"
    ).draws
    assert bool((any_split >= best * (1 - 1e-12)).all())


@pytest.mark.parametrize(
    ("model", "given"),
    [("compute", {"compute": 1e23}), ("parameter", {"params": 1e11}), ("data", {"tokens": 1e12})],
)
def test_one_axis_laws_read_their_axis(model: str, given: dict[str, float]) -> None:
    one = make_fit(model, make_runs(), draws=20)
    assert predict(one, **given, kind="law").draws.sizes["point"] == 1  # type: ignore[arg-type]
    whole = predict(one, params=1e11, tokens=1e12, kind="law")
    assert set(whole.points) >= {"params", "tokens", "compute"}
    if model == "compute":
        with pytest.raises(ForecastError, match="reads compute; compute missing"):
            predict(one, params=1e9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "say where to forecast"),
        ({"params": 1e9}, "reads params and tokens; tokens missing"),
        ({"params": [1e9, -1.0], "tokens": 1e10}, "params = -1 .expected a positive"),
        ({"params": [1e9, np.nan], "tokens": 1e10}, "params = nan"),
        ({"params": 0.0, "tokens": 1e10}, "params = 0 "),
        ({"params": 1e9, "tokens": np.inf}, "tokens = inf"),
        ({"params": [1e9, 2e9], "tokens": [1e9] * 3}, r"params has 2, tokens has 3\); .*grid"),
        ({"params": np.ones((2, 2)), "tokens": 1e9}, r"params has shape \(2, 2\)"),
        ({"params": [], "tokens": 1e9}, r"params has shape \(0,\)"),
        ({"params": "7Q", "tokens": 1e9}, "params: unknown unit 'Q' .*such as 70B or 1e24"),
        ({"params": "7B", "tokens": "1,4T"}, r"tokens: '1,4T' is not .* point: 1\.4T"),
        ({"params": ["7B", None], "tokens": 1e9}, "params = nan"),
        ({"params": {"7B"}, "tokens": 1e9}, "params = {'7B'} .expected numbers"),
        ({"params": 1e9, "at": grid(params=[1e9], tokens=[1e9])}, "not both"),
        ({"at": {"params": [1e9]}}, "at is a dict"),
        ({"at": grid(params=[1e9])}, "tokens missing"),
        ({"compute": 1e22, "kind": "expcted"}, "did you mean 'expected'"),
        ({"compute": 1e22, "architecture": []}, "empty list"),
        ({"compute": 1e22, "architecture": ["gpt", "gpt"]}, "'gpt' is in the list more than once"),
        ({"compute": 1e22, "architecture": [New("q")] * 2}, "'new: q' is in the list more than"),
        ({"compute": 1e22, "architecture": New("gpt")}, "'gpt' is a fitted architecture: pass"),
        ({"compute": 1e22, "task": New("web")}, "'web' is a fitted task"),
        ({"compute": 1e22, "study": New("own")}, "'own' is a fitted study"),
        ({"params": 0.5, "tokens": 1e9}, r"params = 0.5 .expected from 1 to 1e\+30"),
        ({"params": 1e9, "tokens": 1e31}, r"tokens = 1e\+31 .expected from 1 to 1e\+30"),
        ({"compute": 1e46}, r"compute = 1e\+46 .expected from 1 to 1e\+45"),
        ({"params": 1e9, "compute": 1e6}, r"leaves tokens = 0.000"),
        ({"params": 1e9, "tokens": 2e10, "compute": 1e20}, r"is 1.2 × compute; give two of the"),
    ],
)
def test_bad_points_say_what_was_expected(fit: Fit, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ForecastError, UnknownNameError), match=message):
        predict(fit, **given)


def test_bad_grids() -> None:
    with pytest.raises(
        ForecastError,
        match=r"grid takes params, tokens, compute, upstream_loss, unique_tokens, experts.*, not 'size'",
    ):
        grid(size=[1e9])
    with pytest.raises(ForecastError, match="shape"):
        grid(params=np.ones((2, 2)))
    with pytest.raises(ForecastError, match="needs an axis"):
        grid()


# ------------------------------------------------------------------ kinds


def test_kinds_are_ordered_and_the_first_three_agree_without_drift(fit: Fit) -> None:
    drawn = {
        k: predict(fit, compute=[1e22], kind=k).draws
        for k in ("law", "expected", "campaign", "run")
    }  # type: ignore[arg-type]
    np.testing.assert_array_equal(drawn["law"], drawn["expected"])
    np.testing.assert_array_equal(drawn["law"], drawn["campaign"])
    point = besiroglu(draws=2000)
    wide, narrow = (
        float(np.ptp(predict(point, compute=1e22, kind=k).draws.to_numpy()))  # type: ignore[arg-type]
        for k in ("run", "expected")
    )
    assert wide > narrow == pytest.approx(0.0, abs=1e-12)


def test_noise_of_a_run_is_that_of_the_likelihood() -> None:
    point = besiroglu(draws=4000)
    exact = predict(point, compute=1e22, kind="expected").draws
    run = predict(point, compute=1e22, kind="run").draws
    unit = ((np.log(run) - np.log(exact)) / 0.01).to_numpy()[..., 0]
    nu = point.posterior["nu"].to_numpy()
    # Each draw's noise through its own distribution function must be uniform.
    uniform = stats.t.cdf(unit, nu).ravel()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3


def test_normal_noise_without_nu() -> None:
    from bayescale.spec import ModelSpec
    from bayescale.zoo import load_model

    spec = load_model("chinchilla").model_dump()
    spec["likelihood"] |= {"family": "normal", "nu_minus_2": None}
    point = make_fit(
        ModelSpec.model_validate(spec), make_runs(), draws=4000, values={"sigma": 0.02}
    )
    exact, run = (predict(point, compute=1e22, kind=k).draws for k in ("expected", "run"))  # type: ignore[arg-type]
    unit = ((np.log(run) - np.log(exact)) / 0.02).to_numpy().ravel()
    assert stats.kstest(unit, "norm").pvalue > 1e-3


def test_the_same_seed_gives_the_same_runs_and_other_groups_other_runs(families: Fit) -> None:
    where: dict[str, Any] = {"compute": 1e22, "architecture": ["Pythia", "Cerebras-GPT"]}
    one, two = predict(families, **where).draws, predict(families, **where).draws
    xr.testing.assert_identical(one, two)
    noise = np.log(one) - np.log(predict(families, **where, kind="law").draws)
    unit = noise / families.posterior["sigma"]
    assert not np.any(unit.sel(architecture="Pythia") == unit.sel(architecture="Cerebras-GPT"))


def test_amounts_of_data_are_tokens_where_a_byte_is_said_to_be_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joint = make_fit(runs=make_runs(), draws=20)
    stated = predict(joint, params="7B", tokens="6TB", tokens_per_byte=0.25, kind="law")
    plain = predict(joint, params=7e9, tokens=1.5e12, kind="law")
    np.testing.assert_array_equal(stated.draws, plain.draws)
    with pytest.raises(ForecastError, match=r"'6TB' is an amount of bytes; say .*tokens_per_byte"):
        predict(joint, params="7B", tokens="6TB")
    with pytest.raises(ForecastError, match="tokens_per_byte = 0"):
        predict(joint, params="7B", tokens="6TB", tokens_per_byte=0.0)
    saved = str(joint.save(tmp_path / "joint.nc"))
    words = ["predict", saved, "--params", "7B", "--tokens", "6TB", "--json"]
    assert run([*words, "--tokens-per-byte", "0.25"]) == 0
    assert json.loads(capsys.readouterr().out)["forecasts"][0]["tokens"] == 1.5e12
