"""The file of a chain: a small JSON document that names the files of its two steps, and their hashes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bayescale.errors import FitFileError
from bayescale.files import refuse_existing, written_beside
from bayescale.posterior.chained import Chained
from bayescale.posterior.fit import Fit
from bayescale.posterior.stack_file import content_sha256, load_stack, reason
from bayescale.posterior.stacked import Stacked
from bayescale.posterior.store import load_fit

STACK = ".json"  # what the file of a stack ends in, where that of a fit does not


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Step(_Strict):
    path: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _ChainFile(_Strict):
    format: Literal["bayescale-chain"]
    schema_version: Literal[1]
    first: _Step
    second: _Step
    upstream_task: str | None = None


def save_chain(
    path: str | Path,
    loss_fit: str | Path,
    error_fit: str | Path,
    *,
    upstream_task: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a chain of two files.

    Parameters
    ----------
    path : path
        File to write (JSON). Its folder must exist.
    loss_fit, error_fit : path
        Files of the first step (a fit, or a stack) and of the second (a fit); they are named relative to the chain's,
        so that all can move together.
    upstream_task : str, optional
        As in :func:`chain`.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    BayescaleError
        If the file exists, unless ``overwrite``, or cannot be written; if the steps make no chain.
    """
    target = Path(path)
    refuse_existing(target, overwrite)
    steps = [Path(loss_fit), Path(error_fit)]
    Chained(_opened(steps[0]), load_fit(steps[1]), upstream_task)  # raises where they are none
    first, second = (
        _Step(
            path=Path(os.path.relpath(step.resolve(), target.resolve().parent)).as_posix(),
            sha256=content_sha256(step),
        )
        for step in steps
    )
    content = _ChainFile(
        format="bayescale-chain",
        schema_version=1,
        first=first,
        second=second,
        upstream_task=upstream_task,
    )
    with written_beside(target) as beside:
        beside.write_text(content.model_dump_json(indent=1) + "\n", "utf-8")
    return target


def load_chain(path: str | Path) -> Chained:
    """Read a chain that :func:`save_chain` (``bayescale chain``) wrote, with the files that it names.

    Raises
    ------
    FitFileError
        If the file is missing or no chain, or a file that it names is missing or has changed since.
    """
    source = Path(path)
    try:
        content = _ChainFile.model_validate_json(source.read_text("utf-8"))
    except OSError as error:
        raise FitFileError(f"cannot read {source}: {error.strerror or error}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise FitFileError(f"{source} is no chain: {reason(error)}") from None
    for step in (content.first, content.second):
        file = source.parent / step.path
        if content_sha256(file) != step.sha256:
            raise FitFileError(
                f"{file} has changed since {source} was made: run bayescale chain again"
            )
    second = load_fit(source.parent / content.second.path)
    return Chained(_opened(source.parent / content.first.path), second, content.upstream_task)


def _opened(path: Path) -> Fit | Stacked:
    return load_stack(path) if path.suffix.lower() == STACK else load_fit(path)
