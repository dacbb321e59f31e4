"""The case study of replayed decisions: its README says what was run, its sets are by rule, its sums by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_study import module, opened

MODULES = ("replay", "sets", "study", "valley")


@pytest.fixture
def case(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the study, on the path for as long as the test runs."""
    yield from opened(root / "case_studies" / "replay", MODULES, monkeypatch)


@pytest.fixture
def content(case: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((case / "results.json").read_text(encoding="utf-8"))
    return found


def test_the_readme_has_the_tables(case: Path, content: dict[str, Any]) -> None:
    text = (case / "README.md").read_text(encoding="utf-8")
    for marker, table in module("study").markdown(content).items():
        assert f"<!-- {marker} -->\n{table}\n<!-- end -->" in text


def test_what_the_readme_concludes(content: dict[str, Any]) -> None:
    rows = {
        (name, row["size"], row["policy"]): row
        for name, table in content["tables"].items()
        for row in table["summary"]
    }

    def percent(name: str, policy: str, size: int = 12) -> float:
        return round(100 * rows[name, size, policy]["waste"], 1)

    exact, owt, refined = "chinchilla, exact law", "porian openwebtext2", "porian refinedweb"
    for name, *wastes in (("chinchilla", 9.1, 25.8), (exact, 12.6, 22.6), (owt, 14.6, 40.7)):
        assert [percent(name, p) for p in ("waste", "plug-in")] == wastes
    counts = [
        (rows[key]["better"], rows[key]["worse"])
        for key in (("chinchilla", 12, "waste"), (exact, 36, "waste"), (refined, 12, "waste"))
    ]
    assert counts == [(10, 0), (6, 1), (10, 9)]
    assert [percent(exact, p, 36) for p in ("waste", "plug-in")] == [14.1, 19.5]
    assert 1.3 < rows[exact, 36, "waste"]["less"] / rows[exact, 36, "waste"]["se"] < 1.6
    assert [percent(refined, p) for p in ("waste", "plug-in")] == [19.8, 26.2]
    for (name, size, policy), row in rows.items():
        if policy == "plug-in":
            assert row["worst"] > 0.47
        if policy == "expectation":
            assert abs(row["waste"] - rows[name, size, "waste"]["waste"]) < 0.014
        if policy == "20 a parameter" and name != "gadre refinedweb":
            assert row["waste"] < rows[name, size, "waste"]["waste"]
    assert percent(owt, "waste(cvar:0.1)") == percent(owt, "waste") + 5.9
    assert percent("chinchilla", "20 a parameter") == 6.6
    assert [percent("gadre refinedweb", p) for p in ("20 a parameter", "waste")] == [6.4, 2.1]
    decisions = sum(r["decisions"] for (_, _, p), r in rows.items() if p == "waste")
    assert (decisions, sum(t["unconverged"] for t in content["tables"].values())) == (194, 1)
    alone = {
        (name, row["size"], row["cost"]): (round(row["waste"], 2), round(row["plug-in"], 2))
        for name, table in content["tables"].items()
        for row in table["by set"]
    }
    assert alone[exact, 36, 5.45e20] == (0.28, 0.28)
    for name, other in (("gadre c4", 0.05), ("gadre redpajama", 0.0)):
        assert alone[name, 12, 5.08e18][0] == 0.0
        assert alone[name, 12, 5.08e18][1] > 0.3
        assert alone[name, 12, 1.02e19] == (0.13, other)


def test_runs_of_one_cost_are_of_one_cost(case: Path) -> None:
    sets = module("sets")
    params = np.array([1e8, 2e8, 4e8, 8e8, 1e8, 2e8, 1e9])
    compute = np.array([1.0, 1.1, 1.19, 1.3, 10.0, 11.0, 30.0]) * 1e20
    table = pd.DataFrame({"params": params, "tokens": compute / 6 / params, "loss": 2.0})
    (one,) = sets.same_cost(table.assign(compute=compute))
    # The fourth costs more than a factor of 1.2 beyond the first; two sizes are no choice.
    assert sorted(one.index) == [0, 1, 2]


def test_regret_is_against_the_best_trained_run(case: Path) -> None:
    replay = module("replay")
    actions = pd.DataFrame({"params": [1e8, 1e9, 1e10], "loss": [2.6, 2.5, 2.5 + 1e-3]})
    found = replay.realised({"good": 1, "bad": 0}, actions)
    assert found["good"] == {"regret": 0.0, "params": 1e9}
    assert found["bad"]["regret"] == pytest.approx(0.1)
    assert found[replay.ANY]["regret"] == pytest.approx((0.1 + 1e-3) / 3)


def test_waste_is_the_compute_that_the_best_trained_runs_would_have_saved(case: Path) -> None:
    # The best trained losses fall as C^−.1, from 3 at 1e20: 10 % more loss is .9 of a doubling and more.
    best = {1e20 * k: 3.0 * k**-0.1 for k in (1.0, 4.0, 16.0)}
    losses = {cost: pd.Series([loss, 1.1 * loss]) for cost, loss in best.items()}
    rows = pd.DataFrame(
        {
            "cost": [1e20, 4e20, 4e20],
            "policy": ["waste", "waste", "any"],
            "regret": [0.0, 0.1 * best[4e20], 0.05 * best[4e20]],
        }
    )
    found = module("study").with_waste(rows, losses)
    lost = 1.0 - 1.1**-10
    np.testing.assert_allclose(found["waste"], [0.0, lost, lost / 2], atol=1e-12)
    assert found["best"].tolist() == [1.0, 0.0, 0.5]
    assert found["slope"].iloc[0] == pytest.approx(0.1)


def test_the_tables_and_what_is_left_out(
    case: Path, content: dict[str, Any], public_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCALE_DATA", str(public_data))
    sets, study = module("sets"), module("study")
    assert sets.same_cost(sets.olmo()) == []
    for name, found in content["tables"].items():
        asked = list(study.problems(sets.CASES[name]))
        assert {f"{called['cost']:.3g}": len(a) for called, _, a in asked} == found["sets"]
        sizes = {row["size"]: row["decisions"] for row in found["summary"]}
        for size, decisions in sizes.items():
            assert decisions == sum(called["size"] == size for called, _, _ in asked)
        for called, seen, actions in asked:
            # Nothing that is chosen among was seen, and all of it costs more than anything seen.
            below = sets.CASES[name].below * actions["compute"].min()
            assert seen["compute"].max() <= below
            assert len(seen) == called["size"]
            assert actions["compute"].max() <= sets.SAME_COST * actions["compute"].min()


@pytest.mark.slow
def test_a_decision_is_made_again(
    case: Path, content: dict[str, Any], public_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCALE_DATA", str(public_data))
    sets, study, replay = (module(name) for name in ("sets", "study", "replay"))
    gadre = sets.CASES["gadre c4"]
    _, seen, actions = next(study.problems(gadre))
    made = replay.decide(seen, actions, gadre)
    assert made["policies"]["waste"]["regret"] == 0.0
    assert made["policies"]["any"]["regret"] > 0.05


# ------------------------------------------------------------------ told where valleys lie


def test_the_readme_has_the_table_of_both_priors(case: Path) -> None:
    content = json.loads((case / "valley.json").read_text(encoding="utf-8"))
    table = module("valley").markdown(content)
    text = (case / "README.md").read_text(encoding="utf-8")
    assert f"<!-- valley -->\n{table}\n<!-- end -->" in text
    told = {
        (name, row["size"]): row
        for name, rows in content["tables"].items()
        for row in rows
        if row["policy"] == "valley"
    }
    porian = [told[f"porian {corpus}", 12] for corpus in ("refinedweb", "openwebtext2")]
    assert [round(100 * row["less"], 1) for row in porian] == [6.6, 5.2]
    assert [sum(row[k] for row in porian) for k in ("better", "worse")] == [11, 2]
    for key, row in told.items():
        if not key[0].startswith("porian"):
            assert (row["better"], row["worse"]) == (0, 2 if key[1] == 36 else 0)


def test_more_experts_were_better_wherever_they_were_trained(public_data: Path) -> None:
    frame = pd.read_csv(public_data / "routed_moe" / "data.csv")
    plain = (frame["k"] == 1) & (frame["routing_frequency"] == 0.5) & (frame["flop_increase"] == 1)
    last = frame[plain].dropna(subset="loss_validation").sort_values("step").groupby("run").tail(1)
    last = last[last["step"] >= 240_000]
    dense = last[last["router"] == "dense"].groupby("params")["loss_validation"].min()
    steps = []
    for (_, params), rows in last[last["router"] != "dense"].groupby(["router", "params"]):
        by_experts = rows.sort_values("num_experts")["loss_validation"]
        steps += np.diff([dense[params], *by_experts]).tolist()
    assert (len(steps), max(steps) < 0) == (158, True)
