"""The file of a stack: a small JSON document that names the files of its members, their hashes and their weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bayescale.errors import FitFileError
from bayescale.files import refuse_existing, written_beside
from bayescale.posterior.stacked import Stacked
from bayescale.posterior.store import load_fit


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Member(_Strict):
    path: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    weight: float = Field(ge=0.0, le=1.0, allow_inf_nan=False)


class _StackFile(_Strict):
    format: Literal["bayescale-stack"]
    schema_version: Literal[1]
    data_hash: str
    seed: int = Field(ge=0)
    members: list[_Member] = Field(min_length=1)


def save_stack(
    path: str | Path,
    weights: Mapping[Path, float],
    data_hash: str,
    seed: int = 0,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a stack.

    Parameters
    ----------
    path : path
        File to write (JSON). Its folder must exist.
    weights : mapping
        File of a fit → its weight; the file is named relative to the stack's, so that both can move together.
    data_hash : str
        Of the table that all were fitted to.
    seed : int
        Of the stack.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    BayescaleError
        If the file exists, unless ``overwrite``, or cannot be written.
    """
    target = Path(path)
    refuse_existing(target, overwrite)
    members = [
        _Member(
            path=Path(os.path.relpath(fit.resolve(), target.resolve().parent)).as_posix(),
            sha256=content_sha256(fit),
            weight=weight,
        )
        for fit, weight in weights.items()
    ]
    content = _StackFile(
        format="bayescale-stack",
        schema_version=1,
        data_hash=data_hash,
        seed=seed,
        members=members,
    )
    with written_beside(target) as beside:
        beside.write_text(content.model_dump_json(indent=1) + "\n", "utf-8")
    return target


def load_stack(path: str | Path) -> Stacked:
    """Read a stack that ``bayescale compare -o`` wrote, with the fits that it names.

    Raises
    ------
    FitFileError
        If the file is missing or no stack, or a fit that it names is missing or has changed since.
    """
    source = Path(path)
    try:
        content = _StackFile.model_validate_json(source.read_text("utf-8"))
    except OSError as error:
        raise FitFileError(f"cannot read {source}: {error.strerror or error}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise FitFileError(f"{source} is no stack: {reason(error)}") from None
    members = []
    for one in content.members:
        file = source.parent / one.path
        fit = load_fit(file)
        if content_sha256(file) != one.sha256 or fit.data_hash != content.data_hash:
            raise FitFileError(
                f"{file} has changed since {source} was made: run bayescale compare again"
            )
        members.append(fit)
    return Stacked(tuple(members), tuple(m.weight for m in content.members), content.seed)


def content_sha256(file: Path) -> str:
    """SHA-256 of a file."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise FitFileError(f"cannot read {file}: {error.strerror or error}") from None


def reason(error: ValidationError | UnicodeDecodeError) -> str:
    """What is wrong with a file, by its first problem."""
    if isinstance(error, UnicodeDecodeError):
        return "not a text file"
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
