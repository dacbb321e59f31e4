"""Columns of further inputs: read where they are such numbers, left out with a note where they are something else."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bayescale.errors import DataError
from bayescale.runs import load_runs

GRID = pd.DataFrame(
    [(n, d, 3.0 - 0.1 * i) for i, (n, d) in enumerate([(1e8, 1e9), (1e9, 1e10), (1e10, 1e11)])],
    columns=["N", "D", "loss"],
)


def test_numbers_in_range_are_read() -> None:
    runs = load_runs(GRID.assign(lr=[3e-4, 2e-4, 1e-4], batch_size=["0.5M", "1M", "2M"]))
    assert runs.table["learning_rate"].tolist() == [3e-4, 2e-4, 1e-4]
    assert runs.table["batch_size"].tolist() == [5e5, 1e6, 2e6]


@pytest.mark.parametrize("cells", [[True, False, False], ["yes", "no", "No"], [1, 0, 0]])
def test_truths_are_ones_and_zeros(cells: list[Any]) -> None:
    runs = load_runs(GRID.assign(pretrained=cells))
    assert runs.table["pretrained"].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("header", "cells", "said"),
    [
        ("pretrained", ["imagenet21k", "none", "none"], "'imagenet21k' is no pretrained"),
        ("quality", ["high", "low", "low"], "'high' is no quality"),
        ("learning_rate", [0.0, 1e-4, 1e-4], "'0.0' is no learning_rate"),
        ("vocab_size", ["gpt2", "gpt2", "llama"], "'gpt2' is no vocabulary"),
        ("batch_size", [0.25, 0.5, 1.0], "'0.25' is no batch_size"),
    ],
)
def test_what_is_something_else_is_left_out(header: str, cells: list[Any], said: str) -> None:
    runs = load_runs(GRID.assign(**{header: cells}))
    assert len(runs.table) == 3
    assert any(f"column {header!r} left out: {said}" in note for note in runs.notes)
    assert any("columns left out" in note and repr(header) in note for note in runs.notes)
    # Where the caller says that it is one, a bad cell is an error.
    name = {"vocab_size": "vocabulary"}.get(header, header)
    with pytest.raises(DataError, match=header):
        load_runs(GRID.assign(**{header: cells}), columns={name: header})


def test_several_that_could_be_one_are_none() -> None:
    runs = load_runs(GRID.assign(lr=1e-3, max_lr=2e-3))
    assert "learning_rate" not in runs.table
    assert any("'lr', 'max_lr' could all be learning_rate" in note for note in runs.notes)
    assert load_runs(GRID.assign(lr=1e-3, learning_rate=2e-3)).table["learning_rate"][0] == 2e-3


def test_a_rate_that_changes_along_a_run_is_no_peak() -> None:
    curves = pd.concat([GRID.assign(run=list("abc"), step=s, lr=1e-3 / s) for s in (1, 2)])
    runs = load_runs(curves)
    assert "learning_rate" not in runs.table
    assert any("'lr' left out: it changes along a run" in note for note in runs.notes)
    peaks = [1e-3, 2e-3, 3e-3]
    once = pd.concat([GRID.assign(run=list("abc"), step=s, lr=peaks) for s in (1, 2)])
    assert load_runs(once).table["learning_rate"].tolist() == peaks


def test_other_inputs_may_change_along_a_run() -> None:
    names = ("mean_rate", "end_rate", "optimizer_steps", "unique_tokens")
    at = {1: (0.9, 0.9, 100, 1e9), 2: (0.5, 0.1, 200, 2e9)}
    curves = pd.concat(
        [
            GRID.assign(run=list("abc"), step=s, **dict(zip(names, v, strict=True)))
            for s, v in at.items()
        ]
    )
    runs = load_runs(curves, checkpoints="all")
    assert [name for name in names if name not in runs.table] == []


def test_steps_of_checkpoints_stay_steps() -> None:
    runs = load_runs(
        pd.concat([GRID.assign(run=list("abc"), steps=s) for s in (100, 200)]), checkpoints="all"
    )
    assert sorted(runs.table["step"].unique()) == [100.0, 200.0]
