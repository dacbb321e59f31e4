"""The account of routed networks quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "routed"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
SCORES = EXPECTED["scores"]


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = {"results": module("study").markdown(SCORES)}
        assert "<!-- results -->" in text
        assert module("recorded").with_tables(text, made) == text


def test_a_floor_takes_most_of_the_error_away_and_the_intervals_stay_too_narrow() -> None:
    assert SCORES["routed"]["rmsle"] < 0.5 * SCORES["routed without a floor"]["rmsle"]
    assert SCORES["routed"]["log_score"] > SCORES["blind to experts"]["log_score"]
    assert SCORES["routed"]["inside90"] < 0.9
    assert load_model("routed").status == "experimental"


def test_drift_is_no_cure_and_the_account_does_not_hide_it() -> None:
    drifting = SCORES["routed, drifting"]
    assert EXPECTED["verdicts"]["routed, drifting"].startswith("converged")
    assert drifting["inside90"] + 2 * drifting["se90"] < 0.85
    assert drifting["rmsle"] > SCORES["routed"]["rmsle"]
