"""Reading a file or frame into raw cells, each with the row number a person would give it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")
KNOWN = (*_SEPARATORS, *_LINES, *_PARQUET)
_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas", " ": "spaces"}


LINES_BELOW_HEADER = "rows are lines of the file, the header is line 1"
LINES = "rows are lines of the file"
POSITIONS = "rows are positions in the table, from 0"


@dataclass(frozen=True)
class RawTable:
    """Cells as they came.

    `rows` numbers the rows for messages, and `rows_are` says how.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    label: str
    rows_are: str = POSITIONS


def read_frame(frame: Any, label: str = "the frame") -> RawTable:
    """Take a pandas or polars frame.

    Parameters
    ----------
    frame : DataFrame or LazyFrame
        pandas or polars.
    label : str
        What messages call it.

    Raises
    ------
    DataError
        If it is neither, is empty, or repeats a header.
    """
    if type(frame).__module__.split(".")[0] == "polars" and hasattr(frame, "lazy"):
        eager = frame.lazy().collect()
        frame = pd.DataFrame({c: eager[c].to_list() for c in eager.columns})
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"cannot read runs from a {type(frame).__name__} "
            "(expected a path, the name of a published set, or a pandas or polars frame)"
        )
    # An index with a name is a column of the table (`groupby` makes such); one without numbers the rows.
    kept = [n for n in frame.index.names if n is not None and n not in frame.columns]
    named = frame.reset_index(level=kept).rename(columns=str) if kept else frame.rename(columns=str)
    _check_headers(label, list(named.columns))
    if named.empty:
        raise DataError(f"{label} has no rows")
    return RawTable(named.reset_index(drop=True), np.arange(len(named)), label)


def read_file(path: Path) -> RawTable:
    """Read a CSV, TSV, JSON Lines or Parquet file.

    Parameters
    ----------
    path : Path
        The file; its extension decides how it is read.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        If it is missing, a directory, empty, binary, of unknown extension, of mixed encoding, or
        separated by something else than its extension says.
    """
    label = path.name
    if path.is_dir():
        raise DataError(f"{path} is a directory (expected a file: {', '.join(KNOWN)})")
    if not path.exists():
        raise DataError(f"no file {path}")
    suffix = path.suffix.lower()
    if suffix not in KNOWN:
        raise DataError(
            f"{label}: unknown extension {suffix or '(none)'!r} (known: {', '.join(KNOWN)}); "
            "or read it yourself and pass the frame"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{label} is empty")
    if suffix in _PARQUET:
        return _read_parquet(content, label)
    text = _decode(content, label)
    if suffix in _LINES:
        return _read_lines(text, label)
    return _read_separated(text, label, _SEPARATORS[suffix])


def _decode(content: bytes, label: str) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{label} is UTF-16 (expected UTF-8); save it as UTF-8")
    if b"\x00" in content[:65536]:
        raise DataError(f"{label} is a binary file, not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The offset is that of the file: utf-8-sig counts from after the byte-order mark.
        offset = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content.count(b"\n", 0, offset) + 1
        raise DataError(
            f"{label}: not UTF-8 at byte {offset} (line {line}, byte 0x{content[offset]:02x}); "
            "the file mixes encodings or uses another one: save it as UTF-8"
        ) from None


def _read_separated(text: str, label: str, separator: str) -> RawTable:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        first = next(csv.reader(io.StringIO(text), delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{label} cannot be read as a table: line 1: {error}") from None
    headers = [h.strip() for h in first]
    if not any(headers):
        raise DataError(f"{label}: the first line is blank (expected the headers)")
    if len(headers) == 1:
        if re.fullmatch(r"sep=.", headers[0]):
            raise DataError(
                f"{label}: the first line, {headers[0]!r}, is for Excel alone; delete it"
            )
        _check_separator(text.splitlines(), label, separator)
    try:
        # The header is read as a row: it sets the width, so that a longer row is an error. Given as
        # names, it would shift or drop cells.
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype="str",
            keep_default_na=False,
            na_values=[],
            skip_blank_lines=False,
            on_bad_lines="error",
        )
    except pd.errors.ParserError as error:
        reason = str(error).rsplit("C error:", 1)[-1].strip()
        if len(headers) == 1:
            reason += f"; the first line, {headers[0]!r}, should hold the headers"
        raise DataError(f"{label}: cannot be read as a table: {reason}") from None
    frame = frame.iloc[1:].set_axis(headers, axis=1)
    rows = np.arange(len(frame)) + 2
    written = ~(frame.isna() | (frame == ""))
    filled = written.any(axis=1).to_numpy(dtype=bool)
    # A column without header and cells is a comma too many at the end of every line.
    frame = frame.loc[:, written.any(axis=0).to_numpy(dtype=bool) | (np.array(headers) != "")]
    _check_headers(label, list(frame.columns))
    if not filled.any():
        raise DataError(f"{label} has a header but no rows")
    return RawTable(frame[filled].reset_index(drop=True), rows[filled], label, LINES_BELOW_HEADER)


def _check_separator(lines: list[str], label: str, separator: str) -> None:
    for other, name in _NAMES.items():
        # One column may have a header of several words; cells of as many are a table.
        apart = all(len(line.split()) == len(lines[0].split()) for line in lines if line.strip())
        if other != separator and other in lines[0] and (other != " " or apart):
            shown = {"\t": "'\\t'", " ": "r'\\s+'"}.get(other, f"'{other}'")
            rename = " or name it .tsv" if other == "\t" else ""
            # Where cells may be apart by something else, a comma between digits is a decimal one.
            comma = any(re.search(r"\d,\d", line) for line in lines[1:])
            shown += ", decimal=','" if comma else ""
            raise DataError(
                f"{label} is separated by {name}, not {_NAMES[separator]}; save it with "
                f"{_NAMES[separator]}{rename}, or in Python read it yourself: "
                f"load_runs(pandas.read_csv({label!r}, sep={shown}))"
            )


def _check_headers(label: str, headers: list[str]) -> None:
    twice = sorted({h for h in headers if headers.count(h) > 1})
    if twice == [""]:
        raise DataError(f"{label}: {headers.count('')} columns have no header; give each one")
    if twice:
        raise DataError(f"{label}: header {twice[-1]!r} occurs more than once")


def _read_lines(text: str, label: str) -> RawTable:
    import json

    records: list[dict[str, Any]] = []
    rows: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{label}: line {number} is no JSON: {error.msg}") from None
        if not isinstance(record, dict):
            raise DataError(f"{label}: line {number} is no JSON object (expected one run a line)")
        records.append(record)
        rows.append(number)
    # An object within a run, as experiment trackers write them: {"config": {"params": 1}} is a column config.params.
    frame = pd.json_normalize(records)
    return RawTable(frame, np.array(rows), label, LINES)


def _read_parquet(content: bytes, label: str) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(io.BytesIO(content)).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{label} is no readable Parquet file: {error}") from None
    return read_frame(frame, label)
