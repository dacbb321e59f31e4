"""Unique tokens and experts in every decision: without repetition nothing changes, with it the answers are by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs

from bayescale.cli.run import run
from bayescale.decide import (
    Design,
    Fleet,
    IsoFlop,
    PerNat,
    Pilot,
    budget_frontier,
    cheapest,
    design,
    load_pilots,
    load_problem,
    pareto,
    plan,
    select,
    stopping,
)
from bayescale.errors import BayescaleError, PlanError
from bayescale.posterior import Fit, Stacked

FLEET = Fleet(hardware="H100-SXM", mfu=0.4)
PRICES: dict[str, Any] = {"price_per_hour": 2.7, "mfu": 0.4, "hardware": "H100-SXM"}
ENOUGH, FEW = 1e29, 5e9
ALLOWED: dict[str, Any] = {"allow_experimental": True}

# How each decision is asked, and the loss that its answer brings.
Asked = Callable[..., float]
DECISIONS: dict[str, Asked] = {
    "plan": lambda fit, **given: plan(fit, 1e22, **given).by_utility["loss"].loss,
    "select": lambda fit, **given: float(
        select(fit, 1e22, among=["gpt", "mamba"], high=1e23, **given).table["loss"][0]
    ),
    "pareto": lambda fit, **given: float(pareto(fit, FLEET, 1e22, 1.1e22, **given)["loss"].min()),
    "budget_frontier": lambda fit, **given: float(
        budget_frontier(fit, 2.4, 1e21, 1e22, architecture="gpt", **given)["loss"][-1]
    ),
}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("repeated-data", make_runs(("gpt", "mamba")), draws=30, drift=False)


@pytest.fixture(scope="module")
def many() -> Fit:
    prior = {"R_D_star": "LogNormal(mu=1.5, sigma=1.5)"}
    return make_fit("repeated-data", make_runs(), draws=400, drift=False, prior=prior)


def asked(name: str, fit: Fit, **given: float) -> float:
    own = {} if name in ("select", "budget_frontier") else {"architecture": "gpt"}
    return DECISIONS[name](fit, **own, **given, **ALLOWED)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_sees_repetition_and_only_repetition(fit: Fit, name: str) -> None:
    # A plan with data given searches on a grid, .004 nats apart, what it else knows in closed form.
    without, enough = asked(name, fit), asked(name, fit, unique_tokens=ENOUGH)
    assert enough == pytest.approx(without, rel=1e-4)
    assert asked(name, fit, unique_tokens=FEW) > without * 1.001


def test_the_cheapest_way_with_few_data(fit: Fit) -> None:
    target: dict[str, Any] = {"target_loss": 2.6, "probability": 0.3, "kind": "expected"}
    target |= {"architecture": "gpt"} | ALLOWED
    without = cheapest(fit, **target)
    with pytest.raises(PlanError, match=r"reaches 0.* at most, with unique_tokens = 5e\+09"):
        cheapest(fit, **target | {"probability": 0.9}, unique_tokens=FEW)
    # By bisection what was a closed form: both to 1e-9 nats, the order statistic is of one draw.
    assert cheapest(fit, **target, unique_tokens=ENOUGH).compute == pytest.approx(without.compute)
    few = cheapest(fit, **target, unique_tokens=FEW)
    assert few.compute > 1.01 * without.compute
    assert few.problem["unique_tokens"] == FEW
    assert not any("unlimited" in said for said in few.caveats)

    def reached(compute: float) -> float:
        """Share of the draws at the target with this N, stopped at their best."""
        log_n, loss = np.log([few.params]), np.inf
        for spent in compute * np.exp(-np.arange(0.0, 8.0, 0.05)):
            iso = IsoFlop.of(fit, fit.groups("gpt"), float(spent), {"unique_tokens": FEW})
            loss = np.minimum(loss, iso.loss(iso.log_reducible(log_n)))
        return float((loss <= 2.6).mean())

    assert reached(few.compute * 1.001) >= 0.3
    assert reached(few.compute * 0.999) < 0.3


def test_stopping_with_few_data(fit: Fit) -> None:
    value = PerNat(1e6)
    where: dict[str, Any] = {"architecture": "gpt", "high": 1e24, "kind": "expected"} | ALLOWED
    without = stopping(fit, value, **PRICES, **where)
    enough = stopping(fit, value, **PRICES, **where, unique_tokens=ENOUGH)
    # Budgets are a 64th of a decade apart.
    assert abs(np.log10(enough.compute / without.compute)) < 1.5 / 64
    few = stopping(fit, value, **PRICES, **where, unique_tokens=1e8)
    # Repeats bring less: they stop paying sooner.
    assert few.compute < 0.9 * without.compute
    assert few.problem["unique_tokens"] == 1e8


@pytest.mark.parametrize("name", DECISIONS)
@pytest.mark.parametrize("given", [{"unique_tokens": 1e9}, {"experts": 8.0}])
def test_a_law_that_does_not_read_it_refuses(name: str, given: dict[str, float]) -> None:
    other = make_fit(runs=make_runs(("gpt", "mamba")), draws=10)
    (key,) = given
    with pytest.raises(PlanError, match=f"{key} is not read by 'parameter-data'"):
        asked(name, other, **given)


def test_experts_in_a_law_of_both_axes(tmp_path: Path) -> None:
    priors = {"gain": "routing_gain", "fading": "routing_fading"}
    priors |= {"E_start": "experts_start", "E_max": "experts_most"}
    own = "\n".join(f'[parameters.{name}]\nprior = "{prior}"' for name, prior in priors.items())
    path = tmp_path / "both.toml"
    path.write_text(f'name = "both"\nextends = "parameter-data"\neffective = ["routed"]\n\n{own}\n')
    both = make_fit(path, make_runs(), draws=60, drift=False)
    dense, one = plan(both, 1e22, **ALLOWED), plan(both, 1e22, experts=1.0, **ALLOWED)
    many = plan(both, 1e22, experts=64.0, **ALLOWED)
    assert one.by_utility["loss"].loss == pytest.approx(dense.by_utility["loss"].loss, rel=1e-4)
    # Experts make a network as good as a larger one: less loss for the same FLOP.
    assert many.by_utility["loss"].loss < dense.by_utility["loss"].loss
    assert many.problem["experts"] == 64.0
    assert "64 experts" in str(many)
    # As a choice: more experts at the same FLOP are better in every draw here, by as much as the plans say.
    chosen = select(both, 1e22, by="experts", among=[1, 64], high=1e23, **ALLOWED)
    assert chosen.best == "64 experts"
    np.testing.assert_allclose(
        chosen.table["loss"], [one.by_utility["waste"].loss, many.by_utility["waste"].loss]
    )
    # A stack takes what one of its laws reads.
    stacked = Stacked((both, make_fit(runs=make_runs(), draws=60)), (0.5, 0.5))
    assert plan(stacked, 1e22, experts=64.0, **ALLOWED).problem["experts"] == 64.0


def test_pilots_with_few_data(many: Fit) -> None:
    def known(pilot: Pilot, **given: float) -> Design:
        return design(many, 1e22, [pilot], **given, **ALLOWED)

    fresh = Pilot("fresh", params=1e9, tokens=2e9)
    without, enough = known(fresh), known(fresh, unique_tokens=ENOUGH)
    # Known in closed form, or searched on levels: the same stakes, and the same simulated outcomes.
    assert enough.evpi.value == pytest.approx(without.evpi.value, rel=2e-3)
    assert float(enough.table["evsi"][0]) == pytest.approx(
        float(without.table["evsi"][0]), rel=0.05
    )
    assert enough.problem["unique_tokens"] == ENOUGH
    assert any("unlimited" in said for said in without.caveats)
    assert not any("unlimited" in said for said in enough.caveats)
    few = known(fresh, unique_tokens=2e10)
    plain = plan(many, 1e22, unique_tokens=2e10, **ALLOWED)
    assert few.problem["params"] == pytest.approx(plain.recommendations[0].params, rel=1e-3)
    # What repeats are worth is worth knowing where there are any, and nothing where there are none.
    assert few.evppi["R_D_star"].value > 2.0 * few.evppi["R_D_star"].error
    assert enough.evppi["R_D_star"].value <= 2.0 * max(enough.evppi["R_D_star"].error, 1e-12)


def test_a_pilot_of_its_own_data(many: Fit) -> None:
    grid = {"params": [1e9, 1e9, 1e9], "tokens": [2e10, 4e10, 8e10]}
    pilots = [Pilot("as the run", **grid), Pilot("repeated", **grid, unique_tokens=2e9)]
    found = design(many, 1e22, pilots, unique_tokens=FEW, **ALLOWED)
    stated = design(
        many,
        1e22,
        [Pilot("as the run", **grid, unique_tokens=FEW)],
        unique_tokens=FEW,
        **ALLOWED,
    )
    own = found.table.sel(pilot="as the run")
    assert float(own["evsi"]) == float(stated.table["evsi"][0])
    assert float(found.table.sel(pilot="repeated")["evsi"]) != float(own["evsi"])


def test_unique_tokens_as_a_choice(
    many: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = select(many, 1e22, by="unique_tokens", among=[FEW, 2e10], high=1e23, **ALLOWED)
    assert found.table["group"].to_numpy().tolist() == ["5B unique tokens", "20B unique tokens"]
    # More data are never worse, at any budget and in any draw.
    assert found.best == "20B unique tokens"
    few, more = (
        IsoFlop.of(many, many.groups(), 1e22, {"unique_tokens": u}).frontier_loss
        for u in (FEW, 2e10)
    )
    assert (more <= few * (1.0 + 1e-9)).all()
    # Where fewer than 5B tokens are best anyway the two are one, and the first is counted.
    assert float(found.table["p_best"][0]) == np.mean(few <= more) < 0.05
    for value, loss in zip((FEW, 2e10), found.table["loss"].to_numpy(), strict=True):
        own = plan(many, 1e22, unique_tokens=value, **ALLOWED)
        assert loss == pytest.approx(own.by_utility["waste"].loss, rel=1e-9)
    assert found.headline().startswith("Which unique tokens at 1e+22 FLOP: 20B unique tokens")
    saved = str(many.save(tmp_path / "fit.nc"))
    words = ["select", saved, "--compute", "1e22", "--high", "1e23", "--by", "unique_tokens"]
    words += ["--among", "5B", "--among", "20B", "--allow-experimental", "--json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["best"] == found.best
    assert run([*words, "--new", "x"]) == 1
    assert "names a group" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"among": None}, "name the unique tokens to choose from in among"),
        ({"among": [FEW]}, "two values or more; unique_tokens: 5B unique tokens"),
        ({"among": [FEW, FEW]}, "in the list more than once"),
        ({"among": [FEW, -1.0]}, r"unique_tokens = -1 .expected from 1"),
        ({"among": [FEW, "many"]}, "unique_tokens = 'many'"),
        ({"among": [FEW, 2e10], "unique_tokens": FEW}, "is what is chosen"),
        ({"by": "experts", "among": [1, 64]}, "experts is not read by 'repeated-data'"),
        ({"by": "epochs", "among": [1, 4]}, "unknown side to choose 'epochs'"),
    ],
)
def test_bad_choices_of_an_input(fit: Fit, options: dict[str, Any], message: str) -> None:
    asked_for = {"by": "unique_tokens", "architecture": "gpt"} | options
    with pytest.raises(BayescaleError, match=message):
        select(fit, 1e22, **asked_for, **ALLOWED)


def test_files_and_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = make_fit("repeated-data", make_runs(("gpt", "mamba")), draws=10, drift=False)
    saved, asked_for = small.save(tmp_path / "fit.nc"), tmp_path / "plan.toml"
    asked_for.write_text('unique_tokens = "5B"\nexperts = 8\n[budget]\ncompute = 1e22\n')
    assert load_problem(asked_for).given() == {"unique_tokens": 5e9, "experts": 8.0}
    asked_for.write_text("experts = 0\n[budget]\ncompute = 1e22\n")
    with pytest.raises(PlanError, match=r"experts = 0 .expected from 1"):
        load_problem(asked_for)
    common = ["--unique-tokens", "5B", "--allow-experimental", "--json"]
    one = ["--architecture", "gpt", *common]
    prices = ["--price-per-hour", "2.7", "--mfu", "0.4", "--hardware", "H100-SXM"]
    commands = [
        ["plan", saved, "--compute", "1e22", *one],
        ["select", saved, "--compute", "1e22", "--high", "1e23", *common],
        ["cheapest", saved, "--target-loss", "2.6", "--probability", "0.4", *one],
        ["stopping", saved, "--per-nat", "1e6", "--high", "1e23", *prices, *one],
        [
            "pareto",
            saved,
            "--low",
            "1e22",
            "--high",
            "2e22",
            "--hardware",
            "H100-SXM",
            "--mfu",
            ".4",
            *one,
        ],
    ]
    for words in commands:
        code = run([str(w) for w in words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, ""), words
        content = json.loads(out)
        assert content.get("problem", content)["unique_tokens"] == 5e9, words[0]
    assert (
        run([str(w) for w in ["cheapest", saved, "--target-loss", "2.6", "--experts", "8", *one]])
        == 1
    )
    assert "experts is not read by 'repeated-data'" in capsys.readouterr().err


def test_a_file_of_pilots_states_them(
    many: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pilots.toml"
    text = """
    budget = { compute = 1e22 }
    run = { unique_tokens = "5B" }
    [[pilot]]
    name = "repeated"
    params = "1B"
    tokens = "20B"
    unique_tokens = "2B"
    """
    path.write_text(text)
    stated = load_pilots(path)
    assert stated.given == {"unique_tokens": 5e9}
    assert stated.pilots == (Pilot("repeated", 1e9, 2e10, unique_tokens=2e9),)
    saved = str(many.save(tmp_path / "fit.nc"))
    assert run(["design", saved, str(path), "--allow-experimental", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problem"]["unique_tokens"] == 5e9
    for old, new, message in (
        ('"2B"', "0", "'repeated': unique_tokens = 0 .expected from 1"),
        ('"2B"', '"some"', "'repeated': unique_tokens: .*'some'"),
        ("unique_tokens", "unique_token", "unknown key 'unique_token' .* mean 'unique_tokens'"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(BayescaleError, match=message):
            load_pilots(path)
    plain = make_fit(runs=make_runs(), draws=60)
    with pytest.raises(PlanError, match="unique_tokens is not read by 'parameter-data'"):
        design(plain, 1e22, stated.pilots)
