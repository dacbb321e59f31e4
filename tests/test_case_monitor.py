"""The case study of the monitor: its README has the tables of ``results.json``, and a replay of one set agrees."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "case_studies" / "monitor"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitor_study", FOLDER / "study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_readme_has_the_tables(study: ModuleType) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    content = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    for marker, table in study.markdown(content).items():
        assert f"<!-- {marker} -->\n{table}\n<!-- end -->" in text


def test_what_the_readme_says_is_in_the_results() -> None:
    content = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    for name, rows in content["calibration"].items():
        for row in rows:
            # Nine in ten or more, within two clustered standard errors.
            assert row["cover90"] + 2 * row["se90"] >= 0.9, name
            assert row["control90"] < 0.6
    stops = content["stopping"]
    assert stops["routed_moe"]["wrongly"] <= 0.02 * stops["routed_moe"]["would_meet"]
    assert all(s["wrongly"] <= 0.05 * s["would_meet"] for s in stops.values())
    control = content["stopping, checkpoints as independent"]["routed_moe"]
    assert control["wrongly"] == 9
    share = {n: s["saved"] / s["most"] for n, s in stops.items()}
    assert min(share["routed_moe"], share["lr_annealing"]) > 0.9
    assert 0.3 < share["pythia_curves"] < 0.4
    assert min(row["cover90"] for row in content["other schedule"]) <= 0.5


def test_a_replay_agrees(
    study: ModuleType, public_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCALE_DATA", str(public_data))
    content = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    found = study.calibration(study.pairs("lr_annealing"))
    for row, kept in zip(found, content["calibration"]["lr_annealing"], strict=True):
        assert row == pytest.approx(kept, rel=1e-4, abs=1e-6)
