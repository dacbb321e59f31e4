"""Which pilots to train, replayed: its README says what was run, sets of pilots are by rule, information by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_study import module, opened
from helpers import make_fit, make_runs

from bayescale.posterior import curve_of

MODULES = ("pilots", "replay", "sets", "study", "recorded")


@pytest.fixture
def case(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the study, on the path for as long as the test runs."""
    yield from opened(root / "case_studies" / "replay", MODULES, monkeypatch)


@pytest.fixture
def content(case: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((case / "pilots.json").read_text(encoding="utf-8"))
    return found


def test_the_readme_has_the_table(case: Path, content: dict[str, Any]) -> None:
    text = (case / "README.md").read_text(encoding="utf-8")
    for marker, table in module("pilots").markdown(content).items():
        assert f"<!-- {marker} -->\n{table}\n<!-- end -->" in text


def test_what_the_readme_concludes(content: dict[str, Any]) -> None:
    rows = {
        (name, row["policy"]): row
        for name, table in content["tables"].items()
        for row in table["summary"]
    }
    assert sum(table["unconverged"] for table in content["tables"].values()) == 0
    chinchilla = [r for (name, _), r in rows.items() if name.startswith("chinchilla")]
    assert {round(100 * r["waste"], 1) for r in chinchilla} >= {9.6, 12.2}
    assert all(abs(r["less"]) <= r["se"] for r in chinchilla)
    refined, owt, near = "porian refinedweb", "porian openwebtext2", ", near the valley"

    def points(name: str, policy: str) -> tuple[float, float]:
        return round(100 * rows[name, policy]["less"], 1), round(100 * rows[name, policy]["se"], 1)

    assert [points(n, "EVSI") for n in (refined, owt)] == [(-8.7, 5.0), (-7.9, 2.2)]
    assert [points(n, "variance") for n in (refined, owt)] == [(-13.7, 3.8), (-9.8, 2.9)]
    assert [points(n + near, "EVSI") for n in (owt, refined)] == [(2.8, 1.5), (2.5, 2.5)]
    for name in (refined, owt):
        assert rows[name, "EVSI"]["waste"] > rows[name, "no pilot"]["waste"]
    wasted = [round(100 * rows[owt + near, p]["waste"], 1) for p in ("EVSI", "random", "no pilot")]
    assert wasted == [1.4, 4.2, 7.3]
    assert min(r["waste"] for (n, _), r in rows.items() if n == owt + near) * 100 < 1.5
    found = rows[owt + near, "no pilot"]["waste"] - rows[owt + near, "EVSI"]["waste"]
    assert round(100 * found, 1) == 5.8
    assert [round(100 * rows[n, "EVSI"]["evsi"], 1) for n in (refined, owt, owt + near)] == [
        7.6,
        9.0,
        7.1,
    ]
    largest = [points(n, "largest-first")[0] for n in content["tables"]]
    assert (min(largest), sorted(largest)[-2:]) == (-2.5, [0.8, 2.2])


def test_sets_of_pilots_are_of_one_price(case: Path) -> None:
    pilots = module("pilots")
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"compute": np.geomspace(1.0, 60.0, 40), "loss": 3.0})
    menu = pilots.sets_of(rows, 50.0, rng)
    assert len(menu) == pilots.MENU
    assert len({tuple(one.index) for one in menu}) == len(menu)
    for one in menu:
        assert 1 <= len(one) <= pilots.MOST_RUNS
        assert 0.8 * 50.0 <= one["compute"].sum() <= 50.0
    # Nothing at that price is no choice.
    assert pilots.sets_of(rows, 0.5, rng) == []


def test_information_is_that_of_normal_variables(case: Path) -> None:
    pilots = module("pilots")
    fit = make_fit(runs=make_runs(), draws=400, values={"sigma": 0.02})
    one = pd.DataFrame({"params": [1e9], "tokens": [2e10]})
    curve = curve_of(fit, fit.groups())
    logs = {a: np.log(one[a].to_numpy())[None] for a in ("params", "tokens")}
    variance = np.log(curve.loss(curve.log_reducible(logs))).var(ddof=1)
    assert pilots.information(fit, one) == pytest.approx(0.5 * np.log1p(variance / 0.02**2))
    # The same run twice tells as much as one of half the noise.
    twice = pilots.information(fit, pd.concat([one, one]))
    assert twice == pytest.approx(0.5 * np.log1p(2 * variance / 0.02**2))
    sure = {"R0": 1.0, "alpha": 0.15, "a": 0.5, "omega": 0.5, "gamma": 1.0, "L_inf": 1.8}
    certain = make_fit(runs=make_runs(), draws=50, values={**sure, "sigma": 0.02})
    assert pilots.information(certain, one) == pytest.approx(0.0, abs=1e-9)


def test_less_than_random_is_of_the_same_decisions(case: Path) -> None:
    pilots = module("pilots")
    waste = {
        "EVSI": [0.1, 0.3],
        "variance": [0.2, 0.2],
        "largest-first": [0.4, 0.4],
        "no pilot": [0.5, 0.5],
    }
    rows = [
        {"policy": p, "cost": c, "subset": 0, "waste": w, "regret": w}
        for p, values in waste.items()
        for c, w in zip((1e20, 2e20), values, strict=True)
    ]
    # Two sets taken blindly: their mean counts.
    rows += [
        {"policy": "random", "cost": c, "subset": 0, "waste": w, "regret": w}
        for c in (1e20, 2e20)
        for w in (0.1, 0.3)
    ]
    frame = pd.DataFrame(rows).assign(evsi=0.01, pilot_cost=1e19, runs=2)
    found = {row["policy"]: row for row in pilots.summary(frame)}
    assert found["random"]["waste"] == pytest.approx(0.2)
    assert found["EVSI"]["less"] == pytest.approx(0.0)
    assert found["EVSI"]["se"] == pytest.approx(0.1)
    assert (found["EVSI"]["better"], found["EVSI"]["worse"]) == (1, 1)
    assert found["no pilot"]["less"] == pytest.approx(-0.3)
    assert found["EVSI"]["price"] == pytest.approx((0.1 + 0.05) / 2)


def test_what_is_chosen_among_was_not_seen(
    case: Path, public_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCALE_DATA", str(public_data))
    pilots = module("pilots")
    name = "gadre c4"
    below = pilots.CASES[name].below
    asked = list(pilots.problems(name))
    assert len(asked) >= pilots.TABLES[name]
    for problem in asked:
        cost = problem.called["cost"]
        price = 0.5 * below * cost
        assert len(problem.seen) == pilots.SEEN
        assert len(problem.menu) >= pilots.LEAST_MENU
        for rows in problem.menu:
            assert not set(rows.index) & set(problem.seen.index)
            assert not set(rows.index) & set(problem.actions.index)
            assert rows["compute"].max() <= below * cost
            assert 0.8 * price <= rows["compute"].sum() <= price


@pytest.mark.slow
def test_a_decision_is_made_again(
    case: Path, public_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCALE_DATA", str(public_data))
    pilots = module("pilots")
    name = "gadre c4"
    made = pilots.decide(next(pilots.problems(name)), pilots.CASES[name])
    assert set(made["policies"]) == set(pilots.POLICIES)
    best = made["policies"]["EVSI"][0]
    assert best["evsi"] >= max(
        one["evsi"] for policy in made["policies"].values() for one in policy
    )
    assert best["evsi"] < made["evpi"]
    assert all(one["regret"] >= 0.0 for policy in made["policies"].values() for one in policy)
