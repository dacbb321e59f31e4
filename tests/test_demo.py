"""The main job, run for real once: `bayescale demo` from the table to a complete new folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import make_fit

from bayescale.errors import BayescaleError, ConvergenceError
from bayescale.posterior import Fit, load_fit
from bayescale.predict import DRIFTING
from bayescale.workflow import demo as module

FILES = {"fit.nc", "plan.json", "summary.txt"} | {
    f"{figure}.{ending}"
    for figure in ("posterior", "curve", "frontier")
    for ending in ("pdf", "png")
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def ran(place: Path) -> subprocess.CompletedProcess[str]:
    """The demo in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "bayescale.cli", "demo"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_does_its_job_silently(ran: subprocess.CompletedProcess[str], place: Path) -> None:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == "", "no progress bar where there is no terminal"
    assert [p.name for p in place.iterdir()] == ["bayescale-demo"]
    assert {p.name for p in (place / "bayescale-demo").iterdir()} == FILES


def test_the_folder_holds_what_was_printed(
    ran: subprocess.CompletedProcess[str], place: Path
) -> None:
    folder = place / "bayescale-demo"
    summary = (folder / "summary.txt").read_text(encoding="utf-8")
    assert ran.stdout.startswith(summary)
    fit = load_fit(folder / "fit.nc")
    assert fit.convergence.passed
    assert len(fit.model.groups["architecture"]) == 6
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["problem"]["compute"] == 1e24
    assert [r["risk"] for r in plan["recommendations"]] == ["expectation", "cvar:0.1"]
    assert plan["provenance"]["model_hash"] == fit.model.hash
    for path in folder.glob("*.pdf"):
        assert path.read_bytes().startswith(b"%PDF")
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_every_block_of_intervals_carries_its_caveat(
    ran: subprocess.CompletedProcess[str],
) -> None:
    blocks = [b for b in ran.stdout.split("\n\n") if "90 %" in b]
    assert len(blocks) == 3, "posterior, forecast and plan"
    assert all(DRIFTING in block for block in blocks)


def test_the_posterior_is_given_by_family(ran: subprocess.CompletedProcess[str]) -> None:
    (block,) = (b for b in ran.stdout.split("\n\n") if b.startswith("The posterior"))
    for symbol in module.SHOWN.values():
        for group in ("population", "Pythia", "Cerebras-GPT", "GPT-J", "GPT-NeoX"):
            assert f"  {symbol}" in block
            assert group in block


# Below: the same job without a sampler.


@pytest.fixture
def prior_fit(monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Let the demo's fit be its prior."""
    fit = make_fit(draws=200)

    def instead(runs: object, *, progress: module.Report, **sampler: float) -> Fit:
        for stage in ("loading the sampler", "compiling", "sampling"):
            progress(stage, 0.0)
            progress(stage, 1.0)
        progress("checking convergence", 1.0)
        progress("sampling as many chains more", 0.0)
        return fit

    monkeypatch.setattr(module, "fit", instead)
    return fit


def test_a_second_run_takes_the_next_name(
    prior_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_draw", lambda *args: None)  # three times three figures take long
    (tmp_path / "bayescale-demo-3").mkdir()
    names = [module.demo(tmp_path).folder.name for _ in range(3)]
    assert names == ["bayescale-demo", "bayescale-demo-2", "bayescale-demo-4"]
    assert list((tmp_path / "bayescale-demo-3").iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names, "bayescale-demo-3"])


def test_result_files_and_one_bar_over_the_whole_job(prior_fit: Fit, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    result = module.demo(tmp_path, report=lambda stage, fraction: told.append((stage, fraction)))
    assert {p.name for p in result.files} == FILES
    saved = load_fit(result.folder / "fit.nc")
    assert np.array_equal(saved.posterior["alpha"], prior_fit.posterior["alpha"])
    assert list(result.forecast.draws["architecture"].to_numpy()) == ["Pythia", "new: family"]
    assert set(result.posterior["parameter"]) == set(module.SHOWN)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions), "the bar ran backwards"
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {"compiling", "sampling", "planning", "drawing frontier"} <= {s for s, _ in told}


def test_nothing_is_left_of_a_run_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **options: object) -> Fit:
        raise ConvergenceError("the fit did not converge")

    monkeypatch.setattr(module, "fit", fails)
    with pytest.raises(ConvergenceError):
        module.demo(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_fails_before_the_fit(tmp_path: Path) -> None:
    with pytest.raises(BayescaleError, match="no such folder"):
        module.demo(tmp_path / "nowhere")
