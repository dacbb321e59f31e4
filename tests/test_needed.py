"""How much of an input a target needs: closed forms, the forecast read the other way, walks and stacks, refusals."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs
from test_plan import besiroglu

import bayescale as bs
from bayescale import plots
from bayescale.cli.app import app
from bayescale.decide import Needed, needed
from bayescale.errors import ForecastError, PlanError, UnknownNameError
from bayescale.posterior import Fit, Stacked

ERROR = {"metric": "error", "corpus": None, "upper": 1.0}
TARGET = 0.2


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("saturating", make_runs(**ERROR), draws=400)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Needed:
    return needed(fit, target_loss=TARGET, probability=0.3)


# ------------------------------------------------------------------ closed forms


def test_a_certain_power_law_needs_what_it_says() -> None:
    certain = {"T": 0.4, "delta": 0.4, "phi": 0.25}
    fit = make_fit("data", make_runs(**ERROR), draws=10, values=certain)
    # L = 0.1 + 0.3·(D/D₀)^−0.4 at the pivot D₀.
    target = 0.25
    expected = math.exp(fit.model.pivots["tokens"]) * (0.3 / (target - 0.1)) ** (1 / 0.4)
    got = needed(fit, target_loss=target, kind="expected", probability=0.9)
    assert got.amount == pytest.approx(expected, rel=1e-8)
    assert got.amount_lo == got.amount_hi == got.amount
    assert (got.p_hit, got.p_error, got.p_never) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("axis", ["params", "tokens"])
def test_a_joint_law_is_read_along_either_axis(axis: Any) -> None:
    fit = besiroglu()
    held = {"params": 1e9, "tokens": 2e10}
    del held[axis]
    got = needed(fit, target_loss=2.4, axis=axis, kind="expected", **held)
    at = held | {axis: got.amount}
    loss = bs.predict(fit, **at, kind="expected").draws.to_numpy()
    np.testing.assert_allclose(loss, 2.4, rtol=1e-8)
    assert got.problem["held"] == held


# ------------------------------------------------------------------ the forecast, read the other way


@pytest.mark.parametrize("kind", ["run", "campaign", "expected"])
@pytest.mark.parametrize("drift", [False, True])
def test_an_amount_is_enough_where_the_forecast_is_at_most_the_target(
    kind: Any, drift: bool
) -> None:
    fit = make_fit("saturating", make_runs(**ERROR), draws=300, drift=drift)
    got = needed(fit, target_loss=TARGET, probability=0.2, kind=kind)
    for amount in (1e9, 2e10, 1e12, 1e14):
        loss = bs.predict(fit, tokens=amount, kind=kind).draws.to_numpy().ravel()
        share = float((loss <= TARGET).mean())
        # Two ways to the same draws: equal but for those within rounding of the target.
        assert float(got.chance(amount)) == pytest.approx(share, abs=1e-9)
    assert got.p_hit >= 0.2
    assert float(got.chance(got.amount * 0.999)) <= got.p_hit


def test_a_stack_of_one_law_is_that_law(fit: Fit, found: Needed) -> None:
    other = make_fit("saturating", make_runs(**ERROR), draws=400, seed=1)
    alone = needed(Stacked((fit, other), (1.0, 0.0)), target_loss=TARGET, probability=0.3)
    assert alone.amount == pytest.approx(found.amount, rel=1e-9)


def test_repeated_data_need_a_first_amount() -> None:
    fit = make_fit("repeated-data", make_runs(), draws=100)
    options: dict[str, Any] = {"target_loss": 2.6, "probability": 0.3, "allow_experimental": True}
    plain = needed(fit, axis="tokens", params=1e9, **options)
    scarce = needed(fit, axis="tokens", params=1e9, unique_tokens=1e10, **options)
    # Repeats are worth less than new tokens: more of them, and never fewer.
    assert scarce.amount >= plain.amount
    assert scarce.problem["unique_tokens"] == 1e10
    assert any("data taken as unlimited" in c for c in plain.caveats)
    with pytest.raises(PlanError, match="experts is not read by 'repeated-data'"):
        needed(fit, axis="tokens", params=1e9, experts=8, **options)


# ------------------------------------------------------------------ what is said, drawn and refused


def test_more_probability_or_a_lower_target_needs_more(fit: Fit) -> None:
    by_p = [needed(fit, target_loss=TARGET, probability=p).amount for p in (0.1, 0.2, 0.3)]
    by_t = [needed(fit, target_loss=t, probability=0.2).amount for t in (0.3, 0.25, 0.2)]
    assert by_p == sorted(set(by_p))
    assert by_t == sorted(set(by_t))


def test_the_answer_is_printed_and_saved_whole(fit: Fit, found: Needed) -> None:
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "draws" not in data
    assert data["problem"]["axis"] == "tokens"
    assert "P(no amount is enough)" in str(found)
    priced = needed(
        fit, target_loss=TARGET, probability=0.3, price="LogNormal(median=0.05, sigma=0.3)"
    )
    assert priced.dollars is not None
    assert priced.dollars["median"] == pytest.approx(0.05 * found.amount, rel=0.1)
    assert "$" in str(priced)


def test_the_figure_draws_its_numbers(found: Needed) -> None:
    figure = plots.needed(found)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), found.chance(np.asarray(line.get_xdata())))
    assert np.all(np.diff(line.get_ydata()) >= 0)
    with pytest.raises(PlanError, match="not a dict: make it first"):
        plots.needed({})  # type: ignore[arg-type]


def test_what_is_out_of_reach_names_the_largest_probability(fit: Fit, found: Needed) -> None:
    most = 1.0 - found.p_never
    with pytest.raises(PlanError, match=rf"reaches {most:.3g} at most, below 0.999: in "):
        needed(fit, target_loss=TARGET, probability=0.999)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_loss": -1.0}, "expected a positive loss"),
        ({"probability": 1.0}, "expected between 0 and 1"),
        ({"kind": "law"}, "unknown kind of target 'law'"),
        ({"axis": "params"}, "unknown axis 'params'"),
        ({"tokens": 1e9}, "tokens = 1000000000.0 is asked for"),
        ({"params": 1e9}, "params = 1000000000.0 is not read"),
        ({"price": -1.0}, "price = -1"),
        ({"architecture": "gtp"}, "did you mean 'gpt'"),
        ({"fit": "x.nc"}, "needed takes a fit"),
    ],
)
def test_bad_input(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, ForecastError, UnknownNameError), match=message):
        needed(**{"fit": fit, "target_loss": TARGET, **options})


def test_a_joint_law_asks_which_input_and_at_what() -> None:
    with pytest.raises(PlanError, match="say which one is asked for, axis='tokens'"):
        needed(besiroglu(), target_loss=2.4)
    with pytest.raises(PlanError, match="params is missing"):
        needed(besiroglu(), target_loss=2.4, axis="tokens")


def test_the_command_prints_the_same_amount(
    fit: Fit, found: Needed, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.save(tmp_path / "fit.nc")
    figure = tmp_path / "needed.pdf"
    words = f"needed {tmp_path / 'fit.nc'} --target-loss {TARGET} --probability 0.3 --json --plot {figure}"
    with pytest.raises(SystemExit) as stop:
        app(words.split())
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["amount"] == pytest.approx(found.amount)
    assert figure.exists()
