"""What the command line writes where: words for the shell, JSON, pipes, terminals, and which modules it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayescale.cli.wording import for_the_shell


def test_messages_are_respelled_for_the_shell() -> None:
    said = "x: no column 'loss'; type: load_runs('a b.csv', tasks={'c4': 'eval/c4', 'm': 'ppl x'})"
    assert for_the_shell(said).endswith("type: --task c4=eval/c4 --task 'm=ppl x'")
    nested = for_the_shell("if not: task_info={'c4': {'metric': 'bits/byte'}}")
    assert nested == "if not: --task-info c4.metric=bits/byte"
    assert for_the_shell("or say columns={'params': 'N (M)'}.") == "or say --column 'params=N (M)'."
    assert for_the_shell("compute='6ND' does without") == "--compute-source 6ND does without"
    kept = for_the_shell(
        "keep them with load_runs(..., checkpoints='all'), or take correlation=False"
    )
    assert kept == "keep them with --checkpoints all, or take --no-correlation"
    assert for_the_shell("tasks={…} is for") == "--task NAME=VALUE is for"


def test_numbers_that_json_has_no_word_for(capsys: pytest.CaptureFixture[str]) -> None:
    from bayescale.cli.output import emit_json

    emit_json({"a": float("nan"), "b": np.float64(np.inf), "c": np.arange(2), "d": (1, None)})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": None,
        "c": [0, 1],
        "d": [1, None],
    }


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    code = (
        "import sys; from bayescale.cli import output, main\n"
        "sys.argv = ['bayescale', 'models']\n"
        "shown = output.table\n"
        "output.table = lambda *a: [shown(*a) for _ in range(999)]\n"
        "import bayescale.cli.listing as listing; listing.table = output.table\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="NOT CHECKED: no pseudo-terminals here")
def test_progress_is_shown_on_a_terminal_only_and_never_on_stdout(saved: Path) -> None:
    outer, inner = os.openpty()
    words = ["predict", str(saved), "--compute=1e24", "--architecture=Pythia", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bayescale.cli", *words],
        stdout=subprocess.PIPE,
        stderr=inner,
        env={**os.environ, "TERM": "xterm"},
        check=True,
        text=True,
    )
    os.close(inner)
    shown = os.read(outer, 65536).decode()
    os.close(outer)
    assert "reading the fit" in shown
    assert json.loads(done.stdout)["kind"] == "run"


def test_a_saved_fit_is_served_without_a_sampler(saved: Path) -> None:
    code = (
        "import sys; from bayescale.cli import run\n"
        f"for words in (['check', {str(saved)!r}],"
        f" ['predict', {str(saved)!r}, '--compute=1e24', '--architecture=Pythia'],"
        f" ['plan', {str(saved)!r}, '--compute=1e24', '--architecture=Pythia']):\n"
        "    assert run(words) == 0\n"
        "assert not {'pymc', 'pytensor', 'nutpie', 'arviz'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
