"""Drift of local exponents: the stretched input, its matrix form, and one path a draw, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.laws import STEP, Walk, intervals, overlap, walk_matrix


def walk(first: int = -3, last: int = 4, draws: int = 5, amplitude: float = 0.4) -> Walk:
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((draws, last - first)) @ walk_matrix(first, last).T
    tau = np.full(draws, amplitude)
    return Walk(
        first,
        tau[:, None] * unit,
        tau,
        lambda k: np.random.default_rng([7, k + 1000]).standard_normal(draws),
    )


@given(st.floats(-40, 40), st.floats(-40, 40))
def test_intervals_cover_the_range_and_both_sides_of_the_pivot(a: float, b: float) -> None:
    first, last = intervals(min(a, b), max(a, b))
    assert first <= -1
    assert last >= 1
    assert first * STEP <= min(a, b)
    assert last * STEP >= max(a, b)


def test_the_sampler_and_the_forecast_stretch_alike() -> None:
    u = np.linspace(-1.7, 2.3, 23)
    held = walk()
    by_matrix = np.exp(held.value) @ overlap(u, -3, 4).T
    np.testing.assert_allclose(held.stretched(u[None]), by_matrix, rtol=1e-12)


def test_without_amplitude_the_input_is_left_alone() -> None:
    u = np.linspace(-9.0, 30.0, 50)[None]
    flat = Walk(-2, np.zeros((3, 5)), np.zeros(3), lambda k: np.ones(3))
    np.testing.assert_allclose(flat.stretched(u), np.repeat(u, 3, axis=0), atol=1e-12)


def test_it_rises_everywhere_and_is_zero_at_the_pivot() -> None:
    u = np.linspace(-12.0, 40.0, 400)[None]
    assert np.all(np.diff(walk(amplitude=1.5).stretched(u), axis=1) > 0)
    np.testing.assert_allclose(walk().stretched(np.zeros((1, 1))), 0.0)


def test_a_draw_has_one_path_whoever_asks_and_however_far() -> None:
    held, near, far = (
        walk(),
        np.array([[2.0, 5.0, -4.0]]),
        np.array([[2.0, 5.0, -4.0, 60.0, -30.0]]),
    )
    np.testing.assert_allclose(held.stretched(near), held.stretched(far)[:, :3], rtol=1e-12)
    extended = held.reaching(-30.0, 60.0)
    np.testing.assert_allclose(extended.stretched(near), held.stretched(near), rtol=1e-12)


def test_each_draw_may_have_inputs_of_its_own() -> None:
    held, u = walk(), np.random.default_rng(1).uniform(-5, 9, (5, 7))
    one_by_one = np.stack([held.stretched(row[None])[i] for i, row in enumerate(u)])
    np.testing.assert_allclose(held.stretched(u), one_by_one, rtol=1e-12)


def test_variance_grows_with_the_distance_from_the_pivot_on_either_side() -> None:
    """Var W = τ²·distance of the interval's midpoint: half a step next to the pivot."""
    matrix = walk_matrix(-4, 6)
    midpoint = np.abs(STEP * (np.arange(-4, 6) + 0.5))
    np.testing.assert_allclose((matrix**2).sum(axis=1), midpoint)
    assert np.allclose(matrix[:4, 4:], 0.0)  # the two sides are independent


def test_the_local_exponent_is_the_slope_of_the_stretched_input() -> None:
    held, u = walk(), 1.9
    slope = (held.stretched(np.array([[u + 1e-6]])) - held.stretched(np.array([[u - 1e-6]]))) / 2e-6
    np.testing.assert_allclose(held.local(u), slope[:, 0], rtol=1e-6)


@pytest.mark.parametrize("u", [-0.6, 0.0, 0.6, 2.4])
def test_edges_of_intervals_are_continuous(u: float) -> None:
    held = walk()
    left, right = held.stretched(np.array([[u - 1e-9]])), held.stretched(np.array([[u + 1e-9]]))
    np.testing.assert_allclose(left, right, atol=1e-7)
