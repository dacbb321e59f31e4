"""What the case studies share: tables of a README between its markers, and numbers held to the recorded ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayescale.files import written_beside


def with_tables(text: str, made: Mapping[str, str]) -> str:
    """A README with what stands between ``<!-- name -->`` and ``<!-- end -->`` replaced."""
    for name, table in made.items():
        block = f"<!-- {name} -->\n{table}\n<!-- end -->"
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, b=block: b, text, flags=re.S)
    return text


def fill(readme: Path, made: Mapping[str, str]) -> None:
    """Put tables into a README, each between its markers."""
    text = with_tables(readme.read_text(encoding="utf-8"), made)
    with written_beside(readme) as beside:
        beside.write_text(text, encoding="utf-8")


def off(
    found: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Which numbers, each a ``value`` with the ``tolerance`` of the recorded run, are off by more, one line each."""
    said = []
    if found.keys() != expected.keys():
        said.append(f"other numbers: {found.keys() ^ expected.keys()}")
    for path, stated in expected.items():
        value = found.get(path, stated)["value"]
        if not abs(value - stated["value"]) <= stated["tolerance"]:
            said.append(
                f"{path}: {value:g}, expected {stated['value']:g} ± {stated['tolerance']:g}"
            )
    return said
