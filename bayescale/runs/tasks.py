"""Tasks and metrics: what a loss column measures, and its conversion to a loss that falls."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from bayescale.errors import DataError, unknown

METRICS = (
    "nats/token", "bits/token", "bits/byte", "perplexity", "error", "accuracy", "loss",
)  # fmt: skip
LN2 = math.log(2.0)


@dataclass(frozen=True)
class Task:
    """What is known about one task (corpus or benchmark).

    Parameters
    ----------
    name : str
        Label in the table.
    metric : str
        `nats/token`, `bits/token`, `bits/byte`, `perplexity`, `error`, `accuracy`, or `loss`
        for anything else that falls.
    direction : str
        `lower` or `higher` is better; only an accuracy is `higher`, and it is turned into an error
        on loading.
    lower, upper : float, optional
        Bounds of the loss after conversion; for an error, `upper` is that of random guessing.
    tokenizer, corpus : str, optional
        Losses per token of different tokenizers are never pooled. `corpus="web"` means C4-like.
    bytes_per_token : float, optional
        Mean over the evaluation text; makes losses per token and per byte convertible.
    vocabulary, context : int, optional
        Entries of the tokenizer; tokens of context.
    converted_from : str, optional
        The metric before conversion.

    Raises
    ------
    DataError
        If bounds, metric and direction contradict each other.
    """

    name: str
    metric: str = "nats/token"
    direction: str = ""
    lower: float = 0.0
    upper: float | None = None
    tokenizer: str | None = None
    bytes_per_token: float | None = None
    corpus: str | None = None
    vocabulary: int | None = None
    context: int | None = None
    converted_from: str | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise unknown("metric", str(self.metric), METRICS, f"task {self.name!r}")
        natural = "higher" if self.metric == "accuracy" else "lower"
        if self.direction == "":
            object.__setattr__(self, "direction", natural)
        if self.direction != natural:
            raise DataError(
                f"task {self.name!r}: direction {self.direction!r} with metric {self.metric!r} "
                f"(expected {natural!r}; turn a score into an error before loading it)"
            )
        if self.upper is not None and not self.upper > self.lower:
            raise DataError(
                f"task {self.name!r}: upper {self.upper:g} is not above lower {self.lower:g}"
            )
        if self.bytes_per_token is not None and not self.bytes_per_token > 0:
            raise DataError(
                f"task {self.name!r}: bytes_per_token {self.bytes_per_token:g} (expected > 0)"
            )

    @property
    def kind(self) -> str:
        """What may be pooled: tasks of equal kind share a unit (and, per token, a tokenizer)."""
        if self.metric.endswith("/token"):
            return f"{self.metric}, {self.tokenizer or 'tokenizer not stated'}"
        return self.metric

    @property
    def bits_per_byte(self) -> float | None:
        """Factor from this task's loss to bits per byte; None if it cannot be converted."""
        if self.metric == "bits/byte":
            return 1.0
        if self.bytes_per_token is None or not self.metric.endswith("/token"):
            return None
        per_token = 1.0 / LN2 if self.metric == "nats/token" else 1.0
        return per_token / self.bytes_per_token

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def infer_metric(header: str) -> str | None:
    """Read the metric off a header (`val_ppl` → `perplexity`); None if it does not say."""
    text = header.lower()
    words = set(re.findall(r"[a-z]+\d*", text))
    if re.search(r"bits?[ _/-]*(per[ _-]*)?byte", text) or "bpb" in words:
        return "bits/byte"
    if re.search(r"bits?[ _/-]*(per[ _-]*)?token", text) or "bpt" in words:
        return "bits/token"
    if words & {"ppl", "perplexity"}:
        logs = {"log": "nats/token", "ln": "nats/token", "log2": "bits/token", "log10": None}
        return next((unit for log, unit in logs.items() if log in words), "perplexity")
    if words & {"error", "err", "errors"}:
        return "error"
    if words & {"accuracy", "acc", "acc1", "top1"}:
        return "accuracy"
    if words & {"loss", "xent", "nll", "entropy", "ce", "nats"} or text.strip() == "l":
        return "nats/token"
    return None


def make_task(
    name: str, header: str, info: Mapping[str, Any] | Task | None, key: str = ""
) -> tuple[Task, bool, bool]:
    """Make a task from what the caller says of it and what its header says; `key` of `task_info` is for messages.

    Returns
    -------
    task : Task
        As the table has it, before conversion.
    percent : bool
        Whether 100 means 1.
    assumed : bool
        Whether the unit of a loss was taken to be nats per token because nothing said otherwise.

    Raises
    ------
    DataError
        If nothing says what the column measures.
    UnknownNameError
        If `info` has a key that no task has.
    """
    percent = "%" in header or bool(re.search(r"\b(percent|pct)\b", header.replace("_", " ")))
    inferred = infer_metric(header)
    if isinstance(info, Task):
        return replace(info, name=name), percent, False
    given = dict(info or {})
    percent = bool(given.pop("percent", percent))
    known = [f.name for f in fields(Task)]
    for key in given:
        if key not in known:
            raise unknown("key", key, [*known, "percent"], f"task_info[{name!r}]")
    given.pop("name", None)
    if "metric" in given:
        return Task(name=name, **given), percent, False
    if inferred is None:
        raise DataError(
            f"column {header!r} does not say what it measures; say it: "
            f"task_info={{{(key or name)!r}: {{'metric': 'accuracy'}}}} of a share that rises, 'error' of one "
            f"that falls, 'loss' of whatever else falls (one of {', '.join(METRICS)})"
        )
    says_unit = bool(re.search(r"\bnats?\b", header.lower()))
    return (
        Task(name=name, metric=inferred, **given),
        percent,
        (inferred == "nats/token" and not says_unit),
    )


@dataclass(frozen=True)
class Conversion:
    """Losses of one task after conversion, and the sentence that says what was done."""

    task: Task
    loss: np.ndarray
    loss_se: np.ndarray
    note: str = ""


def seems_percent(task: Task, percent: bool, values: np.ndarray) -> bool:
    """Whether an error or accuracy has values that only a percentage can have, and nothing says that it is one."""
    with np.errstate(invalid="ignore"):
        beyond = bool(((values > 1) & (values <= 100)).any())
    return task.metric in ("accuracy", "error") and not percent and beyond


def expected_cell(task: Task, percent: bool) -> str:
    """Say which values a cell of this task may have, before conversion."""
    top = "100" if percent else "1"
    if task.metric == "accuracy":
        return f"expected an accuracy from 0 to below {top}"
    if task.metric == "error":
        return f"expected an error above 0 and up to {top}"
    if task.metric == "perplexity":
        return "expected a perplexity above 1"
    return "expected a positive number"


def good_cells(task: Task, percent: bool, values: np.ndarray) -> np.ndarray:
    """Which values are possible for this task, before conversion."""
    top = 100.0 if percent else 1.0
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(values)
        if task.metric == "accuracy":
            return finite & (values >= 0) & (values < top)
        if task.metric == "error":
            return finite & (values > 0) & (values <= top)
        if task.metric == "perplexity":
            return finite & (values > 1)
        return finite & (values > 0)


def convert_task(
    task: Task, values: np.ndarray, se: np.ndarray, percent: bool, convert: bool
) -> Conversion:
    """Turn a metric into a loss that falls, in nats per token where possible.

    Parameters
    ----------
    task : Task
        As the table has it.
    values, se : ndarray of float, shape (rows,)
        Checked values and their standard errors (NaN where unknown).
    percent : bool
        Whether 100 means 1.
    convert : bool
        Whether bits become nats; perplexity and accuracy are always converted.

    Returns
    -------
    Conversion
        Standard errors follow to first order.
    """
    scale = 0.01 if percent and task.metric in ("accuracy", "error") else 1.0
    values, se = values * scale, se * scale
    said = f"task {task.name!r}: "
    per_cent = "percent, " if scale != 1.0 else ""
    if task.metric == "accuracy":
        done = replace(task, metric="error", direction="lower", converted_from="accuracy")
        note = f"{said}{per_cent}accuracy → error = 1 − accuracy"
        return Conversion(done, 1.0 - values, se, note)
    if task.metric == "perplexity":
        done = replace(task, metric="nats/token", converted_from="perplexity")
        return Conversion(
            done, np.log(values), se / values, f"{said}perplexity → nats/token = log(perplexity)"
        )
    if convert and task.metric == "bits/token":
        done = replace(task, metric="nats/token", converted_from="bits/token")
        return Conversion(done, values * LN2, se * LN2, f"{said}bits/token × ln 2 → nats/token")
    if convert and task.metric == "bits/byte" and task.bytes_per_token is not None:
        factor = task.bytes_per_token * LN2
        done = replace(task, metric="nats/token", converted_from="bits/byte")
        text = f"{said}bits/byte × {task.bytes_per_token:g} bytes/token × ln 2 → nats/token"
        return Conversion(done, values * factor, se * factor, text)
    note = f"{said}percent → error between 0 and 1" if scale != 1.0 else ""
    return Conversion(task, values, se, note)
