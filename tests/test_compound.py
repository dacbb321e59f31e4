"""Compound scaling: the base and the best mix, published numbers, brute force, gradients, recovery, the decision."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from hypothesis import given
from hypothesis import strategies as st

import bayescale as bs
from bayescale import plots
from bayescale.cli.app import app
from bayescale.decide import Scaled, scale_up
from bayescale.decide.plans.scaling_up import best_mix
from bayescale.errors import PlanError
from bayescale.laws import LAWS
from bayescale.laws.compound import DIMENSIONS, FLOP_POWER, INPUTS, log_flop_multiple, shares
from bayescale.posterior import Fit
from bayescale.runs import Runs

LAW = LAWS["compute"].reading(["compound"])
THETA = {"R0": 0.1, "L_inf": 0.13, "alpha": 0.4, "depth_share": 0.3, "width_share": 0.5}
THETA |= {"blend": 0.8}
BASE = dict.fromkeys(INPUTS, 0.0)
logs = st.floats(-1.5, 2.0)
units = st.floats(0.05, 0.95)


def loss(at: dict[str, Any], compute: Any = None, theta: dict[str, float] = THETA) -> Any:
    """Loss of a mix; compute is that of dense convolutions unless it is given."""
    spent = sum(p * at[name] for name, p in zip(INPUTS, FLOP_POWER, strict=True))
    centred = {"compute": spent if compute is None else compute, **at}
    return LAW.loss(LAW.effective_inputs(centred, theta), theta)


def runs_of(frame: pd.DataFrame) -> Runs:
    return bs.load_runs(
        frame,
        columns={"compute": "flops (FLOP)"},
        task_info={"*": {"metric": "error", "upper": 1.0}},
    )


# ------------------------------------------------------------------ the law


def test_a_base_network_is_worth_its_flop() -> None:
    u = np.linspace(-3.0, 5.0, 9)
    np.testing.assert_allclose(loss(BASE, u), 0.13 + 0.1 * np.exp(-0.4 * u), rtol=1e-14)


@given(logs, units, units, st.floats(0.05, 3.0), st.floats(0.05, 1.5))
def test_the_best_mix_is_worth_its_flop(
    total: float, depth: float, width: float, blend: float, alpha: float
) -> None:
    theta = THETA | {"depth_share": depth, "width_share": width, "blend": blend, "alpha": alpha}
    at = {
        name: share * total / power
        for name, share, power in zip(INPUTS, shares(theta), FLOP_POWER, strict=True)
    }
    worth = LAW.effective_inputs({"compute": total, **at}, theta)["compute"]
    assert float(worth) == pytest.approx(total, abs=1e-9)


@given(logs, logs, logs)
def test_no_mix_is_worth_more_than_its_flop(d: float, w: float, r: float) -> None:
    at = dict(zip(INPUTS, (d, w, r), strict=True))
    total = d + 2 * w + 2 * r
    assert float(LAW.effective_inputs({"compute": total, **at}, THETA)["compute"]) <= total + 1e-9


def test_one_dimension_alone_saturates_where_the_others_stay() -> None:
    for i, name in enumerate(INPUTS):
        far = loss(BASE | {name: np.array([5.0, 50.0, 500.0])})
        limit = 0.13 + 0.1 * (1.0 - shares(THETA)[i]) ** 0.8
        assert far[-1] == pytest.approx(limit, rel=1e-9)
        assert far[0] > far[1] >= far[2]


def test_efficientnets_step_follows_from_its_shares() -> None:
    # Tan & Le 2019, section 3.3: α = 1.2, β = 1.1, γ = 1.15 at α·β²·γ² ≈ 2.
    a, b, c = 1.2, 1.1, 1.15
    total = math.log(a * b**2 * c**2)
    assert math.exp(total) == pytest.approx(1.92, abs=0.005)
    depth = math.log(a) / total
    theta = {
        "depth_share": np.array([depth]),
        "width_share": np.array([2 * math.log(b) / total / (1 - depth)]),
    }
    mix = best_mix(theta, total)
    for name, value in zip(DIMENSIONS, (a, b, c), strict=True):
        assert float(np.exp(mix[name][0])) == pytest.approx(value, rel=1e-12)


def test_depthwise_layers_grow_as_width() -> None:
    d, w, r = np.log([1.4, 1.2, 1.3])
    assert float(np.exp(log_flop_multiple(d, w, r))) == pytest.approx(1.4 * 1.44 * 1.69)
    assert float(np.exp(log_flop_multiple(d, w, r, 0.0))) == pytest.approx(1.4 * 1.2 * 1.69)
    # MobileNet, width 1024 and 3 × 3: Howard et al. 2017, eq. 5 at multipliers of width and resolution.
    k, m, n, f = 3, 1024, 1024, 7

    def flops(wide: float, fine: float) -> float:
        return (fine * f) ** 2 * (k * k * wide * m + wide * m * wide * n)

    share = n / (k * k + n)
    got = float(np.exp(log_flop_multiple(0.0, math.log(0.75), math.log(0.714), share)))
    assert got == pytest.approx(flops(0.75, 0.714) / flops(1, 1), rel=1e-12)


@pytest.mark.parametrize("pointwise", [1.0, 0.7, 0.0])
def test_the_best_mix_is_what_brute_force_finds(pointwise: float) -> None:
    theta = {k: np.array([v]) for k, v in THETA.items()}
    total = math.log(8.0)
    mix = best_mix(theta, total, pointwise)
    own = [float(mix[name][0]) for name in DIMENSIONS]
    assert float(log_flop_multiple(*own, pointwise)) == pytest.approx(total, abs=1e-3)
    w, r = np.meshgrid(np.linspace(-0.5, 1.6, 421), np.linspace(-0.5, 1.6, 421))
    d = total - log_flop_multiple(0.0, w, r, pointwise)
    values = loss(dict(zip(INPUTS, (d, w, r), strict=True)))
    least = float(loss(dict(zip(INPUTS, own, strict=True))))
    # The grid is .005 nats apart, in a valley whose curvature is of order one: 1e-5 of the loss at most.
    assert least <= float(values.min()) * (1 + 1e-6)
    assert least == pytest.approx(float(values.min()), rel=1e-4)


def test_numpy_and_pytensor_agree_in_value_and_gradient() -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    names = {n: pt.dscalar(n) for n in THETA}
    at = {"compute": 1.1, **dict(zip(INPUTS, (0.5, 0.2, 0.1), strict=True))}
    theta = LAW.complete(names, xp)
    value = LAW.loss(LAW.effective_inputs(at, theta, xp), theta, xp=xp)
    grads = pytensor.grad(value, list(names.values()))
    found = pytensor.function(list(names.values()), [value, *grads])(*THETA.values())
    assert float(found[0]) == pytest.approx(float(loss(at, 1.1)), rel=1e-12)
    for i, name in enumerate(THETA):
        step = 1e-6 * THETA[name]
        up, down = (float(loss(at, 1.1, THETA | {name: THETA[name] + s})) for s in (step, -step))
        assert float(found[1 + i]) == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-9)


# ------------------------------------------------------------------ the decision


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("compound", bs.load_runs("compound-scaling"), draws=200)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Scaled:
    return scale_up(fit, architecture="EfficientNet", allow_experimental=True)


def test_steps_are_the_best_mixes_and_their_loss_is_the_forecasts(fit: Fit, found: Scaled) -> None:
    powers = {"a": 1, "b": 2, "c": 2}
    draws = fit.parameters(fit.groups("EfficientNet"))
    total = np.log(2.0) * np.ones(400)
    for (letter, power), share in zip(
        powers.items(), shares({k: v.to_numpy().ravel() for k, v in draws.items()}), strict=True
    ):
        median = float(np.median(np.exp(share * total / power)))
        assert found.step[letter]["median"] == pytest.approx(median)
    # Without multiples a network is of the best mix at its FLOP.
    flops = found.steps["flops"].to_numpy()
    forecast = bs.predict(fit, compute=flops, architecture="EfficientNet", kind="expected")
    expected = forecast.draws.quantile(0.5, ("chain", "draw"))
    np.testing.assert_allclose(found.steps["loss"].sel(quantile="median"), expected, rtol=1e-9)
    alone = found.steps["loss_depth"].sel(quantile="median").to_numpy()
    assert np.all(alone[1:] > found.steps["loss"].sel(quantile="median").to_numpy()[1:])


def test_a_peak_is_where_the_elasticity_of_accuracy_is_that_of_the_cost() -> None:
    certain = {"T": 0.3, "phi": 0.5, "alpha": 0.4, "depth_share": 0.3, "width_share": 0.5}
    runs = bs.load_runs("compound-scaling")
    fit = make_fit("compound", runs, draws=10, values=certain | {"blend": 0.8})
    found = scale_up(fit, architecture="EfficientNet", base_flops=1e9, allow_experimental=True)
    theta = {
        k: float(v.to_numpy().flat[0])
        for k, v in fit.parameters(fit.groups("EfficientNet")).items()
    }
    r0 = theta["R0"] * math.exp(-0.4 * (math.log(1e9) - fit.model.pivots["compute"]))
    for name, cost in (("per_flop", 1.0), ("per_parameter", 1.0 - 0.35)):
        # d log(1 − L)/d log C = αR/(1 − L∞ − R) is the cost's own slope.
        r = cost * (1 - theta["L_inf"]) / (0.4 + cost)
        expected = -math.log(r / r0) / 0.4 / math.log(2.0)
        # The search is .05 nats apart.
        assert found.stop[name]["median"] == pytest.approx(expected, abs=0.05)
    # A step gains R·(1 − 2^−α).
    at = -math.log(0.005 / (r0 * (1 - 2**-0.4))) / 0.4 / math.log(2.0)
    assert found.stop["gain"]["median"] == pytest.approx(at, abs=0.08)


def test_it_is_printed_saved_and_drawn(found: Scaled) -> None:
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["phi"] for row in data["steps"]] == list(range(8))
    assert "Best 2 × FLOP" in str(found)
    assert "in balance" in str(found)
    figure = plots.scaled(found)
    np.testing.assert_array_equal(
        figure.axes[0].lines[0].get_ydata(), found.steps["loss"].sel(quantile="median")
    )
    with pytest.raises(PlanError, match="not a dict: make it first"):
        plots.scaled({})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"multiple": 1.0}, "multiple = 1 .expected a number above 1"),
        ({"least_gain": 0.0}, "least_gain = 0"),
        ({"steps": 0}, "steps = 0 .expected a whole number"),
        ({"pointwise": 1.5}, "pointwise = 1.5 .expected a share"),
        ({"base_flops": -1.0}, "base_flops = -1"),
    ],
)
def test_bad_input(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        scale_up(fit, architecture="EfficientNet", allow_experimental=True, **options)


def test_a_law_without_dimensions_is_refused() -> None:
    with pytest.raises(PlanError, match="says nothing of depth, width and resolution"):
        scale_up(make_fit("chinchilla", make_runs(), draws=5))


def test_the_command_says_the_same(
    fit: Fit, found: Scaled, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.save(tmp_path / "fit.nc")
    words = (
        f"scale-up {tmp_path / 'fit.nc'} --architecture EfficientNet --allow-experimental --json"
    )
    with pytest.raises(SystemExit) as stop:
        app(words.split())
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["step"] == found.step


# ------------------------------------------------------------------ recovery


def simulated(mixes: list[tuple[float, float, float]], seed: int) -> Runs:
    """Three base networks of one law, each scaled by these mixes; errors with a noise of half a per cent."""
    rng, rows = np.random.default_rng(seed), []
    theta = THETA | {"R0": 0.12}
    for k, base in enumerate((3e8, 1e9, 3e9)):
        for d, w, r in mixes:
            at = dict(zip(INPUTS, np.log([d, w, r]), strict=True))
            error = float(loss(at, theta=theta)) * (1 + 0.1 * k)
            rows.append(
                {
                    "architecture": f"net {k}",
                    "flops": base * d * w**2 * r**2,
                    "loss": error * float(np.exp(0.005 * rng.standard_normal())),
                    **dict(zip(INPUTS, (d, w, r), strict=True)),
                }
            )
    return runs_of(pd.DataFrame(rows))


@pytest.mark.slow
def test_shares_are_found_where_dimensions_move_apart_and_stay_at_their_prior_where_not() -> None:
    options: dict[str, Any] = {"draws": 600, "tune": 600, "chains": 2, "seed": 3, "progress": False}
    apart = [(1, 1, 1), (4, 1, 1), (1, 2, 1), (1, 1, 2), (1.5, 1.3, 1.2), (3, 1.7, 1.5), (16, 1, 1)]
    told = bs.fit(simulated(apart, 1), "compound", **options)
    truth = dict(zip(DIMENSIONS, shares(THETA), strict=True))
    draws = {k: v.to_numpy().ravel() for k, v in told.parameters(told.groups("net 0")).items()}
    for name, share in zip(DIMENSIONS, shares(draws), strict=True):
        low, high = np.quantile(share, [0.005, 0.995])
        assert low < truth[name] < high, name
        assert share.std() < 0.08, name  # of the prior .13 to .16
    # Along one fixed ratio nothing tells the dimensions apart: within Monte-Carlo error of the prior's spread.
    together = [(1.2**i, 1.1**i, 1.15**i) for i in range(7)]
    blind = bs.fit(simulated(together, 2), "compound", **options)
    kept = blind.posterior["depth_share"].to_numpy().ravel()
    prior = 1 / (1 + np.exp(0.8 - 0.7 * np.random.default_rng(0).standard_normal(100_000)))
    assert kept.std() > 0.7 * prior.std()
