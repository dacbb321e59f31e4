"""The account of compound scaling quotes numbers that were run, and says where the law fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "compound"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
LARGEST, MIXES = EXPECTED["scores"].values()


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").markdown(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_the_largest_members_lie_inside_their_intervals() -> None:
    own = LARGEST["compound"]
    assert all(low <= loss <= high for loss, low, _, high in own["rows"].values())
    assert own["log_score"] > LARGEST["family"]["log_score"]
    verdicts = [said for fold in EXPECTED["verdicts"].values() for said in fold.values()]
    assert all(said.startswith("converged") for said in verdicts)


def test_the_law_fails_where_the_account_says_and_is_experimental_for_it() -> None:
    assert not any(low <= loss <= high for loss, low, _, high in MIXES["compound"]["rows"].values())
    assert load_model("compound").status == "experimental"


def test_a_step_takes_two_times_the_flop_and_the_published_resolution_lies_outside() -> None:
    step = EXPECTED["steps"]["EfficientNet"]["step"]
    shares = sum(step[f"share_{name}"]["median"] for name in ("depth", "width", "resolution"))
    # Medians of parts of a whole: near one.
    assert shares == pytest.approx(1.0, abs=0.02)
    assert step["c"]["hi90"] < 1.15
    assert step["a"]["lo90"] > 1.2
    assert EXPECTED["steps"]["EfficientNet"]["stop"]["per_flop"]["hi90"] < 0
