"""The account of Pythia's learning curves quotes what was run, and says whether its intervals hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_study import module, opened
from conftest import ROOT

FOLDER = ROOT / "case_studies" / "pythia"
RESULTS: dict[str, Any] = json.loads((FOLDER / "results.json").read_text("utf-8"))
SCORES = {row["model"]: row for row in RESULTS["scores"]}


def test_the_account_quotes_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for _ in opened(FOLDER, ["study"], monkeypatch):
        made = module("study").tables(RESULTS)
        assert all(f"<!-- {name} -->" in text for name in made)
        assert module("recorded").with_tables(text, made) == text


def test_the_fits_that_missed_the_gate_are_those_that_the_account_names() -> None:
    missed = [(f["curves"], f["model"]) for f in RESULTS["folds"] if not f["converged"]]
    assert missed == [("ARC easy", "saturating")]


def test_every_curve_is_a_group_and_every_checkpoint_of_the_end_a_forecast() -> None:
    for row in SCORES.values():
        assert (row["runs"], row["groups"]) == (512, 64)


def test_the_intervals_are_too_narrow_and_the_account_says_so() -> None:
    shipped = SCORES["saturating"]
    assert shipped["cover90"] < 0.85
    assert f"hold {shipped['cover90']:.2f}".replace("0.", ".") in (FOLDER / "README.md").read_text(
        "utf-8"
    )
    by_task = {row["task"]: row["cover90"] for row in RESULTS["parts"]["task"]}
    assert min(by_task, key=by_task.__getitem__) == "sciq"


def test_curves_are_thinned_evenly_and_keep_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in opened(FOLDER, ["study"], monkeypatch):
        study = module("study")
        long = pd.DataFrame({"step": np.arange(1_000, 70_000, 100), "loss": 1.0})
        thinned = study.thin(long)["step"].to_numpy()
        assert len(thinned) == study.POINTS
        assert (thinned[0], thinned[-1]) == (1_000, 69_900)
        # Steps of a hundred lie within fifty of where they are wanted.
        wanted = np.geomspace(1_000, 69_900, study.POINTS)
        assert (np.abs(thinned - wanted) <= 60).all()
