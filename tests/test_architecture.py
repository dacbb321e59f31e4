"""The bones: which room may build a model, which stay free of PyMC, how long a module gets.

The import contracts themselves stand in ``pyproject.toml``; ``lint-imports`` checks them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "bayescale"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 300
# The branch that reads a saved fit; only `workflow` and `cli` stand on both.
WITHOUT_PYMC = [
    "baselines",
    "laws",
    "runs",
    "spec",
    "zoo",
    "posterior",
    "predict",
    "checks",
    "decide",
    "plots",
]
SAMPLERS = ["pymc", "pytensor", "nutpie", "arviz", "numba"]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def makes_a_model(node: ast.AST) -> bool:
    """Whether a node calls ``pm.Model``, however pymc was named, or imports ``Model`` from it."""
    if isinstance(node, ast.ImportFrom):
        return node.module in {"pymc", "pymc.model"} and any(a.name == "Model" for a in node.names)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"pm.Model", "pymc.Model"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("with pm.Model(coords=c) as m: pass", True),
        ("from pymc import Model", True),
        ("class ModelSpec: pass", False),
        ("def f(model: pm.Model): pass", False),
    ],
)
def test_the_search_for_models_finds_them(code: str, expected: bool) -> None:
    assert any(map(makes_a_model, ast.walk(ast.parse(code)))) is expected


def test_only_build_makes_a_model() -> None:
    makers = {
        room(path)
        for path in MODULES
        if any(map(makes_a_model, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert makers <= {"build"}


@pytest.mark.parametrize("name", WITHOUT_PYMC)
def test_room_loads_no_sampler(name: str) -> None:
    code = (
        f"import sys, bayescale.{name}; print(*(m for m in {SAMPLERS} if m in sys.modules), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_no_module_is_longer_than_a_reader_holds_in_mind() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
