"""Modifiers, by way of a made-up one: experts as a factor on the reducible loss, neutral where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.cli.run import run
from bayescale.errors import ForecastError, ModelError, PlanError, UnknownNameError
from bayescale.given import GIVEN, Given
from bayescale.laws import LAWS, MODIFIERS, Modifier, Parameter
from bayescale.posterior import Fit
from bayescale.spec import ModelSpec, ParameterModel
from bayescale.zoo import load_model

SHARE = Parameter("share_lost", "real", "shape", "", "s", "exponent of experts in R")
MADE_UP = Modifier(
    "made-up",
    "a factor of experts",
    (GIVEN["experts"],),
    (SHARE,),
    lambda xp, log_r, beside, theta: log_r - theta["share_lost"] * beside["experts"],
    r"R' = R\,E^{-s}",
    "this test",
)
ALLOWED: dict[str, Any] = {"allow_experimental": True}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODIFIERS, MADE_UP.name, MADE_UP)


def spec(name: str = "parameter-data") -> ModelSpec:
    base = load_model(name)
    own = base.parameters | {"share_lost": ParameterModel(prior="Normal(mu=0.3, sigma=0.05)")}
    return ModelSpec.model_validate(
        base.model_dump(exclude_none=True)
        | {"name": "modified", "modifiers": ("made-up",), "parameters": own}
    )


@pytest.fixture
def fit() -> Fit:
    return make_fit(spec(), make_runs(), draws=40, drift=True)


def test_experts_move_the_reducible_loss_and_one_expert_nothing(fit: Fit) -> None:
    at: dict[str, Any] = {"params": 1e10, "tokens": 2e11, "kind": "expected"}
    dense, one, many = (bs.predict(fit, **at, **e) for e in ({}, {"experts": 1}, {"experts": 64}))
    np.testing.assert_allclose(one.draws, dense.draws, rtol=1e-12)
    floor, s = (fit.posterior[name].to_numpy()[..., None] for name in ("L_inf", "share_lost"))
    expected = floor + (dense.draws.to_numpy() - floor) * 64.0**-s
    np.testing.assert_allclose(many.draws, expected, rtol=1e-10)
    assert any("experts not given: taken as dense" in note for note in dense.notes)


def test_decisions_take_it_as_given_or_as_the_choice(fit: Fit) -> None:
    dense, many = (bs.plan(fit, 1e22, **ALLOWED, **e) for e in ({}, {"experts": 64}))
    assert many.by_utility["loss"].loss < dense.by_utility["loss"].loss
    assert bs.select(fit, 1e22, by="experts", among=[1, 64], high=1e23, **ALLOWED).best == (
        "64 experts"
    )


def test_the_sampled_model_is_the_law() -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    law = LAWS["parameter-data"].reading(["routed"]).modified(["made-up"])
    values = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.7}
    values |= {"gain": 0.4, "fading": 0.02, "E_start": 2.0, "E_max": 250.0, "share_lost": -0.2}
    at = {"params": np.array([-1.0, 2.0]), "tokens": np.array([0.5, -3.0])}
    at["experts"] = np.log([1.0, 32.0])
    theta = law.complete(values)
    expected = law.loss(law.effective_inputs(at, theta), theta, beside=at)
    names = {name: pt.dscalar(name) for name in values}
    inputs = {name: pt.dvector(name) for name in at}
    symbolic = law.complete(names, xp)
    worth = law.effective_inputs(inputs, symbolic, xp)
    loss = law.loss(worth, symbolic, None, xp, beside=inputs)
    found = pytensor.function([*inputs.values(), *names.values()], loss, mode="FAST_COMPILE")
    np.testing.assert_allclose(found(*at.values(), *values.values()), expected, rtol=1e-12)
    assert law.given == (GIVEN["experts"],)


def test_sampling_finds_the_factor() -> None:
    rng = np.random.default_rng(3)
    frame = make_runs(centre=(1e9, 2e10)).table.drop(columns=["run_id", "compute"])
    frame = frame.loc[frame.index.repeat(3)].reset_index(drop=True)
    frame["experts"] = np.tile([np.nan, 8.0, 64.0], len(frame) // 3)
    lost = frame["experts"].fillna(1.0) ** -0.2
    frame["loss"] = (1.8172 + (frame["loss"] - 1.8172) * lost) * np.exp(
        0.003 * rng.standard_normal(len(frame))
    )
    prior = {"share_lost": "Normal(mu=0.0, sigma=0.5)"}
    fitted = bs.fit(
        bs.load_runs(frame, name="made up"), spec(), drift=False, prior=prior, seed=1, draws=500
    )
    draws = fitted.posterior["share_lost"].to_numpy()
    assert draws.std() < 0.05
    assert abs(draws.mean() - 0.2) < 4 * draws.std()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"modifiers": ("nothing",)}, UnknownNameError, "unknown modifier 'nothing'"),
        ({"modifiers": ("made-up", "made-up")}, ValueError, "share_lost, which the law has"),
        ({"modifiers": ()}, UnknownNameError, "unknown parameter 'share_lost'"),
    ],
)
def test_bad_model_files(change: dict[str, Any], error: type[Exception], message: str) -> None:
    stated = spec().model_dump(exclude_none=True) | change
    with pytest.raises(error, match=message):
        ModelSpec.model_validate(stated)


def test_bad_inputs(fit: Fit, capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown input 'expert' .*did you mean 'experts'"):
        bs.predict(fit, params=1e9, tokens=1e10, expert=3)  # type: ignore[arg-type]
    with pytest.raises(ForecastError, match=r"experts = 0.5 .expected from 1"):
        bs.predict(fit, params=1e9, tokens=1e10, experts=0.5)
    with pytest.raises(UnknownNameError, match="unknown input 'risks'"):
        bs.plan(fit, 1e22, **ALLOWED, risks=2.0)
    with pytest.raises(PlanError, match=r"experts = 0 .expected from 1"):
        bs.plan(fit, 1e22, **ALLOWED, experts=0.0)
    fit.save(tmp_path / "fit.nc")
    words = ["predict", str(tmp_path / "fit.nc"), "--params", "1B", "--tokens", "20B"]
    assert run([*words, "--given", "experts=8", "--json"]) == 0
    assert '"experts": 8' in capsys.readouterr().out
    for wrong, said in (
        (["--given", "expert=8"], "did you mean 'experts'"),
        (["--given", "experts"], "expected NAME=VALUE"),
        (["--given", "experts=8", "--experts", "4"], "stated by --experts already"),
    ):
        assert run([*words, *wrong]) == 1
        assert said in capsys.readouterr().err


def test_an_input_that_every_run_must_state() -> None:
    from dataclasses import replace

    needed = Given("experts", "experts of a routed layer", None, "")
    law = replace(LAWS["data"], modifiers=(replace(MADE_UP, given=(needed,)),))
    table = make_runs().table
    with pytest.raises(ModelError, match=r"reads experts .* of every run, and 9 of 9 rows have no"):
        law.values(table)
