"""The account of routed networks quotes numbers that were run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import ROOT

from bayescale.zoo import load_model

FOLDER = ROOT / "case_studies" / "routed"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
ROWS = {
    "routed": "| `routed` |",
    "routed without a floor": "| `routed` without",
    "blind to experts": "| blind",
}


def test_the_account_quotes_what_was_run() -> None:
    lines = (FOLDER / "README.md").read_text("utf-8").splitlines()
    for model, start in ROWS.items():
        row = next(line for line in lines if line.startswith(start))
        said = [float(cell.replace("−", "-")) for cell in row.split("|")[2:-1]]
        ran = EXPECTED["scores"][model]
        expected = [ran[k] for k in ("inside90", "width90", "rmsle", "log_score")]
        # Printed to the second digit, and the error to the fourth.
        assert said == pytest.approx(expected, abs=0.0051)
        assert said[2] == pytest.approx(expected[2], abs=0.00006)


def test_a_floor_takes_most_of_the_error_away_and_the_intervals_stay_too_narrow() -> None:
    scores = EXPECTED["scores"]
    assert scores["routed"]["rmsle"] < 0.5 * scores["routed without a floor"]["rmsle"]
    assert scores["routed"]["log_score"] > scores["blind to experts"]["log_score"]
    assert scores["routed"]["inside90"] < 0.9
    assert load_model("routed").status == "experimental"
