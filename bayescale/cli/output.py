"""What commands print: tables and text for people, JSON for machines, progress on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bayescale.cli.wording import for_the_shell

_PIPED_WIDTH = 240  # columns where there is no terminal: nothing is cut or wrapped


def emit_json(data: Mapping[str, Any]) -> None:
    """Print one JSON document; what JSON has no word for (NaN, infinity) becomes null."""
    print(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(v) for v in value] if isinstance(value, Iterable) else value


def say(text: str) -> None:
    """Print plain text."""
    print(text)


def notes(texts: Iterable[str]) -> None:
    """Print the lines that belong to the numbers above them."""
    for text in texts:
        print(f"note: {for_the_shell(text)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table; short columns keep their width and the last one wraps on a narrow terminal."""
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        shown.add_column(column, no_wrap=i < len(columns) - 1, overflow="fold")
    for row in rows:
        shown.add_row(*(_escaped(cell) for cell in row))
    console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as captured:
        console.print(shown)
    # Rich pads every line to the width of the table.
    print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").splitlines()))


def _escaped(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def number(value: float) -> str:
    """Write a number with four digits, as all tables do."""
    return f"{value:.4g}"


@contextmanager
def working(stage: str) -> Iterator[None]:
    """Show a spinner on standard error while something takes its time; nothing where it is piped."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(stage):
        yield


def say_written(files: Sequence[Path]) -> None:
    """Name the files that were written, if any were."""
    if files:
        say(f"written: {', '.join(map(str, files))}")
