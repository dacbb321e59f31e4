"""Checks of a fit: uniformity and its band, PIT of the rows, powers of priors, contraction, figures as data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit
from helpers import make_fit, make_runs
from scipy import stats

import bayescale as bs
from bayescale import plots
from bayescale.checks import (
    decade_beyond,
    power_scale,
    predictive,
    prior_components,
    uniformity,
)
from bayescale.errors import DataError, ForecastError
from bayescale.posterior import Fit, contraction
from bayescale.predict import all_rows, log_likelihood
from bayescale.runs import Runs
from bayescale.spec import Prior

# ------------------------------------------------------------------ uniformity


def test_the_band_covers_as_it_says_and_p_is_uniform() -> None:
    """Under uniformity an ECDF leaves its 95 % band in at most 5 % of samples, and p falls below .05 as often."""
    rng, samples = np.random.default_rng(1), 1000
    left, small = 0, 0
    for _ in range(samples):
        found = uniformity(rng.uniform(size=40))
        left += bool(((found.ecdf < found.lower) | (found.ecdf > found.upper)).any())
        small += found.p <= 0.05
    # Monte-Carlo error: 99.9 % of binomial counts; of the simulated bound, .0034 of the level (4,000 samples), thrice.
    low, high = stats.binom.ppf(0.0005, samples, 0.04), stats.binom.ppf(0.9995, samples, 0.06)
    assert low <= left <= high
    assert low <= small <= high


@pytest.mark.parametrize("n", [20, 200])
def test_the_band_is_that_of_an_independent_implementation(n: int) -> None:
    values = np.random.default_rng(0).uniform(size=n)
    at, ecdf, lower, upper = ecdf_pit(values, 0.95, 2000, rng=np.random.default_rng(3))
    mine = uniformity(values)
    np.testing.assert_allclose(mine.at, at)
    np.testing.assert_allclose(mine.ecdf, ecdf)
    # Both simulate the level of the band: its edges are counts, which may differ by one.
    assert np.abs(mine.lower - lower).max() <= 1.5 / n
    assert np.abs(mine.upper - upper).max() <= 1.5 / n


@pytest.mark.parametrize(("a", "b"), [(3.0, 3.0), (0.5, 0.5), (2.0, 1.0)])
def test_values_that_are_not_uniform_are_found(a: float, b: float) -> None:
    found = uniformity(np.random.default_rng(2).beta(a, b, size=200))
    assert found.p < 0.01
    assert ((found.ecdf < found.lower) | (found.ecdf > found.upper)).any()


def test_values_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(DataError, match="from 0 to 1"):
        uniformity(np.array([0.2, 1.3]))


# ------------------------------------------------------------------ the fitted rows

TRUTH = {
    "R0": 0.8,
    "omega": 0.5,
    "alpha": 0.17,
    "a": 0.5,
    "gamma": 0.6,
    "L_inf": 1.8,
    "sigma": 0.02,
    "nu": 8.0,
}


def with_loss(fit: Fit, loss: np.ndarray) -> Fit:
    observed = xr.Dataset({"loss": ("run", loss)})
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    return replace(fit, tree=xr.DataTree.from_dict(parts | {"/observed_data": observed}))


@pytest.fixture(scope="module")
def right() -> Fit:
    """A fit that is sure of the truth, on 108 rows simulated from it."""
    runs = make_runs(("ant", "bee", "cat"), ("web", "code", "books", "talk"))
    fit = make_fit(runs=runs, draws=100, values=TRUTH)
    rng = np.random.default_rng(5)
    return with_loss(fit, np.exp(all_rows(fit).simulate(rng)[0]))


def test_pit_of_rows_made_by_the_model_is_uniform(right: Fit) -> None:
    rng, pit = np.random.default_rng(7), []
    for _ in range(8):
        found = predictive(with_loss(right, np.exp(all_rows(right).simulate(rng)[0])))
        pit.append(found.rows["pit"].to_numpy())
        # 108 independent rows in a band from 200 draws, whose quantiles have a standard error of their own, below .02
        # in probability: 99.9 % of binomial counts.
        for level in (50, 90):
            share = np.array([level / 100 - 0.04, level / 100 + 0.04])
            low, high = stats.binom.ppf([0.0005, 0.9995], 108, share) / 108
            assert low <= found.inside[str(level)] <= high
        assert (found.rows["khat"] <= 0.7).all()
    # A right implementation falls below once in a thousand times; the seed is fixed.
    assert uniformity(np.concatenate(pit)).p > 0.001


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: r + 0.02, "losses lie above"),
        (lambda r: 2.5 * r, "the noise is said to be too small"),
        (lambda r: 0.3 * r, "the noise is said to be too large"),
    ],
)
def test_pit_of_other_rows_is_not(right: Fit, change: object, why: str) -> None:
    rows = all_rows(right)
    centre = rows.centre[0]
    assert callable(change)
    wrong = with_loss(right, np.exp(centre + change(rows.observed - centre)))
    found = predictive(wrong)
    assert found.uniformity.p < 0.001
    assert found.why.startswith(why)
    assert any("not uniform" in n for n in found.notes)


def swept(drift: bool = True) -> Fit:
    """Three budgets of four sizes: a table with sweeps, whose rows say so, and standard errors."""
    budget, ratio = np.meshgrid([1e19, 1e20, 1e21], [0.2, 0.6, 1.7, 5.0])
    params = ((budget / 120) ** 0.5 * ratio).ravel()
    tokens = budget.ravel() / 6 / params
    loss = np.linspace(3.4, 2.5, 12)
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss, "loss_se": 0.02})
    runs = bs.load_runs(frame, param_count="total")
    fit = make_fit(runs=runs, draws=500, drift=drift)
    assert len(fit.model.sweeps) == 3
    return fit


def test_log_likelihood_is_that_of_the_forecast_and_the_offset_of_its_sweep() -> None:
    """Written out row by row from public forecasts and scipy."""
    fit, total = swept(), 0.0
    rows, theta = fit.runs, fit.parameters(fit.groups())
    for i in range(rows.sizes["run"]):
        one = rows.isel(run=i)
        loss = float(one["loss"])
        curve = bs.predict(
            fit, params=float(one["params"]), tokens=float(one["tokens"]), kind="expected"
        )
        offset = fit.posterior["offset"].sel(sweep_label=str(one["sweep_of"].item()))
        budget = f"{6 * float(one['params']) * float(one['tokens']):.2g} FLOP"
        assert str(one["sweep_of"].item()).endswith(budget)
        centre = np.log(curve.draws.squeeze("point")) + offset
        scale = np.sqrt(theta["sigma"] ** 2 + (0.02 / loss) ** 2)
        total = total + stats.t.logpdf(np.log(loss), theta["nu"], centre, scale)
    np.testing.assert_allclose(log_likelihood(fit), np.asarray(total).ravel(), rtol=1e-9)


def test_a_fit_that_lost_its_sweeps_is_refused() -> None:
    fit = swept()
    constant = fit.tree["constant_data"].to_dataset().drop_vars("sweep_of")
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    old = replace(fit, tree=xr.DataTree.from_dict(parts | {"/constant_data": constant}))
    with pytest.raises(ForecastError, match="fit again"):
        log_likelihood(old)


# ------------------------------------------------------------------ powers of a prior


@pytest.mark.parametrize("power", [0.8, 1.25])
@pytest.mark.parametrize(
    ("text", "powered"),
    [
        ("Normal(mu=1, sigma=2)", lambda a: f"Normal(mu=1, sigma={2 / a**0.5})"),
        ("LogNormal(mu=-2, sigma=0.5)", lambda a: f"LogNormal(mu=-2, sigma={0.5 / a**0.5})"),
        ("LogitNormal(mu=1, sigma=0.5)", lambda a: f"LogitNormal(mu=1, sigma={0.5 / a**0.5})"),
        ("HalfNormal(sigma=0.3)", lambda a: f"HalfNormal(sigma={0.3 / a**0.5})"),
        ("Beta(alpha=3, beta=2)", lambda a: f"Beta(alpha={3 * a}, beta={2 * a})"),
        ("Gamma(alpha=2, beta=0.1)", lambda a: f"Gamma(alpha={2 * a}, beta={0.1 * a})"),
    ],
)
def test_powers_of_a_prior_stay_in_its_family(text: str, powered: object, power: float) -> None:
    assert callable(powered)
    prior, other = Prior.parse(text), Prior.parse(powered(power))
    x = prior.quantile(np.linspace(0.01, 0.99, 9))
    gap = power * prior.log_density(x) - other.log_density(x)
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)


def weighted(log_density: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    weight = np.exp((power - 1.0) * (log_density - log_density.max()))
    weight /= weight.sum()
    return weight, float(1.0 / np.sum(weight**2))


@pytest.mark.parametrize("power", [0.8, 1.25])
def test_components_scale_the_priors_they_are_named_after(power: float) -> None:
    """On a fit whose posterior is the prior, weights by a component turn its parameter's prior into the power of it."""
    runs = make_runs(("ant", "bee", "cat"), ("web", "code"))
    fit = make_fit(runs=runs, draws=4000, drift=True, seed=3)
    found, posterior = prior_components(fit), fit.posterior
    alpha = np.log(posterior["alpha"].to_numpy().ravel())
    tau = posterior["tau_architecture"].sel(parameter_architecture="alpha").to_numpy().ravel()
    effect = posterior["effect_architecture"].sel(
        parameter_architecture="alpha", architecture="ant"
    )
    walk = posterior["walk_params"].sel(interval_params="0", curve="ant | web").to_numpy().ravel()
    amplitude = posterior["drift"].to_numpy().ravel()
    sd = fit.model.parameters["alpha"].get_prior()["sigma"]
    # (component, a standardised quantity with prior variance `was`; its variance becomes was / power)
    cases = {
        "alpha": (alpha - alpha.mean(), sd**2),
        "tau_architecture[alpha]": (tau, fit.model.parameters["alpha"].pool["architecture"] ** 2),
        # Of three effects that sum to zero, each has variance 2/3 of τ².
        "group effects": (effect.to_numpy().ravel() / tau, 2.0 / 3.0),
        # The first interval's midpoint is half a step of .6 from the pivot.
        "walks": (walk / amplitude, 0.3),
    }
    for name, (value, was) in cases.items():
        weight, ess = weighted(found[name], power)
        second = float(np.sum(weight * value**2))
        # A mean square of (half-)normal values has relative sd √(2/ess).
        assert abs(second * power / was - 1.0) < 4.5 * np.sqrt(2.0 / ess), (name, second, was)
        assert ess > 400, name


def test_sweep_offsets_are_scaled_by_their_own_component() -> None:
    fit = swept(drift=False)
    found = prior_components(fit)
    assert "walks" not in found
    z = fit.posterior["offset"] / fit.posterior["sweep"]
    np.testing.assert_allclose(
        found["sweep offsets"], -0.5 * (z**2).sum("sweep_label").to_numpy().ravel()
    )


@pytest.mark.parametrize("power", [0.8, 1.25])
def test_power_scaling_finds_the_posterior_of_a_conjugate_normal(power: float) -> None:
    """θ ~ N(0, 1), mean of 4 observations of sd 1.5 is 1: posteriors under each power are normal, in closed form."""
    draws, mean, prior_precision, data_precision = 8000, 1.0, 1.0, 4 / 1.5**2

    def posterior(a: float, b: float) -> tuple[float, float]:
        precision = a * prior_precision + b * data_precision
        return b * data_precision * mean / precision, precision**-0.5

    centre, sd = posterior(1.0, 1.0)
    theta = centre + sd * np.random.default_rng(4).standard_normal(draws)
    components = {
        "prior": stats.norm.logpdf(theta),
        "likelihood": -0.5 * data_precision * (theta - mean) ** 2,
        "nothing": np.zeros(draws),
    }
    table = power_scale(theta, components, [power]).set_index("component")
    assert (table["khat"] < 0.5).all()
    for name, (a, b) in {"prior": (power, 1.0), "likelihood": (1.0, power)}.items():
        _, ess = weighted(components[name], power)
        moved, wide = posterior(a, b)
        # Standard errors of a sample median, 1.2533/√n sd, and of the distance of two 5 % quantiles, 2.8/√n sd.
        # The same draws stand on both sides, so that these are bounds.
        assert abs(table.loc[name, "median_shift"] - (moved - centre) / sd) < 4 * 1.2533 / ess**0.5
        expected = 2 * 1.6449 * (wide - sd) / sd
        assert abs(table.loc[name, "width_change"] - expected) < 4 * 2.8 / ess**0.5
        # The negative control: what has not been scaled would be off by more than the error allowed.
        assert abs(table.loc[name, "width_change"]) > 0.5 * abs(expected)
    assert table.loc["nothing", "median_shift"] == table.loc["nothing", "width_change"] == 0.0


def test_a_forecast_without_data_hangs_on_its_priors() -> None:
    fit = make_fit(
        "data", make_runs(), draws=2000, prior={"sigma": "LogNormal(median=9, sigma=0.1)"}
    )
    found = bs.sensitivity(fit)
    # One decade of compute beyond the largest run, of a law in D alone: ten times its tokens.
    assert found.target["tokens"] == pytest.approx(10 * 2e10 * 5)
    assert "T" in found.sensitive
    assert "sigma" not in found.sensitive
    with pytest.raises(ForecastError, match="one forecast"):
        bs.sensitivity(fit, tokens=np.array([1e12, 1e13]))  # type: ignore[arg-type]
    with pytest.raises(ForecastError, match="power 1"):
        bs.sensitivity(fit, powers=(1.0,))


def test_the_default_target_is_the_family_that_reaches_furthest() -> None:
    small, large = make_runs(("ant",)).table, make_runs(("bee",), centre=(1e10, 2e11)).table
    both = pd.concat([small, large])[["architecture", "params", "tokens", "loss"]]
    target = decade_beyond(make_fit(runs=bs.load_runs(both, param_count="total"), draws=50))
    assert target["architecture"] == "bee"
    assert target["params"] * target["tokens"] == pytest.approx(10 * 5e10 * 1e12)


# ------------------------------------------------------------------ contraction


def test_contraction_in_closed_form() -> None:
    """A posterior whose log α has half the prior's spread, and τ a tenth: 1 − 1/4 and 1 − 1/100."""
    fit = make_fit(runs=make_runs(("ant", "bee")), draws=2000)
    before = fit.posterior
    middle = np.log(before["alpha"]).mean()
    alpha = np.exp(middle + 0.5 * (np.log(before["alpha"]) - middle))
    changed = before.assign(alpha=alpha, tau_architecture=before["tau_architecture"] * 0.1)
    parts = {f"/{g}": fit.tree[g].to_dataset() for g in fit.tree.children}
    narrow = replace(fit, tree=xr.DataTree.from_dict(parts | {"/posterior": changed}))
    found = contraction(narrow)
    # Prior and posterior come from the same 4,000 draws, but for τ, whose prior is exact.
    assert found["alpha"] == pytest.approx(0.75, abs=1e-9)
    assert found["gamma"] == pytest.approx(0.0, abs=1e-9)
    assert found["tau_architecture[alpha]"] == pytest.approx(0.99, abs=1e-3)
    assert narrow.summary().contraction["alpha"] == pytest.approx(0.5, abs=1e-9)


# ------------------------------------------------------------------ figures as data


def two_tasks() -> Runs:
    return make_runs(("ant", "bee"), ("web", "code"))


def test_the_figure_of_a_check_shows_what_was_checked() -> None:
    fit = make_fit(runs=two_tasks(), draws=200)
    checked = predictive(fit)
    numbers = plots.check_numbers(fit, checked=checked)
    rows = fit.runs
    np.testing.assert_allclose(numbers["x"], 6 * rows["params"] * rows["tokens"])
    np.testing.assert_allclose(numbers["loss"], rows["loss"])
    np.testing.assert_allclose(np.exp(numbers["residual"]) * checked.rows["median"], rows["loss"])
    assert (numbers["band"].sel(prob=0.5) == 0).all()
    assert (numbers["band"].diff("prob") > 0).all()
    for task in ("web", "code"):
        own = checked.rows.loc[checked.rows["task"] == task, "pit"]
        one = numbers.sel(task=task)
        expected = [(own <= z).mean() - z for z in one["at"].to_numpy()]
        np.testing.assert_allclose(one["ecdf"].to_numpy()[1:-1], expected[1:-1])
        assert float(one["p"]) == uniformity(own.to_numpy()).p
    figure = plots.check(fit, "tokens", checked=checked)
    assert [a.get_title() for a in figure.axes][:2] == ["code: prior", "code: posterior"]
    assert len(figure.axes) == 6
    with pytest.raises(bs.errors.UnknownNameError, match="axis"):
        plots.check_numbers(fit, "step", checked=checked)
