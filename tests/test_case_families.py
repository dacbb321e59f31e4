"""The account of families of image networks quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "families"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
SCORES = EXPECTED["scores"]


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study", "sets"], monkeypatch):
        made = module("study").markdown(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


@pytest.mark.parametrize("name", sorted(SCORES))
def test_the_largest_members_lie_inside_and_closer_than_by_least_squares(name: str) -> None:
    own, alone = SCORES[name]["family"], SCORES[name]["m2"]
    # Binomial: of 26 and 13 runs a 90 % interval holds .77 and .69 or more, but for one case in twenty.
    assert own["inside90"] >= {26: 0.77, 13: 0.69}[int(own["runs"])]
    assert own["rmsle"] < alone["rmsle"]
    assert own["width90"] < alone["width90"]
    assert own["log_score"] > alone["log_score"]
    assert EXPECTED["verdicts"][name]["verdict"].startswith("converged")
    assert load_model("family").status == "stable"


def test_what_lies_outside_is_named_in_the_account() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    outside = EXPECTED["outside"]
    assert outside["YOLO, five tasks"] == []
    assert {row.split(",")[0] for row in outside["26 families on ImageNet"]} == {
        "EfficientNet",
        "HGNet V2",
    }
    assert "Noisy Student's L2" in text
    assert "HGNet V2's B6" in text
