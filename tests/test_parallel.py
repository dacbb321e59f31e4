"""Back-tests in several processes: the same numbers, kept as they come; errors and Ctrl-C as with one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import make_runs

import bayescale as bs
from bayescale.baselines import BASELINES
from bayescale.cli.run import run
from bayescale.errors import BayescaleError, DataError, ModelError
from bayescale.workflow.parallel import in_processes

FOLDS: dict[str, Any] = {"by": "params", "cuts": [4e9, 4.9e9]}


def test_results_are_the_same_whatever_the_number_of_processes() -> None:
    runs, seen = make_runs(("a", "b")), list[float]()
    words: dict[str, Any] = {**FOLDS, "models": ["m1", "m2"]}
    one = bs.backtest(runs, **words, progress=False)
    two = bs.backtest(runs, **words, jobs=2, progress=lambda _, share: seen.append(share))
    pd.testing.assert_frame_equal(one.rows, two.rows)
    pd.testing.assert_frame_equal(one.folds, two.folds)
    assert one.problem == two.problem
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["quick", "nuts"])
def test_fits_are_the_same_whatever_the_number_of_processes(engine: Any) -> None:
    words: dict[str, Any] = {"drift": False, "pool": False, "engine": engine, "progress": False}
    # A first time, since code fresh from the compiler rounds differently from that of its cache.
    results = [bs.backtest(make_runs(), "data", **FOLDS, **words, jobs=n) for n in (2, 1, 2)]
    pd.testing.assert_frame_equal(results[1].rows, results[2].rows)


def test_an_error_of_one_process_is_the_error_and_what_others_did_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        while not list(tmp_path.glob("fold-*.json")):
            time.sleep(0.05)
        raise DataError("two of these rows are the same")

    # Sent to the processes by value: they do not import this file.
    monkeypatch.setitem(BASELINES, "bad", replace(BASELINES["m1"], name="bad", forecast=refuse))
    words: dict[str, Any] = {"by": "params", "cuts": [4e9], "progress": False}
    with pytest.raises(DataError, match=r"^two of these rows are the same$"):
        bs.backtest(make_runs(), ["m1", "bad"], **words, jobs=2, folder=tmp_path)
    (kept,) = tmp_path.glob("fold-*.json")
    before = kept.stat().st_mtime_ns
    again = bs.backtest(make_runs(), ["m1", "m2"], **words, jobs=2, folder=tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert list(again.folds["model"]) == ["m1", "m2"]


def test_a_process_that_is_killed_is_an_error_that_says_what_to_do() -> None:
    def die(number: int) -> None:
        os.kill(os.getpid(), number)

    tasks = [(signal.SIGKILL,), (0,)]
    with (
        closing(in_processes(die, tasks, 2)) as done,
        pytest.raises(BayescaleError, match=r"one of 2 processes was killed, .* take fewer jobs"),
    ):
        list(done)


def test_a_number_of_processes_below_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="jobs = 0 "):
        bs.backtest(make_runs(), "m1", jobs=0)
    with pytest.raises(ModelError, match="cores = 0 "):
        bs.backtest(make_runs(), "m1", cores=0)
    words = ["backtest", "pile-families", "-m", "m1", "-o", str(tmp_path / "a.json"), "--jobs", "0"]
    assert run(words) == 1
    assert capsys.readouterr().err == "bayescale: --jobs 0 (expected 1 or more)\n"


# The command line, with baselines that leave their process's number and never end.
NEVER_DONE = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from bayescale.baselines import BASELINES
from bayescale.cli import main
def forever(*_):
    (Path.cwd() / f'at-work-{os.getpid()}').touch()
    time.sleep(600)
for name in ('m1', 'm2'):
    BASELINES[name] = replace(BASELINES[name], forecast=forever)
sys.argv = ['bayescale', 'backtest', 'runs.csv', '--model', 'm1', '--model', 'm2',
            '--by', 'params', '--cut', '4B', '--jobs', '2', '-o', 'a.json']
main()
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="NOT CHECKED: no process groups here")
def test_ctrl_c_ends_all_processes_with_one_line(tmp_path: Path) -> None:
    """A terminal sends it to every process of the group at once."""
    make_runs().table[["params", "tokens", "loss"]].to_csv(tmp_path / "runs.csv", index=False)
    process = subprocess.Popen(
        [sys.executable, "-c", NEVER_DONE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while len(marks := list(tmp_path.glob("at-work-*"))) < 2:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "bayescale: interrupted\n")
    assert not (tmp_path / "a.json").exists()
    for mark in marks:
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.name.removeprefix("at-work-")), 0)
