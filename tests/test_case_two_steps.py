"""The account of two steps quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "two_steps"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = {"results": module("study").markdown(EXPECTED["summary"])}
        assert "<!-- results -->" in text
        assert module("recorded").with_tables(text, made) == text


def test_the_chain_is_no_surer_than_its_second_step() -> None:
    summary = EXPECTED["summary"]
    for key, row in summary.items():
        if key.endswith("| chain"):
            alone = summary[key.replace("| chain", "| second step")]
            assert row["width"] > 0.9 * alone["width"]
