"""Whitened coordinates: the same density, the same draws, fewer steps; and none of it where there is no need."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from bayescale.posterior import Convergence
from bayescale.sample import Compiled, compile_model, draw, whitening
from bayescale.sample.density import Density
from bayescale.sample.maps import Bordered, Dense, Map, Whitened, wrapped
from bayescale.sample.whitening import whitened

DIM, KNOWN, SD = 30, 15, 1e-3
RNG = np.random.default_rng(7)
SEEN, VALUES = RNG.standard_normal((KNOWN, DIM)), RNG.standard_normal(KNOWN)
CURVES, SIZE, BORDER = 8, 3, 4
# Of each curve all but one direction is known, along no axis; of what is shared, nothing by itself.
LOOKS = RNG.standard_normal((CURVES, SIZE - 1, SIZE + BORDER))
SEEN_BY_CURVE = RNG.standard_normal((CURVES, SIZE - 1))
SETTINGS = {"draws": 400, "tune": 400, "chains": 4, "cores": 2, "seed": 1, "target_accept": 0.9}


@pytest.fixture(scope="module")
def stiff() -> Compiled:
    """Half of the directions are known a thousand times closer than the other half; none lies along an axis."""
    with pm.Model(coords={"axis": np.arange(DIM)}) as model:
        x = pm.Normal("x", dims="axis")
        pm.Normal("seen", mu=pt.dot(SEEN, x), sigma=SD, observed=VALUES)
    return compile_model(model)


@pytest.fixture(scope="module")
def curves() -> Compiled:
    """Curves that are independent given what they share."""
    coords = {"curve": np.arange(CURVES), "each": np.arange(SIZE), "all": np.arange(BORDER)}
    with pm.Model(coords=coords) as model:
        common = pm.Normal("common", dims="all")
        own = pm.Normal("own", dims=("curve", "each"))
        mine = (LOOKS[:, :, :SIZE] * own[:, None, :]).sum(axis=2)
        theirs = (LOOKS[:, :, SIZE:] * common).sum(axis=2)
        pm.Normal("seen", mu=mine + theirs, sigma=SD, observed=SEEN_BY_CURVE)
    return compile_model(model)


def precision(compiled: Compiled) -> tuple[np.ndarray, np.ndarray]:
    """Of the posterior of `curves`, by position in a point, and its linear term."""
    assert compiled.own is not None
    shared = np.setdiff1d(np.arange(CURVES * SIZE + BORDER), compiled.own)
    rows = np.zeros((CURVES, SIZE - 1, CURVES * SIZE + BORDER))
    for curve, own in enumerate(compiled.own):
        rows[curve][:, [*own, *shared]] = LOOKS[curve]
    flat = rows.reshape(-1, rows.shape[-1])
    return np.eye(rows.shape[-1]) + flat.T @ flat / SD**2, flat.T @ SEEN_BY_CURVE.ravel() / SD**2


def random_map(kind: str, compiled: Compiled) -> Map:
    rng = np.random.default_rng(0)
    dim = compiled.program.n_dim
    if kind == "dense":
        return Dense(rng.standard_normal(dim), rng.standard_normal((dim, dim)))
    assert compiled.own is not None
    shared = np.setdiff1d(np.arange(dim), compiled.own)
    return Bordered(
        rng.standard_normal(dim),
        compiled.own,
        shared,
        rng.standard_normal((CURVES, SIZE, SIZE)),
        rng.standard_normal((CURVES * SIZE, BORDER)),
        rng.standard_normal((BORDER, BORDER)),
    )


@pytest.mark.parametrize("kind", ["dense", "bordered"])
def test_it_is_the_same_density(kind: str, curves: Compiled) -> None:
    by = random_map(kind, curves)
    z = np.random.default_rng(1).standard_normal((5, curves.program.n_dim))
    x = by.original(z)
    np.testing.assert_allclose(by.whitened(x), z, rtol=1e-8, atol=1e-8)
    # The map is linear: its matrix is what it does to the unit vectors.
    zero = np.zeros((1, z.shape[1]))
    scale = (by.original(np.eye(z.shape[1])) - by.original(zero)).T
    other = wrapped(curves.program, by, x)
    value, slope = Density(curves.program).at(x)
    there, slope_there = Density(other).at(z)
    np.testing.assert_allclose(there, value, rtol=1e-12)
    np.testing.assert_allclose(slope_there, slope @ scale, rtol=1e-9, atol=1e-6 * abs(slope).max())
    assert (Density(other).at(z + 0.1)[0] != value).all()


def test_the_curvature_of_curves_is_that_of_all_but_between_them(curves: Compiled) -> None:
    assert curves.own is not None
    density = Density(curves.program)
    point = np.random.default_rng(2).standard_normal(density.size)
    shared = np.setdiff1d(np.arange(density.size), curves.own)
    within, across, common = density.curvature_by_curve(point, curves.own, shared)
    exact, _ = precision(curves)
    # Central differences of the gradient of a quadratic are exact up to rounding.
    close = {"rtol": 1e-4, "atol": 1e-6 * float(abs(exact).max())}
    for curve, own in enumerate(curves.own):
        np.testing.assert_allclose(within[curve], exact[np.ix_(own, own)], **close)
        np.testing.assert_allclose(across[curve], exact[np.ix_(own, shared)], **close)
    np.testing.assert_allclose(common, exact[np.ix_(shared, shared)], **close)


def check_draws(found: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> None:
    sd = np.sqrt(np.diag(covariance))
    # 1,600 draws, as good as 400 independent ones at the least: five standard errors of each mean and sd.
    assert (np.abs(found.mean(axis=0) - mean) < 5 * sd / np.sqrt(400)).all()
    assert (np.abs(found.std(axis=0) / sd - 1) < 5 / np.sqrt(2 * 400)).all()


def test_a_stiff_posterior_takes_fewer_steps_to_the_same_draws(stiff: Compiled) -> None:
    settled = stiff.settled(cores=2, seed=1)
    assert isinstance(settled.program, Whitened)
    raw, moved = draw(stiff, **SETTINGS), draw(settled, **SETTINGS)
    steps = [float(t["sample_stats"]["n_steps"].mean()) for t in (raw, moved)]
    assert steps[1] < steps[0] / 4
    # The posterior is Normal: precision 1 + SEENᵀSEEN/SD².
    covariance = np.linalg.inv(np.eye(DIM) + SEEN.T @ SEEN / SD**2)
    mean = covariance @ SEEN.T @ VALUES / SD**2
    check_draws(moved["posterior"]["x"].to_numpy().reshape(-1, DIM), mean, covariance)


def test_many_curves_are_whitened_curve_by_curve(
    curves: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whitening, "MOST_DIMENSIONS", CURVES)
    settled = curves.settled(cores=2, seed=1)
    assert isinstance(settled.program.map, Bordered)
    # What is not known to be a curve's own cannot be whitened so: it stays as it is.
    assert whitened(curves.program, None, cores=2, seed=1) is curves.program
    raw, moved = draw(curves, **SETTINGS), draw(settled, **SETTINGS)
    steps = [float(t["sample_stats"]["n_steps"].mean()) for t in (raw, moved)]
    assert steps[1] < steps[0] / 4
    exact, linear = precision(curves)
    covariance = np.linalg.inv(exact)
    mean = covariance @ linear
    assert curves.own is not None
    own = moved["posterior"]["own"].to_numpy().reshape(-1, CURVES * SIZE)
    at = curves.own.ravel()
    check_draws(own, mean[at], covariance[np.ix_(at, at)])


def test_what_is_easy_stays_as_it_is() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
    compiled = compile_model(model)
    assert compiled.own is None
    assert whitened(compiled.program, None, cores=2, seed=0) is compiled.program


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
