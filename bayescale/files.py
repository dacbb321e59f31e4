"""Writing files whole or not at all, over no file unasked: beside the target, flushed, renamed; names of figures."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from bayescale.errors import BayescaleError

_STARTED = time.time()
_OTHER_IMAGES = {".svg", ".eps", ".ps", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif"}
_SHOWN = 80  # characters of the target's name in that of the file beside it: a name has at most 255 bytes


def refuse_existing(target: str | Path, overwrite: bool = False) -> None:
    """Raise where a file would be lost that the caller did not ask to replace.

    Raises
    ------
    BayescaleError
        If the target exists, unless ``overwrite``.
    """
    if Path(target).is_file() and not overwrite:
        raise BayescaleError(
            f"{target} exists already; name another file, or replace it with overwrite=True"
        )


def free_name(target: Path, overwrite: bool = False) -> Path:
    """The target, or ``name-2.ext`` and so on, where another file took its place since the work for it began."""
    if overwrite or not target.exists():
        return target
    names = (target.with_stem(f"{target.stem}-{number}") for number in count(2))
    return next(name for name in names if not name.exists())


@contextmanager
def written_beside(target: str | Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; it takes the target's place when the block ends without error.

    A process that is killed while it writes leaves its file beside the target; the next one to write that target
    removes it.

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
        prefix = f".part-{path.name[:_SHOWN]}-"
        _remove_abandoned(path.parent, prefix)
        # The suffix is kept, since writers choose their format by it.
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
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


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what others began for the same target and have not touched since this process started.

    Should one of them be still at work, it fails with an error, and the target stays whole.
    """
    # Tidying only: a folder that cannot be listed, or a file that is another user's, is no reason not to write.
    with suppress(OSError):
        for left in folder.iterdir():
            if left.name.startswith(prefix) and left.stat().st_mtime < _STARTED:
                left.unlink()


def figure_files(path: str | Path) -> list[Path]:
    """The PDF and the PNG that a figure is saved as, from the name of either or of both without an ending.

    Raises
    ------
    BayescaleError
        If the name ends in another image format.
    """
    target = Path(path)
    if target.suffix.lower() in _OTHER_IMAGES:
        raise BayescaleError(
            f"cannot write {target}: figures are saved as PDF and PNG; "
            f"name the file {target.with_suffix('.pdf')}"
        )
    stem = target.with_suffix("") if target.suffix.lower() in (".pdf", ".png") else target
    return [stem.with_name(f"{stem.name}.{ending}") for ending in ("pdf", "png")]
