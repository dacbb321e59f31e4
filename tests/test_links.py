"""Links: no loss below its floor or above guessing, each inverted, and the printed ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_laws import centred_theta, exponents, shapes, shares, some_theta

from bayescale.laws import LAWS, from_link, numpy_namespace, to_link
from bayescale.laws.links import LINKS


@settings(max_examples=60)
@given(shares, exponents, exponents, shapes, st.floats(0.0, 40.0), st.floats(0.0, 1.0))
def test_no_loss_lies_below_its_floor_up_to_1e40_flop(
    omega: float, beta: float, delta: float, gamma: float, decades: float, split: float
) -> None:
    theta = centred_theta(omega, beta, delta, gamma)
    log_total = decades * math.log(10.0) - math.log(6.0)
    at = {"params": split * log_total - 20.0, "tokens": (1 - split) * log_total - 24.0}
    loss = float(LAWS["parameter-data"].loss(at, theta))
    assert math.isfinite(loss)
    assert loss >= theta["L_inf"]


@pytest.mark.parametrize(
    "name",
    # Errors in an upstream loss fall with it: tests/test_error_loss.py.
    [n for n, law in LAWS.items() if law.link.bounded and "upstream_loss" not in law.inputs],
)
def test_bounded_laws_stay_between_floor_and_guessing(name: str) -> None:
    law, upper = LAWS[name], 0.75
    theta = some_theta(law, np.random.default_rng(1))
    scale = np.linspace(-300.0, 300.0, 301)
    loss = law.loss(dict.fromkeys(law.inputs, scale), theta, upper)
    assert np.all(np.isfinite(loss))
    assert loss.min() >= theta["L_inf"]
    assert loss.max() <= upper * (1 + 1e-15)
    assert np.all(np.diff(loss) <= 0)
    assert loss[0] == pytest.approx(upper)
    assert loss[-1] == pytest.approx(theta["L_inf"])


# The exponential's R is in units of R₀: tests/test_error_loss.py.
@pytest.mark.parametrize("name", sorted(LINKS.keys() - {"exponential"}))
def test_links_invert(name: str) -> None:
    link, xp = LINKS[name], numpy_namespace
    log_r = np.linspace(-8.0, 2.0, 21)
    for power in (0.3, 0.5, 1.0, 3.0, 10.0) if link.parameters else (1.0,):
        theta = {"L_inf": 0.2} | {p.name: power for p in link.parameters}
        loss = link.loss(xp, log_r, theta, 0.75)
        assert link.log_reducible(xp, loss, theta, 0.75) == pytest.approx(log_r, abs=1e-9)
        # The whole loss and the floor's share in it say the same as level and floor.
        whole, share = loss / (0.75 if link.bounded else 1.0), 0.2 / loss
        level, floor = link.from_whole(xp, {**theta, "T": whole, "phi": share}, 0.75)
        assert np.log(level) == pytest.approx(log_r, abs=1e-9)
        assert floor == pytest.approx(np.full(21, 0.2))


@pytest.mark.parametrize(
    ("a", "b", "k", "coverage"),
    [
        # Brown et al. 2024: fits as printed, beside the coverage that the text reports.
        (-1.74, -0.21, 1.0, 0.159),  # SWE-bench Lite, DeepSeek-Coder
        (-1.74, -0.21, 250.0, 0.56),
        (-1.33, -0.43, 100.0, 0.829),  # MATH, Llama-3-8B
        (-1.33, -0.43, 10_000.0, 0.9844),
    ],
)
def test_coverage_is_the_exponential_of_a_power_law(
    a: float, b: float, k: float, coverage: float
) -> None:
    theta = {"R0": -a, "alpha": -b, "L_inf": 0.0}
    got = 1.0 - float(LAWS["coverage"].loss({"compute": np.log(k)}, theta, 1.0))
    assert got == pytest.approx(math.exp(a * k**b), rel=1e-12)
    # A fit of the whole curve lies within .025 of each of its ends.
    assert got == pytest.approx(coverage, abs=0.025)


def test_the_general_link_is_the_saturating_one_at_power_one_and_the_floor_at_power_zero() -> None:
    """Alabdulmohsin et al. 2022: M4 reduces to M2 as its exponent vanishes; R is measured over the link's own range."""
    log_r, xp = np.linspace(-9.0, 6.0, 31), numpy_namespace
    general, at = LINKS["general-saturating"].loss, {"L_inf": 0.2, "guess_power": 1.0}
    one = LINKS["saturating"].loss(xp, log_r, at, 0.75)
    assert general(xp, log_r, at, 0.75) == pytest.approx(one, rel=1e-14)
    below = log_r[log_r < -0.1]
    above_floor = LINKS["floor"].loss(xp, below + np.log(0.55), at, None)
    none = general(xp, below, {**at, "guess_power": 1e-6}, 0.75)
    # At power λ the share s is R·(1 − s)^λ, so that it is off by λ·log(1 − s).
    assert none == pytest.approx(above_floor, rel=2e-6 * 2.5)
    # As printed: (L − L∞)/(L₀ − L)^λ is the power law, in another unit.
    for power in (0.4, 2.5):
        loss = general(xp, log_r, {**at, "guess_power": power}, 0.75)
        printed = np.log(loss - 0.2) - power * np.log(0.75 - loss)
        assert np.diff(printed) == pytest.approx(np.diff(log_r), rel=1e-7)


@pytest.mark.parametrize("support", ["positive", "unit"])
def test_link_scale_round_trip(support: str) -> None:
    values = np.linspace(0.01, 0.99, 25)
    eta = to_link(numpy_namespace, support, values)  # type: ignore[arg-type]
    back = from_link(numpy_namespace, support, eta)  # type: ignore[arg-type]
    assert back == pytest.approx(values, rel=1e-13)
