"""Baselines in a back-test: beside models, on the same folds, kept and read back, by name and from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.baselines import BASELINES
from bayescale.cli import run
from bayescale.errors import DataError, ModelError, UnknownNameError
from bayescale.plots.reliability import calibration_numbers
from bayescale.posterior import Fit
from bayescale.runs import Runs
from bayescale.spec import ModelSpec
from bayescale.workflow import backtesting
from bayescale.zoo import load_model


def isoflop_table(noise: float = 0.003, seed: int = 0) -> pd.DataFrame:
    """Six budgets of seven sizes on the joint law of Besiroglu et al. 2024."""
    c = np.repeat(np.geomspace(3e18, 1e21, 6), 7)
    params = (c / 120) ** 0.5 * np.tile(np.geomspace(0.2, 5.0, 7), 6)
    tokens = c / 6 / params
    loss = 1.8172 + 482.01 * params**-0.3478 + 2085.43 * tokens**-0.3658
    loss = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(c)))
    return pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})


@pytest.fixture
def table() -> Runs:
    return bs.load_runs(isoflop_table(), param_count="total")


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[ModelSpec]:
    """Specifications that were fitted, in place of sampling."""
    seen: list[ModelSpec] = []

    def quick(runs: Runs, spec: ModelSpec, **settings: Any) -> Fit:
        seen.append(spec)
        return make_fit(spec, runs, draws=50, drift=settings["drift"])

    monkeypatch.setattr(backtesting, "fit", quick)
    return seen


def test_baselines_are_scored_on_the_folds_of_the_models(
    table: Runs, fitted: list[ModelSpec]
) -> None:
    models = ["parameter-data", "huber-bootstrap", "isoflop", "m2"]
    result = bs.backtest(table, models, cuts=[5e20], progress=False)
    assert list(result.rows["model"].unique()) == models
    assert len(fitted) == 1
    by_model = [part.reset_index(drop=True) for _, part in result.rows.groupby("model", sort=False)]
    for part in by_model[1:]:
        assert not part.isna().any(axis=None)
        same = ["run_id", "group", "loss", "decades"]
        pd.testing.assert_frame_equal(part[same[:3]], by_model[0][same[:3]])
    # A joint baseline counts distance as the joint law does, a curve along its one axis.
    for part in by_model[1:3]:
        np.testing.assert_allclose(part["decades"], by_model[0]["decades"])
    np.testing.assert_allclose(by_model[3]["decades"], np.log10(1e21 / 3e18) / 5)
    numbers = calibration_numbers(result)
    assert list(numbers["model"].to_numpy()) == models
    summary = result.summary().set_index("model")
    # The truth is the Huber baseline's law, .0030 of noise about it, and the log score of a Normal of that scale is at
    # most its mean negentropy, 4.39; seven runs scatter about it by √(7/2)/7 = .27.
    assert summary.loc["huber-bootstrap", "rmsle"] < 0.006
    assert abs(summary.loc["huber-bootstrap", "log_score"] - 4.39) < 4 * 0.27
    assert summary.loc["m2", "rmsle"] > 2 * summary.loc["huber-bootstrap", "rmsle"]


def test_kept_folds_serve_baselines_too_until_the_seed_changes(
    table: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: dict[str, Any] = {"cuts": [1e20, 5e20], "folder": tmp_path, "progress": False}
    first = bs.backtest(table, "m1", **words)
    assert len(list(tmp_path.glob("fold-*.json"))) == 2

    def never(*_: object) -> None:
        raise AssertionError("a kept fold was scored again")

    with monkeypatch.context() as patch:
        patch.setattr(backtesting, "score_baseline", never)
        again = bs.backtest(table, "m1", **words)
        with pytest.raises(AssertionError):
            bs.backtest(table, "m1", **words, seed=1)
        with pytest.raises(AssertionError):
            bs.backtest(table, "m2", **words)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    other = bs.backtest(table, "m1", **words, seed=1)
    assert not np.array_equal(first.rows["crps"], other.rows["crps"])


def test_each_architecture_on_each_task_is_a_curve_of_its_own() -> None:
    runs = make_runs(("a", "b"), ("web", "code"))
    both = bs.backtest(runs, "m1", by="params", cuts=[4e9], progress=False).rows
    lone = runs.where(architecture="b", task="code")
    one = bs.backtest(lone, "m1", by="params", cuts=[4e9], progress=False).rows
    mine = both[(both["architecture"] == "b") & (both["task"] == "code")].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine.drop(columns=["run_id"]), one.drop(columns=["run_id"]))


def test_the_plain_law_stands_beside_the_drifting_one(table: Runs, fitted: list[ModelSpec]) -> None:
    drifting = load_model("parameter-data")
    plain = drifting.exact()
    result = bs.backtest(table, [drifting, plain], cuts=[5e20], progress=False)
    assert list(result.rows["model"].unique()) == ["parameter-data", "parameter-data (exact)"]
    assert [spec.drift is None for spec in fitted] == [False, True]
    assert plain.likelihood == drifting.likelihood
    with pytest.raises(ModelError, match="two of the models are named 'chinchilla'"):
        bs.backtest(table, ["chinchilla", "chinchilla"], progress=False)


def test_wrong_names_and_tables_are_refused_before_anything_is_fitted(
    table: Runs, fitted: list[ModelSpec]
) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'huber-bootstrap'") as said:
        bs.backtest(table, ["parameter-data", "hubber-bootstrap"], progress=False)
    assert "parameter-data" in str(said.value)
    loose = bs.load_runs(
        isoflop_table().assign(tokens=lambda t: t["tokens"] * (t["params"] / 1e9) ** 0.1),
        param_count="total",
    )
    with pytest.raises(DataError, match=r"'isoflop', compute ≥ .*: it needs runs by budget"):
        bs.backtest(loose, ["parameter-data", "isoflop"], cuts=[5e20], progress=False)
    three = make_runs(("a", "b", "c"))
    with pytest.raises(DataError, match="no run of a on web is left to fit"):
        bs.backtest(three, ["parameter-data", "m2"], by="architecture", progress=False)
    assert fitted == []


def test_the_shell_names_baselines_and_takes_a_model_as_exact(
    tmp_path: Path, fitted: list[ModelSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    isoflop_table().to_csv(tmp_path / "runs.csv", index=False)
    words = ["backtest", str(tmp_path / "runs.csv"), "--cut", "5e20", "--param-count", "total"]
    assert (
        run([*words, "-m", "m2", "--exact", "parameter-data", "-o", str(tmp_path / "a.json")]) == 0
    )
    said = capsys.readouterr().out
    assert "m2" in said
    assert "parameter-data (exact)" in said
    assert [spec.name for spec in fitted] == ["parameter-data (exact)"]
    assert run([*words, "-o", str(tmp_path / "b.json"), "--json"]) == 0
    capsys.readouterr()
    assert [spec.name for spec in fitted[1:]] == ["parameter-data"]


def test_baselines_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["baselines"]
    assert [b["name"] for b in listed] == list(BASELINES)
    assert run(["models", "show", "isoflop"]) == 0
    assert "Hoffmann et al. 2022, section 3.2" in capsys.readouterr().out
