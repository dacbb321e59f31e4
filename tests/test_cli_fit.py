"""One real fit from the command line to the last command that reads it, as separate processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayescale.posterior import load_fit

KAPPA, ALPHA, L_INF = 45.0, 0.1, 1.7
OPTIONS = ("--model", "compute", "--draws", "600", "--tune", "600", "--seed", "1")


def bayescale(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bayescale.cli", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sixty simulated runs of a known compute law."""
    rng = np.random.default_rng(0)
    compute = np.geomspace(1e17, 1e21, 60)
    loss = (L_INF + KAPPA * compute**-ALPHA) * np.exp(0.004 * rng.standard_normal(60))
    folder = tmp_path_factory.mktemp("own")
    rows = "".join(f"{c:.6g},{x:.6f}\n" for c, x in zip(compute, loss, strict=True))
    (folder / "runs.csv").write_text(f"FLOPs,loss\n{rows}")
    return folder


@pytest.fixture(scope="module")
def fitted(place: Path) -> subprocess.CompletedProcess[str]:
    """The one fit that the tests here share."""
    return bayescale("fit", "runs.csv", *OPTIONS, "-o", "fit.nc", "--json", cwd=place)


def test_fit_says_what_it_saved(fitted: subprocess.CompletedProcess[str], place: Path) -> None:
    assert fitted.returncode == 0, fitted.stderr
    assert fitted.stderr == "", "piped: no progress, no notes beside the JSON"
    said, saved = json.loads(fitted.stdout), load_fit(place / "fit.nc")
    assert said["written"] == "fit.nc"
    assert said["convergence"]["passed"] is saved.convergence.passed is True
    assert (said["model_hash"], said["data_hash"]) == (saved.model.hash, saved.data_hash)
    assert (said["seed"], said["rows"]) == (1, 60)


def test_fit_finds_the_law_it_was_given(
    fitted: subprocess.CompletedProcess[str], place: Path
) -> None:
    found = {r["parameter"]: r for r in json.loads(fitted.stdout)["summary"]["parameters"]}
    # Four standard deviations: wide enough for one data set, narrow enough to tell the law.
    for name, truth in (("alpha", ALPHA), ("L_inf", L_INF), ("sigma", 0.004)):
        assert abs(found[name]["mean"] - truth) < 4 * found[name]["sd"], name


def test_other_commands_read_it(fitted: subprocess.CompletedProcess[str], place: Path) -> None:
    assert fitted.returncode == 0, fitted.stderr
    assert bayescale("check", "fit.nc", cwd=place).returncode == 0
    done = bayescale("predict", "fit.nc", "--compute", "1e22", "--json", cwd=place)
    (forecast,) = json.loads(done.stdout)["forecasts"]
    truth = L_INF + KAPPA * 1e22**-ALPHA
    assert forecast["lo90"] < truth < forecast["hi90"]


def test_a_second_fit_does_not_replace_the_first(
    fitted: subprocess.CompletedProcess[str], place: Path
) -> None:
    before = (place / "fit.nc").read_bytes()
    again = bayescale("fit", "runs.csv", *OPTIONS, "-o", "fit.nc", cwd=place)
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert (place / "fit.nc").read_bytes() == before


def test_a_fit_that_misses_the_gate_is_3_and_writes_nothing(place: Path) -> None:
    few = ("--model", "compute", "--draws", "8", "--tune", "20", "--chains", "2")
    done = bayescale("fit", "runs.csv", *few, "-o", "poor.nc", "--json", cwd=place)
    assert done.returncode == 3
    assert done.stderr.startswith("bayescale: the fit did not converge: ")
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["convergence"]["passed"] is False
    assert not (place / "poor.nc").exists()
    kept = bayescale("fit", "runs.csv", *few, "-o", "poor.nc", "--allow-unconverged", cwd=place)
    assert kept.returncode == 0, kept.stderr
    assert bayescale("check", "poor.nc", cwd=place).returncode == 3
