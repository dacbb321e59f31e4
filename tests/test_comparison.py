"""Stacking weights against closed forms, joint densities of groups, leave-one-out, and what `compare` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from scipy import stats
from scipy.special import logsumexp, softmax

import bayescale as bs
from bayescale.errors import DataError, FitFileError, ForecastError, UnknownNameError
from bayescale.posterior import Fit
from bayescale.predict import (
    Backtest,
    Noise,
    joint_log_score,
    loo,
    stacking_weights,
)
from bayescale.predict.calibration import SCHEMA
from bayescale.runs import Runs
from bayescale.workflow import backtesting

Settings = dict[str, Any]
SETTINGS: Settings = {"pool": True, "drift": True, "sweep": True, "exclude": []}


# ---------------------------------------------------------------- weights


def test_weights_of_two_normals_find_the_mixture_that_made_the_data() -> None:
    """Under data from .7·N(0, 1) + .3·N(3, 1) the limit is (.7, .3): five standard errors of the maximum likelihood."""
    rng = np.random.default_rng(0)
    n, truth = 4000, 0.7
    y = np.where(rng.random(n) < truth, rng.normal(0, 1, n), rng.normal(3, 1, n))
    density = np.stack([stats.norm.logpdf(y, 0, 1), stats.norm.logpdf(y, 3, 1)], axis=1)
    p = np.exp(density)
    information = np.sum(((p[:, 0] - p[:, 1]) / (p @ [truth, 1 - truth])) ** 2)
    assert abs(stacking_weights(density)[0] - truth) < 5 / np.sqrt(information)


@pytest.mark.parametrize("strength", [0.01, 1.0, 5.0])
def test_weights_are_the_best_on_a_grid(strength: float) -> None:
    density = np.random.default_rng(1).normal(0, 2, (9, 2))
    count = np.array([1, 1, 1, 0.5, 0.5, 1, 1, 0.25, 1])
    w = np.linspace(0, 1, 20002)[1:-1, None]
    both = np.log(np.concatenate([w, 1 - w], axis=1))
    value = logsumexp(density[None] + both[:, None], axis=2) @ count
    value += strength / 2 * both.sum(axis=1)
    best = float(w[np.argmax(value), 0])
    assert abs(stacking_weights(density, count, strength)[0] - best) < 1e-4  # two steps of the grid


@pytest.mark.parametrize("scale", [0.01, 3.0, 3000.0])
def test_weights_are_a_stationary_point_whatever_the_densities(scale: float) -> None:
    """At the maximum wₖ = (Σᵤ P(k | u) + s/K) / (U + s)."""
    density = np.random.default_rng(2).normal(0, scale, (30, 4))
    found = stacking_weights(density, strength=2.0)
    owned = softmax(density + np.log(found), axis=1).sum(axis=0)
    np.testing.assert_allclose(found, (owned + 0.5) / 32, atol=1e-7)


def test_identical_models_share_and_a_hopeless_one_gets_the_prior_alone() -> None:
    same = np.random.default_rng(3).normal(0, 5, (12, 1))
    np.testing.assert_allclose(stacking_weights(np.hstack([same, same, same])), 1 / 3, atol=1e-7)
    # It owns no group: of 12 + 1 pseudo-groups it has the half that the prior gives it.
    worse = stacking_weights(np.hstack([same, same - 800]))
    np.testing.assert_allclose(worse, [12.5 / 13, 0.5 / 13], atol=1e-7)


def test_a_stronger_prior_draws_to_equal_weights() -> None:
    density = np.array([[0.0, -1.0]] * 6)
    first = [stacking_weights(density, strength=s)[0] for s in (1e-6, 1.0, 10.0, 1e6)]
    assert first == sorted(first, reverse=True)
    assert first[0] > 0.999
    assert abs(first[-1] - 0.5) < 1e-3


@pytest.mark.parametrize(
    ("density", "strength", "says"),
    [
        ([[0.0, 1.0]], 0.0, "strength = 0"),
        ([[0.0, np.nan]], 1.0, "no density"),
        ([[-np.inf, -np.inf]], 1.0, "no density"),
    ],
)
def test_weights_refuse_what_has_none(
    density: list[list[float]], strength: float, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        stacking_weights(np.array(density), None, strength)


# ---------------------------------------------------------------- joint densities


def shared_offset(tau: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Densities of six runs under draws that share an offset; what was observed; and the exact joint density."""
    rng = np.random.default_rng(4)
    sigma, draws = 1.0, 40_000
    observed = np.array([1.1, 0.7, 1.6, 1.2, 0.4, 1.3])
    centre = tau * rng.standard_normal((draws, 1)) + np.zeros(6)
    covariance = sigma**2 * np.eye(6) + tau**2
    exact = float(stats.multivariate_normal(np.zeros(6), covariance).logpdf(observed))
    density = Noise("normal", np.full(draws, sigma)).log_density(observed, centre)
    return density, observed, exact


def test_a_joint_density_knows_that_runs_share_an_offset() -> None:
    density, observed, exact = shared_offset(1.0)
    joint, effective = joint_log_score(density)
    # Delta method: the log of a mean of weights has standard error √(1/effective − 1/draws).
    assert abs(joint - exact) < 5 * np.sqrt(1 / effective)
    # Taken one by one, each run N(0, σ² + τ²), they are another thing: the control that the bound above can fail.
    apart = float(stats.norm.logpdf(observed, 0, np.sqrt(2.0)).sum())
    one_by_one = np.asarray(logsumexp(density, axis=0)).sum() - 6 * np.log(len(density))
    assert abs(one_by_one - apart) < 0.1
    assert abs(exact - apart) > 0.5


def test_without_anything_shared_a_joint_density_is_the_sum() -> None:
    density, observed, exact = shared_offset(0.0)
    joint, effective = joint_log_score(density)
    np.testing.assert_allclose(joint, exact)
    np.testing.assert_allclose(joint, stats.norm.logpdf(observed).sum())
    np.testing.assert_allclose(effective, len(density))


def sweeping() -> Runs:
    """27 runs: three architectures, each with a sweep below and one above."""
    frame = make_runs(("a", "b", "c")).table
    frame["sweep"] = np.where(frame["params"] > 2e9, "large", "small")
    return bs.load_runs(frame.drop(columns="study"))


def quick(runs: Runs, spec: Any, **settings: Any) -> Fit:
    """In the place of sampling: draws of the prior."""
    return make_fit(spec, runs, draws=300, drift=settings["drift"])


def test_a_back_test_keeps_joint_densities_by_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtesting, "fit", quick)
    models = ["parameter-data", "chinchilla"]
    made = bs.backtest(sweeping(), models, by="params", cuts=[4e9], progress=False)
    assert list(made.groups["runs"]) == [3] * 6
    assert set(made.groups["group"]) == set(made.rows["group"])
    alone = made.rows.groupby(["model", "fold", "group"])["log_score"].sum()
    joint = made.groups.set_index(["model", "fold", "group"])["log_density"]
    # Prior draws differ far more between draws than runs do within one: jointly the runs are much likelier.
    assert ((joint - alone) > 0.5).all()
    read = bs.load_backtest(made.save(tmp_path / "kept.json"))
    pd.testing.assert_frame_equal(read.groups, made.groups)
    found = bs.compare(read)
    assert found.weights.keys() == set(models)
    assert abs(sum(found.weights.values()) - 1) < 1e-12


def test_a_back_test_of_the_first_schema_is_read_but_not_stacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtesting, "fit", quick)
    made = bs.backtest(make_runs(), by="params", cuts=[4.9e9], progress=False)
    kept = made.save(tmp_path / "kept.json")
    text = kept.read_text()
    old = text.replace(f'"schema_version": {SCHEMA}', '"schema_version": 1')
    assert old != text
    content = Backtest(made.rows, made.folds, made.problem)
    assert content.groups.empty
    kept.write_text(old[: old.index(' "groups": [')] + old[old.index(' "notes": [') :])
    read = bs.load_backtest(kept)
    assert read.groups.empty
    pd.testing.assert_frame_equal(read.summary(), made.summary())
    with pytest.raises(DataError, match="no joint densities of held-out groups: run it again"):
        bs.compare(read)


# ---------------------------------------------------------------- compare


def backtest_of(
    density: dict[str, list[float]],
    groups: list[str],
    folds: list[str] | None = None,
    data_hash: str = "d",
) -> Backtest:
    """A back-test with these joint densities, one a unit."""
    rows = [
        {
            "model": model,
            "fold": fold,
            "group": group,
            "runs": 3,
            "log_density": value,
            "effective_draws": 200.0,
        }
        for model, values in density.items()
        for value, group, fold in zip(values, groups, folds or ["f"] * len(groups), strict=True)
    ]
    tried = pd.DataFrame([{"model": m, "fold": "f", "converged": True} for m in density])
    return Backtest(
        pd.DataFrame(), tried, SETTINGS | {"data_hash": data_hash}, (), pd.DataFrame(rows)
    )


def test_differences_have_the_errors_of_groups_and_equal_weights_are_shown_for_few() -> None:
    rng = np.random.default_rng(5)
    first, gap = rng.normal(0, 5, 9), rng.normal(1.0, 1.0, 9)
    names = [f"g{i}" for i in range(9)]
    both = {"a": first.tolist(), "b": (first - gap).tolist()}
    table = bs.compare(backtest_of(both, names)).table.set_index("model")
    assert "equal_weight" not in table
    np.testing.assert_allclose(table.loc["b", "difference"], -gap.sum())
    np.testing.assert_allclose(table.loc["b", "se"], 3 * gap.std(ddof=1))
    assert table.loc["a", "difference"] == table.loc["a", "se"] == 0
    few = {name: values[:7] for name, values in both.items()}
    said = bs.compare(backtest_of(few, names[:7]))
    assert list(said.table["equal_weight"]) == [0.5, 0.5]
    assert any("fewer than 8" in note for note in said.notes)


def test_a_baseline_without_joint_densities_is_named_and_left_out() -> None:
    test = backtest_of({"a": [0.0], "b": [1.0]}, ["g"])
    folds = [*test.folds.to_dict("records"), {"model": "m2", "fold": "f", "converged": True}]
    with_one = Backtest(test.rows, pd.DataFrame(folds), test.problem, (), test.groups)
    found = bs.compare(with_one)
    assert list(found.table["model"]) == ["a", "b"]
    assert any(note.endswith("no weight: m2") for note in found.notes)
    assert not any("m2" in note for note in bs.compare(test).notes)


def test_a_group_that_three_folds_hold_out_counts_once() -> None:
    once = bs.compare(backtest_of({"a": [0.0, 3.0], "b": [1.0, 0.0]}, ["g", "h"]))
    thrice = bs.compare(
        backtest_of(
            {"a": [0.0, 0.0, 0.0, 3.0], "b": [1.0, 1.0, 1.0, 0.0]},
            ["g", "g", "g", "h"],
            ["1", "2", "3", "1"],
        )
    )
    assert thrice.problem["groups"] == 2
    columns = ["weight", "difference", "se"]
    np.testing.assert_allclose(thrice.table[columns], once.table[columns], atol=1e-7)


def test_what_cannot_be_compared_is_refused() -> None:
    runs = make_runs()
    full, fixed = make_fit(runs=runs, draws=50), make_fit("chinchilla", runs, draws=50)
    density = {"parameter-data": [0.0], "kaplan": [1.0]}
    with pytest.raises(DataError, match="the data differ"):
        bs.compare(full, backtest_of(density, ["g"], data_hash="other"))
    with pytest.raises(DataError, match="the data differ"):
        bs.compare(full, make_fit("chinchilla", draws=50))
    with pytest.raises(UnknownNameError, match="'chinchilla' in the back-test"):
        bs.compare(fixed, backtest_of(density, ["g"], data_hash=runs.hash))
    with pytest.raises(DataError, match="two fits of model"):
        bs.compare(full, full)
    with pytest.raises(DataError, match="not 0 back-tests"):
        bs.compare()
    with pytest.raises(ForecastError, match="compare takes a fit"):
        bs.compare("a.nc")  # type: ignore[arg-type]
    uneven = backtest_of({"a": [0.0, 1.0], "b": [0.0, 1.0]}, ["g", "h"])
    cut = Backtest(uneven.rows, uneven.folds, uneven.problem, (), uneven.groups.iloc[:3])
    with pytest.raises(DataError, match="same held-out runs"):
        bs.compare(cut)
    drifting = make_fit(runs=runs, draws=50, drift=True)
    exact = backtest_of(density, ["g"], data_hash=runs.hash)
    exact.problem["drift"] = False
    with pytest.raises(DataError, match="another drift= than the back-test"):
        bs.compare(drifting, exact)


def test_fits_bring_leave_one_out_and_no_weights() -> None:
    runs = make_runs()
    found = bs.compare(make_fit(runs=runs, draws=100), make_fit("chinchilla", runs, draws=100))
    assert found.weights == {}
    assert {"elpd_loo", "k_max"} <= set(found.table)
    assert any("no weights" in note for note in found.notes)
    with pytest.raises(ForecastError, match="no weights: compare with a back-test"):
        bs.stack([make_fit(runs=runs, draws=50)], found)


# ---------------------------------------------------------------- leave-one-out


def flat(observed: np.ndarray, sigma: float, seed: int, exact: bool = True) -> Fit:
    """A fit of a curve that is flat at L∞, its draws from the conjugate posterior under a flat prior on log L∞."""
    frame = make_runs(("a",), ("web",), ("x", "y")).table.iloc[: len(observed)]
    runs = bs.load_runs(frame.drop(columns="study").assign(loss=np.exp(observed)))
    values = {"R0": 1e-12, "sigma": sigma, "nu": np.inf}
    fit = make_fit("chinchilla", runs, draws=1000, values=values)
    rng = np.random.default_rng(seed)
    level = fit.posterior["L_inf"]
    kept = np.log(fit.runs["loss"].to_numpy())
    spread = sigma / np.sqrt(len(kept))
    draws = rng.normal(kept.mean(), spread if exact else 3 * spread, level.shape)
    fit.tree["posterior"]["L_inf"] = level.copy(data=np.exp(draws))
    return fit


def test_leave_one_out_is_the_closed_form_of_a_conjugate_normal() -> None:
    """Left-out run i ~ N(mean of the others, σ²·(1 + 1/(n−1))); five standard errors over independent posteriors."""
    rng = np.random.default_rng(6)
    sigma, n = 0.1, 9
    observed = rng.normal(1.0, sigma, n)
    others = (observed.sum() - observed) / (n - 1)
    exact = stats.norm.logpdf(observed, others, sigma * np.sqrt(1 + 1 / (n - 1))).sum()
    found = [loo(flat(observed, sigma, seed)) for seed in range(12)]
    elpd = np.array([f.elpd for f in found])
    error = elpd.std(ddof=1) / np.sqrt(len(elpd))
    assert error < 0.02
    assert abs(elpd.mean() - exact) < 5 * error
    assert all(f.unreliable == 0 for f in found)
    wide = np.array([loo(flat(observed, sigma, seed, exact=False)).elpd for seed in range(3)])
    assert (
        abs(wide.mean() - exact) > 10 * error
    )  # a posterior that is not theirs does not get there


def test_a_fit_that_lost_its_sweeps_says_so() -> None:
    fit = make_fit(runs=sweeping(), draws=50)
    assert np.isfinite(loo(fit).elpd)
    del fit.tree["constant_data"]["sweep_of"]
    with pytest.raises(ForecastError, match="which row is in which"):
        loo(fit)


def test_errors_of_files_are_those_of_files(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    with pytest.raises(FitFileError, match="no stack"):
        bs.load_stack(tmp_path / "s.json")
