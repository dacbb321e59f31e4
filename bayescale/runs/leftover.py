"""What the columns left out may mean: a scale under a strange name, labels that are read as one, what else moved."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.errors import DataError
from bayescale.given import GIVEN
from bayescale.runs.columns import Column, normalise
from bayescale.runs.missing import loss_like
from bayescale.runs.quantities import PLAIN, read_numbers
from bayescale.runs.read import RawTable
from bayescale.wording import counted

_NAMED = 6
#: Runs at one N and D that differ by less may be seeds: half the points must differ by more.
_SPREAD = 0.03
_MIN_POINTS = 3
_POINT = (
    "study",
    "architecture",
    "task",
    "params",
    "tokens",
    "compute",
    "unique_tokens",
    "experts",
)
_GROUPS = ("study", "architecture", "task", "run_id", "sweep")
_AXES = {
    "params": re.compile(r"size|parameters?|[a-z]*params?"),
    "tokens": re.compile(r"[a-z]*tokens?|samples?|examples?|images?|seen"),
    "compute": re.compile(r"[a-z]*flops?|compute"),
}
_EMBEDDING = {"embed", "emb", "embedding", "embeddings"}
_QUALIFYING = {"nominal", "total", "model", "approx", "k", "m", "b", "t", "million", "millions", "billion", "billions",
               "config", "cfg", "args", "hparams"}  # fmt: skip
_DATA = {"train", "training", "data", "dataset", "corpus"}
# Words of other things that have a size, or are counted in tokens or FLOP.
_OTHER = {"per", "batch", "context", "ctx", "seq", "sequence", "length", "vocab", "embed", "embedding", "image", "img",
          "hidden", "kernel", "patch", "window", "unique", "ratio", "multiplier", "step", "second", "s", "forward",
          "fwd", "source", "test", "val", "eval", "label"}  # fmt: skip
_LOGS = {"log", "log10", "log2", "ln"}
_TRUTHS = {"true", "false", "yes", "no"}
_SUSPECT = {"outlier", "outliers", "suspect", "anomaly", "anomalous", "bad", "diverged", "failed", "invalid",
            "exclude", "excluded", "spike"}  # fmt: skip


def likely_scales(raw: RawTable, unused: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Headers left out that may hold an N, D or C that the table lacks: canonical name → header."""
    lacking = [a for a in _AXES if not any(name.startswith(a) for name in found)]
    likely: dict[str, str] = {}
    for header in unused:
        axis = _axis(set(normalise(header).split("_")))
        if axis in lacking and axis not in likely and _all_numbers(raw.frame[header], axis):
            likely[axis] = header
    return likely


def _axis(words: set[str]) -> str:
    """Which of N, D, C the words of a header speak of; empty for none of them."""
    if words & (_LOGS | _OTHER) and not (words & {"non", "no"} and words & _EMBEDDING):
        return ""
    if words & _DATA and words & {"size", "n", "num", "number"}:
        return "tokens"
    # A letter means N or D where the other words only qualify it: `n_nominal`, and not `n_layers`.
    for axis, letter in (("params", "n"), ("tokens", "d")):
        if letter in words and words - {letter} <= _QUALIFYING:
            return axis
    return next((a for a, noun in _AXES.items() if any(map(noun.fullmatch, words))), "")


def missing_scale(raw: RawTable, unused: Sequence[str]) -> DataError:
    """Make the error for a table without N, D and C, with the exact mapping where a header looks like one."""
    likely = likely_scales(raw, unused, ())
    logs = [h for h in unused if _LOGS & set(normalise(h).split("_"))]
    example = likely or {"params": "<header>", "tokens": "<header>"}
    said = f"say which: columns={example!r}"
    if logs and not likely:
        said = f"{logs[0]!r} seems to hold logarithms: give the numbers themselves"
    listed = ", ".join(map(repr, unused)) or "none besides the loss"
    return DataError(
        f"{raw.label}: no column of parameters, tokens or compute (there are: {listed}); {said}"
    )


def note_scales(
    raw: RawTable, unused: Sequence[str], found: Sequence[str], notes: list[str]
) -> None:
    """Say that a column left out may be the N, D or C that the table lacks: a law of less would be fitted."""
    symbols = {"params": "N", "tokens": "D", "compute": "C"}
    have = {axis for axis in _AXES if any(name.startswith(axis) for name in found)}
    if have >= {"params", "tokens"}:
        return  # C follows
    for axis, header in likely_scales(raw, unused, found).items():
        notes.append(
            f"no {symbols[axis]} was found: if {header!r} is it, say columns={{{axis!r}: {header!r}}}"
        )


def note_labels(
    raw: RawTable, unused: Sequence[str], frame: pd.DataFrame, notes: list[str]
) -> None:
    """Say which columns of labels were left out that divide rows of one architecture, task and study; marks apart."""
    found = {h: c for h in unused if _is_label(c := _cells(raw, h, frame))}
    marks = [h for h, cells in found.items() if _is_mark(h, cells)]
    for header in marks:
        notes.append(
            f"{header!r} was left out: if it marks rows that are suspect, columns={{'flag': {header!r}}}, and "
            ".where(unflagged=True) leaves them out"
        )
    labels = [
        h for h, c in found.items() if h not in marks and _are_words(c) and _divides(c, frame)
    ]
    if not labels:
        return
    listed = ", ".join(_described(h, found[h]) for h in labels[:_NAMED])
    notes.append(
        f"labels left out: {listed}; rows that differ in them count as one architecture on one task; to tell them "
        f"apart: columns={{'study': {labels[0]!r}}} (or 'architecture', 'task')"
    )


def note_spread(
    raw: RawTable, unused: Sequence[str], frame: pd.DataFrame, notes: list[str]
) -> None:
    """Say where runs of one N and D have losses so far apart that something else must have moved."""
    place = [c for c in _POINT if c in frame.columns]
    again = frame[frame.duplicated(place, keep=False)]
    if again.empty:
        return
    loss = again.groupby(place, dropna=False)["loss"]
    spread = (loss.max() / loss.min() - 1.0).to_numpy()
    middle = float(np.median(spread))
    if len(spread) < _MIN_POINTS or middle < _SPREAD:
        return
    measured = loss_like(list(raw.frame.columns)).values()
    settings = [h for h in unused if h not in measured]
    moved = [repr(h) for h in settings if _moves_within(_cells(raw, h, again), again, place)]
    named = f"; left out, and different there: {', '.join(moved[:_NAMED])}" if moved else ""
    groups = [again[p] for p in place]
    read = [n for n in GIVEN if n in again and (again[n].groupby(groups).nunique() > 1).any()]
    if read:
        named += f"; different there, and read by models of their own: {', '.join(read[:_NAMED])} (bayescale suggest)"
    points = counted(len(spread), "point")
    notes.append(
        f"at the same scale the loss differs by {100 * middle:.0f} % in the median of {points}, by "
        f"{100 * spread.max():.0f} % at most{named}; where those are trials, keep the best of each or take "
        "noise='one-sided'"
    )


def tells_apart(
    raw: RawTable,
    unused: Sequence[str],
    columns: dict[str, Column],
    frame: pd.DataFrame,
    keys: list[str],
) -> str:
    """Which column tells rows apart that share a run id, as the mapping to type; empty if none does."""
    rows = frame[frame.duplicated(keys, keep=False)]
    for header in unused:
        cells = _cells(raw, header, rows)
        if not _is_label(cells) or rows.assign(_own=cells).duplicated([*keys, "_own"]).any():
            continue
        said = f"column {header!r} tells these rows apart: "
        if _are_words(cells) and "task" not in columns:
            return f"{said}columns={{'task': {header!r}}}"
        return (
            f"{said}keep those of one, or, where they are repeats, columns={{'seed': {header!r}}}"
        )
    if "tokens" in rows and not rows.duplicated([*keys, "tokens"]).any():
        tokens, run = columns["tokens"].header, columns["run_id"].header
        return (
            f"rows of one {run!r} differ in {tokens!r}: if it names a family, columns={{'architecture': {run!r}}}; if "
            f"they are steps of one run, columns={{'step': {tokens!r}, 'tokens': {tokens!r}}}"
        )
    return ""


def _cells(raw: RawTable, header: str, frame: pd.DataFrame) -> pd.Series:
    """The column as text, on the rows of the long table."""
    cells = raw.frame[header].iloc[frame["_at"].to_numpy()]
    return cells.astype("str").str.strip().where(cells.notna(), "").set_axis(frame.index)


def _all_numbers(cells: pd.Series, axis: str) -> bool:
    values, blank, bad, in_bytes = read_numbers(cells, axis, PLAIN)
    return not (blank | bad | in_bytes).any() and bool((values > 0).all())


def _is_label(cells: pd.Series) -> bool:
    """Whether cells repeat: what is different in most rows is a measurement, or a name of each."""
    return 2 <= cells.nunique() <= max(2, len(cells) // 2)


def _are_words(cells: pd.Series) -> bool:
    """Whether no cell is a number, nor written as one (`350M`)."""
    _, blank, bad, _ = read_numbers(cells, "params", PLAIN)
    return bool((bad | blank).all())


def _is_mark(header: str, cells: pd.Series) -> bool:
    labels = set(cells.str.lower()) - {""}
    named = bool(_SUSPECT & set(normalise(header).split("_")))
    return labels <= _TRUTHS or (named and labels <= {"0", "1", "0.0", "1.0"})


def _divides(cells: pd.Series, frame: pd.DataFrame) -> bool:
    """Whether labels say something that no column in use says."""
    if any(_follows(cells, frame, scale) for scale in _scales(frame)):
        return False
    return not any(
        bool((cells.groupby(frame[g].to_numpy()).nunique() <= 1).all())
        for g in _GROUPS
        # Of a column that is different in most rows nothing follows.
        if g in frame.columns and frame[g].nunique() <= len(frame) // 2
    )


def _scales(frame: pd.DataFrame) -> list[pd.Series]:
    """N, D, C and D/N of every row, as far as the table has them."""
    found = [frame[axis].astype(float) for axis in _AXES if axis in frame.columns]
    if {"params", "tokens"} <= set(frame.columns):
        ratio = frame["tokens"].astype(float) / frame["params"].astype(float)
        # What is meant as 20 tokens a parameter is so to about a percent.
        found.append(pd.Series(np.log10(ratio.to_numpy()).round(2), index=frame.index))
    return found


def _follows(cells: pd.Series, frame: pd.DataFrame, scale: pd.Series) -> bool:
    """Whether each label is a stretch of a scale within every architecture and task, as `small` and `large` are."""
    group = ["architecture", "task"]
    rows = frame[group].assign(scale=scale, label=cells).sort_values([*group, "scale", "label"])
    within = (rows[group] == rows[group].shift()).all(axis=1)
    changes = int((within & (rows["label"] != rows["label"].shift())).sum())
    several = rows.groupby(group)["label"].nunique()
    return changes > 0 and changes == int((several - 1).sum())


def _moves_within(cells: pd.Series, rows: pd.DataFrame, place: list[str]) -> bool:
    groups = [rows[p].to_numpy() for p in place]
    return _is_label(cells) and bool((cells.groupby(groups, dropna=False).nunique() > 1).any())


def _described(header: str, cells: pd.Series) -> str:
    labels = [str(c) or "empty" for c in cells.unique()]
    shown = ", ".join(c if len(c) <= 24 else c[:23] + "…" for c in labels[:3])
    return f"{header!r} ({shown}{', …' if len(labels) > 3 else ''})"
