"""The account of the learning curves quotes what was run, and says where drift does harm."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "curves"
README = (FOLDER / "README.md").read_text("utf-8")
RESULTS: dict[str, Any] = json.loads((FOLDER / "results.json").read_text("utf-8"))
SCORES = {(name, row["model"]): row for name, result in RESULTS.items() for row in result["scores"]}


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        tables = {name: pd.DataFrame(result["scores"]) for name, result in RESULTS.items()}
        table = module("study").markdown(tables)
        made = {"results": table, "parts": module("study").parts_table(RESULTS["IC"]["parts"])}
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_every_fit_but_two_passed_the_gate_and_the_account_says_which() -> None:
    missed = [
        (name, fold["model"])
        for name, result in RESULTS.items()
        for fold in result["folds"]
        if not fold["converged"]
    ]
    assert missed == [("LM", "data, correlated"), ("BB", "saturating, correlated")]
    assert "its chains\nmissed the gate on BIG-bench and on language models" in README


def test_images_are_forecast_closer_than_by_any_curve_by_itself() -> None:
    drift = SCORES["IC", "saturating"]
    others = [row for (name, model), row in SCORES.items() if name == "IC" and row is not drift]
    assert drift["curves"] == 72
    assert drift["rmsle"] < min(row["rmsle"] for row in others)
    assert drift["log_score"] > max(row["log_score"] for row in others)
    assert 0.83 <= drift["cover90"] <= 0.97


def test_where_it_falls_short_is_what_the_account_says() -> None:
    drift, exact = SCORES["BB", "saturating"], SCORES["BB", "saturating (exact)"]
    assert drift["rmsle"] > exact["rmsle"]
    assert drift["cover90"] < exact["cover90"]
    along = SCORES["BB", "saturating, correlated"]
    assert along["rmsle"] < drift["rmsle"]
    for more, said in (("", "hold {} in the mean over twenty"), (", correlated", "and {} with")):
        language = [
            SCORES[name, model + more]
            for name, model in (("NMT", "data"), ("LM", "data"), ("BB", "saturating"))
        ]
        pooled = np.average(
            [row["cover90"] for row in language], weights=[row["curves"] for row in language]
        )
        assert said.format(f"{pooled:.2f}".lstrip("0")) in README


def test_curves_are_thinned_evenly_and_keep_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in opened(FOLDER, ["sets"], monkeypatch):
        study = module("sets")
        long = pd.DataFrame({"tokens": np.arange(1.0, 1001.0), "loss": 1.0})
        thinned = study.thin(long)["tokens"].to_numpy()
        assert len(thinned) == study.POINTS
        assert (thinned[0], thinned[-1]) == (1.0, 1000.0)
        # Points of a grid of whole numbers lie within half a unit of where they are wanted.
        wanted = np.geomspace(1.0, 1000.0, study.POINTS)
        assert (np.abs(np.log(thinned / wanted)) <= np.log1p(0.5 / wanted) + 1e-9).all()
        short = long.iloc[:5]
        assert len(study.thin(short)) == 5
