"""Groups: labels and not positions, new groups keyed by name, and as wide as they must be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import make_fit, make_runs

from bayescale.decide import Budget, plan
from bayescale.errors import ForecastError, UnknownNameError
from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior import Fit, New, group_parameters, population_parameters
from bayescale.predict import predict
from bayescale.zoo import parse_model

KNOWN: dict[str, Any] = {"architecture": "b", "task": "y", "study": "s"}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(("a", "b", "c"), ("x", "y"), ("s", "t")), draws=400)


def permuted(fit: Fit) -> Fit:
    """The same posterior with every labelled coordinate in reverse."""
    posterior = fit.posterior
    order = {d: slice(None, None, -1) for d in posterior.dims if d not in ("chain", "draw")}
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(posterior.isel(order))
    return replace(fit, tree=tree)


def link(fit: Fit, theta: dict[str, xr.DataArray], name: str) -> np.ndarray:
    support = fit.model.parameters[name].support
    return to_link(numpy_namespace, support, theta[name].to_numpy()).ravel()


# ------------------------------------------------------------------ known groups


def test_parameters_are_population_plus_effects_by_label(fit: Fit) -> None:
    theta, centre = fit.parameters(KNOWN), population_parameters(fit.posterior, fit.model)
    draws = fit.posterior
    for name in ("R0", "omega", "alpha", "a"):
        effects = [
            draws["effect_architecture"].sel(parameter_architecture=name, architecture="b"),
            draws["effect_task"].sel(parameter_task=name, task="y"),
            draws["effect_cell"].sel(parameter_cell=name, architecture="b", task="y"),
            draws["effect_study"].sel(parameter_study=name, study="s"),
        ]
        expected = link(fit, centre, name) + sum(e.to_numpy().ravel() for e in effects)
        np.testing.assert_allclose(link(fit, theta, name), expected, rtol=1e-9)
    # The floor belongs to the task and gamma to the study: the architecture does not reach them.
    other = fit.parameters({**KNOWN, "architecture": "a"})
    for name in ("L_inf", "gamma", "sigma"):
        xr.testing.assert_identical(theta[name], other[name])
    assert theta["beta"].dims == ("chain", "draw")
    np.testing.assert_allclose(theta["beta"], theta["alpha"] / theta["a"])


@pytest.mark.parametrize("architecture", ["b", New("q")])
@pytest.mark.parametrize("task", ["y", New("w")])
def test_permuting_the_groups_changes_nothing(fit: Fit, architecture: Any, task: Any) -> None:
    where = {"architecture": architecture, "task": task, "study": "s"}
    one, two = fit.parameters(where), permuted(fit).parameters(where)  # type: ignore[arg-type]
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    forecasts = [
        predict(f, compute=[1e22], architecture=architecture, task=task, study="s")
        for f in (fit, permuted(fit))
    ]
    np.testing.assert_array_equal(*(f.draws for f in forecasts))


def test_renaming_the_groups_of_the_table_changes_nothing() -> None:
    runs = make_runs(("a", "b", "c"))
    names = {"a": "z", "b": "y", "c": "x"}
    renamed = replace(
        runs, frame=runs.table.assign(architecture=runs.table["architecture"].map(names))
    )
    one, two = make_fit(runs=runs, draws=50), make_fit(runs=renamed, draws=50)
    # The prior draws of both are by position; put them under the labels they stand for.
    back = {new: old for old, new in names.items()}
    posterior = two.posterior.assign_coords(
        architecture=[names[str(k)] for k in one.posterior["architecture"].to_numpy()]
    )
    tree = two.tree.copy()
    tree["posterior"] = xr.DataTree(posterior)
    two = replace(two, tree=tree)
    for new, old in back.items():
        np.testing.assert_array_equal(
            predict(one, compute=1e22, architecture=old, kind="law").draws,
            predict(two, compute=1e22, architecture=new, kind="law").draws,
        )


@pytest.mark.parametrize("side", ["architecture", "task", "study"])
def test_unknown_label_proposes_the_nearest_and_new(side: str) -> None:
    fit = make_fit(runs=make_runs(("gpt", "mamba"), ("web", "code"), ("ours", "theirs")), draws=10)
    label = {"architecture": "manba", "task": "wep", "study": "our"}[side]
    near = {"architecture": "mamba", "task": "web", "study": "ours"}[side]
    where: dict[str, Any] = {"architecture": "gpt", "task": "web", "study": "ours", side: label}
    with pytest.raises(UnknownNameError, match=f"did you mean '{near}'") as caught:
        predict(fit, compute=1e22, **where)
    assert f"New('{label}')" in str(caught.value)
    with pytest.raises(UnknownNameError, match=rf"bs\.New\('{label}'\)"):
        group_parameters(fit.posterior, fit.model, where, 0)  # type: ignore[arg-type]


def test_a_side_with_several_labels_must_be_named(fit: Fit) -> None:
    with pytest.raises(ForecastError, match="say which architecture: a, b, c"):
        predict(fit, compute=1e22, task="x")
    with pytest.raises(ForecastError, match="say which task: x, y"):
        predict(fit, compute=1e22, architecture="a")


def test_the_study_follows_from_the_rows_or_is_new(fit: Fit) -> None:
    assert fit.groups("a", "x")["study"] == New("study")
    single = make_fit(runs=make_runs(("a", "b")), draws=10)
    assert single.groups("a") == {"architecture": "a", "task": "web", "study": "own"}
    parts = [make_runs(("a", "b"), studies=("s",)), make_runs(("c",), studies=("t",))]
    frame = pd.concat([p.table for p in parts], ignore_index=True)
    frame["run_id"] = [f"r{i}" for i in range(len(frame))]
    mixed = make_fit(runs=replace(parts[0], frame=frame), draws=10)
    assert mixed.groups("c")["study"] == "t"
    assert mixed.groups("a")["study"] == "s"
    assert mixed.groups(New("d"))["study"] == New("study")


# ------------------------------------------------------------------ new groups


def test_new_groups_are_keyed_by_seed_and_label(fit: Fit) -> None:
    where: dict[str, Any] = {**KNOWN, "architecture": New("q")}
    one = fit.parameters(where)
    again = fit.parameters({**KNOWN, "architecture": New("q")})
    other_label = fit.parameters({**KNOWN, "architecture": New("r")})
    other_seed = replace(fit, seed=fit.seed + 1).parameters(where)
    for name in ("R0", "alpha"):
        np.testing.assert_array_equal(one[name], again[name])
        assert not np.any(one[name] == other_label[name])
        assert not np.any(one[name] == other_seed[name])
    # A new label that spells a fitted one is still new.
    assert not np.any(
        fit.parameters({**KNOWN, "architecture": New("b")})["R0"] == fit.parameters(KNOWN)["R0"]
    )


def test_predict_and_plan_speak_of_the_same_new_group(fit: Fit) -> None:
    where: dict[str, Any] = {"architecture": New("q"), "task": "x", "study": "s"}
    alone = predict(fit, compute=[1e23], kind="expected", **where)
    among = predict(
        fit, compute=[1e23], kind="expected", **{**where, "architecture": ["a", New("q")]}
    )
    np.testing.assert_array_equal(alone.draws, among.draws.sel(architecture="new: q"))
    made = plan(fit, Budget(compute=1e23), **where)
    assert made.optimum["loss"]["median"] == pytest.approx(float(alone.draws.median()))


def test_effects_of_different_parameters_and_levels_are_independent(fit: Fit) -> None:
    theta = fit.parameters({"architecture": New("q"), "task": New("w"), "study": New("v")})
    centre = population_parameters(fit.posterior, fit.model)
    moved = np.array(
        [link(fit, theta, n) - link(fit, centre, n) for n in ("R0", "omega", "alpha", "a")]
    )
    correlation = np.corrcoef(moved)
    n = moved.shape[1]
    assert np.abs(correlation - np.eye(4)).max() < 4.5 / np.sqrt(n)


AT = {"R0": 0.9, "omega": 0.5, "alpha": 0.15, "a": 0.5, "gamma": 0.6, "L_inf": 1.7}
TAU = {"tau_architecture": 0.5, "tau_task": 0.4, "tau_cell": 0.1}


def fixed_tau(architectures: int, tasks: int = 1, draws: int = 4000) -> Fit:
    """A fit at one point, its group effects at zero and every scale of a level at its value in TAU."""
    runs = make_runs([f"g{i}" for i in range(architectures)], [f"t{i}" for i in range(tasks)])
    fit = make_fit(runs=runs, draws=draws, values=AT)
    posterior, tree = fit.posterior, fit.tree.copy()
    scales = {n: xr.full_like(posterior[n], v) for n, v in TAU.items() if n in posterior}
    tree["posterior"] = xr.DataTree(posterior.assign(scales))
    return replace(fit, tree=tree)


@pytest.mark.parametrize(("architectures", "tasks"), [(2, 2), (3, 2), (6, 2), (3, 1)])
def test_variance_of_a_new_group_is_that_of_the_population(architectures: int, tasks: int) -> None:
    """τ²(1 + 1/G), of the architecture and of its cell with a known task: effects are around the mean of G groups."""
    fit = fixed_tau(architectures, tasks)
    where: dict[str, Any] = {"architecture": New("q"), "task": "t0", "study": "own"}
    theta = fit.parameters(where)
    expected = 0.5**2
    for name, centre in (("R0", np.log(0.9)), ("alpha", np.log(0.15)), ("omega", 0.0)):
        z = link(fit, theta, name) - centre
        n = z.size
        # With one task no cell scale was fitted: it is drawn from the prior.
        cell = 0.1 if tasks > 1 else fit.model.parameters[name].pool["cell"]
        expected_here = (expected + cell**2) * (1 + 1 / architectures)
        # The variance of n normal draws has a relative standard error of √(2/n), their mean one of √(v/n).
        assert abs(z.var() - expected_here) < 4 * expected_here * np.sqrt(2 / n)
        assert abs(z.mean()) < 4 * np.sqrt(expected_here / n)


def test_a_level_with_one_group_takes_its_scale_from_the_prior() -> None:
    fit = make_fit(
        runs=make_runs(("a",)),
        draws=4000,
        values=AT,
    )
    where: dict[str, Any] = {"architecture": New("q"), "task": "web", "study": "own"}
    z = link(fit, fit.parameters(where), "R0") - np.log(0.9)
    pool = fit.model.parameters["R0"].pool
    # Half-normal scales have E[τ²] = s²; with one group the fitted one carries an effect of its own.
    expected = 2 * pool["architecture"] ** 2 + pool["cell"] ** 2
    kurtosis = 9.0  # of a normal with a half-normal scale
    assert abs(z.var() - expected) < 4 * expected * np.sqrt((kurtosis - 1) / z.size)


def test_new_is_wider_than_known_and_newer_is_wider_still() -> None:
    fit = fixed_tau(6, 2, draws=1000)
    where: dict[str, Any] = {"architecture": "g0", "task": "t0", "study": "own"}
    widths = []
    for changes in ({}, {"architecture": New("q")}, {"architecture": New("q"), "task": New("w")}):
        loss = predict(fit, params=1e10, tokens=2e11, kind="expected", **{**where, **changes}).draws
        widths.append(float(loss.quantile(0.95) - loss.quantile(0.05)))
    assert widths[0] < widths[1] < widths[2]


def test_nothing_is_known_of_a_new_group_without_pooling() -> None:
    fit = make_fit(runs=make_runs(("a", "b")), draws=10, pool=False)
    with pytest.raises(ForecastError, match=r"'q': the fit was made without pooling.*pool=True"):
        predict(fit, compute=1e22, architecture=New("q"))
    known = fit.parameters({"architecture": "b", "task": "web", "study": "own"})
    np.testing.assert_array_equal(
        known["R0"], fit.posterior["R0"].sel(architecture="b", task="web")
    )


def test_a_new_group_needs_a_label() -> None:
    with pytest.raises(ForecastError, match="needs a label"):
        New("")


# ------------------------------------------------------------------ fixed and tied parameters


def test_tied_and_fixed_parameters_follow_their_group() -> None:
    kaplan = make_fit("kaplan", make_runs(("a", "b")), draws=20)
    theta = kaplan.parameters({"architecture": "b", "task": "web", "study": "own"})
    xr.testing.assert_equal(theta["gamma"], theta["delta"])
    assert float(abs(theta["L_inf"]).max()) == 0.0


def test_a_file_may_list_a_fixed_parameter_first() -> None:
    content: dict[str, Any] = {
        "name": "mine",
        "title": "Mine",
        "area": "joint",
        "law": "parameter-data",
        "likelihood": {"family": "normal", "sigma": {"prior": "sigma"}},
        "parameters": {
            "gamma": {"fixed": 0.7},
            "R0": {"prior": "level"},
            "omega": {"prior": "omega"},
            "alpha": {"prior": "alpha"},
            "a": {"prior": "a"},
            "L_inf": {"prior": "floor"},
        },
    }
    fit = make_fit(parse_model(content, "mine"), make_runs(), draws=20)
    assert "nu" not in fit.parameters(fit.groups())
    assert predict(fit, params=1e9, tokens=2e10).draws.shape == (2, 20, 1)
    gamma = fit.parameters(fit.groups())["gamma"]
    assert gamma.dims == ("chain", "draw")
    assert float(gamma.min()) == float(gamma.max()) == 0.7
