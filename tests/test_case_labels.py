"""The account of needed labels quotes numbers that were run, and that an exact law does not hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "labels"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        study = module("study")
        made = study.markdown(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text
        held = [study.inside(row) for row in EXPECTED["asked"]]
    assert held.count(True) == 3
    assert "Three of ten intervals hold" in text


def test_an_exact_law_does_not_hold_and_least_squares_is_no_better() -> None:
    scores = EXPECTED["scores"]
    for model in ("data", "m2"):
        assert scores[model]["inside90"] + 2 * scores[model]["se90"] < 0.9
    assert all("holds" in said for said in EXPECTED["verdicts"].values())
    assert (EXPECTED["fitted"], EXPECTED["held_out"], len(EXPECTED["asked"])) == (171, 63, 10)
