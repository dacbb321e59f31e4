"""The account of isoFLOP profiles quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "isoflop"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
JOINT = "parameter-data (exact)"


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").markdown(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


@pytest.mark.parametrize("name", sorted(EXPECTED["optima"]))
def test_profile_and_joint_law_agree_on_the_optimum(name: str) -> None:
    profile, joint = (EXPECTED["optima"][name][label] for label in ("isoflop-profile", JOINT))
    for what in ("a", "params"):
        assert profile[f"{what}_lo"] < joint[f"{what}_hi"]
        assert joint[f"{what}_lo"] < profile[f"{what}_hi"]
    assert all(row["converged"] for row in EXPECTED["optima"][name].values())


def test_the_printed_exponent_of_tuned_runs_is_found() -> None:
    row = EXPECTED["optima"]["porian, tuned"]["isoflop-profile"]
    assert row["a_lo"] < 0.497 < row["a_hi"]


def test_farseer_forecasts_best_and_is_experimental_for_its_optimum() -> None:
    scores = EXPECTED["scores"]
    others = [scores[label]["log_score"] for label in ("isoflop-profile", JOINT, "isoflop")]
    assert scores["farseer"]["log_score"] > max(others)
    chinchilla = EXPECTED["optima"]["chinchilla"]
    assert chinchilla["farseer"]["params_hi"] < chinchilla[JOINT]["params_lo"]
    for name in ("farseer", "isoflop-profile"):
        assert load_model(name).status == "experimental"
