"""What a back-test says of its intervals: held-out sets drawn again together, coverage beside, and the words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit
from scipy import stats

import bayescale as bs
from bayescale.cli.run import run
from bayescale.posterior import Fit
from bayescale.predict import (
    Backtest,
    Noise,
    expected_coverage,
    replayed,
    replicated,
    scored,
    sentences,
)
from bayescale.runs import Runs
from bayescale.spec import ModelSpec
from bayescale.workflow import backtesting

LEVELS = (50, 80, 90, 95)


def rows_of(draws: np.ndarray, observed: np.ndarray) -> pd.DataFrame:
    return scored(draws, observed).to_dataframe()


def sets(rng: np.random.Generator, count: int, rows: int, shared: float) -> np.ndarray:
    """Held-out sets of unit log scale: rows share an offset of standard deviation ``shared``, shape (set, row)."""
    own = np.sqrt(1.0 - shared**2) * rng.standard_normal((count, rows))
    return np.exp(own + shared * rng.standard_normal((count, 1)))


# ------------------------------------------------------------------ expected coverage


def test_rows_without_anything_in_common_are_covered_as_coins_fall() -> None:
    rng = np.random.default_rng(0)
    replicates = sets(rng, 20_000, 20, 0.0)
    seen = sets(rng, 1, 20, 0.0)[0]
    rows = rows_of(replicates, seen)
    found = expected_coverage(replicates, rows)
    for level in LEVELS:
        share = stats.binom(20, level / 100)
        assert found[f"cover{level}_lo"] == share.ppf(0.05) / 20
        assert found[f"cover{level}_hi"] == share.ppf(0.95) / 20
        inside = rows[f"inside{level}"].sum()
        rank = 0.5 * (share.cdf(inside) + share.cdf(inside - 1))
        assert abs(found[f"cover{level}_rank"] - rank) < 4 * 0.5 / np.sqrt(20_000)


def test_rows_that_move_together_hold_or_miss_together() -> None:
    rng = np.random.default_rng(1)
    replicates = sets(rng, 20_000, 8, 1.0)
    found = expected_coverage(replicates, rows_of(replicates, np.full(8, np.exp(3.0))))
    # Of 95 % intervals one set in twenty is missed: the edge itself.
    assert [found[f"cover{level}_lo"] for level in LEVELS[:3]] == [0.0] * 3
    assert [found[f"cover{level}_hi"] for level in LEVELS] == [1.0] * 4
    # All missed: half of what is missed is below.
    assert abs(found["cover90_rank"] - 0.05) < 4 * np.sqrt(0.1 * 0.9 / 20_000) / 2


@pytest.mark.parametrize(("scale", "right"), [(1.0, True), (3.0, False)])
def test_a_right_forecast_lies_in_its_own_range_and_one_too_sure_below(
    scale: float, right: bool
) -> None:
    rng = np.random.default_rng(2)
    replicates = sets(rng, 1000, 15, 0.7)
    truths = sets(rng, 200, 15, 0.7) ** scale
    ranks, within = [], []
    for truth in truths:
        found = expected_coverage(replicates, rows := rows_of(replicates, truth))
        ranks.append(found["cover80_rank"])
        within.append(found["cover80_lo"] <= rows["inside80"].mean() <= found["cover80_hi"])
    below = np.mean(np.array(ranks) < 0.05)
    if right:
        # At most a twentieth on either side; the range holds nine tenths and more, since shares come in steps.
        assert below < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)
        assert np.mean(within) > 0.9 - 4 * np.sqrt(0.9 * 0.1 / 200)
        # Middle ranks have mean ½ whatever ties, and standard deviation of at most that of a uniform.
        assert abs(np.mean(ranks) - 0.5) < 4 * np.sqrt(1 / 12 / 200) + 4 * np.sqrt(1 / 12 / 1000)
    else:
        assert below > 0.3


# ------------------------------------------------------------------ sets of a fit


def isoflop() -> Runs:
    """Four budgets of five sizes."""
    c = np.repeat(np.geomspace(1e19, 1e21, 4), 5)
    params = (c / 120) ** 0.5 * np.tile(np.geomspace(0.2, 5.0, 5), 4)
    tokens = c / 6 / params
    loss = 1.8172 + 482.01 * params**-0.3478 + 2085.43 * tokens**-0.3658
    loss *= np.exp(0.005 * np.random.default_rng(0).standard_normal(20))
    return bs.load_runs(
        pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}), param_count="total"
    )


def test_rows_of_one_sweep_share_its_offset_and_those_of_two_do_not() -> None:
    sigma, sweep, draws = 0.01, 0.03, 8000
    fit = make_fit(
        runs=isoflop(),
        draws=draws // 2,
        noise="normal",
        values={"sigma": sigma, "sweep": sweep, "gamma": 1.0},
    )
    where = fit.groups()
    theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(where).items()}
    again = replicated(
        fit,
        where,
        theta,
        Noise.of(fit, theta),
        np.zeros((draws, 3)),
        ["a", "a", "b"],
        ["1", "2", "3"],
    )
    one, two, other = np.log(again).T
    within, mean, between = np.var(one - two), np.var((one + two) / 2), np.var(one - other)
    # Normal: the relative standard error of a variance is √(2/n).
    error = 4.5 * np.sqrt(2 / draws)
    assert abs(within / (2 * sigma**2) - 1) < error
    assert abs(mean / (sweep**2 + sigma**2 / 2) - 1) < error
    assert abs(between / (2 * sweep**2 + 2 * sigma**2) - 1) < error


def test_the_mean_of_a_group_is_forecast_from_its_joint_draws() -> None:
    replicates = np.array([[1.0, 3.0, 9.0], [2.0, 4.0, 9.0], [3.0, 5.0, 9.0]])
    rows = pd.DataFrame(
        {"group": ["a", "a", "b"], "loss": [2.0, 5.0, 8.0], "decades": [0.2, 0.6, 0.1]}
    )
    a, b = replayed(replicates, rows)
    assert (a["group"], a["runs"], a["decades"], a["observed"]) == ("a", 2, 0.6, 3.5)
    assert (a["median"], a["lo90"], a["hi90"]) == pytest.approx((3.0, 2.1, 3.9))
    assert a["inside90"]
    assert not b["inside90"]


# ------------------------------------------------------------------ in words


def test_a_replay_says_what_would_have_been_said_and_what_came() -> None:
    one = {"model": "m", "fold": "compute ≥ 1e+21", "group": "s / a / web / 1e+21 FLOP", "runs": 7}
    one |= {"decades": 0.52, "observed": 2.344, "median": 2.3451, "lo90": 2.325, "hi90": 2.366}
    other = one | {"group": "s / a / web / 3e+21 FLOP", "runs": 1, "decades": 1.0, "observed": 2.5}
    replay = pd.DataFrame([one | {"inside90": True}, other | {"inside90": False}])
    assert sentences(replay) == [
        "Without compute ≥ 1e+21 we would have said 2.345 (90 %: 2.325 to 2.366) for the run of 3e+21 FLOP, "
        "1.0 decades beyond the fitted runs; you got 2.5, outside.",
        "Without compute ≥ 1e+21 we would have said 2.345 (90 %: 2.325 to 2.366) for the mean of 7 runs of 1e+21 FLOP, "
        "0.5 decades beyond the fitted runs; you got 2.344.",
    ]
    fewer = sentences(replay, most=1)
    assert fewer[1:] == ["… and of 1 group more that lay nearer, without compute ≥ 1e+21"]
    both = pd.concat([replay, replay.assign(model="n", fold="without Pythia")])
    assert "Without Pythia we would have said (n) 2.345" in sentences(both)[2]
    assert sentences(pd.DataFrame()) == []


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prior draws in place of sampling."""

    def quick(runs: Runs, spec: ModelSpec, **settings: Any) -> Fit:
        return make_fit(spec, runs, draws=200, drift=settings["drift"])

    monkeypatch.setattr(backtesting, "fit", quick)


def test_the_shell_prints_and_keeps_all_that_a_reader_needs(
    sampled: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    isoflop().table[["params", "tokens", "loss"]].to_csv(tmp_path / "runs.csv", index=False)
    words = ["backtest", str(tmp_path / "runs.csv"), "--cut", "1e20", "--param-count", "total"]
    words += ["-m", "parameter-data", "-m", "m2", "-o"]
    assert run([*words, str(tmp_path / "a.json")]) == 0
    said = capsys.readouterr().out
    for told in ("bias", "s.e.", "by group", "expected from", "rank", "decades beyond", "width"):
        assert told in said
    for model in ("parameter-data", "m2"):
        assert f"Without compute ≥ 1e+20 we would have said ({model}) " in said
        levels = [line.split()[4] for line in said.splitlines() if line.startswith(f"{model} ")]
        assert [v for v in levels if v in ("50", "80", "90", "95")] == ["50", "80", "90", "95"]
    assert run([*words, str(tmp_path / "b.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for row in found["summary"]:
        names = [f"{n}{level}" for level in LEVELS for n in ("cover", "se", "group_cover", "width")]
        assert set(names) | {"bias", "groups", "crps", "log_score"} <= set(row)
    assert {row["distance"] for row in found["by_distance"]}
    assert {(row["model"], row["runs"]) for row in found["replay"]} == {
        ("parameter-data", 5),
        ("m2", 5),
    }
    for fold in found["folds"]:
        for level in LEVELS:
            assert 0 <= fold[f"cover{level}_lo"] <= fold[f"cover{level}_hi"] <= 1
            assert 0 <= fold[f"cover{level}_rank"] <= 1


def test_a_back_test_of_an_earlier_schema_has_no_replay(sampled: None, tmp_path: Path) -> None:
    made = bs.backtest(isoflop(), cuts=[1e20], progress=False)
    assert len(made.replay) == 2
    path = made.save(tmp_path / "now.json")
    content = json.loads(path.read_text("utf-8"))
    old = {k: v for k, v in content.items() if k != "replay"} | {"schema_version": 2}
    old["folds"] = [{k: v for k, v in f.items() if not k.startswith("cover")} for f in old["folds"]]
    path.write_text(json.dumps(old))
    read = bs.load_backtest(path)
    assert read.replay.empty
    assert read.intervals()[["expected_lo", "expected_hi", "rank"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(read.summary(), made.summary())
    assert "would have said" not in str(read)
    assert "would have said" in str(made)


def test_by_group_every_held_out_group_counts_once() -> None:
    """Three rows of one group inside, one row of each of two others outside."""
    rows = rows_of(np.random.default_rng(0).lognormal(0, 0.1, (400, 5)), np.ones(5))
    for level in LEVELS:
        rows[f"inside{level}"] = [True, True, True, False, False]
    rows = rows.assign(model="m", fold="f", log_score=0.0, decades=0.1, group=list("aaabc"))
    row = Backtest(rows, pd.DataFrame(), {}).summary().iloc[0]
    for level in LEVELS:
        assert row[f"cover{level}"] == pytest.approx(3 / 5)
        assert row[f"group_cover{level}"] == pytest.approx(1 / 3)
        assert row[f"group_se{level}"] == pytest.approx(np.std([1, 0, 0], ddof=1) / np.sqrt(3))
        assert row[f"width{level}"] == pytest.approx(rows[f"width{level}"].mean())
