"""The account of schedules quotes numbers that were run, and says where the intervals fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "annealing"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
SCORES = EXPECTED["scores"]


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").tables(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_the_schedule_explains_most_of_what_a_power_law_of_tokens_misses() -> None:
    read, blind = SCORES["annealing"], SCORES["plain"]
    assert read["rmsle"] < 0.5 * blind["rmsle"]
    assert read["last_rmsle"] < 0.5 * blind["last_rmsle"]
    assert read["width90"] < 0.5 * blind["width90"]
    assert read["log_score"] > blind["log_score"] + 0.5


def test_the_ends_are_not_held_and_the_account_does_not_hide_it() -> None:
    read = SCORES["annealing"]
    assert round(18 * read["last90"]) == 8
    assert "hold eight of eighteen" in (FOLDER / "README.md").read_text("utf-8")
    assert load_model("annealing").status == "experimental"


def test_the_memory_is_that_of_the_fitted_schedules() -> None:
    memories = EXPECTED["memories"]
    assert str(EXPECTED["memory"]) == min(memories, key=memories.get) == "400"
