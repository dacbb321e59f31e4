"""Evidence counts once: sweeps shared by their runs, groups under two names, halves, rows that say nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.checks.weights import KHAT_MAX, smoothed
from bayescale.posterior import Fit, Importance
from bayescale.predict import log_likelihood
from bayescale.runs import Runs
from bayescale.workflow.fitting import Engine

# ------------------------------------------------------------------ runs of one sweep


def swept(**values: float) -> Fit:
    """Three sweeps of two families, Normal noise; a point mass but for what is drawn anew."""
    frame = make_runs(("ant", "bee")).table
    frame["sweep"] = frame["tokens"].rank(method="dense").astype(int).astype(str)
    columns = ["architecture", "params", "tokens", "loss", "sweep"]
    runs = bs.load_runs(frame[columns], param_count="total")
    law = {"R0": 0.8, "omega": 0.5, "alpha": 0.17, "a": 0.5, "gamma": 0.6, "L_inf": 1.8}
    return make_fit(runs=runs, draws=2000, noise="normal", values=law | values)


def test_two_runs_of_one_new_sweep_differ_by_noise_and_err_together() -> None:
    sigma, tau = 0.01, 0.03
    fit = swept(sigma=sigma, sweep=tau)
    at: dict[str, Any] = {"params": [1e10, 4e10], "tokens": [2e11, 2e11]}
    both = ["ant", "bee"]
    curve = np.log(bs.predict(fit, **at, architecture=both, kind="expected").draws)
    campaign = np.log(bs.predict(fit, **at, architecture=both, kind="campaign").draws) - curve
    run = np.log(bs.predict(fit, **at, architecture=both, kind="run").draws) - curve

    def gap(errors: xr.DataArray) -> float:
        return float((errors[..., 0] - errors[..., 1]).var())

    def mean(errors: xr.DataArray) -> float:
        return float(errors.mean("point").var())

    own, own_run = campaign.sel(architecture="ant"), run.sel(architecture="ant")
    # A variance of n Normal draws has relative standard deviation √(2/n).
    close = 4 * np.sqrt(2 / 4000)
    assert gap(own) < 1e-20
    assert mean(own) == pytest.approx(tau**2, rel=close)
    assert gap(own_run) == pytest.approx(2 * sigma**2, rel=close)
    assert mean(own_run) == pytest.approx(tau**2 + sigma**2 / 2, rel=close)
    # The negative control: runs of two sweeps, one of each family, whose offsets do not cancel.
    apart = run.isel(point=0).transpose(..., "architecture")
    assert gap(apart) == pytest.approx(2 * sigma**2 + 2 * tau**2, rel=close)


# ------------------------------------------------------------------ one group under two names


def copied(side: str, name: str, rows: int = 9) -> Runs:
    frame = make_runs(("ant", "bee")).table[["architecture", "study", "params", "tokens", "loss"]]
    again = frame[frame["architecture"] == "ant"].head(rows).assign(**{side: name})
    return bs.load_runs(pd.concat([frame, again]), param_count="total")


def of_sharing(runs: Runs) -> list[str]:
    return [n for n in runs.notes if "under two names" in n]


@pytest.mark.parametrize(
    ("side", "name", "start"),
    [
        ("architecture", "ant-copy", "architectures 'ant' and 'ant-copy' share 9 rows"),
        ("study", "elsewhere", "studies 'elsewhere' and 'own' share 9 rows"),
    ],
)
def test_a_group_under_two_names_is_noticed(side: str, name: str, start: str) -> None:
    runs = copied(side, name)
    (said,) = of_sharing(runs)
    assert said.startswith(start)
    assert said in make_fit(runs=runs, draws=5).notes


def test_what_is_not_a_copy_is_left_alone() -> None:
    assert of_sharing(make_runs(("ant", "bee"), ("web", "code"), ("own", "other"))) == []
    assert of_sharing(bs.load_runs("pile-families")) == []
    # Rounded losses agree by chance: one of the nine rows of "cat" is also one of "ant".
    frame = make_runs(("ant", "cat")).table
    shared = frame["loss"].where(frame.index != 9, frame["loss"].iloc[0])
    assert of_sharing(bs.load_runs(frame.assign(loss=shared)[_PLAIN], param_count="total")) == []
    assert len(of_sharing(copied("architecture", "ant-copy", rows=1))) == 1


_PLAIN = ["architecture", "params", "tokens", "loss"]

# ------------------------------------------------------------------ halves of a table


def test_rows_that_repeat_another_are_noticed_where_no_run_id_tells_them_apart() -> None:
    one = pd.DataFrame({"params": [1e9, 2e9, 1e9], "tokens": 2e10, "loss": [3.0, 2.9, 3.0]})
    said = "1 row repeats another in every column, and each counts as a run"
    assert any(note.startswith(said) for note in bs.load_runs(one).notes)
    for apart in (one.assign(run_id=list("abc")), one.assign(loss=[3.0, 2.9, 3.001])):
        assert not any("repeat" in note for note in bs.load_runs(apart).notes)


def at_rows(fit: Fit, rows: xr.Dataset) -> Fit:
    """The same draws, held against other rows."""
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    parts |= {"/constant_data": rows.drop_vars("loss"), "/observed_data": rows[["loss"]]}
    return replace(fit, tree=xr.DataTree.from_dict(parts))


@pytest.mark.parametrize("drift", [False, True])
def test_the_density_of_the_whole_is_that_of_half_and_the_rest(drift: bool) -> None:
    frame = make_runs(("ant", "bee"), ("web", "code")).table
    frame["sweep"] = frame["tokens"].rank(method="dense").astype(int).astype(str)
    frame["loss_se"] = np.where(np.arange(len(frame)) % 3 == 0, 0.01, 0.002)
    columns = [*_PLAIN, "task", "sweep", "loss_se"]
    runs = bs.load_runs(frame[columns], param_count="total")
    fit = make_fit(runs=runs, draws=50, drift=drift)
    assert fit.model.sweeps
    first = np.random.default_rng(3).permutation(36) < 18
    half, rest = (at_rows(fit, fit.runs.isel(run=np.flatnonzero(m))) for m in (first, ~first))
    whole = log_likelihood(fit)
    np.testing.assert_allclose(log_likelihood(half) + log_likelihood(rest), whole, rtol=1e-12)
    assert np.abs(log_likelihood(half) - whole).min() > 1.0


def test_a_posterior_of_half_weighted_by_the_rest_is_that_of_the_whole() -> None:
    """Without a floor and with δ and σ known, log R₀ has a conjugate Normal posterior, in closed form."""
    sigma, delta, centre, spread = 0.05, 0.3, -0.2, 0.5
    known = {"L_inf": 1e-12, "delta": delta, "sigma": sigma}
    fit = make_fit(
        "data",
        make_runs(),
        draws=4000,
        noise="normal",
        values=known,
        prior={"L_inf": "LogNormal(median=1.75, sigma=0.15)"},
    )
    u = np.log(fit.runs["tokens"].to_numpy()) - fit.model.pivots["tokens"]
    half, rest = np.arange(9) % 2 == 0, np.arange(9) % 2 == 1
    rng = np.random.default_rng(1)
    level = -0.1 + 0.05 * rest + sigma * rng.standard_normal(9)
    rows = fit.runs.assign(loss=("run", np.exp(level - delta * u)))

    def posterior(index: np.ndarray) -> tuple[float, float]:
        precision = 1 / spread**2 + index.sum() / sigma**2
        mean = (centre / spread**2 + level[index].sum() / sigma**2) / precision
        return float(mean), float(precision**-0.5)

    mean, sd = posterior(half)
    before = fit.posterior
    draws = mean + sd * rng.standard_normal(before["R0"].shape)
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    parts["/posterior"] = before.assign(R0=before["R0"].copy(data=np.exp(draws)))
    fitted = replace(fit, tree=xr.DataTree.from_dict(parts))
    weight, khat = smoothed(log_likelihood(at_rows(fitted, rows.isel(run=np.flatnonzero(rest)))))
    ess = 1 / float(np.sum(weight**2))
    assert khat < KHAT_MAX
    full, full_sd = posterior(np.ones(9, bool))
    found = float(weight @ draws.ravel())
    found_sd = float(np.sqrt(weight @ (draws.ravel() - found) ** 2))
    # Standard errors of a mean, sd/√ess, and of a standard deviation of Normal draws, sd/√(2 ess).
    assert abs(found - full) < 4 * full_sd / np.sqrt(ess)
    assert abs(found_sd - full_sd) < 4 * full_sd / np.sqrt(2 * ess)
    # The negative control: half alone is neither.
    assert abs(mean - full) > 8 * full_sd / np.sqrt(ess)
    assert abs(sd - full_sd) > 8 * full_sd / np.sqrt(2 * ess)


# ------------------------------------------------------------------ sampled: 12 rows of a law in one axis

TOKENS = np.geomspace(1e9, 1e12, 12)
# Rows 0, 3, 4, 7, 8, 11 have the same mean log D as the other six, so that half and whole share their pivot.
HALF = np.isin(np.arange(12), [0, 3, 4, 7, 8, 11])
TARGET = 1e13


def one_axis(factor: float = 0.0, se: float = np.nan) -> pd.DataFrame:
    """L = 1.8 + .9·(D/1e10)^−.3 with noise; with ``factor``, also a run at 1e6 tokens, off by it."""
    rng = np.random.default_rng(2)
    loss = (1.8 + 0.9 * (TOKENS / 1e10) ** -0.3) * np.exp(0.004 * rng.standard_normal(12))
    frame = pd.DataFrame({"params": 1e9, "tokens": TOKENS, "loss": loss, "loss_se": np.nan})
    if factor:
        far = (1.8 + 0.9 * (1e6 / 1e10) ** -0.3) * factor
        frame.loc[12] = [1e9, 1e6, far, se * far]
    return frame


def sampled(frame: pd.DataFrame, seed: int, engine: Engine = "nuts") -> Fit:
    """Priors that no row moves: stated as numbers, and flat in log R₀, so that the pivot does not matter either."""
    frame = frame.dropna(axis=1, how="all")
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    runs = bs.load_runs(frame, task_info=info, param_count="total")
    prior = {
        "R0": "LogNormal(mu=0, sigma=10)",
        "delta": "LogNormal(median=0.3, sigma=0.5)",
        "L_inf": "LogNormal(median=1.75, sigma=0.15)",
        "sigma": "LogNormal(median=0.005, sigma=0.5)",
    }
    common: dict[str, Any] = {"drift": False, "noise": "normal", "cores": 2, "progress": False}
    return bs.fit(runs, "data", prior=prior, seed=seed, engine=engine, **common)


def forecast(fit: Fit) -> xr.DataArray:
    draws = bs.predict(fit, tokens=TARGET, kind="expected").draws
    return np.log(draws.squeeze("point", drop=True))


def moments(fit: Fit) -> tuple[float, float, float]:
    """Mean and standard deviation of the forecast of log loss, and the Monte-Carlo error of the mean."""
    draws = forecast(fit)
    error = float(arviz_stats.mcse(draws.to_dataset(name="x"), method="mean")["x"])
    return float(draws.mean()), float(draws.std()), error


@pytest.fixture(scope="module")
def whole() -> Fit:
    return sampled(one_axis(), seed=1)


@pytest.mark.slow
def test_a_fit_of_half_weighted_by_the_rest_is_the_full_fit(whole: Fit) -> None:
    half = sampled(one_axis()[HALF], seed=2)
    assert half.model.pivots["tokens"] == pytest.approx(whole.model.pivots["tokens"], abs=1e-9)
    rest = at_rows(half, whole.runs.isel(run=np.flatnonzero(~HALF)))
    weight, khat = smoothed(log_likelihood(rest))
    assert khat < KHAT_MAX
    draws = forecast(half)
    flat = draws.transpose("chain", "draw").to_numpy().ravel()
    mean, sd, error = moments(whole)
    found = float(weight @ flat)
    found_sd = float(np.sqrt(weight @ (flat - found) ** 2))
    # The weighted draws are worth no more than their own effective number, nor than the chains they come from.
    efficiency = min(1.0, float(arviz_stats.ess(draws.to_dataset(name="x"))["x"]) / len(flat))
    ess = efficiency / float(np.sum(weight**2))
    whole_ess = (sd / error) ** 2
    assert abs(found - mean) < 4 * np.hypot(error, sd / np.sqrt(ess))
    # For a standard deviation of Normal draws sd/√(2 ess); tails heavier than Normal are allowed for by another √2.
    assert abs(found_sd - sd) < 4 * sd * np.hypot(1 / np.sqrt(ess), 1 / np.sqrt(whole_ess))
    # The negative control: without the weights it is another forecast.
    assert float(draws.std()) - sd > 4 * sd * np.hypot(1 / np.sqrt(ess), 1 / np.sqrt(whole_ess))


@pytest.mark.slow
def test_without_its_smallest_run_a_fit_forecasts_as_it_should(whole: Fit) -> None:
    """The shift that a row makes has, under the model, the variance that it takes away (law of total variance)."""
    less = sampled(one_axis().iloc[1:], seed=3)
    (mean, sd, error), (other, wider, other_error) = moments(whole), moments(less)
    taken = np.sqrt(max(wider**2 - sd**2, 0.0))
    assert abs(other - mean) < 3 * taken + 4 * np.hypot(error, other_error)
    assert taken < wider / 2, (
        "the smallest of twelve runs says little of a forecast beyond the largest"
    )


@pytest.mark.slow
def test_a_far_small_run_that_says_nothing_leaves_the_forecast(whole: Fit) -> None:
    mean, sd, error = moments(whole)
    unsure = moments(sampled(one_axis(1.2, se=20.0), seed=4))
    assert abs(unsure[0] - mean) < 4 * np.hypot(error, unsure[2])
    # sd of a standard deviation, in effective draws of both as above.
    assert abs(unsure[1] - sd) < 4 * np.hypot(error, unsure[2])
    # The negative control: the same run, sure of its loss.
    sure = moments(sampled(one_axis(1.2), seed=5))
    assert abs(sure[0] - mean) > 8 * np.hypot(error, sure[2])


# ------------------------------------------------------------------ the same of twelve rows and one compiled program

NOTHING = 20.0  # standard error of a log loss that says nothing


def told(mute: np.ndarray, tokens: float | None = None) -> pd.DataFrame:
    """The twelve rows, of which some say nothing; the smallest may lie elsewhere, a fifth above the law."""
    frame = one_axis()
    if tokens is not None:
        frame.loc[0, "tokens"] = tokens
        frame.loc[0, "loss"] = 1.2 * (1.8 + 0.9 * (tokens / 1e10) ** -0.3)
    return frame.assign(loss_se=np.where(mute, NOTHING, 1e-9) * frame["loss"])


SMALLEST = np.arange(12) == 0


@pytest.fixture(scope="module")
def all_told() -> Fit:
    return sampled(told(np.zeros(12, bool)), 1, "quick")


def weighed(fit: Fit) -> tuple[float, float, float]:
    """As :func:`moments`, of resampled draws: worth no more than their weights, and than their number."""
    assert isinstance(fit.convergence, Importance)
    draws = forecast(fit)
    sd = float(draws.std())
    return float(draws.mean()), sd, sd * np.sqrt(1 / fit.convergence.ess + 1 / draws.size)


def test_half_weighted_by_the_rest_is_the_whole(all_told: Fit) -> None:
    half = sampled(told(~HALF), 2, "quick")
    rest = at_rows(half, all_told.runs.isel(run=np.flatnonzero(~HALF)))
    weight, khat = smoothed(log_likelihood(rest))
    assert khat < KHAT_MAX
    flat = forecast(half).transpose("chain", "draw").to_numpy().ravel()
    (mean, sd, error), (_, wide, half_error) = weighed(all_told), weighed(half)
    found = float(weight @ flat)
    # Weighted draws, of draws that were weighted themselves.
    other = sd * np.sqrt(float(np.sum(weight**2)) * (half_error / wide) ** 2 * len(flat))
    assert abs(found - mean) < 4 * np.hypot(error, other)
    assert abs(np.sqrt(weight @ (flat - found) ** 2) - sd) < 4 * np.hypot(error, other)
    # The negative control: without the weights it is another forecast.
    assert wide - sd > 4 * np.hypot(error, other)


def test_the_smallest_run_moves_a_forecast_by_no_more_than_it_tells(all_told: Fit) -> None:
    """As above; a row whose standard error is huge is as good as deleted, and leaves the pivot where it was."""
    without = [sampled(told(np.arange(12) == row), 3, "quick") for row in (0, 11)]
    mean, sd, error = weighed(all_told)
    (other, wider, other_error), (_, widest, widest_error) = map(weighed, without)
    taken = np.sqrt(max(wider**2 - sd**2, 0.0))
    assert abs(other - mean) < 3 * taken + 4 * np.hypot(error, other_error)
    # The largest run tells more. A standard deviation of Normal draws errs by 1/√2 of what their mean does.
    assert widest - wider > 4 * np.hypot(other_error, widest_error) / np.sqrt(2)


def test_a_far_small_run_says_nothing_where_its_error_is_huge(all_told: Fit) -> None:
    near = weighed(sampled(told(SMALLEST), 3, "quick"))
    far = weighed(sampled(told(SMALLEST, tokens=1e6), 4, "quick"))
    both = np.hypot(near[2], far[2])
    assert abs(far[0] - near[0]) < 4 * both
    assert abs(far[1] - near[1]) < 4 * both
    # The negative control: the same run, sure of its loss.
    sure = weighed(sampled(told(np.zeros(12, bool), tokens=1e6), 5, "quick"))
    assert abs(sure[0] - near[0]) > 8 * np.hypot(near[2], sure[2])
