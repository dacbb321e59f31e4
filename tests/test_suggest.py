"""`suggest`: what a design supports, what it leaves at its prior, and what must never be recommended."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import make_runs, pile_families

from bayescale.cli import run
from bayescale.cli.options import Loading
from bayescale.cli.suggesting import typed
from bayescale.runs import Runs, load_runs
from bayescale.zoo import Suggestion, Support, load_model, model_names, suggest

GRID = pd.DataFrame([(n, d) for n in (1e8, 1e9, 1e10) for d in (1e10, 1e11, 1e12)])
GRID = GRID.set_axis(["params", "tokens"], axis=1)


def falling(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """A table whose losses fall from 4 to 2."""
    return frame.assign(loss=np.linspace(4.0, 2.0, len(frame)), **columns)


def by_model(made: Suggestion) -> Mapping[str, Support]:
    return {m.model: m for m in made.models}


def with_experts(largest: float) -> Runs:
    sizes = np.tile([1e7, 1e8, 1e9], 3)
    experts = np.repeat([1.0, 8.0, largest], 3)
    return load_runs(falling(pd.DataFrame({"params": sizes, "experts": experts}), tokens=1e11))


def errors(upper: float | None = 0.9) -> Runs:
    frame = pd.DataFrame({"tokens": np.geomspace(1e6, 1e9, 7), "error": np.linspace(0.6, 0.1, 7)})
    return load_runs(frame, task_info={"loss": {"upper": upper}} if upper else None)


ONLY_C = load_runs(falling(pd.DataFrame({"compute": np.geomspace(1e18, 1e22, 6)})))
THREE = load_runs(
    pd.DataFrame({"params": [1e8, 1e9, 1e10], "tokens": [1e10, 9e10, 3e10], "loss": [4, 3, 2]})
)
REPEATED = load_runs(falling(GRID, unique_tokens=1e10))
TABLES = {
    "pile": (pile_families(), "parameter-data"),
    "D constant": (pile_families().where(architecture="Pythia"), "parameter"),
    "D ∝ N": (pile_families().where(architecture="Cerebras-GPT"), "compute"),
    "errors": (errors(), "saturating"),
    "errors without a guess level": (errors(None), "data"),
    "experts": (with_experts(256.0), "routed"),
    "compute only": (ONLY_C, "compute"),
    "repeats": (REPEATED, "parameter-data"),
    "three rows": (THREE, None),
}


@pytest.mark.parametrize(("runs", "expected"), TABLES.values(), ids=TABLES)
def test_the_model_that_the_design_supports_is_recommended(runs: Runs, expected: str) -> None:
    made = suggest(runs)
    assert made.recommended == expected
    assert sorted(by_model(made)) == model_names()
    # Whatever is recommended, the table has every column that it reads; negative control of all the tables above.
    for m in made.models:
        law = load_model(m.model).get_law()
        needed = [*law.inputs, *(g.name for g in law.given)]
        if any(name not in runs.table for name in needed):
            assert m.verdict == "not supported"
            assert m.model != made.recommended
    order = [m.verdict == "not supported" for m in made.models]
    assert order == sorted(order)


def test_pile_families_reach_the_whole_joint_law() -> None:
    found = by_model(suggest("pile-families"))
    assert (found["parameter-data"].verdict, found["parameter-data"].at_prior) == ("supported", ())
    assert found["chinchilla"].assumed == ("gamma = 1", "no drift")
    assert "Pythia" in found["compute"].reason
    assert "D moves too" in found["parameter"].reason


@pytest.mark.parametrize(
    ("architecture", "model", "at_prior"),
    [
        ("Pythia", "parameter-data", {"delta", "a"}),
        ("Pythia", "parameter", set()),
        ("Cerebras-GPT", "parameter-data", {"a", "gamma", "omega"}),
        ("Cerebras-GPT", "chinchilla", {"a", "omega"}),  # its gamma is fixed
        ("Cerebras-GPT", "compute", set()),
    ],
)
def test_what_a_line_of_runs_leaves_at_its_prior(
    architecture: str, model: str, at_prior: set[str]
) -> None:
    made = by_model(suggest(pile_families().where(architecture=architecture)))[model]
    assert set(made.at_prior) == at_prior
    assert made.verdict == ("supported in part" if at_prior else "supported")


def test_two_families_with_one_design_do_not_help_each_other() -> None:
    # D differs between the two and nowhere else: only their levels could show it.
    tokens = np.repeat([1e10, 1e12], 5)
    frame = pd.DataFrame({"params": np.tile(np.geomspace(1e8, 1e10, 5), 2), "tokens": tokens})
    alone = falling(frame, architecture=np.repeat(["a", "b"], 5))
    found = by_model(suggest(load_runs(alone)))
    assert found["parameter-data"].at_prior == ("a", "delta")
    assert "within every architecture" in found["parameter-data"].reason
    together = by_model(suggest(load_runs(falling(frame))))
    assert together["parameter-data"].verdict == "supported"


def test_two_lines_of_runs_and_one_run_an_architecture() -> None:
    sizes = np.tile(np.geomspace(1e8, 1e10, 5), 2)
    lines = pd.DataFrame({"params": sizes, "tokens": sizes * np.repeat([5.0, 500.0], 5)})
    each = falling(lines, architecture=np.repeat(["a", "b"], 5))
    assert by_model(suggest(load_runs(each)))["parameter-data"].at_prior == ("a", "gamma", "omega")
    single = falling(GRID, architecture=list("abcdefghi"))
    found = by_model(suggest(load_runs(single)))["parameter-data"]
    assert found.at_prior == ("beta", "delta")
    assert "comparing architectures" in found.reason


def test_a_short_axis_and_a_flat_loss() -> None:
    short = GRID.assign(tokens=GRID["tokens"] ** 0.25)
    found = by_model(suggest(load_runs(falling(short.assign(tokens=short["tokens"] * 1e8)))))
    assert found["parameter-data"].at_prior == ("delta", "L_inf")
    assert found["kaplan"].at_prior == ("delta",)  # it has no floor to learn
    flat = GRID.assign(loss=np.linspace(2.2, 2.0, len(GRID)))
    assert by_model(suggest(load_runs(flat)))["parameter-data"].at_prior == ("L_inf",)


def test_experts_must_be_read_and_must_move() -> None:
    found = by_model(suggest(with_experts(256.0)))
    assert (found["routed"].status, found["routed"].at_prior) == ("experimental", ())
    assert "does not read experts" in found["parameter"].reason
    assert by_model(suggest(with_experts(16.0)))["routed"].at_prior == ("E_max",)
    dense = suggest(load_runs(with_experts(1.0).table.assign(experts=1.0)))
    assert "every run is dense" in by_model(dense)["routed"].reason
    assert "routed is experimental" in str(suggest(with_experts(256.0)))


def test_a_further_input_must_move() -> None:
    grid = pd.concat([GRID] * 3, ignore_index=True)
    bits = np.repeat([2.0, 4.0, 16.0], len(GRID))
    moved = by_model(suggest(load_runs(falling(grid, weight_bits=bits, activation_bits=bits))))
    assert moved["precision"].verdict == "supported"
    assert "it needs share_1" in moved["mixture-2"].reason
    still = by_model(suggest(load_runs(falling(grid, weight_bits=4.0, activation_bits=bits))))
    assert "every run has the same weight_bits" in still["precision"].reason


def test_an_experimental_model_comes_after_the_others() -> None:
    found = by_model(suggest(REPEATED))
    assert found["repeated-data"].verdict == "supported"
    assert "count as new tokens" in found["parameter-data"].reason
    once = by_model(suggest(load_runs(falling(GRID, unique_tokens=GRID["tokens"]))))
    assert once["repeated-data"].verdict == "not supported"


def test_too_few_points_however_many_rows() -> None:
    assert all(m.verdict == "not supported" for m in suggest(THREE).models)
    seeds = pd.concat([THREE.table[["params", "tokens", "loss"]]] * 5)
    assert "3 distinct points" in by_model(suggest(load_runs(seeds)))["parameter-data"].reason
    # A law without a floor needs fewer points, and is not what a budget should hang on.
    five = suggest(load_runs(falling(GRID.iloc[[0, 2, 4, 5, 6]])))
    assert by_model(five)["kaplan"].verdict == "supported"
    # The one law with a floor and fewer parameters takes its allocation as given, and says so.
    assert five.recommended == "over-training"
    assert by_model(five)["over-training"].assumed[:2] == ("a = 0.5", "gamma = 1")
    assert by_model(five)["chinchilla"].verdict == "not supported"


def test_a_fit_that_would_be_refused_is_not_supported() -> None:
    mixed = load_runs(
        falling(GRID, task=["a", "b", "c"] * 3), task_info={"b": {"metric": "bits/byte"}}
    )
    made = suggest(mixed)
    assert made.recommended is None
    assert "different kinds" in by_model(made)["parameter-data"].reason
    assert "random-guess level" in by_model(suggest(errors(None)))["saturating"].reason
    assert "error rates" in by_model(suggest(make_runs()))["saturating"].reason


def test_as_text_table_and_data() -> None:
    made = suggest("pile-families")
    text, table = str(made), made.table()
    assert text.endswith("bayescale fit pile-families --model parameter-data -o parameter-data.nc")
    assert table["model"].tolist() == [m.model for m in made.models]
    for m in made.models:
        assert m.reason in text
    assert json.loads(json.dumps(made.to_dict()))["command"] == made.command


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my runs.csv"
    falling(GRID).rename(columns={"loss": "odd loss"}).to_csv(path, index=False)
    words = [str(path), "--column", "loss=odd loss", "--param-count", "total"]
    assert run(["suggest", *words]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    # What it says to type is what was typed, and an option of `fit` too.
    model = ["--model", "parameter-data", "-o", "parameter-data.nc"]
    said = shlex.split(last.removeprefix("recommended: "))
    assert said == ["bayescale", "fit", *words, *model]
    assert run(["suggest", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recommended"] == "parameter-data"
    assert run(["suggest", str(path)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "odd loss" in err


def test_options_are_given_back_as_typed() -> None:
    assert typed(Loading()) == []
    given = typed(Loading(task=("a=b", "c=d"), unflagged=True, tokens_per_byte=0.25))
    assert given == ["--task", "a=b", "--task", "c=d", "--unflagged", "--tokens-per-byte", "0.25"]


def test_what_the_design_hides_is_noted() -> None:
    sizes = GRID.assign(family=GRID["params"].map("{:g}".format))
    assert any("sizes of one family" in n for n in suggest(load_runs(falling(sizes))).notes)
    assert any("seen up to 100 times: model='repeated-data'" in n for n in suggest(REPEATED).notes)
    plain = suggest(load_runs(falling(GRID, unique_tokens=GRID["tokens"])))
    assert not any("sizes" in n or "times" in n for n in plain.notes)
    refused = by_model(suggest(with_experts(256.0)))["parameter"].reason
    assert "each number of them may be one: columns={'architecture'" in refused


def test_what_moves_at_one_scale_asks_for_a_law_that_reads_it() -> None:
    thrice = pd.concat([GRID] * 3, ignore_index=True)
    rates = np.repeat([1e-3, 3e-3, 1e-2], len(GRID))
    bits = np.repeat([4.0, 8.0, 16.0], len(GRID))
    for column, values, model in (
        ("learning_rate", rates, "mistuned"),
        ("post_bits", bits, "rounding"),
    ):
        runs = load_runs(falling(thrice, **{column: values}))
        found = suggest(runs)
        plain = by_model(found)["parameter-data"]
        assert f"it does not read {column}, which differ between runs of one scale" in plain.reason
        names = [m.model for m in found.models]
        # Rates alone will do: what a table does not say of batches is taken as tuned.
        assert by_model(found)[model].verdict != "not supported"
        assert names.index(model) < names.index("parameter-data")
    once = suggest(load_runs(falling(GRID, learning_rate=1e-3)))
    assert "differ between runs" not in by_model(once)["parameter-data"].reason
