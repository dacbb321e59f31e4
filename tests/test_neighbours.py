"""Residuals of neighbours: uniform p where the law made the rows, none where a curve rises again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit
from scipy import stats

import bayescale as bs
from bayescale.checks import predictive
from bayescale.checks.neighbours import neighbour_p
from bayescale.predict import all_rows
from bayescale.runs import Runs

X = np.geomspace(1e6, 1e9, 40)
TRUTH = {"T": 3.0, "phi": 0.6, "delta": 0.3, "sigma": 0.01, "nu": 52.0}


def curve(bump: float = 0.0) -> np.ndarray:
    """Log loss of the law, with a peak in the middle."""
    u = np.log(X) - np.log(X).mean()
    plain = TRUTH["T"] * (TRUTH["phi"] + (1 - TRUTH["phi"]) * np.exp(-TRUTH["delta"] * u))
    return np.asarray(np.log(plain) + bump * np.exp(-(u**2)))


def runs_of(log_loss: np.ndarray, x: np.ndarray = X) -> Runs:
    table = pd.DataFrame({"tokens": x, "loss": np.exp(log_loss)})
    return bs.load_runs(table, task_info={"loss": {"metric": "nats/token"}})


def p_of(runs: Runs, sigma: float) -> float | None:
    fit = make_fit("data", runs=runs, draws=25, values=TRUTH | {"sigma": sigma})
    return neighbour_p(fit, all_rows(fit))


def test_p_is_uniform_where_the_law_made_the_rows() -> None:
    rng = np.random.default_rng(0)
    found = [p_of(runs_of(curve() + 0.01 * rng.standard_normal(40)), 0.01) for _ in range(60)]
    # A count of signs is discrete: with ties counted it lies above uniform, by at most one step of .13.
    at = np.array(found, float)
    assert stats.kstest(at, "uniform").statistic < 0.13 + stats.kstwo.ppf(0.999, 60)
    assert (at < 0.05).mean() <= stats.binom.ppf(0.999, 60, 0.05) / 60


def test_a_curve_that_rises_again_is_found_though_its_misfit_is_called_noise() -> None:
    rng = np.random.default_rng(1)
    peaked = curve(0.3) + 0.01 * rng.standard_normal(40)
    fit = make_fit("data", runs=runs_of(peaked), draws=100, values=TRUTH | {"sigma": 0.15})
    found = predictive(fit)
    assert found.neighbours is not None
    assert found.neighbours < 0.01
    assert any("neighbours along a curve miss it to the same side" in n for n in found.notes)
    assert found.to_dict()["neighbour_p"] == found.neighbours


def test_short_curves_and_laws_of_several_inputs_have_no_neighbours() -> None:
    assert p_of(runs_of(curve()[:6], X[:6]), 0.01) is None
    fit = make_fit(draws=10)
    assert neighbour_p(fit, all_rows(fit)) is None


def test_the_order_of_the_rows_does_not_matter() -> None:
    log_loss = curve() + 0.01 * np.random.default_rng(2).standard_normal(40)
    order = np.random.default_rng(3).permutation(40)
    one, other = (p_of(runs_of(log_loss[o], X[o]), 0.01) for o in (np.arange(40), order))
    assert one == pytest.approx(other)
