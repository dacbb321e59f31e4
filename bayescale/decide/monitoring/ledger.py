"""A file of lines that only grows: appended in one write and flushed to disk, read whole or refused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bayescale.errors import BayescaleError, DataError


def append_lines(path: str | Path, lines: Sequence[str]) -> None:
    """Add lines at the end of a file, which is made if it is missing; what is there stays as it is.

    All lines go to the system in one write at the file's end, so that two processes do not mix theirs, and are on the
    disk before this returns. A machine that stops half-way leaves a line that is cut off, which :func:`read_lines`
    names.

    Parameters
    ----------
    path : path
        Its folder must exist.
    lines : sequence of str
        None has a line break in it.

    Raises
    ------
    BayescaleError
        If the file cannot be written, or the disk took only a part.
    DataError
        If the last line was cut off before.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise BayescaleError(f"cannot write {target}: no folder {target.parent}")
    data = "".join(f"{line}\n" for line in lines).encode()
    try:
        handle = os.open(target, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":
                    raise _cut_off(target)
            written = os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if size == 0:
            _flush_folder(target.parent)
    except OSError as error:
        raise BayescaleError(f"cannot write {target}: {error.strerror or error}") from None
    if written != len(data):
        raise BayescaleError(
            f"cannot write {target}: the disk took {written} of {len(data)} bytes; its last line is cut off"
        )


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Every line with its number, from 1.

    Raises
    ------
    DataError
        If the file cannot be read, or its last line has no end: whoever wrote it was stopped half-way.
    """
    source = Path(path)
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from None
    if content and not content.endswith(b"\n"):
        raise _cut_off(source)
    try:
        lines = content.decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError:
        raise DataError(f"{source} is not a text file") from None
    yield from enumerate(lines, start=1)


def _cut_off(path: Path) -> DataError:
    lines = path.read_bytes().count(b"\n") + 1
    return DataError(
        f"{path}: line {lines} was cut off while it was written; remove that line and score its outcome again"
    )


def _flush_folder(folder: Path) -> None:
    """Have the name of a new file on the disk too, where folders can be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
