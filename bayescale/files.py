"""Writing files whole or not at all: beside the target, flushed to disk, then renamed over it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayescale.errors import BayescaleError


@contextmanager
def written_beside(target: str | Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; it takes the target's place when the block ends without error.

    Parameters
    ----------
    target : path
        The file to appear, or to be replaced. Its folder must exist.

    Raises
    ------
    BayescaleError
        If the folder is missing or cannot be written; the target is left as it was.
    """
    path = Path(target)
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"no folder {path.parent}"
        raise BayescaleError(f"cannot write {path}: {why}")
    try:
        # The suffix is kept, since writers choose their format by it.
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            with beside.open("rb") as written:
                os.fsync(written.fileno())
            # mkstemp makes files private; what is published gets the permissions any new file would.
            mask = os.umask(0)
            os.umask(mask)
            beside.chmod(0o666 & ~mask)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise BayescaleError(f"cannot write {path}: {error.strerror or error}") from None
