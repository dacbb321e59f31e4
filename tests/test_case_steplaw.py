"""The account of mistuned runs quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_study import module, opened
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "steplaw"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
SCORES = EXPECTED["scores"]


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").tables(EXPECTED)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_mistuned_runs_of_a_larger_size_are_forecast() -> None:
    row = SCORES["mistuned"]
    assert row["inside90"] >= 0.85
    assert row["rmsle"] < 0.5 * SCORES["huber-bootstrap"]["rmsle"]
    assert row["width90"] < SCORES["huber-bootstrap"]["width90"]
    shipped = load_model("mistuned")
    assert shipped.status == "stable"
    assert shipped.drift is not None
    assert not shipped.drift.walking


def test_the_recommended_pair_loses_less_than_the_noise_of_a_grid() -> None:
    for name, most in (("held_out", 0.002), ("moe", 0.004)):
        rows = pd.DataFrame(EXPECTED[name])
        assert np.isfinite(rows["loses"]).all()
        assert rows["loses"].max() < most
        assert rows["loses"].mean() < 0.2 * rows["median_loses"].mean()
    # With the active parameters for N either law misses.
    assert pd.DataFrame(EXPECTED["moe_active"])["loses"].mean() > 0.005


def test_the_best_run_of_a_grid_is_forecast_without_its_rate() -> None:
    for row in EXPECTED["tuned"]:
        assert row["lo90"] <= row["best"] <= row["hi90"]


def test_batches_agree_with_the_printed_law_and_rates_do_not_quite() -> None:
    q = EXPECTED["slopes"]
    assert q["batch_by_tokens"]["lo90"] < 0.571 < q["batch_by_tokens"]["hi90"]
    assert q["lr_by_tokens"]["hi90"] < 0.307
    assert -0.774 < q["lr_by_params"]["lo90"] < q["lr_by_params"]["hi90"] < 0
