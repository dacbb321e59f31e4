"""Metrics: what a column measures, its conversion, its standard error, and what may be pooled."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import DataError
from bayescale.runs import METRICS, Runs, Task, load_runs
from bayescale.runs.tasks import infer_metric

LN2 = math.log(2)
SCALE = {"N": [1e8, 1e9], "D": [2e9, 2e10]}


def load(header: str, values: list[float], **info: object) -> Runs:
    frame = pd.DataFrame({**SCALE, header: values, "loss_se": [0.01, 0.02]})
    return load_runs(frame, task_info={"loss": info} if info else None)


@pytest.mark.parametrize(
    ("header", "metric"),
    [
        ("loss", "nats/token"),
        ("val_loss", "nats/token"),
        ("xent", "nats/token"),
        ("nll", "nats/token"),
        ("loss (bits/byte)", "bits/byte"),
        ("bpb", "bits/byte"),
        ("bits_per_token", "bits/token"),
        ("ppl", "perplexity"),
        ("val_perplexity", "perplexity"),
        ("top1_err", "error"),
        ("error_rate", "error"),
        ("acc", "accuracy"),
        ("eval/hellaswag/accuracy", "accuracy"),
        ("hellaswag", None),
        ("score", None),
        ("ln_pile_val_ppl", "nats/token"),
        ("log2 perplexity", "bits/token"),
        ("log10 ppl", None),
    ],
)
def test_metric_of_a_header(header: str, metric: str | None) -> None:
    assert infer_metric(header) == metric


@pytest.mark.parametrize(
    ("header", "given", "loss", "se", "metric", "said"),
    [
        ("ppl", [20.0, 10.0], [math.log(20), math.log(10)], [0.01 / 20, 0.02 / 10], "nats/token",
         "perplexity → nats/token"),
        ("bpt", [4.0, 3.0], [4 * LN2, 3 * LN2], [0.01 * LN2, 0.02 * LN2], "nats/token",
         "bits/token × ln 2"),
        ("bpb", [1.0, 0.9], [1.0, 0.9], [0.01, 0.02], "bits/byte", ""),
        ("acc", [0.3, 0.4], [0.7, 0.6], [0.01, 0.02], "error", "accuracy → error"),
        ("acc (%)", [30.0, 40.0], [0.7, 0.6], [0.0001, 0.0002], "error", "percent, accuracy"),
        ("error (%)", [30.0, 40.0], [0.3, 0.4], [0.0001, 0.0002], "error", "percent → error"),
        ("loss", [3.0, 2.0], [3.0, 2.0], [0.01, 0.02], "nats/token", "taken to be in nats/token"),
    ],
)  # fmt: skip
def test_conversion(
    header: str, given: list[float], loss: list[float], se: list[float], metric: str, said: str
) -> None:
    runs = load(header, given)
    assert runs.table["loss"].tolist() == pytest.approx(loss, rel=1e-12)
    assert runs.table["loss_se"].tolist() == pytest.approx(se, rel=1e-12)
    assert runs.task().metric == metric
    assert runs.task().direction == "lower"
    assert said in "; ".join(runs.notes)


def test_bits_per_byte_needs_the_tokenizer() -> None:
    info = {"metric": "bits/byte", "bytes_per_token": 4.0, "tokenizer": "GPT-2"}
    runs = load("bpb", [1.0, 0.9], **info)
    assert runs.table["loss"].tolist() == pytest.approx([4 * LN2, 3.6 * LN2])
    assert runs.task().converted_from == "bits/byte"
    frame = pd.DataFrame({**SCALE, "bpb": [1.0, 0.9]})
    kept = load_runs(frame, task_info={"loss": info}, convert=False)
    assert kept.task().metric == "bits/byte"
    assert kept.lowest_loss() == 0.9


def test_perplexity_is_converted_whatever_is_said() -> None:
    frame = pd.DataFrame({**SCALE, "ppl": [20.0, 10.0]})
    assert load_runs(frame, convert=False).task().metric == "nats/token"


def test_percent_signs_in_cells() -> None:
    frame = pd.DataFrame({**SCALE, "acc": ["30%", "40%"]})
    assert load_runs(frame).table["loss"].tolist() == pytest.approx([0.7, 0.6])
    headed = frame.rename(columns={"acc": "acc (%)"})
    assert load_runs(headed).table["loss"].tolist() == pytest.approx([0.7, 0.6])
    said = pd.DataFrame({**SCALE, "acc": [30, 40]})
    runs = load_runs(said, task_info={"loss": {"percent": True}})
    assert runs.table["loss"].tolist() == pytest.approx([0.7, 0.6])


def test_nothing_is_guessed_silently() -> None:
    frame = pd.DataFrame({**SCALE, "hellaswag": [0.3, 0.4]})
    with pytest.raises(DataError, match=r"'hellaswag' does not say what it measures; say it"):
        load_runs(frame, tasks={"hs": "hellaswag"})
    runs = load_runs(
        frame,
        tasks={"hs": "hellaswag"},
        task_info={"hs": Task("any", metric="accuracy", upper=0.75)},
    )
    assert (runs.task().name, runs.task().upper) == ("hs", 0.75)


def test_one_metric_for_each_task() -> None:
    frame = pd.DataFrame({**SCALE, "c4_loss": [3.0, 2.0], "hs_acc": [0.3, 0.4], "loss_se": 0.1})
    runs = load_runs(frame, tasks={"c4": "c4_loss", "hs": "hs_acc"})
    assert {n: t.metric for n, t in runs.tasks.items()} == {"c4": "nats/token", "hs": "error"}
    assert "loss_se" not in runs.table.columns
    assert any(n.startswith("loss_se left out") for n in runs.notes)


def test_kinds_and_pooling() -> None:
    frame = pd.DataFrame({**SCALE, "a_loss": [3.0, 2.0], "b_loss": [3.1, 2.1]})
    both = {"a": "a_loss", "b": "b_loss"}
    info = {"a": {"tokenizer": "GPT-2", "bytes_per_token": 4.2},
            "b": {"tokenizer": "NeoX", "bytes_per_token": 4.4}}  # fmt: skip
    runs = load_runs(frame, tasks=both, task_info=info)
    assert runs.kinds == {"nats/token, GPT-2": ("a",), "nats/token, NeoX": ("b",)}
    assert any("different kinds" in w for w in runs.describe().warnings)
    common = runs.in_bits_per_byte()
    assert common.kinds == {"bits/byte": ("a", "b")}
    assert common.table["loss"].tolist()[0] == pytest.approx(3.0 / LN2 / 4.2)
    with pytest.raises(DataError, match=r"cannot be converted to bits/byte; give task_info"):
        load_runs(frame, tasks=both).in_bits_per_byte()


@given(st.floats(0.01, 20), st.floats(0.5, 12))
def test_bits_per_byte_and_back(loss: float, bytes_per_token: float) -> None:
    frame = pd.DataFrame({"N": [1e8], "D": [2e9], "loss": [loss]})
    info = {"metric": "nats/token", "bytes_per_token": bytes_per_token}
    per_byte = load_runs(frame, task_info={"loss": info}).in_bits_per_byte()
    back = load_runs(
        per_byte.table.drop(columns="run_id"),
        task_info={"loss": {"metric": "bits/byte", "bytes_per_token": bytes_per_token}},
    )
    assert back.lowest_loss() == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": "error", "direction": "higher"}, "turn a score into an error"),
        ({"lower": 1.0, "upper": 0.5}, "upper 0.5 is not above lower 1"),
        ({"bytes_per_token": 0.0}, r"bytes_per_token 0 \(expected > 0\)"),
    ],
)
def test_tasks_that_contradict_themselves(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Task("t", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_direction(metric: str) -> None:
    assert Task("t", metric=metric).direction == ("higher" if metric == "accuracy" else "lower")


def test_losses_above_guessing_are_noted() -> None:
    runs = load("acc", [0.4, 0.6], metric="accuracy", upper=0.5)
    assert any("1 of 2 rows above 0.5, the level of random guessing" in n for n in runs.notes)


def test_one_word_for_every_task() -> None:
    frame = pd.DataFrame(
        {"N": [1e8, 1e9] * 2, "task": [*"aabb"], "value": [30.0, 40.0, 50.0, 60.0]}
    )
    said = r"say it: task_info=\{'\*': \{'metric': 'accuracy'\}\} of a share that rises, 'error' of one that falls"
    with pytest.raises(DataError, match=said):
        load_runs(frame, columns={"loss": "value"})
    every = {"metric": "accuracy", "percent": True}
    info: dict[str, dict[str, object]] = {"*": every, "b": {"upper": 0.75}}
    runs = load_runs(frame, columns={"loss": "value"}, task_info=info)
    assert runs.table["loss"].tolist() == pytest.approx([0.7, 0.6, 0.5, 0.4])
    assert (runs.task("a").upper, runs.task("b").upper) == (None, 0.75)
    # A whole task is taken as it is: what is said of every one adds nothing to it.
    own = load_runs(
        frame, columns={"loss": "value"}, task_info={"*": every, "b": Task("b", "perplexity")}
    )
    assert own.task("b").converted_from == "perplexity"
