"""Whether a posterior supports a plan: what a back-test held at its distance, whether the floor is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs

from bayescale.cli.run import run
from bayescale.decide import Plan, load_plan, plan
from bayescale.decide.plans.support import UNTESTED
from bayescale.errors import BayescaleError
from bayescale.posterior import Fit, Stacked, floor_notes
from bayescale.posterior.floors import AT_PRIOR, CONFOUNDED
from bayescale.predict import Backtest


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


def held_out(fit: Fit, decades: list[float], inside: list[bool]) -> Backtest:
    """A back-test of a fit's model that held these runs out."""
    rows = pd.DataFrame(
        {
            "model": fit.model.spec.name,
            "decades": decades,
            "inside90": inside,
            "group": [f"g{i // 2}" for i in range(len(decades))],
        }
    )
    settings = {"pool": True, "drift": True, "sweep": True, "exclude": [], "models": []}
    return Backtest(rows, pd.DataFrame(), {"data_hash": fit.data_hash, **settings})


def said(fit: Fit | Stacked, compute: float, test: Backtest | None) -> str:
    (note,) = [c for c in plan(fit, compute, backtest=test).caveats if "back-test" in c]
    return note


def test_a_plan_says_what_held_at_its_distance_and_where_nothing_was_tested(fit: Fit) -> None:
    assert said(fit, 1e21, None) == UNTESTED
    test = held_out(fit, [0.1, 0.2, 0.3, 0.6, 0.7], [True, True, False, True, True])
    # The design reaches 5e9 parameters and 1e11 tokens, 3e21 FLOP.
    inside = said(fit, 1e20, test)
    assert "0–0.5 decades beyond the fitted runs: 67 % of 3 runs (2 groups)" in inside
    assert "ends 0.7 beyond its own" in said(fit, 1e26, test)
    assert "not calibrated here" in said(fit, 1e26, test)
    gap = held_out(fit, [0.1, 5.0], [True, True])
    assert "held no run out 2–3 decades off" in said(fit, 1e24, gap)
    wide = held_out(fit, [9.0, 9.0], [True, False])
    assert "more than 3 decades beyond the fitted runs: 50 % of 2 runs" in said(fit, 1e27, wide)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_hash": "0" * 64}, "of other data than the fit of 'parameter-data'"),
        ({"pool": False}, "another pool= than the back-test"),
        ({"models": "another"}, "unknown model 'parameter-data'"),
    ],
)
def test_a_back_test_of_something_else_is_refused(
    fit: Fit, change: dict[str, Any], message: str
) -> None:
    test = held_out(fit, [0.1, 5.0], [True, True])
    if "models" in change:
        test = replace(test, rows=test.rows.assign(model=change["models"]))
    with pytest.raises(BayescaleError, match=message):
        plan(fit, 1e21, backtest=replace(test, problem=test.problem | change))


def test_a_floor_that_is_its_prior_is_said_and_one_that_is_known_is_not(fit: Fit) -> None:
    # These draws are of the prior.
    assert any("L_inf stayed at its prior" in note for note in floor_notes(fit))
    assert any("the floor is not identified" in c for c in plan(fit, 1e22).caveats)
    known = make_fit(runs=make_runs(), draws=300, values={"L_inf": 1.8})
    assert floor_notes(known) == []
    assert not any("floor is not identified" in c for c in plan(known, 1e22).caveats)


def test_a_floor_that_shadows_an_exponent_is_said() -> None:
    fit = make_fit(runs=make_runs(), draws=300)
    posterior = fit.posterior
    # The floor of the prior's middle, its spread a third, all of it by the exponent.
    level = np.log(posterior["alpha"]) - float(np.log(posterior["alpha"]).mean())
    moved = posterior.assign(L_inf=1.8 * np.exp(-0.05 * level / float(level.std())))
    tree = fit.tree.copy()
    tree["posterior"] = tree["posterior"].to_dataset().assign(L_inf=moved["L_inf"])
    (note,) = [n for n in floor_notes(replace(fit, tree=tree)) if "alpha and L_inf" in n]
    assert "confounded (correlation -1.00)" in note
    assert 0.0 < AT_PRIOR < CONFOUNDED < 1.0


def test_the_cheapest_to_serve_is_the_smallest_of_the_regret_set(tmp_path: Path) -> None:
    values = {"R0": 1.0, "alpha": 0.15, "a": 0.5, "omega": 0.5, "L_inf": 1.8}
    sure = make_fit("chinchilla", make_runs(), draws=60, values=values)
    made = plan(sure, 1e23)
    assert made.regret_set is not None
    inside = made.table.isel(action=made.table["p_regret"].to_numpy() >= 0.8)
    assert made.regret_set["serve_params"] == float(inside["params"].min())
    assert made.regret_set["serve_params"] == made.regret_set["params_lo"]
    assert made.regret_set["serve_regret"] <= 0.05
    assert made.recommendations[0].params > made.regret_set["serve_params"]
    assert "cheapest of these to serve: N = " in str(made)
    # Of two runs of one size the one that wastes less.
    n, d = made.recommendations[0].params, made.recommendations[0].tokens
    pairs = [(0.9 * n, 0.98 * d / 0.9), (0.9 * n, 0.999 * d / 0.9), (1.1 * n, 0.999 * d / 1.1)]
    listed = plan(sure, 1e23, candidates=pairs)
    assert listed.regret_set is not None
    assert listed.regret_set["serve_tokens"] == pytest.approx(pairs[1][1])
    # A plan of before says nothing of it.
    old = replace(made, regret_set={k: v for k, v in made.regret_set.items() if "serve" not in k})
    assert "to serve" not in str(load_plan(old.save(tmp_path / "old.json")))
    new = load_plan(made.save(tmp_path / "new.json"))
    assert isinstance(new, Plan)
    assert new.regret_set == made.regret_set


def test_a_plan_is_drawn_and_tested_from_the_shell(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = str(fit.save(tmp_path / "fit.nc"))
    (tmp_path / "none.json").write_text("{}")
    words = ["plan", saved, "--compute", "1e22", "--plot", str(tmp_path / "plan.pdf")]
    assert run(words) == 0
    assert "written: " in capsys.readouterr().out
    assert (tmp_path / "plan.pdf").exists()
    assert (tmp_path / "plan.png").exists()
    assert run(words) == 1
    assert "exists already" in capsys.readouterr().err
    assert run([*words, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "bayescale-plan"
    assert run([*words, "--force", "--backtest", str(tmp_path / "none.json")]) == 1
    assert "is no back-test" in capsys.readouterr().err
