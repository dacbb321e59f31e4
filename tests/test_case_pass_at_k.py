"""The account of pass@k quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "pass_at_k"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = {"results": module("study").markdown(EXPECTED["rows"])}
        assert "<!-- results -->" in text
        assert module("recorded").with_tables(text, made) == text


def test_the_mixture_is_nearer_than_one_beta_binomial_and_holds_most() -> None:
    rows = EXPECTED["rows"]
    for row in rows:
        assert abs(row["these"][1] - row["counted"]) < abs(row["plain"] - row["counted"])
    inside = [row["these"][0] <= row["counted"] <= row["these"][2] for row in rows]
    assert sum(inside) == 4
    assert EXPECTED["converged"]
