"""Whitened coordinates: the same density, the same draws, fewer steps; and none of it where there is no need."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from bayescale.posterior import Convergence
from bayescale.sample import Compiled, compile_model, draw
from bayescale.sample.density import Density
from bayescale.sample.whitening import Whitened, whitened, wrapped

DIM, KNOWN, SD = 30, 15, 1e-3
RNG = np.random.default_rng(7)
SEEN, VALUES = RNG.standard_normal((KNOWN, DIM)), RNG.standard_normal(KNOWN)


@pytest.fixture(scope="module")
def stiff() -> Compiled:
    """Half of the directions are known a thousand times closer than the other half; none lies along an axis."""
    with pm.Model(coords={"axis": np.arange(DIM)}) as model:
        x = pm.Normal("x", dims="axis")
        pm.Normal("seen", mu=pt.dot(SEEN, x), sigma=SD, observed=VALUES)
    return compile_model(model)


def test_it_is_the_same_density(stiff: Compiled) -> None:
    rng = np.random.default_rng(0)
    dim = stiff.program.n_dim
    location, scale = rng.standard_normal(dim), rng.standard_normal((dim, dim))
    other = wrapped(stiff.program, location, scale, location[None])
    z = rng.standard_normal((5, dim))
    value, slope = Density(stiff.program).at(location + z @ scale.T)
    there, slope_there = Density(other).at(z)
    np.testing.assert_allclose(there, value, rtol=1e-12)
    np.testing.assert_allclose(slope_there, slope @ scale, rtol=1e-9)
    assert (Density(other).at(z + 0.1)[0] != value).all()


def test_a_stiff_posterior_takes_fewer_steps_to_the_same_draws(stiff: Compiled) -> None:
    settings = {"draws": 400, "tune": 400, "chains": 4, "cores": 2, "seed": 1, "target_accept": 0.9}
    settled = stiff.settled(cores=2, seed=1)
    assert isinstance(settled.program, Whitened)
    raw, moved = draw(stiff, **settings), draw(settled, **settings)
    steps = [float(t["sample_stats"]["n_steps"].mean()) for t in (raw, moved)]
    assert steps[1] < steps[0] / 4
    # The posterior is Normal: precision 1 + SEENᵀSEEN/SD².
    covariance = np.linalg.inv(np.eye(DIM) + SEEN.T @ SEEN / SD**2)
    mean = covariance @ SEEN.T @ VALUES / SD**2
    found = moved["posterior"]["x"].to_numpy().reshape(-1, DIM)
    sd = np.sqrt(np.diag(covariance))
    # 1,600 draws, as good as 400 independent ones at the least: five standard errors of each mean and sd.
    assert (np.abs(found.mean(axis=0) - mean) < 5 * sd / np.sqrt(400)).all()
    assert (np.abs(found.std(axis=0) / sd - 1) < 5 / np.sqrt(2 * 400)).all()


def test_what_is_easy_stays_as_it_is() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
    compiled = compile_model(model)
    assert whitened(compiled.program, cores=2, seed=0) is compiled.program


@pytest.mark.parametrize(
    ("change", "short"),
    [({}, True), ({"rhat": 1.06}, False), ({"divergences": 50}, False), ({"ebfmi": 0.2}, False)],
)
def test_more_chains_are_drawn_only_where_length_is_all_that_lacks(
    change: dict[str, float], short: bool
) -> None:
    fields = {"rhat": 1.02, "ess_bulk": 300.0, "ess_tail": 500.0, "divergences": 0, "ebfmi": 0.8}
    verdict = Convergence(
        rhat_at="a", ess_bulk_at="a", ess_tail_at="a", draws=4000, **(fields | change)
    )
    assert verdict.only_short is short
