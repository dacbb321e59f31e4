"""Saving and loading a fit: one NetCDF file, written beside and renamed, that needs neither the data nor PyMC."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pydantic import ValidationError

from bayescale.errors import FitFileError
from bayescale.files import refuse_existing, written_beside
from bayescale.posterior.convergence import Convergence, Verdict, verdict_from
from bayescale.posterior.fit import Fit
from bayescale.spec import ResolvedModel

FORMAT = "bayescale-fit"
SCHEMA_VERSION = 1
_GROUPS = ("posterior", "sample_stats", "diagnostics", "observed_data", "constant_data")


def save(fit: Fit, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a fit.

    The file appears whole or not at all: it is written beside its target, flushed to disk, and renamed over it.

    Parameters
    ----------
    fit : Fit
        What to write.
    path : path
        Target. Its folder must exist.
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    BayescaleError
        If the file exists, unless ``overwrite``, or cannot be written.
    """
    target = Path(path)
    refuse_existing(target, overwrite)
    tree = xr.DataTree.from_dict({f"/{name}": fit.tree[name].to_dataset() for name in _GROUPS})
    header = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "model": fit.model.model_dump_json(),
        "engine": fit.convergence.engine,
        "convergence": json.dumps(_fields(fit.convergence)),
        "data_hash": fit.data_hash,
        "content_hash": _content_hash(tree),
        "model_hash": fit.model.hash,
        "seed": fit.seed,
        "versions": json.dumps(fit.versions),
        "notes": json.dumps(fit.notes),
    }
    tree.attrs = header
    with written_beside(target) as beside:
        tree.to_netcdf(beside, engine="h5netcdf")
    return target


def _fields(convergence: Verdict) -> dict[str, Any]:
    derived = ("engine", "passed", "problems")
    return {k: v for k, v in convergence.to_dict().items() if k not in derived}


def load_fit(path: str | Path) -> Fit:
    """Read a fit.

    Parameters
    ----------
    path : path
        A file written by :func:`save`.

    Raises
    ------
    FitFileError
        If the file is missing, truncated, damaged, not a fit, or written by a newer version.
    """
    source = Path(path)
    if not source.is_file():
        raise FitFileError(
            f"no fit file {source}" + (" (it is a folder)" if source.is_dir() else "")
        )
    try:
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise FitFileError(
            f"{source} cannot be read as a fit: it is truncated or not a NetCDF file "
            f"({_first_line(error)})"
        ) from None
    header = tree.attrs
    if header.get("format") != FORMAT:
        raise FitFileError(f"{source} is a NetCDF file, but not a fit that bayescale wrote")
    version = _field(source, header, "schema_version", int)
    if version > SCHEMA_VERSION:
        raise FitFileError(
            f"{source} has schema {version}, newer than {SCHEMA_VERSION} which this version reads; "
            "upgrade bayescale"
        )
    missing = [g for g in _GROUPS if g not in tree.children]
    if missing:
        raise FitFileError(f"{source} lacks the groups {', '.join(missing)}: it is incomplete")
    # Earlier files have no hash of their content.
    found = _content_hash(tree)
    if header.get("content_hash", found) != found:
        raise FitFileError(f"{source} is damaged: its draws or rows are not those that were saved")
    # Files of the time when there was one engine do not name it.
    engine = str(header.get("engine", Convergence.engine))
    return Fit(
        tree=tree,
        model=_field(source, header, "model", ResolvedModel.model_validate_json),
        convergence=_field(
            source, header, "convergence", lambda text: verdict_from(engine, json.loads(text))
        ),
        data_hash=_field(source, header, "data_hash", str),
        seed=_field(source, header, "seed", int),
        versions=_field(source, header, "versions", json.loads),
        notes=_field(source, header, "notes", lambda text: tuple(json.loads(text))),
    )


def _content_hash(tree: xr.DataTree) -> str:
    """SHA-256 of all arrays of a fit, whatever the file makes of their types."""
    sha = hashlib.sha256()
    for group in _GROUPS:
        held = tree[group].to_dataset().variables
        for name in sorted(map(str, held)):
            values = held[name].to_numpy()
            text = values.dtype.kind in "OSU"
            sha.update(f"{group}/{name}{values.shape}".encode())
            sha.update(
                "\0".join(map(str, values.ravel())).encode()
                if text
                else np.ascontiguousarray(values, float).tobytes()
            )
    return sha.hexdigest()


def _field[T](source: Path, header: Mapping[Any, Any], name: str, read: Callable[[Any], T]) -> T:
    """Read one entry of the header, or say which one is missing or spoilt."""
    if name not in header:
        raise FitFileError(f"{source}: its header lacks {name!r}")
    try:
        return read(header[name])
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise FitFileError(
            f"{source}: {name!r} in its header cannot be read ({_first_line(error)})"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
