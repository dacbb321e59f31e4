"""The exact optimum of a joint law whose exponents drift, against dense grids."""

from __future__ import annotations

import numpy as np
import pytest

from bayescale.laws import STEP, Walk, drifting_optimum, get_law, walk_matrix

DRAWS, TOTAL, LOW, HIGH = 300, 7.0, -9.0, 14.0
GRID = np.linspace(LOW, HIGH, 40_001)


def theta(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = {"R0": (0.5, 2.0), "omega": (0.2, 0.8), "beta": (0.2, 0.6), "delta": (0.2, 0.6)}
    drawn = {name: rng.uniform(*ends, DRAWS) for name, ends in names.items()}
    return drawn | {"gamma": rng.choice([0.3, 1.0, 1.5], DRAWS)}


def walk(seed: int, amplitude: float, first: int = -8, last: int = 12) -> Walk:
    rng = np.random.default_rng(seed)
    unit = rng.standard_normal((DRAWS, last - first)) @ walk_matrix(first, last).T
    far = {k: rng.standard_normal(DRAWS) for k in range(-60, 60)}
    return Walk(first, amplitude * unit, np.full(DRAWS, amplitude), far.__getitem__)


def log_r(parameters: dict[str, np.ndarray], walks: dict[str, Walk], u: np.ndarray) -> np.ndarray:
    centred = {
        "params": walks["params"].stretched(u[None]),
        "tokens": walks["tokens"].stretched(TOTAL - u[None]),
    }
    return np.asarray(
        get_law("parameter-data").log_reducible(
            centred, {name: values[:, None] for name, values in parameters.items()}
        )
    )


def lowest(walks: dict[str, Walk], low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """At the total, found in one call with another, which must not matter."""
    u, found = drifting_optimum(theta(0), walks, np.array([TOTAL, TOTAL + 5.0]), low, high)
    return u[:, 0], found[:, 0]


@pytest.mark.parametrize("amplitude", [0.0, 0.2, 1.2])
@pytest.mark.parametrize("still", [None, "params", "tokens"])
def test_no_point_of_a_dense_grid_is_lower_and_one_is_as_low(
    amplitude: float, still: str | None
) -> None:
    walks = {"params": walk(1, amplitude), "tokens": walk(2, amplitude)}
    if still is not None:
        walks[still] = Walk.still(DRAWS)
    u, found = lowest(walks, LOW, HIGH)
    values = log_r(theta(0), walks, GRID)
    assert (found <= values.min(axis=1) + 1e-12).all()
    # Within half a step of the grid the log changes by no more than its steepest step.
    steepest = np.abs(np.diff(values, axis=1)).max(axis=1)
    assert (found >= values.min(axis=1) - steepest).all()
    assert (u >= LOW).all()
    assert (u <= HIGH).all()
    at = np.take_along_axis(
        values, np.argmin(np.abs(GRID[None] - u[:, None]), axis=1)[:, None], axis=1
    )
    assert (np.abs(at[:, 0] - found) <= steepest).all()


def test_strong_walks_have_several_minima_so_that_a_descent_would_not_do() -> None:
    walks = {"params": walk(1, 1.2), "tokens": walk(2, 1.2)}
    values = log_r(theta(0), walks, GRID)
    downhill = np.diff(values, axis=1) < 0
    minima = (downhill[:, :-1] & ~downhill[:, 1:]).sum(axis=1)
    assert (minima > 1).sum() > 0.05 * DRAWS


def test_an_optimum_outside_the_search_is_on_its_edge() -> None:
    walks = {"params": Walk.still(DRAWS), "tokens": Walk.still(DRAWS)}
    u, _ = lowest(walks, 30.0, 30.0 + 3 * STEP)
    np.testing.assert_allclose(u, 30.0)
