"""The account of double descent quotes what was run: the gate passes, the checks do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "double_descent"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").tables(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_every_curve_that_rises_again_is_found_and_the_control_is_not() -> None:
    *curves, control = EXPECTED.values()
    assert len(curves) == 4
    for row in curves:
        assert row["converged"]
        assert row["pit"] < 0.05
        assert row["neighbours"] < 0.05
    assert control["pit"] > 0.05
    assert control["neighbours"] > 0.05
