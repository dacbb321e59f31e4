"""Errors against an upstream loss: the printed laws, their limits and inverses, what a table needs, and recovery."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit

import bayescale as bs
from bayescale.errors import DataError, ForecastError
from bayescale.laws import LAWS, numpy_namespace
from bayescale.posterior import group_curve, upstream_of
from bayescale.runs import Runs
from bayescale.zoo import load_model

LOSS = np.linspace(1.7, 6.5, 25)
MODELS = ("error-loss", "error-loss-known", "error-loss-exponential")


def error(law: str, theta: dict[str, float], loss: np.ndarray, pivot: float) -> np.ndarray:
    done = LAWS[law].complete(theta)
    return LAWS[law].loss({"upstream_loss": np.log(loss / pivot)}, done, 1.0)


@pytest.mark.parametrize(
    ("eps", "k", "gamma"), [(0.857, 2.21, 0.715), (0.865, 2.21, 0.707), (0.850, 2.08, 0.756)]
)
def test_the_exponential_is_gadres(eps: float, k: float, gamma: float) -> None:
    """Err = eps − k·exp(−γL), as printed for the 17 tasks of three training sets."""
    pivot = 3.4
    odds = 1.0 / (k / eps * np.exp(-gamma * pivot)) - 1.0
    theta = {"R0": odds, "steepness": gamma * pivot, "guess": eps, "L_inf": 0.0}
    got = error("error-loss-exponential", theta, LOSS, pivot)
    assert got == pytest.approx(eps - k * np.exp(-gamma * LOSS), rel=1e-12)
    # What the notes of the model say of k.
    assert eps / (1.0 + odds) * np.exp(gamma * pivot) == pytest.approx(k)
    # Where the printed law would cross zero it is held.
    assert eps - k * np.exp(-gamma * 0.5) < 0
    low = error("error-loss-exponential", theta, np.array([0.5]), pivot)
    assert 0.0 < low[0] < 1e-5


def test_the_sigmoid_is_bhagias() -> None:
    """Accuracy = a/(1 + exp(−k(L − L₀))) + b with a, k negative and positive: errors from 1 − a − b to 1 − b."""
    a, k, at, b, pivot = -0.68, 5.9, 0.79, 0.91, 0.93
    accuracy = a / (1.0 + np.exp(-k * (LOSS / 4 - at))) + b
    theta = {
        "R0": float(np.exp(k * (pivot - at))),
        "steepness": k * pivot,
        "L_inf": 1.0 - b,
        "guess": -a / b,
    }
    assert error("error-loss", theta, LOSS / 4, pivot) == pytest.approx(1.0 - accuracy, rel=1e-12)


def test_far_above_its_middle_the_sigmoid_is_the_exponential() -> None:
    """What the two say differs where errors are small: the exponential falls straight on."""
    theta = {"R0": 200.0, "steepness": 3.0, "guess": 0.86, "L_inf": 0.0}
    both = [error(law, theta, LOSS, 4.0) for law in ("error-loss", "error-loss-exponential")]
    gained = [0.86 - one for one in both]
    assert gained[0][-8:] == pytest.approx(gained[1][-8:], rel=0.01)
    low = np.array([0.05])
    apart = [error(law, theta, low, 4.0)[0] for law in ("error-loss", "error-loss-exponential")]
    assert apart[0] > apart[1]


@pytest.mark.parametrize("name", MODELS)
def test_errors_rise_with_the_loss_between_floor_and_guessing_and_are_read_backwards(
    name: str,
) -> None:
    law, rng = LAWS[name], np.random.default_rng(8)
    u = np.linspace(-1.5, 2.0, 60)
    for _ in range(40):
        theta = {
            "R0": rng.lognormal(0, 1),
            "steepness": rng.uniform(0.3, 12),
            "guess": rng.uniform(0.4, 0.95),
            "L_inf": rng.uniform(0.0, 0.3),
        }
        upper = 0.8
        got = law.loss({"upstream_loss": u}, theta, upper)
        assert (np.diff(got) >= 0).all()
        most = upper if name.endswith("known") else None
        most = most or theta["L_inf"] + theta["guess"] * (upper - theta["L_inf"])
        assert theta["L_inf"] <= got.min() <= got.max() <= most + 1e-12
        inside = (got > theta["L_inf"] + 1e-4) & (got < most - 1e-4)
        back = law.link.log_reducible(numpy_namespace, got[inside], theta, upper)
        again = law.log_reducible({"upstream_loss": u[inside]}, theta)
        np.testing.assert_allclose(back, again, rtol=1e-5, atol=1e-6)


def table(
    rng: np.random.Generator, runs: int = 24, noise: float = 0.01, slope: float = 1.6
) -> pd.DataFrame:
    """Errors of one task at spread losses, by a sigmoid in the loss."""
    loss = np.exp(rng.uniform(np.log(2.2), np.log(4.5), runs))
    expected = 0.03 + 0.72 / (1.0 + np.exp(-slope * (loss - 2.9)))
    return pd.DataFrame(
        {
            "upstream_loss": loss,
            "loss": expected * np.exp(noise * rng.standard_normal(runs)),
        }
    )


def as_runs(frame: pd.DataFrame, **task: Any) -> Runs:
    return bs.load_runs(frame, task_info={"*": {"metric": "error", "upper": 1.0, **task}})


def test_a_table_of_losses_and_errors_alone_is_enough() -> None:
    runs = as_runs(table(np.random.default_rng(0)))
    fit = make_fit("error-loss", runs)
    forecast = bs.predict(fit, upstream_loss=[2.0, 3.0], kind="expected")
    assert forecast.unit == "error"
    assert (forecast.draws[..., 0] <= forecast.draws[..., 1] + 1e-12).all()
    assert float(forecast.points["decades"][0]) > 0.0 == float(forecast.points["decades"][1])
    said = {m.model: m for m in bs.suggest(runs).models}
    assert said["error-loss"].verdict == "supported"
    assert "no such column" in said["parameter-data"].reason


def test_a_row_without_its_loss_is_refused_by_count() -> None:
    frame = table(np.random.default_rng(0)).assign(params=1e9, tokens=2e10)
    frame.loc[[3, 5], "upstream_loss"] = np.nan
    with pytest.raises(DataError, match="2 rows have none"):
        make_fit("error-loss", as_runs(frame))
    with pytest.raises(ForecastError, match="upstream_loss missing"):
        bs.predict(make_fit("error-loss", as_runs(table(np.random.default_rng(0)))), params=1e9)


def test_an_error_is_read_back_to_its_loss_with_and_without_a_closed_form() -> None:
    runs = as_runs(table(np.random.default_rng(0)))
    spec = load_model("error-loss")
    drifting = spec.model_copy(
        update={
            "drift": spec.drift.model_copy(
                update={
                    "axes": {"upstream_loss": "exponent"},
                    "amplitude": spec.parameters["R0"].model_copy(
                        update={"prior": "drift", "pool": {}}
                    ),
                }
            )
        }
    )
    for fit in (make_fit(spec, runs), make_fit(drifting, runs, drift=True)):
        curve = group_curve(fit, fit.groups())
        assert curve.exact == (not fit.model.drift)
        at = np.log(np.array([[2.4, 3.1, 4.0]]))
        errors = curve.loss(curve.log_reducible({"upstream_loss": at}))
        guess = curve.theta["L_inf"] + curve.theta["guess"] * (1 - curve.theta["L_inf"])
        # Saturated errors say nothing of their loss.
        clear = (errors < 0.98 * guess[:, None]) & (errors > 1.02 * curve.theta["L_inf"][:, None])
        found = upstream_of(curve, errors)
        np.testing.assert_allclose(found[clear], np.broadcast_to(at, found.shape)[clear], atol=1e-6)
        assert clear.mean() > 0.5
        assert np.isnan(upstream_of(curve, 0.5 * curve.theta["L_inf"])).all()
        assert (upstream_of(curve, np.full(len(guess), 0.999)) == np.inf)[guess < 0.99].all()


@pytest.mark.slow
def test_a_sigmoid_is_recovered_and_noise_alone_shows_none() -> None:
    rng = np.random.default_rng(21)
    common: dict[str, Any] = {"draws": 1500, "seed": 3}
    fit = bs.fit(as_runs(table(rng, 40)), model="error-loss", **common)
    theta = fit.parameters(fit.groups())
    pivot = np.exp(fit.model.pivots["upstream_loss"])
    for name, true in (
        ("steepness", 1.6 * pivot),
        ("R0", np.exp(1.6 * (pivot - 2.9))),
        ("guess", 0.72 / 0.97),
    ):
        draws = theta[name]
        z = abs(float(draws.mean()) - true) / float(draws.std())
        assert z < 3.0, (name, z)
        assert float(draws.std()) < 0.2 * true
    # The control: errors that do not move with the loss leave the steepness near nothing.
    flat = table(rng, 40, slope=0.0)
    level = bs.fit(as_runs(flat), model="error-loss", **common, allow_unconverged=True)
    ends = bs.predict(level, upstream_loss=[2.3, 4.4], kind="law", allow_unconverged=True).draws
    rise = (ends[..., 1] / ends[..., 0]).quantile(0.5)
    clear = bs.predict(fit, upstream_loss=[2.3, 4.4], kind="law").draws
    assert float(rise) < 1.05 < 1.5 < float((clear[..., 1] / clear[..., 0]).quantile(0.5))
