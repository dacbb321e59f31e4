"""Coverage: pass@k in closed form, its power law and where it levels, votes, files, the figure, one budget for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from scipy import special, stats

import bayescale as bs
from bayescale import plots
from bayescale.cli import run
from bayescale.errors import ConvergenceError, DataError, FitFileError, ForecastError, PlanError
from bayescale.posterior import Coverage
from bayescale.runs import load_counts

TRUE = {
    "easy": 0.85,
    "hard_share": 0.4,
    "precision_easy": 6.0,
    "precision_hard": 1.5,
    "weight": 0.5,
    "unsolvable": 0.08,
}


def made(draws: int = 40, spread: float = 0.05, seed: int = 0, **changed: float) -> Coverage:
    """Draws around some values, and the counts of 200 problems, 64 samples each, at the values themselves."""
    rng, at = np.random.default_rng(seed), TRUE | changed
    unit = {n: at[n] for n in ("easy", "hard_share", "weight", "unsolvable")}
    own = {
        n: special.expit(special.logit(v) + spread * rng.standard_normal(draws))
        for n, v in unit.items()
    }
    own |= {
        n: v * np.exp(spread * rng.standard_normal(draws)) for n, v in at.items() if n not in unit
    }
    return Coverage(own, load_counts(simulated(rng, 200, 64, at)), name="made")


def rates(rng: np.random.Generator, problems: int, at: dict[str, float]) -> np.ndarray:
    easy = rng.random(problems) < at["weight"]
    mean = np.where(easy, at["easy"], at["easy"] * at["hard_share"])
    total = np.where(easy, at["precision_easy"], at["precision_hard"])
    p = rng.beta(mean * total, (1 - mean) * total)
    return np.where(rng.random(problems) < at["unsolvable"], 0.0, p)


def simulated(
    rng: np.random.Generator, problems: int, samples: int, at: dict[str, float]
) -> pd.DataFrame:
    """Counts of right answers."""
    correct = rng.binomial(samples, rates(rng, problems, at))
    return pd.DataFrame({"samples": samples, "correct": correct})


def test_pass_at_k_is_the_mean_over_problems() -> None:
    """Against a million simulated problems; by Monte-Carlo error."""
    p = rates(np.random.default_rng(3), 1_000_000, TRUE)
    exact = made(draws=1, spread=0.0)
    for k in (1, 5, 40, 300):
        missed = (1 - p) ** k
        assert exact.failure(k)[0] == pytest.approx(missed.mean(), abs=5 * missed.std() / 1e3)
    for k in (1, 2, 15):
        won = stats.binom.sf(k / 2, k, p) + 0.5 * (k % 2 == 0) * stats.binom.pmf(k / 2, k, p)
        assert exact.majority(k)[0] == pytest.approx(won.mean(), abs=5 * won.std() / 1e3)
    above = p > 0.5
    assert exact.majority_limit[0] == pytest.approx(above.mean(), abs=5 * above.std() / 1e3)
    assert exact.majority(4001)[0] == pytest.approx(exact.majority_limit[0], abs=0.01)


def test_it_falls_as_a_power_of_k_until_the_unsolvable_are_left() -> None:
    """What Brown et al. see: the log of coverage is a power of k, by the smaller Beta parameter."""
    k = np.geomspace(1e4, 1e6, 5)
    open_ended = made(draws=1, spread=0.0, unsolvable=1e-12)
    slope = np.diff(np.log(open_ended.failure(k)[0])) / np.diff(np.log(k))
    hard = TRUE["easy"] * TRUE["hard_share"] * TRUE["precision_hard"]
    assert slope == pytest.approx([-hard] * 4, rel=0.01)
    log_coverage = -np.log(open_ended.pass_at_k(k)[0])
    assert np.diff(np.log(log_coverage)) / np.diff(np.log(k)) == pytest.approx(
        [-hard] * 4, rel=0.02
    )
    levels = made(draws=1, spread=0.0).failure(1e9)[0]
    assert levels == pytest.approx(TRUE["unsolvable"], rel=1e-3)
    found = made()
    assert (np.diff(found.failure(np.arange(0, 200)), axis=1) <= 0).all()
    assert found.failure(0) == pytest.approx(np.ones(40))


def test_the_number_of_samples_for_a_share_is_read_backwards() -> None:
    found = made()
    k = found.samples_for(0.9)
    np.testing.assert_allclose(found.failure_at(k), 0.1, rtol=1e-9)
    assert (found.samples_for(0.99) == np.inf).all()
    assert np.isfinite(found.samples_for(1.0 - found.draws["unsolvable"] * 1.2)).all()


def test_given_their_counts_problems_are_better_known_than_new_ones() -> None:
    found = made(draws=200)
    k = np.array([1.0, 16.0, 256.0])
    these, new = found.of_these(k), found.pass_at_k(k)
    assert these.std(axis=0)[0] < 0.5 * new.std(axis=0)[0]
    # A fresh sample of problems that were sampled 64 times: nearly what was counted.
    seen = found.observed.set_index("k")["pass_at_k"]
    assert these[:, 0].mean() == pytest.approx(seen[1], abs=0.01)
    # Among those never solved some are unsolvable: not all come in with time.
    never = found.counts.loc[found.counts["correct"] == 0, "problems"].sum() / 200
    assert 1.0 - never < these[:, 2].mean() < 1.0


def test_what_was_counted_is_the_unbiased_estimate() -> None:
    counts = pd.DataFrame({"samples": [4, 4, 4], "correct": [0, 1, 4]})
    found = Coverage(made().draws, load_counts(counts)).observed
    assert found["k"].tolist() == [1, 2, 4]
    assert found["pass_at_k"].to_numpy() == pytest.approx([5 / 12, (0.5 + 1) / 3, 2 / 3])


def test_counts_that_are_none_are_named() -> None:
    good = pd.DataFrame({"samples": [8, 8, 8], "correct": [0, 3, 3], "model": ["a", "b", "b"]})
    plain = good.drop(columns="model")
    assert load_counts(plain)["problems"].tolist() == [1, 2]
    assert load_counts(good, {"model": "a"})["problems"].sum() == 1
    with pytest.raises(DataError, match="no column 'correct'"):
        load_counts(plain.drop(columns="correct"))
    with pytest.raises(DataError, match="1 row with counts that are none, the first row 2: 9 of 8"):
        load_counts(plain.assign(correct=[0, 9, 3]))
    with pytest.raises(DataError, match="no column 'size'"):
        load_counts(good, {"size": "a"})
    with pytest.raises(DataError, match="no row with"):
        load_counts(good, {"model": "c"})
    with pytest.raises(DataError, match="no file"):
        load_counts("nowhere.csv")


def test_counts_of_several_models_are_not_pooled_unseen() -> None:
    rows = pd.DataFrame(
        {"model": ["a", "a", "b"], "problem": [0, 1, 0], "samples": 8, "correct": 3}
    )
    with pytest.raises(DataError, match=r"2 values of 'model' .*--where model=a"):
        load_counts(rows)
    assert len(load_counts(rows, {"model": "a"})) == 1
    with pytest.raises(DataError, match="problem '0' has several rows"):
        load_counts(rows.drop(columns="model"))


def test_a_file_comes_back_and_a_figure_is_made_of_numbers(tmp_path: Path) -> None:
    found = made()
    path = found.save(tmp_path / "coverage.json")
    again = bs.load_coverage(path)
    np.testing.assert_array_equal(again.pass_at_k(7), found.pass_at_k(7))
    assert again.counts.equals(found.counts.astype(int))
    (tmp_path / "other.json").write_text('{"format": "bayescale-stack"}')
    with pytest.raises(FitFileError, match="holds no coverage"):
        bs.load_coverage(tmp_path / "other.json")
    numbers = plots.coverage_numbers(found, most=1e3)
    assert (numbers["pass_at_k"].diff("k") >= -1e-12).all()
    assert (numbers["pass_at_k"].diff("prob") >= 0).all()
    assert float(numbers["majority"].sel(votes=1, prob=0.5)) == pytest.approx(
        float(np.median(found.pass_at_k(1)))
    )
    assert plots.coverage(numbers).axes[0].get_xscale() == "log"
    with pytest.raises(ForecastError, match="fit one"):
        plots.coverage_numbers(made().table([1.0]))
    with pytest.raises(ForecastError, match="votes"):
        found.majority(0)
    text = str(found)
    assert "200 problems" in text
    assert "never solved" in text
    missed = Coverage(found.draws, found.counts, converged=False, verdict="did not converge")
    with pytest.raises(ConvergenceError, match="did not converge"):
        missed.require_converged()


LOSS = {"R0": 0.55, "omega": 0.5, "alpha": 0.16, "a": 0.5, "gamma": 0.8, "L_inf": 1.8}
ERROR = {"R0": 1.4, "steepness": 9.0, "guess": 0.9999, "L_inf": 0.02}


def a_chain(**values: Any) -> Any:
    errors = make_runs(tasks=("quiz",), metric="error", corpus=None, upper=1.0)
    first = make_fit(runs=make_runs(), draws=20, values=LOSS)
    return bs.chain(first, make_fit("error-loss", errors, draws=20, values=ERROR | values))


def test_one_budget_trains_less_and_samples_more_where_queries_are_few() -> None:
    chain, found = a_chain(), made()
    asked: dict[str, Any] = {"target": 0.85, "tokens_per_sample": 1e3, "allow_experimental": True}
    ks = [1, 4, 16, 64, 256]
    few = bs.sampling_optimum(chain, found, queries=1e3, samples=ks, **asked)
    many = bs.sampling_optimum(chain, found, queries=1e12, samples=ks, **asked)
    assert few.attrs["best"] > many.attrs["best"]
    # At its own k every draw reaches the target, by the curve moved along log k.
    one = few.sel(samples=16, prob=0.5)
    error = bs.predict(chain, params=float(one["params"]), tokens=float(one["tokens"]), kind="law")
    assert float(error.draws.mean()) == pytest.approx(float(one["error"]), rel=0.02)
    shift = [
        float(k)
        for k in np.atleast_1d(made(draws=1, spread=0.0).samples_for(1 - float(one["error"])))
    ]
    assert made(draws=1, spread=0.0).pass_at_k(16 * shift[0])[0] == pytest.approx(0.85, abs=0.01)
    # More samples, a worse single one; what is spent adds up.
    assert (few["error"].sel(prob=0.5).diff("samples") > 0).all()
    total = few["training_flop"] + few["sampling_flop"]
    assert float(total.sel(samples=1, prob=0.5)) == pytest.approx(
        float(few["flop"].sel(samples=1, prob=0.5)), rel=0.2
    )
    assert few["p_best"].sum() == pytest.approx(1.0)
    assert any("moves pass@k along log k" in c for c in few.attrs["caveats"])
    # The best k is the cheapest of all, however many others are named.
    assert float(few["flop"].sel(samples=few.attrs["best"], prob=0.5)) == pytest.approx(
        float(few["flop"].sel(prob=0.5).min())
    )


def test_what_cannot_be_reached_or_asked_is_said() -> None:
    found = made()
    with pytest.raises(PlanError, match="no draw reaches the target"):
        bs.sampling_optimum(
            a_chain(),
            found,
            target=0.97,
            queries=1e6,
            tokens_per_sample=1e3,
            allow_experimental=True,
        )
    with pytest.raises(PlanError, match="error of single samples, not of nats/token"):
        bs.sampling_optimum(
            make_fit(draws=20), found, target=0.8, queries=1e6, tokens_per_sample=1e3
        )
    with pytest.raises(PlanError, match="whole numbers"):
        bs.sampling_optimum(
            a_chain(),
            found,
            target=0.8,
            queries=1e6,
            tokens_per_sample=1e3,
            samples=[0],
            allow_experimental=True,
        )


@pytest.mark.slow
def test_a_mixture_is_recovered_and_no_unsolvable_are_found_where_none_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(12)
    simulated(rng, 800, 128, TRUE).to_csv(tmp_path / "counts.csv", index=False)
    names = [str(tmp_path / n) for n in ("counts.csv", "coverage.json")]
    assert (
        run(
            [
                "coverage",
                *names[:1],
                "-o",
                names[1],
                "--chains",
                "2",
                "--draws",
                "5000",
                "--seed",
                "4",
            ]
        )
        == 0
    )
    assert "never solved" in capsys.readouterr().out
    found = bs.load_coverage(names[1])
    exact = made(draws=1, spread=0.0)
    for k in (1, 8, 128, 2048):
        draws = found.pass_at_k(k)
        assert abs(draws.mean() - exact.pass_at_k(k)[0]) < 3.5 * draws.std()
    u = found.draws["unsolvable"]
    assert abs(u.mean() - TRUE["unsolvable"]) < 3.5 * u.std()
    # The control: rates that reach down to where 128 samples see nothing, and nobody unsolvable.
    none = simulated(rng, 800, 128, TRUE | {"unsolvable": 0.0})
    open_ended = bs.fit_coverage(none, chains=2, draws=5000, seed=4, progress=False)
    assert np.quantile(open_ended.draws["unsolvable"], 0.05) < 0.01 < np.quantile(u, 0.05)
