"""Priors as values: what parses, what does not and what the message says, and how they are moved and sampled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayescale.errors import ModelError
from bayescale.laws import numpy_namespace, to_link
from bayescale.spec import FAMILIES, Prior

EXAMPLES = [
    "Normal(mu=-1.2, sigma=0.3)",
    "LogNormal(mu=-2.04, sigma=0.45)",
    "LogitNormal(mu=0.3, sigma=0.5)",
    "HalfNormal(sigma=0.1)",
    "Beta(alpha=20, beta=18.5)",
    "Gamma(alpha=2, beta=0.1)",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_printed_prior_reads_back(text: str) -> None:
    prior = Prior.parse(text)
    assert Prior.parse(str(prior)) == prior
    assert str(prior) == text
    assert repr(prior) == repr(Prior.parse(f"  {text.replace(', ', ' ,')} "))
    assert {prior.family for prior in map(Prior.parse, EXAMPLES)} == set(FAMILIES)


@given(st.floats(-50, 50), st.floats(1e-6, 1e6))
def test_any_prior_reads_back_to_twelve_digits(mu: float, sigma: float) -> None:
    prior = Prior.make("LogNormal", mu=mu, sigma=sigma)
    again = Prior.parse(str(prior))
    assert again["mu"] == pytest.approx(mu, rel=1e-11, abs=1e-300)
    assert again["sigma"] == pytest.approx(sigma, rel=1e-11)
    assert str(again) == str(prior)


def test_median_is_exp_mu() -> None:
    assert Prior.parse("LogNormal(median=0.13, sigma=0.45)")["mu"] == math.log(0.13)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LogNormel(mu=1, sigma=1)", "did you mean 'LogNormal'"),
        ("LogNormal", "expected e.g."),
        ("LogNormal(1, 1)", "'1' in .* is not name=number"),
        ("LogNormal(mu=one, sigma=1)", "'mu=one' in .* is not name=number"),
        ("LogNormal(mu=1)", r"takes \(mu, sigma\), not \(mu\)"),
        ("LogNormal(mu=1, sigma=1, nu=3)", r"takes \(mu, sigma\)"),
        ("LogNormal(mu=1, sigma=0)", "sigma = 0 .expected a positive, finite number"),
        ("LogNormal(mu=1, sigma=-1)", "sigma = -1 .expected a positive, finite number"),
        ("LogNormal(mu=inf, sigma=1)", "mu = inf"),
        ("Normal(mu=nan, sigma=1)", "mu = nan .expected a finite number"),
        ("LogNormal(median=-1, sigma=1)", "median = -1"),
        ("LogNormal(mu=0, median=1, sigma=1)", "both mu and median"),
        ("LogNormal(mu=0, mu=1, sigma=1)", "mu is given twice"),
        ("Normal(median=1, sigma=1)", r"takes \(mu, sigma\)"),
        ("__import__('os').system('true')", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_bad_priors_say_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        Prior.parse(text, "prior of beta")
    assert str(caught.value).startswith("prior of beta: ")


def by_scipy(prior: Prior) -> Any:
    v = dict(prior.values)
    return {
        "Normal": lambda: stats.norm(v["mu"], v["sigma"]),
        "LogNormal": lambda: stats.lognorm(s=v["sigma"], scale=np.exp(v["mu"])),
        "HalfNormal": lambda: stats.halfnorm(0, v["sigma"]),
        "Beta": lambda: stats.beta(v["alpha"], v["beta"]),
        "Gamma": lambda: stats.gamma(v["alpha"], scale=1 / v["beta"]),
    }[prior.family]()


P = np.array([0.001, 0.05, 0.5, 0.9, 0.999])


@pytest.mark.parametrize("text", [e for e in EXAMPLES if "Logit" not in e])
def test_quantiles_are_scipys(text: str) -> None:
    prior = Prior.parse(text)
    np.testing.assert_allclose(prior.quantile(P), by_scipy(prior).ppf(P), rtol=1e-12)


def test_quantiles_of_a_logit_normal() -> None:
    z = 0.3 + 0.5 * stats.norm.ppf(P)
    got = Prior.parse("LogitNormal(mu=0.3, sigma=0.5)").quantile(P)
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-z)), rtol=1e-12)


@pytest.mark.parametrize("text", EXAMPLES)
def test_samples_follow_the_quantiles(text: str) -> None:
    prior, n = Prior.parse(text), 20_000
    draws = prior.sample(np.random.default_rng(0), n)
    assert draws.shape == (n,)
    for p in (0.1, 0.5, 0.9):
        below = float(np.mean(draws <= prior.quantile(p)))
        assert abs(below - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_link_moments() -> None:
    # The mean log (or logit) is exact up to the grid of quantiles.
    assert Prior.parse("LogNormal(mu=-2, sigma=0.45)").link_moments("positive") == pytest.approx(
        (-2.0, 0.45), abs=5e-4
    )
    assert Prior.parse("LogitNormal(mu=0.3, sigma=0.5)").link_moments("unit") == pytest.approx(
        (0.3, 0.5), abs=5e-4
    )
    prior = Prior.parse("Beta(alpha=3, beta=3)")
    n = 200_000
    z = to_link(numpy_namespace, "unit", prior.sample(np.random.default_rng(1), n))
    mean, sd = prior.link_moments("unit")
    assert abs(mean - z.mean()) < 4 * sd / math.sqrt(n)
    assert sd == pytest.approx(z.std(), rel=4 * math.sqrt(1.5 / n) + 1e-3)


def test_moving_a_prior_scales_its_parameter() -> None:
    for text in ("LogNormal(mu=0.2, sigma=0.3)", "Gamma(alpha=2, beta=0.5)"):
        prior = Prior.parse(text)
        np.testing.assert_allclose(
            prior.moved(math.log(3.0)).quantile(P), 3.0 * prior.quantile(P), rtol=1e-10
        )
    with pytest.raises(ModelError, match="no scale to convert"):
        Prior.parse("Beta(alpha=2, beta=2)").moved(1.0)
