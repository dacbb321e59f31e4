"""`load_runs`: from a path, frame or name of a published set to checked `Runs`, step by step."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from bayescale.errors import DataError, unknown
from bayescale.runs.cells import check_cells, without_blank
from bayescale.runs.columns import match_columns
from bayescale.runs.datasets import NO_PRESET, Preset, dataset_names, open_dataset
from bayescale.runs.dedupe import (
    Checkpoints,
    keep_steps,
    note_copies,
    note_shared_rows,
    unique_run_ids,
)
from bayescale.runs.further import without_doubtful
from bayescale.runs.gather import Gathered, gather, melt
from bayescale.runs.leftover import (
    missing_scale,
    note_labels,
    note_scales,
    note_spread,
)
from bayescale.runs.missing import missing_loss
from bayescale.runs.paths import unfinished
from bayescale.runs.read import RawTable, read_file, read_frame
from bayescale.runs.scales import (
    COUNTS,
    account_compute,
    check_medians,
    choose_params,
)
from bayescale.runs.table import Runs, flagged
from bayescale.runs.tasks import Task, convert_task
from bayescale.runs.validate import BadCells
from bayescale.wording import counted

if TYPE_CHECKING:
    import polars

Compute = Literal["auto", "reported", "6ND"]
ParamCount = Literal["total", "non-embedding", "active"]


def load_runs(
    source: str | Path | pd.DataFrame | polars.DataFrame | Runs,
    *,
    columns: Mapping[str, str] | None = None,
    tasks: Mapping[str, str] | None = None,
    task_info: Mapping[str, Mapping[str, Any] | Task] | None = None,
    compute: Compute = "auto",
    param_count: ParamCount | None = None,
    checkpoints: Checkpoints = "last",
    tokens_per_byte: float | None = None,
    drop_blank: bool = False,
    convert: bool = True,
    name: str | None = None,
) -> Runs:
    """Read, check and convert a table of runs.

    Parameters
    ----------
    source : str, Path, DataFrame or Runs
        A CSV, TSV, JSON Lines or Parquet file, a pandas or polars frame, or the name of a published
        set (see :func:`list_datasets`). Runs that were loaded before come back as they are.
    columns : mapping of str to str, optional
        Canonical name → your header, with a unit in brackets if it needs one
        (`{"params": "size (M)"}`). Common names are recognised without. An empty header leaves out what would be
        recognised wrongly (`{"compute": ""}`).
    tasks : mapping of str to str, optional
        For a wide table: task label → header of its loss. Empty cells are runs that were not
        evaluated on that task.
    task_info : mapping, optional
        Task label → :class:`Task` or its fields (`metric`, `tokenizer`, `bytes_per_token`, …), and
        `percent`; the label ``"*"`` speaks of every task.
    compute : {"auto", "reported", "6ND"}
        Which compute to use, in FLOP; `auto` takes the table's own where it has one.
    param_count : {"total", "non-embedding", "active"}, optional
        Which count N is; rows without it are left out, with a note.
    checkpoints : {"last", "all"}
        Which steps of a run to keep, where the table has a column of them. Rows of one run share its path:
        with all of them, fit a model with a run effect.
    tokens_per_byte : float, optional
        Turns data given in bytes into tokens.
    drop_blank : bool
        Whether rows in which N, D, C or the loss is empty are left out, with a note, in place of an error.
    convert : bool
        Whether bits per token, and bits per byte where `bytes_per_token` is known, become nats per
        token. Perplexity and accuracy are always converted.
    name : str, optional
        Of the table, for messages and reports.

    Returns
    -------
    Runs
        One row per run and task; `notes` says what was assumed, derived, converted or left out.

    Raises
    ------
    DataError
        If the table cannot be used; lists every bad cell, up to 20, and their count.
    UnknownNameError
        For a column, header, task or key that does not exist.
    """
    _check_options(compute, param_count, checkpoints, tokens_per_byte)
    if isinstance(source, Runs):
        asked = (columns, tasks, task_info, param_count, tokens_per_byte, name)
        if any(asked) or drop_blank or compute != "auto" or checkpoints != "last" or not convert:
            raise DataError("these runs are loaded already: give the options with the table itself")
        return source
    _check_mappings(columns=columns, tasks=tasks, task_info=task_info)
    raw, preset = _open(source)
    wanted = dict(tasks or ({} if "loss" in (columns or {}) else preset.tasks))
    headers = list(raw.frame.columns)
    for label, header in wanted.items():
        if header not in headers:
            raise unknown("header", header, headers, f"tasks={{{label!r}: …}}")
    named = {**preset.columns, **(columns or {})}
    match = match_columns(headers, named, list(wanted.values()))
    match = without_doubtful(raw, match, named)
    if not wanted and "loss" not in match.found:
        typed = repr(str(source)) if isinstance(source, str | Path) else "frame"
        raise missing_loss(raw.label, typed, headers)
    unused = [] if preset.name else list(match.unused)  # what a published set leaves out is known
    if not {"params", "tokens", "compute", "upstream_loss", *COUNTS.values()} & set(match.found):
        raise missing_scale(raw, unused)
    notes = list(match.notes)
    if unused:
        notes.append(f"columns left out: {', '.join(map(repr, unused))}")
    # What the caller named, or said to be absent, is not looked for.
    note_scales(raw, unused, [*match.found, *(columns or {})], notes)
    bad = BadCells(raw.label, raw.rows_are)
    study = preset.name or "default"
    table = gather(raw, match.found, wanted, study, tokens_per_byte, bad, notes)
    table = melt(table, wanted, task_info or {}, preset.info, bad, notes)
    scaled = choose_params(table.frame, param_count or preset.param_count, raw.label, notes)
    if drop_blank:
        scaled = replace(scaled, frame=without_blank(table, scaled.frame, compute, notes))
    table = replace(table, frame=keep_steps(scaled.frame, table.numbered, checkpoints, notes))
    check_cells(table, unused, compute, checkpoints, bad)
    check_medians(table.columns, _used(table.frame, compute), raw.label)
    frame = unique_run_ids(table.frame, notes)
    frame, described = _convert(frame, table, convert, notes)
    header = table.columns["compute"].header if "compute" in table.columns else "compute"
    scaled = account_compute(
        replace(scaled, frame=frame), compute, _informed(described), raw.label, header, notes
    )
    note_labels(raw, unused, scaled.frame, notes)
    if checkpoints == "last":
        note_spread(raw, unused, scaled.frame, notes)
    _note_flags(scaled.frame, notes)
    note_shared_rows(scaled.frame, notes)
    note_copies(scaled.frame, table.numbered, notes)
    if bounds := int(unfinished(scaled.frame).sum()):
        notes.append(
            f"{counted(bounds, 'row')} of unfinished runs: the loss there bounds the final one"
        )
    return Runs(
        scaled.frame.drop(columns=["_row", "_at"]),
        tasks=described,
        compute_source=scaled.compute_source,
        param_count=scaled.param_count,
        notes=tuple(dict.fromkeys(notes)),
        name=name or preset.name or _default_name(source),
        citation=preset.citation,
        numbered=table.numbered,
    )


def _check_options(compute: str, param_count: str | None, checkpoints: str, rate: object) -> None:
    if checkpoints not in get_args(Checkpoints):
        raise unknown("choice of checkpoints", checkpoints, get_args(Checkpoints), "load_runs")
    if compute not in get_args(Compute):
        raise unknown("compute", str(compute), get_args(Compute), "load_runs")
    if param_count is not None and param_count not in get_args(ParamCount):
        raise unknown("param_count", str(param_count), get_args(ParamCount), "load_runs")
    if rate is not None and not (isinstance(rate, int | float) and 0 < rate < 10):
        raise DataError(f"tokens_per_byte={rate!r} (expected a number, about 0.2–0.4)")


def _check_mappings(**given: object) -> None:
    examples = {
        "columns": "{'params': 'your header'}",
        "tasks": "{'c4': 'your header'}",
        "task_info": "{'c4': {'metric': 'bits/byte'}}",
    }
    for name, value in given.items():
        kind = Mapping | Task if name == "task_info" else str
        good = isinstance(value, Mapping) and all(isinstance(v, kind) for v in value.values())
        if value is not None and not good:
            raise DataError(f"{name}={value!r} (expected a mapping such as {examples[name]})")


def _open(source: str | Path | Any) -> tuple[RawTable, Preset]:
    if isinstance(source, str) and source in dataset_names():
        return open_dataset(source)
    if not isinstance(source, str | Path):
        return read_frame(source), NO_PRESET
    listed = ", ".join(dataset_names())
    if not str(source).strip():
        raise DataError(f"the name of the table is empty (a file, or a published set: {listed})")
    path = Path(source)
    if not path.exists():
        near = difflib.get_close_matches(str(source), dataset_names(), n=1, cutoff=0.5)
        hint = f"; did you mean the published set {near[0]!r}?" if near else ""
        raise DataError(f"no file {str(source)!r}{hint} (published sets: {listed})")
    return read_file(path), NO_PRESET


def _default_name(source: object) -> str:
    return Path(source).stem if isinstance(source, str | Path) else "runs"


def _used(frame: pd.DataFrame, compute: str) -> pd.DataFrame:
    left_out = compute == "6ND" and "compute" in frame.columns
    return frame.drop(columns="compute") if left_out else frame


def _convert(
    frame: pd.DataFrame, table: Gathered, convert: bool, notes: list[str]
) -> tuple[pd.DataFrame, dict[str, Task]]:
    labels = frame["task"].to_numpy()
    loss = frame["loss"].to_numpy(dtype=float).copy()
    has_se = "loss_se" in frame.columns
    se = frame["loss_se"].to_numpy(dtype=float).copy() if has_se else np.full(len(loss), np.nan)
    described: dict[str, Task] = {}
    for name, measured in table.measured.items():
        here = labels == name
        done = convert_task(measured.task, loss[here], se[here], measured.percent, convert)
        loss[here], se[here] = done.loss, done.loss_se
        described[name] = done.task
        if done.note:
            notes.append(done.note)
        _note_above(done.task, done.loss, notes)
    frame = frame.assign(loss=loss)
    return (frame.assign(loss_se=se) if has_se else frame), described


def _informed(tasks: dict[str, Task]) -> Task:
    known = [t for t in tasks.values() if t.context]
    return known[0] if known else next(iter(tasks.values()))


def _note_above(task: Task, loss: np.ndarray, notes: list[str]) -> None:
    if task.upper is not None and (above := int((loss > task.upper).sum())):
        notes.append(
            f"task {task.name!r}: {above} of {counted(len(loss), 'row')} above {task.upper:g}, "
            "the level of random guessing"
        )


def _note_flags(frame: pd.DataFrame, notes: list[str]) -> None:
    marked = frame[flagged(frame)]
    if len(marked):
        ids = ", ".join(marked["run_id"].unique()[:5])
        more = "" if marked["run_id"].nunique() <= 5 else ", …"
        notes.append(f"{counted(len(marked), 'flagged row')} kept, not dropped: {ids}{more}")
