"""Noise of a run: every density against an independent one, drawn as scored, and sampled as forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import PASSED, make_fit
from scipy import integrate, stats

import bayescale as bs
from bayescale.errors import DataError, ModelError, UnknownNameError
from bayescale.posterior import Fit, group_curve
from bayescale.predict import Noise, mixture, predictive_log_density
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, coords, resolve
from bayescale.workflow import backtesting
from bayescale.zoo import load_model, load_populations
from bayescale.zoo.files import parse_model

LEVEL = 0.001  # of every test of fit: one in a thousand seeds would fail
DRAWS = 20_000


def flat(family: Any, draws: int = DRAWS, **values: float) -> Noise:
    return Noise(family, **{k: np.full(draws, v) for k, v in values.items()})


CONTINUOUS = {
    "normal": flat("normal", sigma=0.1),
    "student-t": flat("student-t", sigma=0.1, nu=4.0),
    "one-sided": flat("one-sided", sigma=0.05, inefficiency=0.2),
    "binomial": flat("binomial", sigma=0.3),
}


# ------------------------------------------------------------------ densities


def test_one_sided_noise_is_the_convolution_and_the_skew_normal() -> None:
    """Aigner, Lovell & Schmidt 1977, eq. 8: skew-normal of shape τ/σ and scale √(σ² + τ²)."""
    sigma, waste = 0.05, 0.2
    x = np.linspace(-0.4, 0.9, 14)
    noise = flat("one-sided", draws=1, sigma=sigma, inefficiency=waste)
    found = noise.log_density(x, np.zeros((1, 1)))[0]
    total = np.hypot(sigma, waste)
    np.testing.assert_allclose(found, stats.skewnorm.logpdf(x, waste / sigma, 0, total), rtol=1e-9)
    for value, density in zip(x, np.exp(found), strict=True):
        summed, _ = integrate.quad(
            lambda u, v=value: stats.norm.pdf(v - u, 0, sigma) * stats.halfnorm.pdf(u, 0, waste),
            0,
            2.0,
            points=[max(value, 0.0)],
            epsabs=1e-13,
        )
        np.testing.assert_allclose(density, summed, rtol=1e-6, atol=1e-12)


def test_a_count_is_a_binomial_of_a_beta_rate_whose_spread_is_sigma() -> None:
    rate, sigma, trials = 0.2, 0.1, 50
    noise = flat("binomial", draws=1, sigma=sigma)
    centre = np.log([[rate]])
    errors = np.arange(1, trials + 1)
    found = noise.log_density(np.log(errors / trials), centre, np.array(trials))[0] - np.log(errors)
    a, b = (1 - rate) / sigma**2, (1 - rate) ** 2 / (rate * sigma**2)
    beta = stats.beta(a, b)
    assert beta.mean() == pytest.approx(rate)
    # So far as a rate can: √[(1−p)/((1−p)+pσ²)] of σ.
    assert beta.std() / rate == pytest.approx(
        sigma * np.sqrt((1 - rate) / ((1 - rate) + rate * sigma**2))
    )
    for k in (1, 10, 30):
        summed, _ = integrate.quad(
            lambda p, k=k: stats.binom.pmf(k, trials, p) * beta.pdf(p),
            0,
            1,
            points=[rate],
            epsabs=1e-16,
        )
        assert np.exp(found[k - 1]) == pytest.approx(summed, rel=1e-6)
    np.testing.assert_allclose(found, stats.betabinom.logpmf(errors, trials, a, b), rtol=1e-9)


def test_a_student_t_is_a_normal_of_gamma_precision() -> None:
    """What the bound of an unfinished run rests on: the mean of the Normal's distribution function."""
    for nu in (2.5, 7.0):
        for z in (-3.0, -0.5, 1.0):
            gamma = stats.gamma(nu / 2, scale=2 / nu)
            summed, _ = integrate.quad(
                lambda w, z=z, g=gamma: stats.norm.cdf(z * np.sqrt(w)) * g.pdf(w), 0, np.inf
            )
            assert summed == pytest.approx(stats.t.cdf(z, nu), rel=1e-6)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution_function_and_density_belong_together(name: str) -> None:
    one = CONTINUOUS[name]
    noise = Noise(one.family, **_first(one))
    centre, x, h = np.log([[0.3]]), np.log([0.2, 0.29, 0.31, 0.4]), 1e-5
    slope = (noise.cdf(x + h, centre) - noise.cdf(x - h, centre)) / (2 * h)
    # A difference of two probabilities near 1e-16 apart, over 2e-5.
    np.testing.assert_allclose(slope, np.exp(noise.log_density(x, centre)), rtol=1e-5, atol=1e-10)


def _first(noise: Noise) -> dict[str, Any]:
    names = ("sigma", "nu", "inefficiency", "run_effect")
    return {n: v[:1] for n in names if (v := getattr(noise, n)) is not None}


# ------------------------------------------------------------------ drawn as scored


@pytest.mark.parametrize("name", CONTINUOUS)
def test_draws_have_the_distribution_that_scores_them(name: str) -> None:
    noise, centre = CONTINUOUS[name], np.full(DRAWS, np.log(0.3))
    drawn = noise.simulate(centre, np.random.default_rng(1))
    one = Noise(noise.family, **_first(noise))
    assert stats.kstest(drawn, lambda x: one.cdf(x, np.log([[0.3]]))[0]).pvalue > LEVEL
    # Negative control: the Normal of the same mean and spread is told apart from all but itself.
    like = stats.kstest(drawn, stats.norm(drawn.mean(), drawn.std()).cdf).pvalue
    assert (like > LEVEL) == (name == "normal")


def test_counts_have_the_distribution_that_scores_them() -> None:
    trials = 40
    noise, centre = flat("binomial", sigma=0.3), np.full(DRAWS, np.log(0.3))
    drawn = noise.simulate(centre, np.random.default_rng(2), np.array(trials))
    errors = np.rint(trials * np.exp(drawn)).astype(int)
    k = np.arange(1, trials + 1)
    one = flat("binomial", draws=1, sigma=0.3)
    density = one.log_density(np.log(k / trials), np.log([[0.3]]), np.array(trials))[0]
    probability = np.exp(density) / k
    whole = np.append(1.0 - probability.sum(), probability)
    expected, seen = DRAWS * whole, np.bincount(errors, minlength=trials + 1)
    large = expected >= 5
    tail = (seen[~large].sum(), expected[~large].sum())
    found = stats.chisquare(np.append(seen[large], tail[0]), np.append(expected[large], tail[1]))
    assert found.pvalue > LEVEL
    # Negative control: without over-dispersion the counts are far off.
    plain = DRAWS * stats.binom.pmf(np.arange(trials + 1), trials, 0.3)
    assert ((seen - plain)[large] ** 2 / plain[large]).sum() > stats.chi2(trials).ppf(1 - LEVEL)


def test_a_new_run_has_an_offset_of_its_own() -> None:
    noise = flat("normal", sigma=0.03, run_effect=0.04)
    rng = np.random.default_rng(3)
    drawn = noise.simulate(noise.new_run(np.zeros((DRAWS, 2)), rng), rng)
    assert stats.kstest(drawn[:, 0], stats.norm(0, 0.05).cdf).pvalue > LEVEL
    # Points are runs, not checkpoints of one: the standard error of a correlation of nothing is 1/√n.
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 4 / np.sqrt(DRAWS)


# ------------------------------------------------------------------ sampled as forecast


def curve_table(bounded: bool, **columns: Any) -> Runs:
    """Three runs of four checkpoints each, of two families, on one data axis."""
    rng, rows = np.random.default_rng(4), []
    for family, run in (("a", "one"), ("a", "two"), ("b", "three")):
        for i in range(4):
            tokens = 1e9 * 4.0**i
            loss = 0.1 + 0.3 * 4.0 ** (-0.3 * i) if bounded else 2.0 + 4.0 ** (-0.3 * i)
            loss *= float(np.exp(0.02 * rng.standard_normal()))
            rows.append((family, run, i, 1e8, tokens, round(loss, 3)))
    frame = pd.DataFrame(rows, columns=["architecture", "run", "step", "params", "tokens", "loss"])
    info: dict[str, Any] = {"metric": "nats/token"}
    if bounded:
        info = {"metric": "error", "upper": 0.9}
    return bs.load_runs(
        frame.assign(**columns),
        task_info={"loss": info},
        param_count="total",
        checkpoints="all",
    )


UNFINISHED = np.arange(12) % 4 == 3
BUILT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "normal, unfinished runs": ("data", "normal", {"unfinished": UNFINISHED}),
    "student-t, unfinished runs": ("data", "student-t", {"unfinished": UNFINISHED}),
    "one-sided": ("data", "one-sided", {}),
    "binomial": ("saturating", "binomial", {"trials": 1000}),
}


@pytest.mark.parametrize("name", BUILT)
def test_what_is_sampled_is_what_is_forecast(name: str) -> None:
    """At a point of the sampler's space: the density of every row, around its run's offset, is that of the twin."""
    from bayescale.build import build, canonical_rows

    law, family, columns = BUILT[name]
    runs = curve_table(law == "saturating", **columns)
    model = resolve(load_model(law), runs, load_populations(), drift=False, noise=family)
    assert len(model.paths) == 3
    built = build(model, runs)
    kept = [v for v in built.unobserved_value_vars if "__" not in v.name]
    log_y = built.logp(vars=built.observed_RVs, sum=False)
    bounds = built.replace_rvs_by_values([p for p in built.potentials if p.name == "unfinished"])
    function = built.compile_fn(
        [*log_y, *bounds, *kept],
        inputs=built.value_vars,
        on_unused_input="ignore",
        mode="FAST_COMPILE",
    )
    rng = np.random.default_rng(5)
    point = {k: v + 0.3 * rng.standard_normal(v.shape) for k, v in built.initial_point().items()}
    # Wide enough that no row lies so far out that its density says nothing.
    point["sigma_log__"] = np.log(0.4) + 0.0 * point["sigma_log__"]
    values = [np.asarray(v) for v in function(point)]
    named = {v.name: x for v, x in zip(kept, values[len(log_y) + len(bounds) :], strict=True)}
    dims = built.named_vars_to_dims
    posterior = xr.Dataset(
        {
            n: (("chain", "draw", *(dims.get(n) or ())), x[None, None])
            for n, x in named.items()
            if not n.startswith(("z_", "log_", "logit_"))
        },
        coords=coords(model),
    )
    rows = canonical_rows(runs)
    fit = Fit(xr.DataTree.from_dict({"/posterior": posterior}), model, PASSED, runs.hash, 0, {})
    density, cumulated = np.zeros(len(rows)), np.zeros(len(rows))
    for (a, run), part in rows.groupby(["architecture", "run_id"]):
        where = {"architecture": str(a), "task": "loss", "study": model.groups["study"][0]}
        curve = group_curve(fit, where)
        logs = {"tokens": np.log(part["tokens"].to_numpy())[None]}
        label = f"{where['study']} / {a} / {run} / loss"
        centre = np.log(curve.loss(curve.log_reducible(logs)))
        centre = centre + posterior["offset_run"].sel(path=label).item()
        noise = Noise.of(fit, curve.theta)
        trials = part["trials"].to_numpy("int64") if family == "binomial" else None
        observed = np.log(part["loss"].to_numpy())
        density[part.index] = noise.log_density(observed, centre, trials)[0]
        if trials is not None:
            density[part.index] -= observed + np.log(trials)
        if family == "normal":
            cumulated[part.index] = np.log(noise.cdf(observed, centre)[0])
        if family == "student-t" and bounds:
            last = part["unfinished"].to_numpy(bool)
            precision = named["z_precision"][rows.index[rows["unfinished"]].isin(part.index)]
            z = (observed - centre)[0, last] / noise.sigma * np.sqrt(precision)
            cumulated[part.index[last]] = stats.norm.logcdf(z)
    final = ~rows["unfinished"].to_numpy(bool) if bounds else np.ones(len(rows), bool)
    np.testing.assert_allclose(values[0], density[final], rtol=1e-8, atol=1e-8)
    if bounds:
        assert cumulated[~final].sum() < -1e-3
        # PyMC holds the √2 of this function in single precision, to 2e-8 of it.
        np.testing.assert_allclose(values[1], cumulated[~final].sum(), rtol=1e-6)


# ------------------------------------------------------------------ forecasts and back-tests


def test_a_one_sided_forecast_lies_above_its_frontier_and_says_so() -> None:
    fit = make_fit(draws=400, noise="one-sided")
    at: dict[str, Any] = {"params": 1e11, "tokens": 1e12, "architecture": "Pythia"}
    run, frontier = bs.predict(fit, **at), bs.predict(fit, **at, kind="expected")
    # Each draw lies above with probability ½ + arctan(τ/σ)/π > ½; 800 draws, four standard errors.
    above = float((run.draws > frontier.draws).mean())
    assert above > 0.5 + 4 * np.sqrt(0.25 / 800)
    assert any("frontier" in n for n in run.notes)
    assert not any("frontier" in n for n in frontier.notes)
    assert any("one-sided" in n for n in fit.summary().notes)


def test_a_plan_takes_its_probabilities_from_the_noise_of_the_forecast() -> None:
    """P(loss ≤ target) by the distribution function, and by counting draws of a run, agree to Monte-Carlo error."""
    fit = make_fit(draws=250, noise="one-sided")
    target = float(
        bs.predict(
            fit, params=1e10, tokens=2e11, architecture="Pythia", kind="expected"
        ).draws.median()
    )
    made = bs.plan(fit, bs.Budget(compute=6e10 * 2e11), target_loss=target, architecture="Pythia")
    said = made.recommendations[0]
    drawn = bs.predict(fit, params=said.params, tokens=said.tokens, architecture="Pythia").draws
    share = float((drawn <= target).mean())
    assert abs(share - said.p_hit) < 4 * np.sqrt(0.25 / drawn.size)


def test_a_back_test_scores_counts_against_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[Fit] = []

    def quick(runs: Runs, spec: ModelSpec, **settings: Any) -> Fit:
        fits.append(make_fit(spec, runs, draws=50, noise=settings["noise"]))
        return fits[-1]

    monkeypatch.setattr(backtesting, "fit", quick)
    runs = curve_table(bounded=True, trials=50)
    result = bs.backtest(
        runs, "saturating", by="tokens", cuts=[6e10], noise="binomial", progress=False
    )
    (fit,) = fits
    assert fit.model.paths
    for row in result.rows.to_dict("records"):
        assert row["median"] * 100 == pytest.approx(round(row["median"] * 100))
    first = result.rows[result.rows["architecture"] == "a"]
    where = fit.groups("a", "loss")
    centre = np.log(
        bs.predict(fit, tokens=first["tokens"].to_numpy(), architecture="a", kind="campaign")
        .draws.to_numpy()
        .reshape(100, -1)
    )
    observed = np.log(np.rint(50 * first["loss"].to_numpy()) / 50)
    noise = Noise.of(fit, fit.parameters(where))
    counts = np.full(len(first), 50)
    density = predictive_log_density(fit, where, noise, centre, observed, counts)
    np.testing.assert_allclose(first["log_score"], mixture(density), rtol=1e-9)


def test_a_back_test_scores_a_loss_as_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[Fit] = []

    def quick(runs: Runs, spec: ModelSpec, **settings: Any) -> Fit:
        fits.append(make_fit(spec, runs, draws=50, noise=settings["noise"]))
        return fits[-1]

    monkeypatch.setattr(backtesting, "fit", quick)
    se = np.where(np.arange(12) % 4 == 3, 0.5, np.nan)  # of the held-out rows alone
    words: dict[str, Any] = {"by": "tokens", "cuts": [6e10], "noise": "normal", "progress": False}
    plain = bs.backtest(curve_table(False), "data", **words).rows
    wide = bs.backtest(curve_table(False, loss_se=se), "data", **words).rows
    # Some 2.1 nats with a standard error of .5: a 90 % interval of more than 2 · 1.645 · .5, on the log scale.
    width = np.log(wide["hi90"] / wide["lo90"])
    assert (width > 3.29 * 0.9 * 0.5 / wide["loss"]).all()
    fit, first = fits[-1], wide[wide["architecture"] == "a"]
    where = fit.groups("a", "loss")
    campaign = bs.predict(fit, tokens=first["tokens"].to_numpy(), architecture="a", kind="campaign")
    centre = np.log(campaign.draws.to_numpy().reshape(100, -1))
    theta, loss = fit.parameters(where), first["loss"].to_numpy()
    scale = np.hypot(theta["sigma"].to_numpy().reshape(-1, 1), 0.5 / loss)
    noise = Noise("normal", scale, run_effect=theta["run_effect"].to_numpy().ravel())
    expected = mixture(predictive_log_density(fit, where, noise, centre, np.log(loss)))
    np.testing.assert_allclose(first["log_score"], expected, rtol=1e-9)
    assert not np.allclose(plain["log_score"], wide["log_score"])


def test_unfinished_runs_are_not_scored() -> None:
    from bayescale.workflow.folds import folds

    bounds = np.array([False] * 11 + [True])
    (fold,) = folds(curve_table(False, unfinished=bounds), "tokens", [6e10])
    assert fold.held_out.sum() == 2
    assert len(fold.fitted) == 9


# ------------------------------------------------------------------ what is refused


LIKELIHOOD = {"sigma": {"prior": "sigma"}}


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        ({"family": "normal", "nu_minus_2": {"prior": "nu_minus_2"}}, "nu_minus_2 belongs to"),
        ({"family": "one-sided"}, "inefficiency belongs to"),
        ({"family": "binomial", "inefficiency": {"prior": "inefficiency"}}, "inefficiency belongs"),
        ({"family": "one-sided", "inefficiency": {"fixed": 0.1}}, "inefficiency takes a prior"),
        ({"family": "normal", "run_effect": {"fixed": 0.1}}, "run_effect takes a prior"),
        (
            {"family": "normal", "run_effect": {"prior": "run_effect", "pool": {"study": "sweep"}}},
            "no pooling",
        ),
        ({"family": "normal", "sharing": "tasks"}, "there is none"),
        ({"family": "poisson"}, "family"),
    ],
)
def test_a_model_file_states_what_its_family_takes(
    likelihood: dict[str, Any], message: str
) -> None:
    content = {"extends": "data", "name": "own", "likelihood": {**LIKELIHOOD, **likelihood}}
    with pytest.raises(ModelError, match=message):
        parse_model(content, "own.toml")


def test_rows_have_what_the_noise_needs() -> None:
    table, populations = curve_table(True, trials=100), load_populations()
    assert resolve(load_model("saturating"), table, populations, noise="binomial").paths
    for runs, model, noise, message in (
        (curve_table(True), "saturating", "binomial", "no column 'trials'"),
        (
            curve_table(True, trials=[*[100] * 11, 10.5]),
            "saturating",
            "binomial",
            "trials in 1 row,",
        ),
        (curve_table(False, trials=100), "data", "binomial", "take a bounded law"),
        (
            curve_table(False, unfinished=UNFINISHED),
            "data",
            "one-sided",
            "3 rows of unfinished",
        ),
        (curve_table(False, unfinished=True), "data", "normal", "no run has finished"),
    ):
        with pytest.raises((DataError, ModelError), match=message):
            resolve(load_model(model), runs, populations, noise=noise)
    with pytest.raises(UnknownNameError, match="family of noise"):
        resolve(load_model("data"), curve_table(False), populations, noise="poisson")


def test_counts_may_lie_above_the_level_of_guessing() -> None:
    frame = curve_table(True, trials=20).table.assign(
        loss=lambda t: t["loss"].where(t.index > 0, 0.95)
    )
    runs = bs.load_runs(
        frame.drop(columns=["study"]),
        task_info={"loss": {"metric": "error", "upper": 0.9}},
        checkpoints="all",
        param_count="total",
    )
    resolve(load_model("saturating"), runs, load_populations(), noise="binomial")
    with pytest.raises(DataError, match="not below its random-guess level"):
        resolve(load_model("saturating"), runs, load_populations())
