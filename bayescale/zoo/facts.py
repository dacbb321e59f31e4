"""What of a table decides which laws it supports: its design, its columns, and how often each curve is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from bayescale.given import GIVEN
from bayescale.runs import Description, Design, Runs
from bayescale.spec import ModelSpec

# Tokens a parameter that Hoffmann et al. 2022 find best: only sizes beyond it have parameters in excess.
_BEST_RATIO = 20.0
# Places at which an input must differ for it to be what moves there.
_FEW_POINTS = 3


@dataclass(frozen=True)
class Facts:
    """What of a table decides which laws it supports.

    Attributes
    ----------
    described : Description
    designs : tuple of Design
        Of each architecture with several runs; of all runs where none has.
    columns : frozenset of str
        Those that hold values.
    metrics : frozenset of str
        Of the tasks.
    points : dict of tuple to int
        What a model reads → places where it is seen: distinct values of these, of each architecture.
    experts, epochs, excess : float
        Most experts; most passes over the unique tokens; largest N over what these justify. 1, 1 and 0 where not said.
    experts_move : bool
        Whether one architecture has several numbers of experts.
    still : frozenset of str
        Further inputs that are stated, and the same in every run.
    moved : frozenset of str
        Further inputs that differ between runs of one scale.
    """

    described: Description
    designs: tuple[Design, ...]
    columns: frozenset[str]
    metrics: frozenset[str]
    points: dict[tuple[str, ...], int]
    experts: float = 1.0
    experts_move: bool = False
    epochs: float = 1.0
    excess: float = 0.0
    still: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()

    @property
    def design(self) -> Design:
        """The design of all runs."""
        return self.described.design

    @property
    def across(self) -> bool:
        """Whether no architecture has two runs, so that scale is seen only by comparing architectures."""
        return len(self.described.architectures) > 1 and self.designs == (self.design,)

    def moves(self, axis: str) -> bool:
        """Whether N, D or C moves within an architecture."""
        return any(design.moves(axis) for design in self.designs)


def reads(spec: ModelSpec) -> tuple[str, ...]:
    """Columns that the law of a model takes, further inputs last."""
    law = spec.get_law()
    return (*law.inputs, *(given.name for given in law.given))


def columns_needed(spec: ModelSpec, columns: Collection[str]) -> tuple[str, ...]:
    """Of the columns that the law of a model takes those that a table of such columns must have, or has besides.

    A further input that a run may leave unsaid is one that a table may lack, unless it has none of them: then there is
    nothing for the law to be told by.
    """
    law = spec.get_law()
    free = {given.name for given in law.given if given.missing is not None}
    if free.isdisjoint(columns):
        free = set()
    return tuple(name for name in reads(spec) if name in columns or name not in free)


def _moved(table: pd.DataFrame) -> Iterator[str]:
    """Further inputs that differ between runs of one scale: a law that does not read them calls that noise.

    Experts and unique tokens have notes of their own.
    """
    scale = [c for c in ("architecture", "task", "params", "tokens", "compute") if c in table]
    for name in GIVEN.keys() & set(table.columns) - {"experts", "unique_tokens"}:
        several = table.groupby(scale, dropna=False)[name].nunique() > 1
        if int(several.sum()) >= _FEW_POINTS:
            yield name


def gather(runs: Runs, specs: Iterable[ModelSpec]) -> Facts:
    """Read off a table what decides about some models."""
    table, described = runs.table, runs.describe()
    columns = frozenset(str(c) for c in table if table[c].notna().any())
    taken = {columns_needed(spec, columns) for spec in specs}
    experts = epochs = excess = None
    if "experts" in columns:
        experts = table["experts"].astype(float).fillna(1.0)
    if columns.issuperset(("unique_tokens", "tokens")):
        unique = table["unique_tokens"].astype(float)
        epochs = table["tokens"].astype(float) / unique
        if "params" in columns and (epochs > 1.0).any():
            excess = (table["params"].astype(float) * _BEST_RATIO / unique)[epochs > 1.0]
    return Facts(
        described=described,
        designs=tuple(d for d in described.by_architecture if d.runs > 1) or (described.design,),
        columns=columns,
        metrics=frozenset(task.metric for task in runs.tasks.values()),
        points={
            names: len(table[["architecture", *names]].drop_duplicates())
            for names in taken
            if columns.issuperset(names)
        },
        experts=1.0 if experts is None else float(experts.max()),
        experts_move=experts is not None
        and bool((experts.groupby(table["architecture"]).nunique() > 1).any()),
        epochs=1.0 if epochs is None else max(1.0, float(epochs.max())),
        excess=0.0 if excess is None else float(excess.max()),
        moved=frozenset(_moved(table)),
        still=frozenset(n for n in columns & GIVEN.keys() if table[n].nunique(dropna=False) == 1),
    )
