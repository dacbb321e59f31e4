"""Files that a command is to write, looked at before any work is done."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bayescale.errors import BayescaleError
from bayescale.files import figure_files, refuse_existing


def check_output(path: Path, force: bool, *inputs: Path | str) -> None:
    """Refuse, before any work is done, a file that cannot be written, that exists already, or that is read."""
    for given in inputs:
        if path.exists() and Path(given).exists() and path.samefile(given):
            raise BayescaleError(f"{path} is what is read; name another file for the result")
    if not path.parent.is_dir():
        raise BayescaleError(f"cannot write {path}: no folder {path.parent}; make it first")
    if path.is_dir():
        raise BayescaleError(f"cannot write {path}: it is a folder; name a file in it")
    refuse_existing(path, force)
    try:
        # The only sure way to know: permissions, quotas and read-only disks all show here.
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise BayescaleError(f"cannot write {path}: {error.strerror or error}") from None


def check_figure(path: Path | None, force: bool, *others: Path | None) -> None:
    """:func:`check_output` for both files of a figure, if one is asked for; ``others`` are the command's own."""
    for target in [] if path is None else figure_files(path):
        if target in others:
            raise BayescaleError(
                f"{target} would be the figure too; name another file for one of them"
            )
        check_output(target, force)
