"""The account of calibration quotes scored runs, and pools them over groups that are independent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.predict import Backtest

FOLDER = ROOT / "case_studies" / "calibration"
ROWS = pd.read_csv(FOLDER / "rows.csv")
RESULTS: dict[str, Any] = json.loads((FOLDER / "results.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from opened(FOLDER, ["replication", "report", "sets", "study"], monkeypatch)


def test_the_tables_of_the_account_are_made_of_the_scored_runs() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    made = module("report").tables(ROWS)
    assert all(f"<!-- {name} -->" in text for name in made)
    assert module("recorded").with_tables(text, made) == text


def test_the_scored_runs_are_those_of_the_recorded_summaries() -> None:
    assert set(RESULTS) == set(ROWS["set"])
    for name, result in RESULTS.items():
        found = Backtest(ROWS[ROWS["set"] == name], pd.DataFrame(), {}).summary()
        stated = pd.DataFrame(result["summary"])
        assert found[["model", "fold", "runs", "groups"]].equals(
            stated[["model", "fold", "runs", "groups"]]
        )
        assert found["cover90"].to_numpy() == pytest.approx(stated["cover90"].to_numpy())
        # The scored runs are kept to five digits, of numbers up to four.
        for column in ("width90", "rmsle", "bias", "log_score"):
            assert found[column].to_numpy() == pytest.approx(stated[column].to_numpy(), abs=2e-4)


def test_one_configuration_served_every_joint_set_and_its_own_evidence_was_left_out() -> None:
    sets = module("sets")
    for name, result in RESULTS.items():
        case, problem = sets.CASES[name], result["problem"]
        assert problem["exclude"] == sorted(case.exclude)
        assert problem["drift"]
        assert problem["sweep"]
        assert problem["models"][0] == sets.DEFAULT


def test_the_pooled_claim_and_the_fault_that_it_hides() -> None:
    report = module("report")
    every = report.counted(ROWS)
    pooled = [report.pooled(ROWS, names).set_index("model") for names in (every, every[1:])]
    shipped, without_first = (table.loc["parameter-data"] for table in pooled)
    assert shipped["groups"] >= 20
    assert 0.85 <= shipped["cover90"] <= 0.95
    assert without_first["groups"] >= 20
    assert without_first["cover90"] > 0.95
    for other in ("parameter-data (exact)", "chinchilla", "huber-bootstrap"):
        assert pooled[0].loc[other, "cover90"] + 2 * pooled[0].loc[other, "se90"] < 0.9


def test_pooling_counts_a_held_out_group_once_and_a_recount_not_at_all() -> None:
    report, sets = module("report"), module("sets")
    recount = next(name for name, case in sets.CASES.items() if case.recount)
    # Two groups of four runs a set: all inside, and one of four.
    inside = [1.0] * 4 + [1.0, 0.0, 0.0, 0.0]
    one = pd.DataFrame({"model": sets.DEFAULT, "group": ["a"] * 4 + ["b"] * 4})
    for column in ROWS.columns.difference(["set", "model", "group"]):
        one[column] = inside if column.startswith("inside") else 1.0
    names = ["chinchilla_fig4", "olmo_ladder", recount]
    rows = pd.concat([one.assign(set=name) for name in names])
    assert report.counted(rows) == names[:2]
    (row,) = report.pooled(rows, report.counted(rows)).to_dict("records")
    assert (row["runs"], row["groups"], row["sets"]) == (16, 4, 2)
    assert row["cover90"] == pytest.approx(10 / 16)
    # Four clusters whose sums deviate by ±1.5 from those expected; the two sets do not differ.
    assert row["se90"] == pytest.approx(math.sqrt(4 * 1.5**2 * 4 / 3) / 16)
    assert row["se90_by_set"] == pytest.approx(0.0, abs=1e-12)


def test_coverage_at_every_cut_is_what_the_shipped_law_expects_of_itself() -> None:
    found = json.loads((FOLDER / "replication.json").read_text("utf-8"))
    rows = pd.DataFrame(found["rows"])
    text = (FOLDER / "README.md").read_text("utf-8")
    assert module("replication").table(rows) in text
    sets = module("sets")
    assert found["problem"]["exclude"] == sorted(sets.CASES[found["set"]].exclude)
    within = rows["cover"].between(rows["expected_lo"], rows["expected_hi"])
    by_model = within.groupby(rows["model"]).mean()
    assert by_model[sets.DEFAULT] == 1.0
    assert by_model["chinchilla"] == 0.0
    assert 0.0 < by_model["parameter-data (exact)"] < 1.0
