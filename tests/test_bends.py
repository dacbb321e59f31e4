"""Bends: the printed laws, their limits, falling losses, slopes, and one text for numpy and pytensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs

from bayescale.decide.plans.inverse import Inverse
from bayescale.errors import ModelError
from bayescale.laws import LAWS, Law, numpy_namespace
from bayescale.laws.bends import BENDS
from bayescale.posterior import group_curve
from bayescale.posterior.breaks import breaks
from bayescale.zoo import load_model

U = np.linspace(-9.0, 12.0, 43)
RANGES = {
    "shift": (1e-4, 3.0),
    "levelling": (1e-4, 3.0),
    "bend": (0.2, 4.0),
    "break_at": (0.01, 100.0),
    "softness": (0.05, 2.0),
    "second_bend": (0.2, 4.0),
    "break_gap": (0.5, 8.0),
}


def law_of(bend: str, axis: str = "tokens", law: str = "data") -> Law:
    return LAWS[law].reading([f"{bend}-{axis}"])


def some_bend(bend: str, rng: np.random.Generator) -> dict[str, float]:
    """Shapes of a bend, each drawn evenly on the log scale of its range."""
    return {
        p.name: float(np.exp(rng.uniform(*np.log(RANGES[p.name])))) for p in BENDS[bend].parameters
    }


def reducible(law: Law, u: np.ndarray, theta: dict[str, float]) -> np.ndarray:
    (axis,) = law.inputs
    done = law.complete({"R0": 1.0, "L_inf": 0.0, **theta})
    return np.exp(law.log_reducible(law.effective_inputs({axis: u}, done), done))


def test_the_shifted_law_is_zhais() -> None:
    """Error = a·(C + d)^−b + c, with the printed .26, .01, .35 and .09 and C in core-days; pivot 2.5 of these."""
    law, pivot, (a, d, b) = law_of("shifted", "compute", "compute"), 2.5, (0.26, 0.01, 0.35)
    theta = {"R0": a * (pivot + d) ** -b, "alpha": b, "shift": d / pivot}
    compute = np.geomspace(1e-3, 1e4, 15)
    got = reducible(law, np.log(compute / pivot), theta)
    assert got == pytest.approx(a * (compute + d) ** -b, rel=1e-12)
    # Without a shift it is the power law; far below the shift the loss is flat.
    plain = reducible(LAWS["compute"], U, {"alpha": b})
    assert reducible(law, U, {"alpha": b, "shift": 1e-12}) == pytest.approx(plain, rel=1e-7)
    far = reducible(law, np.array([-40.0, -30.0]), {"alpha": b, "shift": 0.5})
    assert far[0] == pytest.approx(far[1], rel=1e-12)


def test_the_levelling_law_is_m3() -> None:
    beta, gamma, c, pivot = 20.0, 3e-7, 0.4, 1e5
    theta = {
        "R0": beta * (1 / pivot + gamma) ** c,
        "delta": c,
        "levelling": gamma * pivot,
    }
    x = np.geomspace(1e3, 1e10, 15)
    got = reducible(law_of("levelling"), np.log(x / pivot), theta)
    assert got == pytest.approx(beta * (1 / x + gamma) ** c, rel=1e-12)
    assert got[-1] == pytest.approx(beta * gamma**c, rel=1e-3)


@pytest.mark.parametrize("bend", [0.3, 1.0, 2.5])
def test_the_broken_law_is_bnsl_with_one_break(bend: float) -> None:
    b, c0, d1, f1, pivot = 30.0, 0.25, 4e6, 0.6, 1e6
    c1 = (bend - 1.0) * c0
    x = np.geomspace(1e2, 1e11, 19)

    def printed(x: Any) -> Any:
        return b * x**-c0 * (1 + (x / d1) ** (1 / f1)) ** (-c1 * f1)

    shape = {"delta": c0, "bend": bend, "break_at": d1 / pivot, "softness": f1}
    got = reducible(law_of("broken"), np.log(x / pivot), {"R0": printed(pivot), **shape})
    assert got == pytest.approx(printed(x), rel=1e-12)
    # The two exponents, far to either side.
    slope = np.diff(np.log(got)) / np.diff(np.log(x))
    assert slope[[0, -1]] == pytest.approx([-c0, -bend * c0], rel=1e-3)


def test_two_breaks_are_bnsl_with_two_and_one_where_the_second_is_none() -> None:
    b, c0, d1, f, pivot = 30.0, 0.25, 4e5, 0.6, 1e6
    bend, second, gap = 2.0, 0.4, 5.0
    d2, c1, c2 = d1 * np.exp(gap), (bend - 1) * c0, bend * (second - 1) * c0
    x = np.geomspace(1e0, 1e14, 29)

    def printed(x: Any) -> Any:
        one, two = ((1 + (x / d) ** (1 / f)) ** (-c * f) for d, c in ((d1, c1), (d2, c2)))
        return b * x**-c0 * one * two

    theta = {"R0": printed(pivot), "delta": c0, "bend": bend, "break_at": d1 / pivot}
    theta |= {"softness": f, "second_bend": second, "break_gap": gap}
    got = reducible(law_of("broken-twice"), np.log(x / pivot), theta)
    assert got == pytest.approx(printed(x), rel=1e-12)
    slope = np.diff(np.log(got)) / np.diff(np.log(x))
    assert slope[[0, -1]] == pytest.approx([-c0, -bend * second * c0], rel=1e-3)
    single = {k: v for k, v in theta.items() if k not in ("second_bend", "break_gap")}
    none = reducible(law_of("broken-twice"), U, theta | {"second_bend": 1.0})
    assert none == pytest.approx(reducible(law_of("broken"), U, single), rel=1e-12)


def test_the_number_of_breaks_is_counted_within_the_runs() -> None:
    values = {"bend": 2.0, "break_at": 1.0, "second_bend": 1.1, "break_gap": 1.0}
    values |= {"T": 2.5, "phi": 0.6, "delta": 0.3, "softness": 0.2}
    runs = make_runs()
    found = breaks(make_fit("broken-twice", runs, draws=20, values=values))
    assert found is not None
    assert found["posterior"].tolist() == [0.0, 1.0, 0.0]
    both = breaks(make_fit("broken-twice", runs, draws=20, values=values | {"second_bend": 0.5}))
    assert both is not None
    assert both["posterior"].tolist() == [0.0, 0.0, 1.0]
    # The runs end 1.6 e-folds beyond their middle.
    beyond = breaks(make_fit("broken-twice", runs, draws=20, values=values | {"break_at": 9.0}))
    assert beyond is not None
    assert beyond["posterior"].tolist() == [1.0, 0.0, 0.0]
    prior = found["prior"].to_numpy()
    assert prior.sum() == pytest.approx(1.0)
    assert prior[0] > prior[1] > prior[2] > 0
    assert breaks(make_fit("data", runs, draws=20)) is None
    said = make_fit("broken-twice", runs, draws=20, values=values).summary().notes
    assert any("1 with probability 1.00" in note for note in said)


@pytest.mark.parametrize("bend", list(BENDS))
@pytest.mark.parametrize("axis", ["params", "tokens", "compute"])
def test_bent_curves_fall_and_keep_their_level_at_the_pivot(bend: str, axis: str) -> None:
    name, exponent = {
        "params": ("parameter", "beta"),
        "tokens": ("data", "delta"),
        "compute": ("compute", "alpha"),
    }[axis]
    law, rng = law_of(bend, axis, name), np.random.default_rng(5)
    for _ in range(50):
        theta = some_bend(bend, rng) | {exponent: rng.uniform(0.03, 1.0), "R0": 0.7}
        loss = reducible(law, U, theta)
        assert np.isfinite(loss).all()
        # Where a curve is level to all digits, rounding may go either way.
        assert (np.diff(loss) <= 1e-12 * loss[1:]).all()
        assert loss[0] > loss[-1]
        assert reducible(law, np.zeros(1), theta) == pytest.approx([0.7])


def test_a_bend_names_the_axis_that_its_law_reads() -> None:
    with pytest.raises(ModelError, match="changes compute, which law 'data' does not read"):
        LAWS["data"].reading(["shifted-compute"])
    with pytest.raises(ModelError, match="'broken-params' and 'broken-tokens' both have bend"):
        LAWS["parameter-data"].reading(["broken-params", "broken-tokens"])
    assert law_of("broken").given == ()


def test_numpy_and_pytensor_agree_in_value_and_gradient() -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    # No compiler: a few small evaluations.
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    rng, u = np.random.default_rng(2), np.array([-5.0, -0.3, 0.0, 4.0])
    for bend, shape in BENDS.items():
        law = law_of(bend)
        names = {n: pt.dscalar(n) for n in ("delta", *(p.name for p in shape.parameters))}
        centred, level = pt.dvector("u"), {"R0": 1.0, "L_inf": 0.0}
        value = law.log_reducible(
            law.effective_inputs({"tokens": centred}, names, xp), {**level, **names}, xp
        )
        slopes = pytensor.grad(value.sum(), list(names.values()))
        f = pytensor.function([centred, *names.values()], [value, *slopes], mode=mode)
        for _ in range(10):
            theta = {"delta": rng.uniform(0.05, 0.8)} | some_bend(bend, rng)
            got, *gradient = f(u, *theta.values())
            np.testing.assert_allclose(
                got, np.log(reducible(law, u, theta)), rtol=1e-11, atol=1e-12
            )
            for name, slope in zip(theta, gradient, strict=True):
                h = 1e-5 * theta[name]
                up, down = (
                    np.log(reducible(law, u, theta | {name: theta[name] + s})).sum()
                    for s in (h, -h)
                )
                # Central differences err by h² and by rounding over h.
                assert float(slope) == pytest.approx((up - down) / (2 * h), rel=2e-5, abs=1e-6)


def test_a_fit_forecasts_along_its_bend_and_names_the_slope_there() -> None:
    values = {"T": 2.5, "phi": 0.6, "delta": 0.3}
    values |= {"bend": 2.0, "break_at": 1.0, "softness": 0.2}
    fit = make_fit("broken", make_runs(), draws=20, values=values)
    curve = group_curve(fit, fit.groups())
    middle = fit.model.pivots["tokens"]
    for nats, expected in ((-8.0, 0.3), (8.0, 0.6), (0.0, 0.45)):
        slope = curve.exponent("tokens", middle + nats)
        # Halfway through the break the slope is the mean of both.
        assert slope == pytest.approx(np.full(40, expected), rel=1e-5)
    at = middle + np.array([[-1.0, 0.0, 3.0]])
    log_r = curve.log_reducible({"tokens": at})
    theta = {k: float(v[0]) for k, v in curve.theta.items()}
    want = np.log(reducible(law_of("broken"), at[0] - middle, theta))
    assert log_r == pytest.approx(np.broadcast_to(want, (40, 3)), rel=1e-9)
    assert not curve.exact


@pytest.mark.parametrize("name", ["parameter-power", "data-power", "compute-power", "levelling"])
def test_laws_without_an_added_floor(name: str) -> None:
    spec = load_model(name)
    assert spec.parameters["L_inf"].fixed == 0.0
    assert spec.drift is not None
    assert not spec.drift.walking


def test_tokens_for_a_loss_are_those_that_reach_it(tmp_path: Path) -> None:
    """Read backwards, a law whose inputs bend is the same law."""
    file = tmp_path / "bent.toml"
    file.write_text(
        'extends = "parameter-data"\nname = "bent"\neffective = ["broken-params"]\n'
        '[parameters.bend]\nprior = "bend"\n[parameters.break_at]\nprior = "break_at"\n'
        '[parameters.softness]\nprior = "softness"\n'
    )
    fit = make_fit(
        load_model(file), draws=20, values={"bend": 0.5, "break_at": 1.0, "softness": 0.3}
    )
    curve = group_curve(fit, fit.groups(fit.model.groups["architecture"][0]))
    log_n = curve.pivots["params"] + np.array([[-2.0, 1.0, 3.0]])
    log_d = curve.pivots["tokens"] + 2.0
    target = curve.log_reducible({"params": log_n[:, 1:2], "tokens": np.array([[log_d]])})[:, 0]
    found = Inverse(curve, target).log_tokens(log_n)
    assert found[:, 1] == pytest.approx(np.full(40, log_d), abs=1e-6)
    reached = np.isfinite(found)
    assert reached.any(axis=0).all()
    back = curve.log_reducible({"params": log_n, "tokens": np.where(reached, found, log_d)})
    assert back[reached] == pytest.approx(
        np.broadcast_to(target[:, None], back.shape)[reached], abs=1e-6
    )


@pytest.mark.parametrize("bend", BENDS)
def test_a_bend_is_a_number_or_infinite_without_end(bend: str) -> None:
    theta = some_bend(bend, np.random.default_rng(4))
    worth = BENDS[bend].worth(numpy_namespace, np.array([-np.inf, 0.0, np.inf]), theta)
    assert not np.isnan(worth).any()
