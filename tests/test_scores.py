"""Scores of forecasts against closed forms, and the folds and clusters of a back-test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from scipy import stats

import bayescale as bs
from bayescale.errors import DataError
from bayescale.posterior import Fit
from bayescale.predict import Backtest, Noise, crps, interval_score, mixture, scored
from bayescale.runs import Runs, sweeps
from bayescale.spec import ModelSpec
from bayescale.workflow import backtesting
from bayescale.workflow.folds import folds


def test_crps_of_normal_draws_is_the_closed_form() -> None:
    """Gneiting & Raftery 2007, eq. 21; the bound is five standard errors over independent batches."""
    rng = np.random.default_rng(0)
    mu, sigma, y = 1.3, 0.7, np.array([0.2, 1.3, 3.0])
    z = (y - mu) / sigma
    exact = sigma * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    batches = np.array([crps(rng.normal(mu, sigma, (500, 3)), y) for _ in range(60)])
    error = batches.std(axis=0, ddof=1) / np.sqrt(len(batches))
    assert np.all(np.abs(batches.mean(axis=0) - exact) < 5 * error)


def test_interval_score_punishes_a_miss() -> None:
    low, high, y = np.array([1.0, 1.0]), np.array([2.0, 2.0]), np.array([1.5, 2.1])
    np.testing.assert_allclose(interval_score(low, high, y, 0.9), [1.0, 1.0 + 20 * 0.1])


def test_log_score_is_a_mixture_over_draws() -> None:
    centre, sigma, y = np.array([[0.0], [1.0]]), np.array([0.5, 2.0]), np.array([0.3])
    mixed = np.mean([stats.norm.pdf(0.3, 0.0, 0.5), stats.norm.pdf(0.3, 1.0, 2.0)])
    normal = Noise("normal", sigma).log_density(y, centre)
    np.testing.assert_allclose(mixture(normal), np.log(mixed))
    heavy = np.mean([stats.t.pdf(0.3, 4, 0, 0.5), stats.t.pdf(0.3, 9, 1, 2.0)])
    student = Noise("student-t", sigma, np.array([4.0, 9.0])).log_density(y, centre)
    np.testing.assert_allclose(mixture(student), np.log(heavy))


def test_coverage_of_a_true_forecast_is_nominal() -> None:
    rng = np.random.default_rng(3)
    truth = rng.lognormal(0, 0.1, 2000)
    found = scored(rng.lognormal(0, 0.1, (2000, 2000)), truth)
    for level in (50, 80, 90, 95):
        p = level / 100
        assert abs(float(found[f"inside{level}"].mean()) - p) < 4 * np.sqrt(p * (1 - p) / 2000)
    assert stats.kstest(found["pit"], "uniform").pvalue > 0.001


def isoflop(budgets: tuple[float, ...] = (1e19, 3e19, 1e20), spread: float = 1.0) -> pd.DataFrame:
    rows = []
    for c in budgets:
        for i, ratio in enumerate((0.3, 1.0, 3.0)):
            params = (c / 120) ** 0.5 * ratio
            rows.append((params, c / 6 / params * spread**i, 2.0 + 1e18 / c))
    return pd.DataFrame(rows, columns=["params", "tokens", "loss"])


def test_sweeps_are_seen_where_budgets_agree_and_nowhere_else() -> None:
    runs = bs.load_runs(isoflop(), param_count="total")
    found = sweeps(runs)
    assert found is not None
    assert found.nunique() == 3
    assert sweeps(bs.load_runs(isoflop(spread=1.2), param_count="total")) is None
    assert sweeps(bs.load_runs(isoflop((1e19, 1e20)), param_count="total")) is None


def test_a_column_of_sweeps_is_taken_as_it_is() -> None:
    frame = isoflop(spread=1.2).assign(sweep=["a"] * 4 + ["b"] * 5)
    found = sweeps(bs.load_runs(frame, param_count="total"))
    assert found is not None
    assert sorted(found.unique()) == [
        "default / default / loss / a",
        "default / default / loss / b",
    ]
    each = frame.assign(sweep=[f"s{i}" for i in range(9)])
    assert sweeps(bs.load_runs(each, param_count="total")) is None


def test_folds_hold_out_what_lies_beyond_and_say_when_nothing_does() -> None:
    runs = bs.load_runs(isoflop(), param_count="total")
    (one,) = folds(runs, "compute", [9e19])
    assert one.held_out.sum() == 3
    assert len(one.fitted) == 6
    assert (6 * one.fitted.table["params"] * one.fitted.table["tokens"]).max() < 9e19
    with pytest.raises(DataError, match="holds out 0 of 9 rows"):
        folds(runs, "compute", [1e22])
    with pytest.raises(DataError, match="at least three"):
        folds(runs, "architecture")


@pytest.mark.parametrize(("rows", "held"), [(6, [1]), (7, [2]), (9, [3, 2]), (20, [10, 7, 4])])
def test_the_cuts_of_a_small_table_leave_enough_to_fit(rows: int, held: list[int]) -> None:
    sizes = np.geomspace(1e8, 1e10, rows)
    frame = pd.DataFrame({"params": sizes, "tokens": 1e10, "loss": np.linspace(4, 2, rows)})
    assert [int(f.held_out.sum()) for f in folds(bs.load_runs(frame), "params")] == held
    with pytest.raises(
        DataError, match="holds out 1 of 5 rows; at least one must be held out and 5 left"
    ):
        folds(bs.load_runs(frame.head(5)), "params")


def test_a_table_may_say_itself_what_is_held_out() -> None:
    marks = ["yes" if i in (2, 5) else "no" for i in range(9)]
    runs = bs.load_runs(isoflop().assign(held_out=marks), param_count="total")
    (one,) = folds(runs, "held_out")
    assert list(np.flatnonzero(one.held_out)) == [2, 5]
    assert set(one.fitted.table["run_id"]).isdisjoint(runs.table["run_id"][one.held_out])
    with pytest.raises(DataError, match="cuts are for a scale"):
        folds(runs, "held_out", [1e20])
    with pytest.raises(DataError, match="no column 'held_out'"):
        folds(bs.load_runs(isoflop(), param_count="total"), "held_out")
    none = bs.load_runs(isoflop().assign(held_out=0), param_count="total")
    with pytest.raises(DataError, match="marks 0 of 9 rows"):
        folds(none, "held_out")


def test_standard_errors_are_those_of_clusters() -> None:
    """Rows that repeat within a cluster carry no more evidence than one row of each."""
    rng = np.random.default_rng(0)
    draws = scored(rng.lognormal(0, 0.1, (400, 40)), rng.lognormal(0, 0.1, 40)).to_dataframe()
    frame = draws.assign(
        model="m", fold="f", log_score=0.0, decades=0.1, group=[str(i) for i in range(40)]
    )
    once = Backtest(frame, pd.DataFrame(), {}).summary()
    thrice = Backtest(pd.concat([frame] * 3), pd.DataFrame(), {}).summary()
    assert once["groups"].item() == thrice["groups"].item() == 40
    np.testing.assert_allclose(once["se90"], thrice["se90"])
    np.testing.assert_allclose(once["cover90"], thrice["cover90"])


def test_distances_are_in_the_order_of_their_sizes() -> None:
    rng = np.random.default_rng(0)
    draws = scored(rng.lognormal(0, 0.1, (100, 6)), rng.lognormal(0, 0.1, 6)).to_dataframe()
    away = [2.5, 0.7, 0.1, 1.5, 9.0, 0.2]
    frame = draws.assign(model="m", fold="f", log_score=0.0, decades=away, group=list("abcdef"))
    found = Backtest(frame, pd.DataFrame(), {}).by_distance()
    assert found["runs"].tolist() == [2, 1, 1, 1, 1]
    assert [str(d)[0] for d in found["distance"]] == ["0", "0", "1", "2", "o"]  # the last: over 3


def test_a_back_test_goes_on_where_it_was_and_starts_anew_with_other_priors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []

    def quick(runs: Runs, spec: ModelSpec, **settings: Any) -> Fit:
        fitted.append(len(runs))
        return make_fit(spec, runs, draws=50, drift=settings["drift"])

    monkeypatch.setattr(backtesting, "fit", quick)
    runs = make_runs()
    words: dict[str, Any] = {"by": "params", "cuts": [4.9e9, 4.99e9], "folder": tmp_path}
    first = bs.backtest(runs, progress=False, **words)
    assert fitted == [6, 6]
    again = bs.backtest(runs, progress=False, **words)
    assert len(fitted) == 2
    pd.testing.assert_frame_equal(first.rows, again.rows)
    bs.backtest(runs, progress=False, exclude=["chinchilla"], **words)
    assert len(fitted) == 4
    for kept in tmp_path.glob("fold-*.json"):
        kept.write_text("half")
    with pytest.raises(DataError, match="remove it, and the fold is run"):
        bs.backtest(runs, progress=False, **words)


def test_a_back_test_is_read_back_as_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        backtesting,
        "fit",
        lambda runs, spec, **settings: make_fit(spec, runs, draws=50, drift=settings["drift"]),
    )
    made = bs.backtest(make_runs(("a", "b")), by="params", cuts=[4e9], progress=False)
    read = bs.load_backtest(made.save(tmp_path / "backtest.json"))
    pd.testing.assert_frame_equal(read.summary(), made.summary())
    assert read.problem == made.problem
    assert str(read) == str(made)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="no back-test of schema"):
        bs.load_backtest(tmp_path / "other.json")
