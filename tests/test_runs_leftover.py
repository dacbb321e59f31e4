"""What the columns left out may mean: each is named, with the mapping to type, where leaving it out may do harm."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import DataError
from bayescale.runs import Runs, load_runs

GRID = pd.DataFrame(
    list(itertools.product([1e8, 3e8, 1e9], [2e9, 1e10, 5e10])), columns=["N", "D"]
).assign(loss=lambda t: 1.8 + 480 * t["N"] ** -0.35 + 2000 * t["D"] ** -0.37)
TWICE = pd.concat([GRID, GRID.assign(loss=GRID["loss"] * 1.1)], ignore_index=True)


def said(runs: Runs, start: str) -> list[str]:
    return [n for n in runs.notes if n.startswith(start)]


def test_nothing_is_said_of_a_plain_table() -> None:
    seeds = pd.concat([GRID, GRID.assign(loss=GRID["loss"] * 1.01)]).assign(lr=3e-4, note="mine")
    for start in ("labels", "at the same scale", "no N", "'"):
        assert said(load_runs(seeds), start) == []


def test_labels_that_divide_the_rows() -> None:
    runs = load_runs(TWICE.assign(optimizer=["adam"] * 9 + ["muon"] * 9, lr=1e-3))
    (labels,) = said(runs, "labels left out")
    assert "'optimizer' (adam, muon)" in labels
    assert "columns={'study': 'optimizer'}" in labels
    kept = load_runs(
        TWICE.assign(optimizer=["adam"] * 9 + ["muon"] * 9), columns={"study": "optimizer"}
    )
    assert kept.studies == ("adam", "muon")
    assert not any("labels" in n or "same scale" in n for n in kept.notes)


@pytest.mark.parametrize(
    "labels",
    [
        [
            "small",
            "small",
            "small",
            "middle",
            "middle",
            "middle",
            "large",
            "large",
            "large",
        ],  # of N
        [f"run {i}" for i in range(9)],  # a name of each
        ["125M", "125M", "350M", "350M", "125M", "350M", "125M", "350M", "125M"],  # numbers
        ["mine"] * 9,
        ["short", "middle", "long"] * 3,  # of D
        ["20x", "100x", "500x", "7x", "33x", "167x", "2x", "10x", "50x"],  # of D/N
    ],
)
def test_labels_that_say_nothing_new(labels: list[str]) -> None:
    assert said(load_runs(GRID.assign(kind=labels)), "labels") == []


def test_a_size_by_name_is_no_label_though_families_differ() -> None:
    other = GRID.assign(N=GRID["N"] * ([1.5, 1.6, 1.7] * 3), family="b")
    both = pd.concat([GRID.assign(family="a"), other])
    sized = both.assign(size=["s"] * 3 + ["m"] * 3 + ["l"] * 3 + ["s"] * 3 + ["m"] * 3 + ["l"] * 3)
    assert said(load_runs(sized), "labels") == []
    mixed = both.assign(recipe=["old", "new"] * 9)
    assert said(load_runs(mixed), "labels left out: 'recipe' (old, new)")


def test_marks_are_no_labels() -> None:
    runs = load_runs(GRID.assign(epoch_outlier=[True, False] * 4 + [True], is_c4=[0, 1] * 4 + [0]))
    (mark,) = said(runs, "'epoch_outlier'")
    assert "columns={'flag': 'epoch_outlier'}" in mark
    assert said(runs, "labels") + said(runs, "'is_c4'") == []
    flagged = load_runs(
        GRID.assign(epoch_outlier=[True, False] * 4 + [True]), columns={"flag": "epoch_outlier"}
    )
    assert len(flagged.where(unflagged=True)) == 4
    first = GRID.assign(
        outlier=[True] * 3 + [False] * 6
    )  # those of the smallest model: marks all the same
    assert said(load_runs(first), "'outlier' was left out")
    assert said(load_runs(GRID.assign(diverged=[0, 1] * 4 + [0])), "'diverged' was left out")


def test_losses_apart_at_one_scale() -> None:
    runs = load_runs(TWICE.assign(lr=[1e-3] * 9 + [1e-2] * 9, val_acc=np.linspace(0.1, 0.4, 18)))
    (spread,) = said(runs, "at the same scale")
    assert "differs by 10 % in the median of 9 points, by 10 % at most" in spread
    assert "different there, and read by models of their own: learning_rate (bayescale" in spread
    other = load_runs(TWICE.assign(warm_up=[1e-3] * 9 + [1e-2] * 9))
    assert "left out, and different there: 'warm_up'; " in said(other, "at the same scale")[0]
    checkpoints = TWICE.assign(run=[*"abcdefghi"] * 2, step=[1] * 9 + [2] * 9)
    assert said(load_runs(checkpoints, checkpoints="all"), "at the same scale") == []


@pytest.mark.parametrize(
    ("frame", "mapping"),
    [
        (GRID.rename(columns={"N": "size"}).assign(size=["125M", "350M", "1.3B"] * 3), "{'params': 'size'}"),
        (GRID.rename(columns={"N": "model.n_params"}), "{'params': 'model.n_params'}"),
        (GRID.rename(columns={"D": "train/tokens_total"}), "{'tokens': 'train/tokens_total'}"),
        (GRID.drop(columns="D").assign(train_size=1e5), "{'tokens': 'train_size'}"),
        (GRID[["loss"]].assign(N=1e9, n_samples=1e5), "{'tokens': 'n_samples'}"),
        (GRID[["loss"]].assign(N=1e9, n_train=1e5), "{'tokens': 'n_train'}"),
        (GRID.rename(columns={"N": "trained params, no embedding"}), "{'params': 'trained params, no embedding'}"),
        (GRID.rename(columns={"D": "seen"}).assign(flops=lambda t: 6 * t["N"] * t["seen"]), "{'tokens': 'seen'}"),
    ],
)  # fmt: skip
def test_a_scale_under_a_strange_name(frame: pd.DataFrame, mapping: str) -> None:
    assert any(f"columns={mapping}" in n for n in said(load_runs(frame), "no "))


@pytest.mark.parametrize(
    "header",
    [
        "image_size",
        "batch_tokens",
        "tokens_per_param",
        "log_params",
        "vocab_size",
        "n_layers",
        "d_model",
    ],
)
def test_what_is_no_scale(header: str) -> None:
    assert said(load_runs(GRID.drop(columns="N").assign(**{header: 512.0})), "no ") == []


def test_sizes_that_are_no_numbers_are_no_scale() -> None:
    assert said(load_runs(GRID.drop(columns="N").assign(size=["s", "m", "l"] * 3)), "no ") == []


def test_no_scale_at_all_names_the_likely_one() -> None:
    strange = GRID.rename(columns={"N": "n_nominal", "D": "seen tokens"})
    with pytest.raises(
        DataError, match=r"columns=\{'params': 'n_nominal', 'tokens': 'seen tokens'\}"
    ):
        load_runs(strange)
    with pytest.raises(DataError, match="'log10_params' seems to hold logarithms"):
        load_runs(pd.DataFrame({"log10_params": np.log10(GRID["N"]), "loss": GRID["loss"]}))
    with pytest.raises(DataError, match="there are: none besides the loss"):
        load_runs(GRID[["loss"]])


@pytest.mark.parametrize(
    ("extra", "remedy"),
    [
        ({"domain": ["a"] * 9 + ["b"] * 9}, "'domain' tells these rows apart: columns={'task': 'domain'}"),
        ({"trial": [0] * 9 + [1] * 9}, "repeats, columns={'seed': 'trial'}"),
        ({"task": "x", "metric": ["acc1"] * 9 + ["acc5"] * 9}, "'metric' tells these rows apart: keep those of one"),
        ({"D": range(10**9, 19 * 10**9, 10**9)}, "columns={'step': 'D', 'tokens': 'D'}"),
        ({"D": range(10**9, 19 * 10**9, 10**9)}, "names a family, columns={'architecture': 'run'}"),
    ],
)  # fmt: skip
def test_what_tells_rows_of_one_id_apart(extra: dict[str, object], remedy: str) -> None:
    with pytest.raises(DataError, match="duplicate of row") as caught:
        load_runs(TWICE.assign(run=[*"abcdefghi"] * 2, **extra))
    assert remedy in str(caught.value)


def test_the_remedies_for_repeats_read_the_table() -> None:
    frame = TWICE.assign(
        run=[*"abcdefghi"] * 2, domain=["a"] * 9 + ["b"] * 9, D=range(10**9, 19 * 10**9, 10**9)
    )
    assert load_runs(frame, columns={"task": "domain"}).task_names == ("a", "b")
    assert len(load_runs(frame, columns={"step": "D", "tokens": "D"})) == 9
    assert len(load_runs(frame, columns={"architecture": "run"}).architectures) == 9
