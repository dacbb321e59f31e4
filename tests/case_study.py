"""Case studies under test: their modules on the path, and their README held to the recorded run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def opened(folder: Path, modules: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a study, its modules and what all studies share on the path for as long as the test runs."""
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.syspath_prepend(str(folder))
    # Each study names its modules alike.
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield folder
    for name in modules:
        sys.modules.pop(name, None)


def module(name: str) -> ModuleType:
    """A module of the study that is opened."""
    return importlib.import_module(name)


def check_tables(folder: Path, expected: Mapping[str, Any]) -> None:
    """The tables of the README are those that ``report`` makes of the recorded run."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    made = module("report").tables(expected)
    assert all(f"<!-- {name} -->" in text for name in made)
    assert module("recorded").with_tables(text, made) == text


def check_that_a_number_off_is_named(expected: Mapping[str, Any], path: str) -> None:
    """``differences`` of a study finds nothing in the recorded run, and the one number that is moved."""
    study, found = module("study"), {**expected, "numbers": dict(expected["numbers"])}
    assert study.differences(found, expected) == []
    entry = found["numbers"][path]
    found["numbers"][path] = {**entry, "value": entry["value"] + 1.01 * entry["tolerance"]}
    (line,) = study.differences(found, expected)
    assert line.startswith(path)
