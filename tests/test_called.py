"""The functions that nutpie is given in place of its own: the same numbers and the same answers to what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytest

from bayescale.sample.called import compiled_lightly
from bayescale.sample.density import _LOGP


def small() -> pm.Model:
    """Data that can be swapped, a transform, and a density that is not finite everywhere."""
    with pm.Model() as model:
        y = pm.Data("y", np.array([0.2, 1.3, 0.4]))
        mu = pm.Normal("mu", shape=2)
        sigma = pm.HalfNormal("sigma")
        pm.Normal("seen", mu.sum(), sigma, observed=y)
        pm.Potential("edge", pm.math.log(2.0 - mu[0]))
    return model


@pytest.fixture(scope="module")
def programs() -> tuple[Any, Any]:
    """As nutpie compiles it, and as we do."""
    own = nutpie.compile_pymc_model(small())
    with compiled_lightly():
        light = nutpie.compile_pymc_model(small())
    return own, light


def called(program: Any, point: np.ndarray, size: int) -> tuple[int, float, np.ndarray]:
    """Answer, value and gradient at a point."""
    logp = _LOGP(program.compiled_logp_func.address)
    value, gradient = np.full(1, 7.0), np.full(len(point), 7.0)
    addresses = [a.ctypes.data for a in (point, gradient, value, program.user_data)]
    return logp(size, *addresses), float(value[0]), gradient


def test_the_density_is_that_of_nutpie(programs: tuple[Any, Any]) -> None:
    own, light = programs
    rng = np.random.default_rng(0)
    for program in (own, light), (own.with_data(y=[5.0, 6.0]), light.with_data(y=[5.0, 6.0])):
        for point in rng.normal(size=(5, 3)):
            one, two = (called(p, point, 3) for p in program)
            assert one[0] == two[0] == 0
            assert one[1] == two[1]
            np.testing.assert_array_equal(one[2], two[2])


def test_what_is_wrong_has_the_same_answer(programs: tuple[Any, Any]) -> None:
    beyond, long = np.array([3.0, 0.0, 0.0]), np.zeros(4)
    for point, size in ((beyond, 3), (np.full(3, np.nan), 3), (long, 4)):
        one, two = (called(p, point, size)[0] for p in programs)
        assert one == two != 0


def test_chains_are_those_of_nutpie(programs: tuple[Any, Any]) -> None:
    one, two = (
        nutpie.sample(p, draws=50, tune=50, chains=1, cores=1, seed=1, progress_bar=False)
        for p in programs
    )
    for name in ("mu", "sigma"):
        np.testing.assert_array_equal(
            one["posterior"][name].to_numpy(), two["posterior"][name].to_numpy()
        )


def test_nutpie_is_left_as_it_was() -> None:
    own = nutpie.compile_pymc._make_c_logp_func, nutpie.compile_pymc._make_c_expand_func
    with compiled_lightly():
        assert nutpie.compile_pymc._make_c_logp_func is not own[0]
    assert (nutpie.compile_pymc._make_c_logp_func, nutpie.compile_pymc._make_c_expand_func) == own
