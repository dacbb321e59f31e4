"""Plans: what they must say, what is kept of them, and what is refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from helpers import make_fit, make_runs
from test_plan import CHINCHILLA, PRICED, RISKS, besiroglu

from bayescale.decide import Budget, CVaR, Expectation, Plan, plan
from bayescale.decide.plans.numbers import si
from bayescale.errors import (
    BayescaleError,
    ConvergenceError,
    ForecastError,
    PlanError,
    UnknownNameError,
)
from bayescale.posterior import Fit, New
from bayescale.predict import EXACT_LAW
from bayescale.zoo import load_model


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def made(fit: Fit) -> Plan:
    return plan(fit, PRICED, RISKS, target_loss=2.0)


# ------------------------------------------------------------------ what a plan says


def test_every_plan_prints_distance_caveat_and_calibration(fit: Fit) -> None:
    for compute in (1e18, 1e21, 5.76e23, 1e27):
        made = plan(fit, Budget(compute=compute))
        text = str(made)
        assert f"note: {EXACT_LAW}" in text
        assert "note: not calibrated here: no back-test at this distance" in text
        assert "beyond the fitted runs by up to" in text or "inside the range" in text
    assert "the budget lies beyond every fitted run" in made.caveats
    near = plan(besiroglu(), Budget(compute=1.2e20))
    assert "the budget lies beyond every fitted run" not in near.caveats
    assert "inside the range of the fitted runs" in near.caveats


def test_distance_is_that_of_the_recommendation() -> None:
    fit = besiroglu()
    made = plan(fit, CHINCHILLA)
    decades = math.log10(made.recommendations[0].params / float(fit.runs["params"].max()))
    assert any(f"N {decades:.1f}" in c for c in made.caveats)


def test_distance_of_a_plan_is_also_that_of_its_family() -> None:
    families = make_fit(draws=50)
    own, new = (plan(families, 1e23, architecture=a).caveats[0] for a in ("GPT-J", New("q")))
    assert "; beyond GPT-J's own runs by up to" in own
    assert "own runs" not in new


def test_a_budget_below_every_run_and_another_way_to_count_flop_are_said() -> None:
    caveats = plan(besiroglu(), 1e15).caveats
    assert "the budget lies below every fitted run" in caveats
    assert not any("6ND" in c for c in caveats)
    said = " ".join(plan(make_fit(draws=50), 1e23, architecture="Pythia").caveats)
    assert re.search(
        r"spent as 6ND unless it says more; the table's reported compute is 1\.\d\d × 6ND in the median",
        said,
    )


def test_numbers_and_words_serve_for_budgets_and_risks(fit: Fit) -> None:
    spelled = plan(fit, 1e24, ["expectation", "cvar:0.1"]).to_dict()
    assert spelled == plan(fit, Budget(compute=1e24), [Expectation(), CVaR(0.1)]).to_dict()
    assert plan(fit, 1e24, "cvar:0.1").problem["risk"] == ["cvar:0.1"]


def test_an_optimum_that_is_not_known_is_said_to_be_so(made: Plan) -> None:
    assert made.regret_set is None
    assert any("optimum is not known that well" in c for c in made.caveats)
    assert any("optimum is not known" in c for c in plan(besiroglu(), CHINCHILLA).caveats) is False


def test_money_is_shown_where_it_is_given(fit: Fit, made: Plan) -> None:
    assert "($5,000,000)" in str(made)
    assert made.problem["compute"] == pytest.approx(2.64e24, rel=2e-3)
    assert "$" not in str(plan(fit, CHINCHILLA))


def test_json_round_trip(made: Plan, tmp_path: Path) -> None:
    path = made.save(tmp_path / "plan.json")
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps(made.to_dict()))
    assert (read["format"], read["schema_version"]) == ("bayescale-plan", 3)
    assert read["table"]["params"] == made.table["params"].to_numpy().tolist()
    assert read["recommendations"][0]["params"] == made.recommendations[0].params
    assert read["provenance"]["model_hash"]
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    with pytest.raises(BayescaleError, match=r"plan\.json exists already"):
        made.save(path)
    assert made.save(path, overwrite=True) == path
    with pytest.raises(BayescaleError, match="no folder"):
        made.save(tmp_path / "absent" / "plan.json")


def test_a_plan_is_the_same_each_time(fit: Fit) -> None:
    one, two = (plan(fit, CHINCHILLA, RISKS, target_loss=2.0).to_dict() for _ in range(2))
    assert one == two


def test_new_groups_are_named_as_new(fit: Fit) -> None:
    made = plan(fit, CHINCHILLA, architecture=New("mamba-3"))
    assert made.problem["architecture"] == "new: mamba-3"
    assert made.problem["task"] == "web"
    wide, narrow = (
        math.log(q["hi90"] / q["lo90"])
        for q in (made.optimum["params"], plan(besiroglu(), CHINCHILLA).optimum["params"])
    )
    assert wide > narrow


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_loss": -1.0}, "target_loss = -1 .expected a positive loss"),
        ({"target_loss": float("nan")}, "target_loss = nan"),
        ({"risk": []}, "risk is an empty list"),
        ({"risk": "cvra:0.1"}, "did you mean 'cvar:0.1'"),
        ({"fit": "pile.nc"}, r"plan takes a fit, not the path .*load_fit\('pile.nc'\)"),
        ({"budget": "1e24"}, "compute = '1e24' .expected a number"),
        ({"budget": 1e5}, r"budget of 1e\+05 FLOP .expected from 1e\+06 to 1e\+40"),
        ({"budget": 1e41}, r"budget of 1e\+41 FLOP"),
        ({"architecture": "gtp"}, r"did you mean 'gpt'"),
    ],
)
def test_bad_problems(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises((PlanError, ForecastError, UnknownNameError), match=message):
        plan(**{"fit": fit, "budget": CHINCHILLA, **options})


@pytest.mark.parametrize("model", ["compute", "parameter", "data"])
def test_a_law_of_one_axis_has_nothing_to_choose(model: str) -> None:
    with pytest.raises(PlanError, match=r"has no choice of N and D.*fit a joint law"):
        plan(make_fit(model, make_runs(), draws=5), CHINCHILLA)


def test_an_unconverged_fit_is_refused_or_marked() -> None:
    bad = make_fit(runs=make_runs(), draws=20, converged=False)
    with pytest.raises(ConvergenceError, match="allow_unconverged"):
        plan(bad, CHINCHILLA)
    made = plan(bad, CHINCHILLA, allow_unconverged=True)
    assert any("did not converge" in c for c in made.caveats)


def test_an_experimental_model_needs_a_flag() -> None:
    spec = load_model("parameter-data").model_copy(update={"status": "experimental"})
    fit = make_fit(spec, make_runs(), draws=20)
    with pytest.raises(PlanError, match="allow_experimental=True"):
        plan(fit, CHINCHILLA)
    assert plan(fit, CHINCHILLA, allow_experimental=True).recommendations


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.22e10, "72.2B"),
        (1.4e12, "1.4T"),
        (1.25e8, "125M"),
        (2e3, "2k"),
        (18.39, "18.4"),
        (0.01, "0.01"),
    ],
)
def test_counts_are_written_as_people_write_them(value: float, text: str) -> None:
    assert si(value) == text


def test_a_risk_that_rests_on_one_draw_says_so_and_a_quantile_does_not(fit: Fit) -> None:
    risks = ["expectation", "cvar:0.1", "quantile:0.5"]
    assert not any("rests on one draw" in c for c in plan(fit, 1e22, risks).caveats)
    posterior, tree = fit.posterior.copy(deep=True), fit.tree.copy()
    posterior["R0"][0, 0] = 1e6
    tree["posterior"] = xr.DataTree(posterior)
    said = [c for c in plan(replace(fit, tree=tree), 1e22, risks).caveats if "one draw" in c]
    assert [c.partition(" rests")[0] for c in said] == ["expectation", "cvar:0.1"]
