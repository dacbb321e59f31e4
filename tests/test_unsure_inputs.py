"""Inputs that are distributions, several chosen at once, bounds on the final run, and stacks over a lifetime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs

from bayescale.cli.run import run
from bayescale.decide import (
    Constraints,
    IsoFlop,
    Pilot,
    cheapest,
    design,
    lifetime_optimum,
    load_pilots,
    load_problem,
    plan,
    select,
)
from bayescale.errors import PlanError
from bayescale.given import GIVEN
from bayescale.posterior import Fit, Stacked, group_curve
from bayescale.posterior.uncertain import bounds_of, draws_of
from bayescale.spec import ModelSpec
from bayescale.zoo import load_model

ALLOWED: dict[str, Any] = {"allow_experimental": True}
UNSURE = "LogNormal(median=5e9, sigma=0.5)"


@pytest.fixture(scope="module")
def fit() -> Fit:
    prior = {"R_D_star": "LogNormal(mu=1.5, sigma=0.5)"}
    return make_fit("repeated-data", make_runs(), draws=300, drift=False, prior=prior)


def test_every_draw_has_its_own_value(fit: Fit) -> None:
    where = fit.groups()
    unsure = group_curve(fit, where, given={"unique_tokens": UNSURE})
    values = draws_of(UNSURE, "unique_tokens", bounds_of(GIVEN["unique_tokens"]), 600, fit.seed)
    assert np.std(np.log(values)) == pytest.approx(0.5, abs=0.5 * 4 / np.sqrt(2 * 600))
    at = {"params": np.log([[1e9, 4e9]]), "tokens": np.log([[1e11, 5e10]])}
    found = unsure.log_reducible(at)
    for i in (0, 17, 599):
        alone = group_curve(fit, where, given={"unique_tokens": float(values[i])})
        np.testing.assert_allclose(found[i], alone.log_reducible(at)[i], rtol=1e-12)
    kept = np.array([3, 17])
    np.testing.assert_allclose(unsure.take(kept).log_reducible(at), found[kept], rtol=1e-12)


def test_an_all_but_certain_distribution_is_its_number(fit: Fit) -> None:
    sure = plan(fit, 1e22, unique_tokens=5e9, **ALLOWED)
    close = plan(fit, 1e22, unique_tokens="LogNormal(median=5e9, sigma=0.0001)", **ALLOWED)
    assert close.by_utility["waste"].loss == pytest.approx(sure.by_utility["waste"].loss, rel=1e-4)
    assert close.problem["unique_tokens"] == "LogNormal(median=5e9, sigma=0.0001)"
    assert "epochs" in str(sure)
    assert "epochs" not in str(close)


def test_what_is_unsure_is_worth_knowing() -> None:
    values = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.7}
    values |= {"R_D_star": 5.0, "R_N_star": 4.0}
    fit = make_fit("repeated-data", make_runs(), draws=1000, drift=False, values=values)
    pilots = [Pilot("one", params=1e9, tokens=2e10)]
    known = design(fit, 1e22, pilots, unique_tokens=UNSURE, **ALLOWED)
    sure = design(fit, 1e22, pilots, unique_tokens=5e9, **ALLOWED)
    assert list(known.evppi) == ["unique_tokens"]
    assert sure.evppi == {}
    assert sure.evpi.value == 0.0
    worth = known.evppi["unique_tokens"]
    assert worth.value > 4 * worth.error
    # Nothing else is unsure; polynomials are too stiff for where data run out, and err to the low side.
    assert 0.5 * known.evpi.value < worth.value <= known.evpi.value


def test_it_goes_through_files_and_options(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = str(fit.save(tmp_path / "fit.nc"))
    expected = plan(fit, 1e22, unique_tokens=UNSURE, **ALLOWED)
    file = tmp_path / "plan.toml"
    file.write_text(f'unique_tokens = "{UNSURE}"\nbudget = {{ compute = 1e22 }}\n')
    assert load_problem(file).given() == {"unique_tokens": UNSURE}
    options = ["--compute", "1e22", "--unique-tokens", UNSURE]
    for words in ([str(file)], options):
        assert run(["plan", saved, *words, "--allow-experimental", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["optimum"]["params"] == expected.optimum["params"]
    file.write_text('unique_tokens = "LogNormal(median=5e9"\nbudget = { compute = 1e22 }\n')
    assert run(["plan", saved, str(file), "--allow-experimental"]) == 1
    assert "cannot read 'LogNormal(median=5e9'" in capsys.readouterr().err


def test_several_inputs_are_one_choice() -> None:
    spec = load_model("repeated-data")
    routed = {
        n: p
        for n, p in load_model("routed").parameters.items()
        if "expert" in str(p.prior) or "routing" in str(p.prior)
    }
    both = ModelSpec.model_validate(
        spec.model_dump(exclude_none=True)
        | {
            "name": "both",
            "effective": ("routed", "repeated-data"),
            "parameters": spec.parameters | routed,
        }
    )
    fit = make_fit(both, make_runs(), draws=50, drift=False)
    asked: dict[str, Any] = {"by": ("experts", "unique_tokens"), "high": 1e23} | ALLOWED
    options = [(1, 5e9), (64, 5e9), (64, 2e11)]
    found = select(fit, 1e22, among=options, **asked)
    assert found.problem["by"] == "experts, unique_tokens"
    assert found.best == "64 experts, 200B unique tokens"
    loss = [
        IsoFlop.of(fit, fit.groups(), 1e22, {"experts": e, "unique_tokens": u}).frontier_loss
        for e, u in options
    ]
    assert found.table["p_best"].to_numpy()[2] == np.mean(np.argmin(loss, axis=0) == 2)
    with pytest.raises(PlanError, match=r"64 in among .expected a value of each of experts, uni"):
        select(fit, 1e22, among=[64, 1], **asked)
    with pytest.raises(PlanError, match="name the candidates in among, not in experts"):
        select(fit, 1e22, among=options, experts=8, **asked)


def test_pilots_are_worth_less_where_little_is_left_to_choose(tmp_path: Path) -> None:
    fit = make_fit(runs=make_runs(), draws=400)
    pilots = [Pilot("valley", params=[1e9, 3e9, 9e9], tokens=[9e10, 3e10, 1e10])]
    free = design(fit, 1e22, pilots)
    bounds = Constraints(tokens=float(1.05 * free.problem["tokens"]), latency=None)
    bound = design(fit, 1e22, pilots, constraints=bounds)
    assert bound.evpi.value < free.evpi.value
    assert bound.problem["tokens"] <= bounds.tokens * (1 + 1e-6)  # type: ignore[operator]
    assert any("not feasible" in said and "tokens" in said for said in bound.caveats)
    assert bound.problem["constraints"] == {"tokens": bounds.tokens}
    file = tmp_path / "pilots.toml"
    file.write_text(
        'constraints = { tokens = "100B" }\nbudget = { compute = 1e22 }\n'
        'pilot = [{ name = "one", params = "1B", tokens = "20B" }]\n'
    )
    assert load_pilots(file).constraints == Constraints(tokens=1e11)


def test_a_stack_over_a_lifetime_is_its_members_one_after_the_other() -> None:
    members = (make_fit(runs=make_runs(), draws=40), make_fit(runs=make_runs(), draws=40, seed=1))
    stack = Stacked(members, (0.5, 0.5))
    found = lifetime_optimum(stack, target_loss=2.3, served_tokens=1e12)
    alone = [lifetime_optimum(m, target_loss=2.3, served_tokens=1e12) for m in members]
    expected = np.concatenate(
        [one.params[draws] for one, (_, draws) in zip(alone, stack.parts, strict=True)]
    )
    np.testing.assert_allclose(found.params, expected)


def test_a_target_that_few_data_miss_says_what_was_given(fit: Fit) -> None:
    with pytest.raises(PlanError, match=r"with unique_tokens ~ LogNormal"):
        cheapest(fit, target_loss=1.9, probability=0.95, unique_tokens=UNSURE, **ALLOWED)
