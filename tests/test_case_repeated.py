"""The account of repeated data quotes numbers that were run; the cheap ones are computed again."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from case_study import module
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "repeated_data"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("repeated_data_study", FOLDER / "study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frame(study: ModuleType) -> pd.DataFrame:
    mirror = os.environ.get("BAYESCALE_DATA")
    if mirror is None or not (Path(mirror) / "datablations" / "data.csv").is_file():
        pytest.skip("BAYESCALE_DATA names no folder with datablations")
    return study.table(Path(mirror))


def test_the_published_constants_are_one_of_two_optima(
    study: ModuleType, frame: pd.DataFrame
) -> None:
    held = EXPECTED["held"]
    assert len(frame) == held["rows"]
    # Printed to seven digits; the objective is smooth.
    assert study.objective(frame, **_short(study.PUBLISHED)) == pytest.approx(
        held["published"], rel=1e-6
    )
    for found in held["optima"]:
        here = study.objective(frame, found["R_D_star"], found["R_N_star"])
        assert here == pytest.approx(found["objective"], rel=1e-6)
        for factor in (0.97, 1.03):
            assert study.objective(frame, factor * found["R_D_star"], found["R_N_star"]) > here
            assert study.objective(frame, found["R_D_star"], factor * found["R_N_star"]) > here
    near, far = held["optima"]
    assert near["R_D_star"] == pytest.approx(15.39, rel=0.01)
    assert near["R_N_star"] == pytest.approx(5.31, rel=0.01)
    # The other one is three times as far, and no worse.
    assert far["R_D_star"] > 2.5 * near["R_D_star"]
    assert far["objective"] < near["objective"] < 1.001 * far["objective"]


def test_the_interval_leaves_the_published_value_out_and_the_model_is_experimental() -> None:
    found = EXPECTED["free"]["R_D_star"]
    assert found["lo90"] > 15.39
    scores = EXPECTED["beyond"]["scores"]
    # While the plain law forecasts better where both are exact, nobody plans with this one unasked.
    assert scores["repeated-data"]["rmsle"] > scores["parameter-data"]["rmsle"]
    assert load_model("repeated-data").status == "experimental"


def test_with_drift_repetition_is_worth_knowing_and_the_intervals_hold() -> None:
    scores = EXPECTED["beyond"]["scores"]
    shipped = scores["repeated-data, drifting"]
    others = [score for name, score in scores.items() if name != "repeated-data, drifting"]
    assert shipped["log_score"] > max(other["log_score"] for other in others)
    assert shipped["rmsle"] < min(other["rmsle"] for other in others)
    assert (shipped["runs"], shipped["groups"]) == (18, 4)
    assert shipped["inside90"] >= 0.85
    for model in ("repeated-data, drifting", "parameter-data, drifting"):
        assert EXPECTED["beyond"]["verdicts"][model].startswith("converged")


def test_the_account_quotes_what_was_run(study: ModuleType) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    free = EXPECTED["free"]["R_D_star"]
    assert f"R_D* = {free['median']:.1f} [90 %: {free['lo90']:.1f}–{free['hi90']:.1f}]" in text
    for near in EXPECTED["held"]["optima"]:
        assert f"{1e3 * near['objective']:.4f} × 10⁻³" in text
    made = {"beyond": study.markdown(EXPECTED["beyond"]["scores"])}
    assert "<!-- beyond -->" in text
    assert module("recorded").with_tables(text, made) == text


def _short(published: dict[str, float]) -> dict[str, float]:
    return {"r_d": published["R_D_star"], "r_n": published["R_N_star"]}
