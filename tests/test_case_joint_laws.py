"""The account of the joint laws quotes what was run, and its R² is what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "joint_laws"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from opened(FOLDER, ("study", "sweeps", "recorded"), monkeypatch)


def test_the_tables_are_those_of_the_recorded_run(folder: Path) -> None:
    study, recorded = module("study"), module("recorded")
    text = (folder / "README.md").read_text(encoding="utf-8")
    made = {"results": study.markdown(EXPECTED)}
    assert "<!-- results -->" in text
    assert recorded.with_tables(text, made) == text
    # A number that is moved changes the table.
    first = next(iter(EXPECTED))
    moved = {**EXPECTED, first: [{**row, "r2": row["r2"] + 0.011} for row in EXPECTED[first]]}
    assert study.markdown(moved) not in text


def test_the_share_explained(folder: Path) -> None:
    explained = module("study").explained
    rows = pd.DataFrame({"loss": [2.0, 3.0, 4.0], "median": [2.0, 3.0, 4.0]})
    assert explained(rows) == 1.0
    assert explained(rows.assign(median=3.0)) == 0.0
    assert explained(rows.assign(median=[2.0, 3.0, 5.0])) == pytest.approx(0.5)


def test_every_model_saw_the_same_folds(folder: Path) -> None:
    study = module("study")
    assert EXPECTED.keys() == study.CASES.keys()
    for rows in EXPECTED.values():
        assert len({(row["fold"], row["runs"]) for row in rows}) == 1
        assert len(rows) == len(study.MODELS)


@pytest.mark.parametrize("name", ["skaling", "over-training"])
def test_a_law_whose_intervals_do_not_hold_is_experimental(name: str) -> None:
    held = [r["cover90"] for rows in EXPECTED.values() for r in rows if r["model"] == name]
    assert min(held) < 0.9
    assert load_model(name).status == "experimental"
