"""Copying a shipped model for editing: one whole file, with what it inherits and the comments on both."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bayescale.errors import BayescaleError, ModelError, unknown
from bayescale.zoo.files import (
    model_names,
    not_inherited,
    parse_model,
    parse_toml,
    shipped_text,
)

_TABLE = re.compile(r"^\[(?P<name>[^\[\]]+)\]$")
_KEY = re.compile(r"^(?P<name>\w+)\s*=")
_Sections = dict[str, list[str]]


def copy_model(name: str, target: str | Path | None = None) -> Path:
    """Write a shipped model as one whole file for editing.

    Parameters
    ----------
    name : str
        A shipped model.
    target : path, optional
        File to write; ``NAME.toml`` in the current folder by default. The model takes its name from the file's, without
        the ending. An existing file is never overwritten.

    Returns
    -------
    Path
        The file written: the same model as the shipped one but for its name, with nothing inherited.

    Raises
    ------
    UnknownNameError
        If no such model ships.
    ModelError, BayescaleError
        If the file exists, or cannot be written.
    """
    if name not in model_names():
        raise unknown("model", name, model_names())
    path = Path(target) if target is not None else Path(f"{name}.toml")
    text = _whole(name, path.stem)
    parse_model(parse_toml(text, str(path)), str(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ModelError(f"{path} exists already; name another file") from None
    except OSError as error:
        raise BayescaleError(f"cannot write {path}: {error.strerror}") from None
    return path


def _whole(name: str, own_name: str) -> str:
    """The text of a shipped file with that of its base around it."""
    own = _sections(shipped_text(name))
    content = parse_toml(shipped_text(name), name)
    base_name = content.get("extends")
    base = _sections(shipped_text(base_name)) if base_name else {}
    left = (
        not_inherited(content, parse_toml(shipped_text(base_name), base_name))
        if base_name
        else frozenset()
    )
    stated = content.get("parameters", {})
    dropped = {f"parameters.{n}" for n, entry in stated.items() if entry is False}
    base = {k: v for k, v in base.items() if k.split(".")[0] not in left and k not in dropped}
    # This table says what is dropped, and nothing else.
    own.pop("parameters", None)
    tables = {**{k: v for k, v in base.items() if k}, **{k: v for k, v in own.items() if k}}
    top = [line for line in own[""] if not line.startswith("extends")]
    said = _keys(top) | left
    top += [line for line in base.get("", []) if _KEY.match(line) and not _keys([line]) <= said]
    top = [
        f"name = {json.dumps(own_name, ensure_ascii=False)}" if _keys([line]) == {"name"} else line
        for line in top
    ]
    head = [
        f"# A copy of the shipped model {name}, whole: nothing is inherited. A prior is one that",
        f'# `bayescale models show {name}` lists, or written out: prior = "LogNormal(mu=-1.2, sigma=0.3)".',
    ]
    blocks = [[*head, *top], *tables.values()]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _keys(lines: list[str]) -> set[str]:
    return {found["name"] for line in lines if (found := _KEY.match(line))}


def _sections(text: str) -> _Sections:
    """Lines by what an extending file replaces as one: top-level keys (""), a table, one table of parameters.

    Comments above a table are its own. Values of shipped files are of one line.
    """
    sections: _Sections = {"": []}
    current, waiting = "", list[str]()
    for line in text.splitlines():
        if line.startswith("#"):
            waiting.append(line)
            continue
        if not line:
            continue
        if found := _TABLE.match(line):
            first, *rest = found["name"].split(".")
            current = ".".join([first, *rest[:1]]) if first == "parameters" else first
            if sections.setdefault(current, []):
                sections[current].append("")
        sections[current] += [*waiting, line]
        waiting = []
    return sections
