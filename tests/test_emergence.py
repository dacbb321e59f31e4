"""Exact matches: a smooth loss that looks sudden, and a threshold that is more than that; the two as one law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit

import bayescale as bs
from bayescale.posterior import group_curve
from bayescale.runs import Runs
from bayescale.zoo import load_model

FLOP = np.geomspace(1e18, 1e24, 25)
PIVOT = float(np.exp(np.log(FLOP).mean()))
SMOOTH = {"R0": 6.0, "alpha": 0.25, "L_inf": 0.0}


def as_runs(error: np.ndarray, compute: np.ndarray = FLOP) -> Runs:
    frame = pd.DataFrame({"compute": compute, "loss": error})
    return bs.load_runs(frame, task_info={"*": {"metric": "error", "upper": 1.0}})


def errors(theta: dict[str, float], compute: np.ndarray = FLOP) -> np.ndarray:
    """1 - exp(-R), R a power of compute that turns at ``break_at``."""
    x = compute / PIVOT
    log_r = np.log(theta["R0"]) - theta["alpha"] * np.log(x)
    if "bend" in theta:
        f, at = theta["softness"], theta["break_at"]
        turn = np.log1p((x / at) ** (1 / f)) - np.log1p(at ** (-1 / f))
        log_r = log_r - theta["alpha"] * (theta["bend"] - 1.0) * f * turn
    return np.asarray(-np.expm1(-np.exp(log_r)))


def counted(theta: dict[str, float], items: int = 5000) -> tuple[Runs, float]:
    """Wrong answers of so many items, where the law itself is neither nearly all wrong nor nearly all right; the pivot.

    Rows are not chosen by what was counted: those with a first right answer would all be too good.
    """
    compute = np.geomspace(1e18, 1e24, 49)
    rate = errors(theta, compute)
    seen = (rate > 0.01) & (rate < 0.99)
    wrong = np.random.default_rng(1).binomial(items, rate[seen])
    frame = pd.DataFrame({"compute": compute[seen], "loss": wrong / items, "trials": items})
    info = {"*": {"metric": "error", "upper": 1.0}}
    return bs.load_runs(frame, task_info=info), float(np.exp(np.log(compute[seen]).mean()))


def test_the_laws_are_what_is_printed_and_without_a_break_they_are_one() -> None:
    runs = as_runs(errors(SMOOTH))
    sudden = SMOOTH | {"bend": 4.0, "break_at": 3.0, "softness": 0.4}
    for model, theta in (
        ("exact-match", SMOOTH),
        ("emergence", SMOOTH | {"bend": 1.0, "break_at": 3.0, "softness": 0.4}),
        ("emergence", sudden),
    ):
        values = {n: v for n, v in theta.items() if n != "L_inf"}
        fit = make_fit(model, runs, draws=3, values=values)
        curve = group_curve(fit, fit.groups())
        got = curve.loss(curve.log_reducible({"compute": np.log(FLOP)[None]}))
        np.testing.assert_allclose(got, np.broadcast_to(errors(theta), got.shape), rtol=1e-9)


def test_a_smooth_loss_looks_sudden_through_the_metric() -> None:
    """Six decades of compute: the log of the loss falls in a straight line, and matches come in the last third."""
    match = 1.0 - errors(SMOOTH)
    third = len(FLOP) // 3
    assert match[third] < 1e-3
    assert match[-1] - match[-third] > 0.5 * match[-1]
    clear = match > 1e-6  # below, one less an error has few digits left
    slope = np.diff(np.log(-np.log(match[clear]))) / np.diff(np.log(FLOP[clear]))
    assert len(slope) > 15
    assert slope == pytest.approx([-SMOOTH["alpha"]] * len(slope))


def test_priors_leave_room_for_no_threshold_and_for_one() -> None:
    fit = make_fit("emergence", as_runs(errors(SMOOTH)), draws=1000)
    bend = fit.posterior["bend"].to_numpy().ravel()
    assert np.median(bend) == pytest.approx(1.0, abs=0.1)
    assert (bend > 3.0).mean() > 0.08
    assert load_model("emergence").status == load_model("exact-match").status == "experimental"


@pytest.mark.slow
def test_a_threshold_is_found_where_there_is_one_and_not_where_the_metric_makes_it() -> None:
    common: dict[str, Any] = {"noise": "binomial", "draws": 1500, "seed": 5, "progress": False}
    true = {"R0": 2.0, "alpha": 0.08, "L_inf": 0.0, "bend": 6.0, "break_at": 10.0, "softness": 0.3}
    runs, pivot = counted(true)
    fit = bs.fit(runs, model="emergence", **common)
    low, high = np.quantile(fit.posterior["bend"], [0.05, 0.95])
    assert 2.0 < low < true["bend"] < high
    log_at = np.log(fit.posterior["break_at"].to_numpy() * pivot / PIVOT)
    assert abs(log_at.mean() - np.log(true["break_at"])) < 3.0 * log_at.std() < 0.5
    # The control: as sudden to the eye, and a straight line in the log of the loss.
    smooth = bs.fit(counted(SMOOTH)[0], model="emergence", **common)
    low, high = np.quantile(smooth.posterior["bend"], [0.05, 0.95])
    assert low < 1.0 < high
