"""Drift of local exponents: the stretched input, its matrix form, and one path a draw, whoever asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import PASSED, make_fit, make_runs, pile_families
from hypothesis import given
from hypothesis import strategies as st

import bayescale as bs
from bayescale.build import build, canonical_rows, observations
from bayescale.laws import STEP, Walk, intervals, overlap, walk_matrix
from bayescale.posterior import Fit, Group, Side, group_curve
from bayescale.predict import DRIFTING, pointwise
from bayescale.runs import Runs
from bayescale.spec import coords, resolve
from bayescale.zoo import load_model, load_populations


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


@pytest.fixture(scope="module")
def drifting() -> Fit:
    return make_fit(draws=150, drift=True)


@pytest.mark.parametrize("group", ["Pythia", bs.New("mamba-3")])
def test_no_draw_rises_with_scale_or_falls_below_its_own_floor(
    drifting: Fit, group: str | bs.New
) -> None:
    compute = np.geomspace(1e18, 1e40, 12)
    for ratio in (1.0, 20.0, 400.0):
        params = np.sqrt(compute / 6 / ratio)
        loss = bs.predict(
            drifting, params=params, tokens=ratio * params, architecture=group, kind="expected"
        ).draws
        floor = drifting.parameters(drifting.groups(group))["L_inf"]
        assert bool((loss >= floor * (1 - 1e-12)).all())
        assert bool((loss.diff("point") <= 1e-12).all())


def test_a_forecast_does_not_depend_on_what_else_was_asked(drifting: Fit) -> None:
    for group in ("GPT-J", bs.New("mamba-3")):
        alone = bs.predict(drifting, params=1e11, tokens=1e12, architecture=group, kind="expected")
        among = bs.predict(
            drifting,
            params=[1e11, 1e15],
            tokens=[1e12, 1e17],
            architecture=group,
            kind="expected",
        )
        np.testing.assert_allclose(alone.draws[..., 0], among.draws[..., 0], rtol=1e-12)


def test_the_law_is_the_curve_without_its_path(drifting: Fit) -> None:
    where = drifting.groups("Pythia")
    theta, pivots = drifting.parameters(where), drifting.model.pivots
    law = drifting.model.get_law()
    centred = {"params": np.log(1e11) - pivots["params"], "tokens": np.log(1e12) - pivots["tokens"]}
    exact = theta["L_inf"] + np.exp(law.log_reducible(centred, theta))
    found = bs.predict(drifting, params=1e11, tokens=1e12, architecture="Pythia", kind="law").draws
    np.testing.assert_allclose(found[..., 0], exact, rtol=1e-12)


def test_the_search_finds_the_closed_form_where_the_law_is_exact() -> None:
    fit = make_fit(draws=40, drift=False)
    curve = group_curve(fit, fit.groups("Pythia"))
    flat = {
        axis: Walk(-1, np.zeros((80, 2)), np.zeros(80), lambda k: np.zeros(80))
        for axis in ("params", "tokens")
    }
    log_c = np.log([1e21, 1e23, 1e25])
    for found, exact in zip(
        replace(curve, walks=flat).optimum(log_c), curve.optimum(log_c), strict=True
    ):
        np.testing.assert_allclose(found, exact, atol=2e-3)


def test_no_split_of_a_budget_beats_the_optimum_that_was_searched(drifting: Fit) -> None:
    curve = group_curve(drifting, drifting.groups("Cerebras-GPT"))
    log_c = float(np.log(1e24))
    _, best = curve.optimum(log_c)
    log_n = np.linspace(np.log(1e8), np.log(1e13), 400)[None]
    log_r = curve.log_reducible({"params": log_n, "tokens": log_c - np.log(6) - log_n})
    assert np.all(log_r.min(axis=1) >= best - 1e-3)


def test_a_plan_of_a_drifting_fit_says_what_it_assumes(drifting: Fit) -> None:
    made = bs.plan(drifting, bs.Budget(compute=1e24), architecture="Pythia")
    assert DRIFTING in made.caveats
    regret = made.table["regret"]
    assert bool(((regret >= 0) & (regret <= 1)).all())
    assert made.optimum["headroom"]["lo90"] > 0


def test_one_offset_a_draw_for_all_runs_of_a_campaign() -> None:
    """The variance of the difference of two runs excludes the sweep's; that of their mean includes it."""
    frame = pile_families().table.assign(sweep=lambda t: t["architecture"])
    runs = bs.load_runs(frame[["architecture", "params", "tokens", "loss", "sweep"]])
    fit = make_fit(runs=runs, draws=400)
    at = {"params": [1e11, 2e11], "tokens": [1e12, 1e12], "architecture": "Pythia"}
    curve = np.log(bs.predict(fit, **at, kind="expected").draws)
    offset = np.log(bs.predict(fit, **at, kind="campaign").draws) - curve
    np.testing.assert_allclose(offset[..., 0], offset[..., 1], atol=1e-12)
    assert float(offset.std()) > 0.004  # HalfNormal(.01) has root mean square .01


def sweeping(architectures: tuple[str, ...], tasks: tuple[str, ...], **options: Any) -> Runs:
    """A small design whose rows belong to three sweeps each."""
    table = make_runs(architectures, tasks, **options)
    frame = table.table.assign(sweep=lambda t: np.digitize(t["tokens"], [1e10, 5e10]).astype(str))
    frame["compute"] = 6 * frame["params"] * frame["tokens"]
    columns = ["architecture", "task", "params", "tokens", "compute", "loss", "sweep"]
    return bs.load_runs(frame[columns], task_info=table.tasks, convert=False)


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("parameter-data", (("gpt", "mamba"), ("c4", "pile"))),
        ("parameter-data", (("gpt",), ("c4",))),
        ("compute", (("gpt", "mamba"), ("c4",))),
        ("parameter", (("gpt",), ("c4", "pile"))),
        ("data", (("gpt",), ("c4",))),
        ("saturating", (("gpt", "mamba"), ("c4", "pile"))),
    ],
)
def test_what_is_sampled_is_what_is_forecast(
    name: str, groups: tuple[tuple[str, ...], tuple[str, ...]], pool: bool
) -> None:
    """At a point of the sampler's space: the mean of every row is the forecast's curve times its sweep's offset."""
    bounded = name == "saturating"
    runs = sweeping(
        *groups, metric="error" if bounded else "nats/token", upper=0.75 if bounded else None
    )
    model = resolve(load_model(name), runs, load_populations(), pool=pool)
    assert model.drift
    assert model.sweeps
    built = build(model, runs)
    rng = np.random.default_rng(5)
    point = {k: v + 0.3 * rng.standard_normal(v.shape) for k, v in built.initial_point().items()}
    (y,) = built.observed_RVs
    mu = built.replace_rvs_by_values([y.owner.op.dist_params(y.owner)[1]])[0]
    kept = [v for v in built.unobserved_value_vars if "__" not in v.name]
    (density,) = built.logp([y], sum=False)
    function = built.compile_fn(
        [mu, density, *kept], inputs=built.value_vars, on_unused_input="ignore", mode="FAST_COMPILE"
    )
    values = function(point)
    dims = {k: d or () for k, d in built.named_vars_to_dims.items()}
    posterior = xr.Dataset(
        {
            v.name: (("chain", "draw", *dims.get(v.name, ())), np.asarray(x)[None, None])
            for v, x in zip(kept, values[2:], strict=True)
            if not v.name.startswith(("z_", "log_", "logit_"))
        },
        coords=coords(model),
    )
    rows = canonical_rows(runs)
    own = observations(model, runs).index["sweep"]
    data = rows.drop(columns="loss").assign(sweep_of=np.array(model.sweeps)[own])
    tree = xr.DataTree.from_dict(
        {
            "/posterior": posterior,
            "/constant_data": xr.Dataset({c: ("run", data[c].to_numpy()) for c in data}),
            "/observed_data": xr.Dataset({"loss": ("run", rows["loss"].to_numpy())}),
        }
    )
    fit = Fit(tree, model, PASSED, runs.hash, 0, {})
    offsets = dict(zip(model.sweeps, posterior["offset"].to_numpy().ravel(), strict=True))
    for (a, t, s), part in rows.groupby(["architecture", "task", "sweep"]):
        where: dict[Side, Group] = {
            "architecture": str(a),
            "task": str(t),
            "study": model.groups["study"][0],
        }
        curve = group_curve(fit, where)
        logs = {axis: np.log(part[axis].to_numpy())[None] for axis in model.get_law().inputs}
        found = np.log(curve.loss(curve.log_reducible(logs)))[0]
        label = f"{where['study']} / {a} / {t} / {s}"
        np.testing.assert_allclose(
            values[0][part.index], found + offsets[label], rtol=1e-9, atol=1e-9
        )
    np.testing.assert_allclose(pointwise(fit)[0, 0], values[1], rtol=1e-8, atol=1e-8)
