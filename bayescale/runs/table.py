"""`Runs`: a frozen, checked table of training runs with what is known about its tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError, unknown
from bayescale.runs.columns import ALWAYS, CANONICAL, TEXT
from bayescale.runs.tasks import Task
from bayescale.wording import counted

if TYPE_CHECKING:
    from bayescale.runs.describe import Description

type Mask = Sequence[bool] | np.ndarray | pd.Series
type Labels = str | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Runs:
    """A checked table of runs, one row per run and task.

    Two `Runs` are equal when their content is: same rows in any order, same tasks, same accounting.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns only; `run_id, architecture, task, study, loss` always.
    tasks : dict of str to Task
        One per task label, in order of appearance.
    compute_source : str, optional
        `reported`, `6ND`, or None without compute.
    param_count : str, optional
        Which count `params` is: `total`, `non-embedding`, `active`; None if nobody said.
    notes : tuple of str
        What was read, converted, derived or left out.
    name, citation : str
        Of the table.
    numbered : bool
        Whether run ids were made from row numbers; such ids are no content.
    """

    frame: pd.DataFrame = field(repr=False)
    tasks: dict[str, Task]
    compute_source: str | None = None
    param_count: str | None = None
    notes: tuple[str, ...] = ()
    name: str = "runs"
    citation: str = ""
    numbered: bool = False

    def __post_init__(self) -> None:
        missing = [c for c in ALWAYS if c not in self.frame.columns]
        foreign = [c for c in self.frame.columns if c not in CANONICAL]
        if missing or foreign:
            raise DataError(
                f"{self.name}: not a canonical table (missing {missing}, foreign {foreign}); "
                "use load_runs"
            )
        object.__setattr__(self, "tasks", dict(self.tasks))
        order = [c for c in CANONICAL if c in self.frame.columns]
        # A shallow copy costs nothing: pandas copies on write, so the caller cannot reach in.
        object.__setattr__(self, "frame", self.frame[order].reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.frame)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        groups = counted(len(self.architectures), "architecture")
        tasks = counted(len(self.tasks), "task")
        return f"Runs({self.name!r}: {counted(len(self), 'row')}, {groups}, {tasks}, hash {self.hash[:8]})"

    @property
    def table(self) -> pd.DataFrame:
        """The table, one row per run and task; a copy, so that changing it changes nothing here."""
        return self.frame.copy(deep=False)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Architecture labels in order of appearance."""
        return tuple(str(a) for a in self.frame["architecture"].unique())

    @property
    def studies(self) -> tuple[str, ...]:
        """Study labels in order of appearance."""
        return tuple(str(s) for s in self.frame["study"].unique())

    @property
    def task_names(self) -> tuple[str, ...]:
        """Task labels in order of appearance."""
        return tuple(self.tasks)

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Kind → names of the tasks of that kind: what may be pooled."""
        names: dict[str, tuple[str, ...]] = {}
        for task in self.tasks.values():
            names[task.kind] = (*names.get(task.kind, ()), task.name)
        return names

    def task(self, name: str | None = None) -> Task:
        """Look up a task; without a name, the only one.

        Raises
        ------
        UnknownNameError, DataError
            If there is no such task, or several and no name.
        """
        if name is None:
            if len(self.tasks) > 1:
                raise DataError(
                    f"{self.name} has {len(self.tasks)} tasks ({', '.join(self.task_names)}): "
                    "name one"
                )
            return next(iter(self.tasks.values()))
        if name not in self.tasks:
            raise unknown("task", name, self.task_names, self.name)
        return self.tasks[name]

    def lowest_loss(self, task: str | None = None) -> float:
        """Return the lowest loss of a task, in the task's unit: no floor lies above it."""
        name = self.task(task).name
        return float(self.frame.loc[self.frame["task"] == name, "loss"].min())

    @cached_property
    def hash(self) -> str:
        """SHA-256 (64 hex digits) of the content, whatever the order of the rows."""
        return content_hash(self)

    def where(
        self,
        mask: Mask | Callable[[pd.DataFrame], Mask] | None = None,
        *,
        architecture: Labels = None,
        task: Labels = None,
        study: Labels = None,
        unflagged: bool = False,
    ) -> Runs:
        """Keep some rows.

        Parameters
        ----------
        mask : sequence of bool or callable, optional
            One value a row, or a function of the table that gives them.
        architecture, task, study : str or sequence of str, optional
            Labels to keep.
        unflagged : bool
            Leave flagged rows out.

        Returns
        -------
        Runs

        Raises
        ------
        UnknownNameError
            For a label that the table does not have.
        DataError
            If the mask has the wrong length or no row is left.
        """
        keep = np.ones(len(self), dtype=bool)
        said: list[str] = []
        if mask is not None:
            keep &= self._as_mask(mask)
            said.append("mask")
        for column, wanted in (("architecture", architecture), ("task", task), ("study", study)):
            if wanted is not None:
                keep &= self._has_label(column, wanted)
                said.append(f"{column} = {wanted if isinstance(wanted, str) else list(wanted)}")
        if unflagged:
            keep &= ~flagged(self.frame)
            said.append("unflagged")
        if not keep.any():
            raise DataError(f"{self.name}: no row is left after {', '.join(said) or 'nothing'}")
        if keep.all():
            return self
        frame = self.frame[keep]
        left = set(frame["task"].unique())
        note = f"{int(keep.sum())} of {counted(len(self), 'row')} kept: {', '.join(said)}"
        return replace(
            self,
            frame=frame,
            tasks={n: t for n, t in self.tasks.items() if n in left},
            notes=(*self.notes, note),
        )

    def in_bits_per_byte(self) -> Runs:
        """Convert every loss to bits per byte, so that tokenizers may be pooled.

        Raises
        ------
        DataError
            If a task has no `bytes_per_token` or no likelihood.
        """
        stuck = [n for n, t in self.tasks.items() if t.bits_per_byte is None]
        if stuck:
            raise DataError(
                f"{self.name}: {', '.join(stuck)} cannot be converted to bits/byte; "
                f"give task_info={{{stuck[0]!r}: {{'bytes_per_token': …}}}} to load_runs"
            )
        by_name = {n: t.bits_per_byte or 1.0 for n, t in self.tasks.items()}
        factor = self.frame["task"].map(by_name).to_numpy(dtype=float)
        frame = self.frame.copy()
        for column in ("loss", "loss_se"):
            if column in frame.columns:
                frame[column] = frame[column].to_numpy() * factor
        return replace(
            self,
            frame=frame,
            tasks={n: _per_byte(t, by_name[n]) for n, t in self.tasks.items()},
            notes=(*self.notes, "losses converted to bits/byte"),
        )

    def describe(self) -> Description:
        """Say what these runs can identify, with the warnings that go with it."""
        from bayescale.runs.describe import describe  # describe.py needs Runs

        return describe(self)

    def _as_mask(self, mask: Mask | Callable[[pd.DataFrame], Mask]) -> np.ndarray:
        given: np.ndarray = np.asarray(mask(self.table) if callable(mask) else mask)
        if given.dtype != bool or given.shape != (len(self),):
            raise DataError(
                f"{self.name}: a mask needs {len(self)} booleans, "
                f"got {given.dtype} of shape {given.shape}"
            )
        return given

    def _has_label(self, column: str, wanted: str | Sequence[str]) -> np.ndarray:
        labels = [wanted] if isinstance(wanted, str) else list(wanted)
        known = [str(k) for k in self.frame[column].unique()]
        for label in labels:
            if label not in known:
                raise unknown(column, label, known, self.name)
        return self.frame[column].isin(labels).to_numpy(dtype=bool)


def flagged(frame: pd.DataFrame) -> np.ndarray:
    """Which rows carry a flag."""
    if "flag" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return (frame["flag"].fillna("") != "").to_numpy(dtype=bool)


def content_hash(runs: Runs) -> str:
    """Hash rows (sorted), tasks (by name) and accounting; names of tables and notes are no content.

    Run ids made from row numbers are left out: a permuted table is the same table.
    """
    frame = runs.frame.drop(columns="run_id") if runs.numbered else runs.frame
    frame = frame.sort_values(list(frame.columns), kind="stable")
    digest = hashlib.sha256()
    head: dict[str, Any] = {
        "columns": list(frame.columns),
        "rows": len(frame),
        "compute_source": runs.compute_source,
        "param_count": runs.param_count,
        "tasks": [runs.tasks[name].to_dict() for name in sorted(runs.tasks)],
    }
    digest.update(json.dumps(head, sort_keys=True, ensure_ascii=False).encode())
    for column in frame.columns:
        if column in TEXT:
            digest.update(json.dumps(frame[column].fillna("").tolist()).encode())
        else:
            # + 0.0 turns −0 into 0; nan_to_num would hide a NaN, so every NaN gets one bit pattern.
            values = frame[column].to_numpy(dtype="<f8", na_value=np.nan) + 0.0
            values[np.isnan(values)] = np.nan
            digest.update(values.tobytes())
    return digest.hexdigest()


def _per_byte(task: Task, factor: float) -> Task:
    return replace(
        task,
        metric="bits/byte",
        lower=task.lower * factor,
        upper=None if task.upper is None else task.upper * factor,
        converted_from=task.converted_from or (task.metric if factor != 1.0 else None),
    )
