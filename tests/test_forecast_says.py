"""What a forecast says of groups, floors and distances, and in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs, pile_families

from bayescale.errors import ForecastError
from bayescale.posterior import Fit, New
from bayescale.predict import EXACT_LAW, distance, in_words, predict

N, D = [1e9, 1e10, 1e11], [2e10, 3e11, 4e12]


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def families() -> Fit:
    return make_fit(draws=200)


def test_several_architectures_are_one_axis(families: Fit) -> None:
    said = predict(families, params=N, tokens=D, architecture=["Pythia", New("q")], kind="law")
    assert set(said.draws.dims) == {"chain", "draw", "architecture", "point"}
    assert list(said.draws["architecture"].to_numpy()) == ["Pythia", "new: q"]
    assert len(said.table()) == 6
    alone = predict(families, params=N, tokens=D, architecture="Pythia", kind="law").draws
    np.testing.assert_array_equal(said.draws.sel(architecture="Pythia"), alone)


@pytest.mark.parametrize("group", ["Pythia", "GPT-J", New("q")])
def test_no_draw_of_expected_lies_below_its_own_floor_up_to_1e40_flop(
    families: Fit, group: Any
) -> None:
    floor = families.parameters(families.groups(group))["L_inf"]
    compute = np.geomspace(1e16, 1e40, 49)
    on_frontier = predict(families, compute=compute, architecture=group, kind="expected").draws
    assert bool((on_frontier >= floor).all())
    for params in (1e6, 1e12, 1e20):
        beside = predict(
            families, params=params, compute=compute[12:], architecture=group, kind="expected"
        ).draws
        assert bool((beside >= floor).all())
        assert bool(np.isfinite(beside).all())


def test_intervals_are_quantiles_and_nest(fit: Fit) -> None:
    said = predict(fit, params=N, tokens=D)
    table = said.intervals()
    np.testing.assert_allclose(table["lo90"], said.draws.quantile(0.05, ("chain", "draw")))
    np.testing.assert_allclose(table["mean"], said.draws.mean(("chain", "draw")))
    columns = [table[k].to_numpy() for k in ("lo90", "lo50", "median", "hi50", "hi90")]
    assert np.all(np.diff(columns, axis=0) > 0)
    assert "lo80" in said.intervals([0.8])
    for bad in (0.0, 1.0, 1.5):
        with pytest.raises(ForecastError, match="interval probability"):
            said.intervals([bad])


@pytest.mark.parametrize("kind", ["law", "expected", "campaign", "run"])
@pytest.mark.parametrize(
    "where", [{"compute": 1e20}, {"compute": [1e20, 1e25]}, {"params": N, "tokens": D}]
)
def test_every_printed_forecast_carries_distance_and_caveat(
    fit: Fit, kind: Any, where: dict[str, Any]
) -> None:
    text = str(predict(fit, kind=kind, **where))
    assert f"note: {EXACT_LAW}" in text
    assert "assumes the law is exact; known to be too narrow" in text
    assert "beyond the fitted runs by up to" in text or "inside the range" in text
    assert repr(kind) in text
    assert "nats/token" in text
    assert "decades" in predict(fit, kind=kind, **where).table()


def test_distance_is_in_decades_outside_the_range(fit: Fit) -> None:
    high = {axis: float(fit.runs[axis].max()) for axis in ("params", "tokens", "compute")}
    low = {axis: float(fit.runs[axis].min()) for axis in high}
    points = {
        "params": xr.DataArray([high["params"] * 100, low["params"] / 10, 1e9], dims="point"),
        "tokens": xr.DataArray([2e10] * 3, dims="point"),
    }
    beyond = distance(fit, points)
    np.testing.assert_allclose(beyond["beyond_params"], [2.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(beyond["beyond_tokens"], 0.0, atol=1e-12)
    assert in_words(beyond) == "beyond the fitted runs by up to N 2.0 decades"
    assert in_words(beyond.isel(point=[2])) == "inside the range of the fitted runs"


def test_forecasts_of_permuted_groups_subtract_by_label(families: Fit) -> None:
    known = families.model.groups["architecture"]
    where = {"params": 7e10, "tokens": 1.4e12, "kind": "run"}
    one, two = (
        predict(families, **where, architecture=list(g)).draws for g in (known, known[::-1])
    )
    assert list(one["architecture"].values) == list(two["architecture"].values)[::-1]
    gap = one - two
    assert gap.sizes["architecture"] == len(known)
    assert float(abs(gap).max()) == 0.0


def test_distance_is_also_that_of_the_family_being_forecast(families: Fit) -> None:
    """Pythia's runs stop short of what GPT-NeoX used; a new family has no runs of its own."""
    where: dict[str, Any] = {"params": 18e9, "tokens": 470e9}
    rows = families.runs
    own = rows.isel(run=rows["architecture"].to_numpy() == "Pythia")
    said = predict(families, **where, architecture="Pythia")
    decades = np.log10(470e9 / float(own["tokens"].max()))
    assert "; beyond Pythia's own runs by up to N" in said.notes[0]
    assert f"D {decades:.1f}" in said.notes[0]
    both = predict(families, **where, architecture=["Pythia", New("q")])
    by_n = np.log10(18e9 / float(own["params"].max()))
    by_c = np.log10(18e9 * 470e9 / float((own["params"] * own["tokens"]).max()))
    own_decades = both.points["decades"].sel(architecture="Pythia")
    assert own_decades.item() == pytest.approx(max(by_n, decades, by_c))
    assert both.points["decades"].sel(architecture="new: q").item() < own_decades.item()
    assert "own runs" not in predict(families, **where, architecture=New("q")).notes[0]


def test_compute_of_a_distance_is_6nd_whatever_the_table_reports(families: Fit) -> None:
    rows = families.runs
    largest = float((6 * rows["params"] * rows["tokens"]).max())
    assert float(rows["compute"].max()) > largest * 1.05
    point = {"compute": xr.DataArray([largest * 10], dims="point")}
    np.testing.assert_allclose(distance(families, point)["beyond_compute"], 1.0)
    law = make_fit("compute", draws=5)
    reported = {"compute": xr.DataArray([float(rows["compute"].max()) * 10], dims="point")}
    np.testing.assert_allclose(distance(law, reported)["beyond_compute"], 1.0)


def test_a_mean_that_hangs_on_one_draw_is_left_out(fit: Fit) -> None:
    assert "mean" in predict(fit, params=N, tokens=D).table()
    draws = predict(fit, params=1e9, tokens=2e10, kind="law")
    wild = draws.draws.copy()
    wild[0, 0] = 1e30
    said = replace(draws, draws=wild)
    assert "mean" not in said.table()
    assert {"median", "lo50", "hi90"} <= set(said.table())
    posterior, tree = fit.posterior.copy(deep=True), fit.tree.copy()
    posterior["R0"][0, 0] = 1e30
    tree["posterior"] = xr.DataTree(posterior)
    said = predict(replace(fit, tree=tree), params=1e9, tokens=2e10)
    assert any("mean left out" in note for note in said.notes)
    assert "mean" not in str(said).splitlines()[1]


def test_a_bounded_law_stays_bounded_and_refuses_new_tasks() -> None:
    fit = make_fit("saturating", make_runs(metric="error", corpus=None, upper=0.75), draws=100)
    loss = predict(fit, tokens=np.geomspace(1e3, 1e30, 20), kind="expected").draws
    assert float(loss.max()) <= 0.75
    with pytest.raises(ForecastError, match="random-guess level"):
        predict(fit, tokens=1e12, task=New("w"))


def test_default_table_is_the_published_one() -> None:
    assert make_fit(draws=5).data_hash == pile_families().hash


def test_n_d_and_c_may_all_be_given_where_they_agree(fit: Fit) -> None:
    said = predict(fit, params=1e9, tokens=2e10, compute=1.2005e20, kind="law")
    two = predict(fit, params=1e9, tokens=2e10, kind="law")
    np.testing.assert_array_equal(said.draws, two.draws)


@pytest.mark.parametrize(
    ("given", "message"),
    [("pile.nc", r"load_fit\('pile.nc'\)"), ({"a": 1}, "predict takes a fit, not a dict")],
)
def test_what_is_no_fit_is_answered_with_the_way_to_one(given: Any, message: str) -> None:
    with pytest.raises(ForecastError, match=message):
        predict(given, compute=1e22)
