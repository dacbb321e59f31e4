"""The accounts of precision, vocabulary, mixture and sparsity quote numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

STUDIES = ("precision", "vocabulary", "mixture", "sparsity")
MODELS = {"mixture": "mixture-5"}


def expected(study: str) -> dict[str, Any]:
    text = (ROOT / "case_studies" / study / "expected.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_the_account_quotes_what_was_run(study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT / "case_studies" / study
    text = (folder / "README.md").read_text("utf-8")
    for _ in opened(folder, ["study", "further"], monkeypatch):
        made = module("study").tables(expected(study))
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


@pytest.mark.parametrize("study", STUDIES)
def test_the_account_shows_its_verdicts_and_the_status_follows(study: str) -> None:
    found = expected(study)
    text = (ROOT / "case_studies" / study / "README.md").read_text("utf-8")
    missed = [name for name, said in found["verdicts"].items() if said.startswith("did not")]
    # A fit that missed the gate is named as such.
    assert not missed or "missed the convergence gate" in text
    assert load_model(MODELS.get(study, study)).status == "experimental"
    assert "*experimental*" in text


def test_few_bits_lose_more_than_printed_and_the_law_holds_at_larger_sizes() -> None:
    scores = expected("precision")["scores"]
    assert scores["precision"]["cover90"] > 0.85
    assert scores["least squares, printed"]["rmsle"] > 2.0 * scores["least squares, s"]["rmsle"]
    assert scores["precision"]["rmsle"] < scores["least squares"]["rmsle"]


def test_idle_parameters_count_and_longer_runs_are_beyond_the_exact_law() -> None:
    for scores in expected("sparsity")["scores"].values():
        assert scores["sparsity"]["rmsle"] < 0.25 * scores["active alone"]["rmsle"]
    assert expected("sparsity")["scores"]["more tokens"]["sparsity"]["cover90"] < 0.85


def test_no_law_of_the_vocabulary_holds_at_the_largest_size() -> None:
    scores = expected("vocabulary")["scores"]
    assert all(row["cover90"] < 0.5 for row in scores.values())
    least = min(scores, key=lambda name: scores[name]["apart"])
    assert least == "vocabulary"


def test_worths_and_a_factor_halve_the_error_of_the_printed_mixture() -> None:
    found = expected("mixture")
    scores, within = found["scores"], found["within_sizes"]
    assert scores["least squares, both"]["rmsle"] < 0.6 * scores["least squares"]["rmsle"]
    assert within["least squares"] < within["least squares, worth"] < within["least squares, both"]
