"""The README does what it says: every code block runs, in order, as a reader would run it.

How a block is treated, by the word after the three backticks:

``python``
    Executed in one namespace that all of them share.
``bash``, ``console`` (in the latter only lines after a ``$``)
    Each command ``bayescale ...`` or ``python3 -m uv run bayescale ...`` runs in its own process
    and must exit 0. Set-up lines and the project's own tools (see ``PASSED_OVER``) are passed
    over: CI has run them to get here. Any other command fails the test, so that none goes
    unnoticed.
anything else
    Not code of ours: a table, a file, an output.

All blocks share one new folder, which holds ``runs.csv``: a table of the reader's own, simulated.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
SET_UP = (
    "python3 -m pip install uv && python3 -m uv run bayescale demo",
    "python3 -m pip install uv && python3 -m uv run pytest",
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
# Words a command may begin with and not be run here, after `python3 -m uv run` is taken off.
PASSED_OVER = (
    ("python3", "-m", "pip", "install"),
    ("python3", "-m", "uv", "pip", "compile"),
    ("python3", "-m", "uv", "sync"),
    ("uv", "pip", "install"),
    ("pipx", "install"),
    ("pip", "install"),
    ("git", "clone"),
    ("cd",),
    (
        "bayescale",
        "demo",
    ),  # a minute and more: tests/test_demo.py runs the same command and reads its files
    ("bash", ".ci/run"),
    ("pytest",),
    ("ruff",),
    ("mypy",),
    ("lint-imports",),
    ("python", "tests/benchmarks/"),  # minutes on a quiet machine
    ("python", "case_studies/"),  # each has a test of its own numbers
)
UV_RUN = ("python3", "-m", "uv", "run")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text and the line of the README it starts on."""

    language: str
    text: str
    line: int


def blocks_of(text: str) -> list[Block]:
    """Every fenced block of a Markdown text, in order."""
    return [
        Block(m.group(1), m.group(2), text.count("\n", 0, m.start(2)) + 1)
        for m in FENCE.finditer(text)
    ]


def commands_of(block: Block) -> list[list[str]]:
    """The commands of a shell block as lists of words, comments and prompts taken off."""
    text = block.text.replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    if block.language == "console":
        lines = [line.removeprefix("$").strip() for line in lines if line.startswith("$")]
    commands: list[list[str]] = []
    for line in lines:
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            commands.append(words[:end])
            words = words[end + 1 :]
    return commands


def to_run(words: list[str]) -> list[str] | None:
    """The arguments that ``bayescale`` is called with, or None for a command passed over."""
    if tuple(words[:4]) == UV_RUN:
        words = words[4:]
    for start in PASSED_OVER:
        if len(words) >= len(start) and all(map(str.startswith, words, start)):
            return None
    if words[:1] == ["bayescale"]:
        return words[1:]
    raise AssertionError(
        f"README command {shlex.join(words)!r} is none that this test knows: "
        "make it a bayescale command or add it to PASSED_OVER with the reason"
    )


@dataclass
class Reader:
    """Somebody who runs the README's blocks one after the other, in a folder of their own."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__readme__"})

    def run(self, block: Block) -> None:
        """Execute one block; raises what it raises, or on an exit code other than 0."""
        if block.language == "python":
            # Blank lines in front give tracebacks the README's own line numbers.
            code = compile("\n" * (block.line - 1) + block.text, "README.md", "exec")
            with contextlib.chdir(self.folder):
                exec(code, self.names)
        elif block.language in {"bash", "console", "sh"}:
            for words in commands_of(block):
                arguments = to_run(words)
                if arguments is not None:
                    self.call(arguments)

    def call(self, arguments: list[str]) -> None:
        """Run ``bayescale`` in a process of its own."""
        command = [sys.executable, "-m", "bayescale.cli", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, (
            f"`bayescale {shlex.join(arguments)}` exits {done.returncode}:\n{done.stderr[-3000:]}"
        )


def write_runs(path: Path) -> None:
    """A reader's table: three architectures, twelve runs each, from a law with 1 % noise."""
    rng = random.Random(20)
    rows = ["architecture,params,tokens,loss"]
    for number, name in enumerate(["dense", "hybrid", "ssm"]):
        for params in (5e7, 1.5e8, 5e8, 1.5e9):
            for ratio in (10, 20, 60):
                reducible = 482 * params**-0.35 + 2085 * (params * ratio) ** -0.37
                loss = 1.8 + reducible * math.exp(0.05 * number)
                noisy = loss * math.exp(rng.gauss(0, 0.01))
                rows.append(f"{name},{params:.0f},{params * ratio:.0f},{noisy:.5f}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def readme_blocks() -> list[Block]:
    """The README's blocks; none while there is no README, which a test of its own reports."""
    return blocks_of(README.read_text(encoding="utf-8")) if README.exists() else []


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("readme")
    write_runs(folder / "runs.csv")
    yield Reader(folder)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("block", readme_blocks(), ids=lambda b: f"line-{b.line}-{b.language}")
def test_readme_block(block: Block, reader: Reader) -> None:
    reader.run(block)


@pytest.mark.parametrize("command", SET_UP)
def test_readme_gives_the_set_up_in_one_line(command: str) -> None:
    shell = [b.text for b in readme_blocks() if b.language in {"bash", "console", "sh"}]
    assert any(command in text for text in shell), f"README.md has no block with: {command}"


EXAMPLE = """\
Some words.

```bash
python3 -m pip install uv && python3 -m uv run bayescale demo   # the main job
bayescale fit runs.csv \\
    --model "parameter-data" -o fit.nc
python3 -m uv run pytest
```

```console
$ bayescale models && bayescale data
chinchilla
```

```python
where = [1, 2]
```

```toml
extends = "chinchilla"
```

```python
where.append(len(where) + 1)
```
"""


def test_blocks_are_found_with_their_lines() -> None:
    found = [(b.language, b.line) for b in blocks_of(EXAMPLE)]
    assert found == [("bash", 4), ("console", 11), ("python", 16), ("toml", 20), ("python", 24)]


def test_commands_are_taken_apart() -> None:
    shell, console = blocks_of(EXAMPLE)[:2]
    assert [to_run(words) for words in commands_of(shell)] == [
        None,
        None,
        ["fit", "runs.csv", "--model", "parameter-data", "-o", "fit.nc"],
        None,
    ]
    assert [to_run(words) for words in commands_of(console)] == [["models"], ["data"]]


def test_a_command_nobody_runs_is_reported() -> None:
    with pytest.raises(AssertionError, match=r"'curl example\.org' is none that this test knows"):
        to_run(["curl", "example.org"])


def test_python_blocks_share_names_and_folder(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for block in blocks_of(EXAMPLE):
        if block.language == "python":
            reader.run(block)
    assert reader.names["where"] == [1, 2, 3]
    reader.run(Block("python", "open('here.txt', 'w').close()\n", 1))
    assert (tmp_path / "here.txt").exists()


def test_an_error_names_the_readmes_line(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        Reader(tmp_path).run(Block("python", "a = 1\na / 0\n", 40))
    assert caught.traceback[-1].lineno + 1 == 41


def test_a_failing_command_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"`bayescale no-such-job` exits \d"):
        Reader(tmp_path).run(Block("bash", "bayescale no-such-job\n", 1))
