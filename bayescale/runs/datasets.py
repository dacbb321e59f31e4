"""Published data sets by name: embedded tables, and public ones that are only linked to."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError, unknown
from bayescale.runs.read import RawTable, read_file

#: Environment variable naming a folder that mirrors the public sets.
MIRROR = "BAYESCALE_DATA"
_FOLDER = resources.files("bayescale.runs") / "data"


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a published set without opening it.

    `file` is embedded; otherwise `url` and `sha256` say where the original lies, and `mirror` its
    place under the folder that BAYESCALE_DATA names. `tasks` maps task label → header, `available`
    lists every header that can be a task.
    """

    name: str
    title: str
    citation: str
    licence: str
    rows: int
    tasks: Mapping[str, str]
    available: tuple[str, ...]
    file: str | None = None
    url: str | None = None
    sha256: str | None = None
    mirror: str | None = None
    param_count: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    @property
    def embedded(self) -> bool:
        """Whether the set ships with the package."""
        return self.file is not None


@dataclass(frozen=True)
class Preset:
    """What a published set says about its own columns; an own table has an empty one."""

    name: str = ""
    citation: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    param_count: str | None = None


NO_PRESET = Preset()


def list_datasets() -> tuple[DatasetInfo, ...]:
    """List the published sets, embedded ones first."""
    every = [dataset_info(name) for name in dataset_names()]
    return tuple(sorted(every, key=lambda d: (not d.embedded, d.name)))


def dataset_names() -> tuple[str, ...]:
    """Names that :func:`bayescale.load_runs` takes in place of a path."""
    return tuple(_registry())


def dataset_info(name: str) -> DatasetInfo:
    """Look up one published set.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    entry = _entry(name)
    tasks: dict[str, dict[str, Any]] = entry["tasks"]
    return DatasetInfo(
        name=name,
        title=entry["title"],
        citation=entry["citation"],
        licence=entry["licence"],
        rows=entry["rows"],
        tasks=_default_tasks(entry),
        available=tuple(t["column"] for t in tasks.values()),
        file=entry.get("file"),
        url=entry.get("url"),
        sha256=entry.get("sha256"),
        mirror=entry.get("mirror"),
        param_count=entry.get("param_count"),
        columns=dict(entry.get("columns", {})),
        notes=tuple(entry.get("notes", ())),
    )


def open_dataset(name: str) -> tuple[RawTable, Preset]:
    """Read a published set: embedded, from the mirror, or downloaded once and checked.

    Raises
    ------
    DataError
        If it cannot be fetched, or is not the file that was registered.
    """
    entry = _entry(name)
    if "file" in entry:
        with resources.as_file(_FOLDER / entry["file"]) as path:
            raw = read_file(path)
    else:
        raw = read_file(_fetch(name, entry))
    raw = RawTable(_flag_highest(raw.frame, entry), raw.rows, name, raw.rows_are)
    info = {
        task["column"]: {k: v for k, v in task.items() if k not in ("column", "default")}
        for task in entry["tasks"].values()
    }
    preset = Preset(
        name=name,
        citation=entry["citation"],
        columns=entry.get("columns", {}),
        tasks=_default_tasks(entry),
        info=info,
        param_count=entry.get("param_count"),
    )
    return raw, preset


def _default_tasks(entry: Mapping[str, Any]) -> dict[str, str]:
    return {n: t["column"] for n, t in entry["tasks"].items() if t.get("default", False)}


@cache
def _registry() -> dict[str, dict[str, Any]]:
    return tomllib.loads((_FOLDER / "datasets.toml").read_text(encoding="utf-8"))


def _entry(name: str) -> dict[str, Any]:
    if name not in _registry():
        raise unknown("data set", name, dataset_names())
    return _registry()[name]


def _fetch(name: str, entry: Mapping[str, Any]) -> Path:
    folder = os.environ.get(MIRROR)
    if folder:
        path = Path(folder) / entry["mirror"]
        if not path.is_file():
            raise DataError(
                f"data set {name!r}: no file {path} (the folder is {MIRROR}={folder}; "
                f"unset {MIRROR} to download)"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != entry["sha256"]:
            raise DataError(
                f"data set {name!r}: {path} is not the registered file "
                f"(SHA-256 {digest[:12]}…, expected {entry['sha256'][:12]}…)"
            )
        return path
    return _download(name, entry)


def _download(name: str, entry: Mapping[str, Any]) -> Path:
    import pooch  # only needed, and only slow to import, when something is fetched

    try:
        return Path(
            pooch.retrieve(
                entry["url"],
                known_hash=f"sha256:{entry['sha256']}",
                fname=f"{name}.csv",
                path=pooch.os_cache("bayescale"),
            )
        )
    # The errors of requests are OSErrors; a wrong hash is a ValueError.
    except (OSError, ValueError) as error:
        # What requests says of a lost connection is a page long; its cause is at the end of it.
        whole = str(error)
        _, found, cause = whole.rpartition("(Caused by ")
        raise DataError(
            f"data set {name!r} could not be fetched; put it under a folder and set {MIRROR} to that folder "
            f"({entry['mirror']}), from {entry['url']}: {cause.removesuffix(')') if found else whole}"
        ) from error


def _flag_highest(frame: pd.DataFrame, entry: Mapping[str, Any]) -> pd.DataFrame:
    rule = entry.get("flag_highest")
    if rule is None:
        return frame
    loss = pd.to_numeric(frame[rule["column"]]).to_numpy(dtype=float)
    flag = np.full(len(loss), "", dtype=object)
    flag[np.argsort(loss, kind="stable")[-rule["count"] :]] = rule["reason"]
    return frame.assign(flag=pd.Series(flag, dtype="str"))
