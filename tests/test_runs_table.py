"""`Runs`: frozen, equal by content, filtered by label."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import DataError, UnknownNameError
from bayescale.runs import Runs, load_runs

FRAME = pd.DataFrame(
    {
        "run": list("abcdef"),
        "family": ["x", "x", "y", "y", "z", "z"],
        "N": [1e8, 1e9, 2e8, 2e9, 3e8, 3e9],
        "D": [2e9, 2e10, 1e10, 1e11, 5e9, 5e10],
        "c4_loss": [3.1, 2.6, 2.8, 2.3, 2.9, 2.4],
        "pile_loss": [2.9, 2.4, 2.6, 2.1, 2.7, 2.2],
    }
)
TASKS = {"c4": "c4_loss", "pile": "pile_loss"}


@pytest.fixture(scope="module")
def runs() -> Runs:
    return load_runs(FRAME, tasks=TASKS, name="six")


@given(st.permutations(range(6)), st.booleans())
def test_hash_ignores_the_order_of_rows(order: list[int], named: bool) -> None:
    frame = FRAME if named else FRAME.drop(columns="run")
    assert load_runs(frame.iloc[order], tasks=TASKS) == load_runs(frame, tasks=TASKS)


def test_hash_is_of_the_content(runs: Runs) -> None:
    assert len(runs.hash) == 64
    assert set(runs.hash) <= set("0123456789abcdef")
    assert load_runs(FRAME, tasks=TASKS, name="another").hash == runs.hash
    in_billions = FRAME.assign(N=FRAME["N"] / 1e9).rename(columns={"N": "params (B)"})
    assert load_runs(in_billions, tasks=TASKS).hash == runs.hash
    assert hash(runs) == hash(load_runs(FRAME, tasks=TASKS))


@pytest.mark.parametrize(
    "changed",
    [
        FRAME.assign(family=FRAME["family"].replace("x", "w")),
        FRAME.assign(c4_loss=[3.1000001, *FRAME["c4_loss"][1:]]),
        FRAME.assign(run=list("abcdeg")),
        FRAME.assign(seed=0),
        FRAME.iloc[:5],
    ],
)
def test_hash_sees_every_change(runs: Runs, changed: pd.DataFrame) -> None:
    assert load_runs(changed, tasks=TASKS).hash != runs.hash


def test_hash_sees_tasks_and_accounting(runs: Runs) -> None:
    info = {"c4": {"tokenizer": "GPT-2"}}
    assert load_runs(FRAME, tasks=TASKS, task_info=info) != runs
    assert load_runs(FRAME, tasks=TASKS, param_count="total") != runs


def test_frozen(runs: Runs) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        runs.name = "other"  # type: ignore[misc]
    before = runs.hash
    table = runs.table
    table.loc[:, "loss"] = 0.0
    table["extra"] = 1
    assert dataclasses.replace(runs).hash == before
    assert pickle.loads(pickle.dumps(runs)) == runs  # noqa: S301 (our own bytes; joblib needs it)


def test_views(runs: Runs) -> None:
    assert len(runs) == 12
    assert runs.architectures == ("x", "y", "z")
    assert runs.task_names == ("c4", "pile")
    assert runs.lowest_loss("pile") == 2.1
    assert repr(runs).startswith("Runs('six': 12 rows, 3 architectures, 2 tasks, hash ")
    with pytest.raises(DataError, match=r"2 tasks \(c4, pile\): name one"):
        runs.lowest_loss()
    with pytest.raises(UnknownNameError, match="did you mean 'pile'"):
        runs.task("pil")


def test_where(runs: Runs) -> None:
    assert len(runs.where(architecture="x")) == 4
    assert len(runs.where(architecture=["x", "y"], task="c4")) == 4
    assert runs.where(task="c4").task_names == ("c4",)
    assert len(runs.where(lambda t: t["params"] > 5e8)) == 6
    assert len(runs.where(np.arange(12) < 3)) == 3
    assert runs.where(study="default") is runs
    note = runs.where(architecture="x").notes[-1]
    assert note == "4 of 12 rows kept: architecture = x"
    with pytest.raises(UnknownNameError, match="unknown architecture 'w'"):
        runs.where(architecture="w")
    with pytest.raises(DataError, match="no row is left after mask"):
        runs.where([False] * 12)
    with pytest.raises(DataError, match="needs 12 booleans"):
        runs.where([True] * 3)
    with pytest.raises(DataError, match="needs 12 booleans"):
        runs.where(lambda t: t["params"])


def test_only_canonical_tables() -> None:
    with pytest.raises(DataError, match="not a canonical table"):
        Runs(FRAME, tasks={})
