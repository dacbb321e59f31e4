"""Reading good tables: every format, header and convention that is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bayescale.errors import DataError, UnknownNameError
from bayescale.runs import load_runs

PLAIN = pd.DataFrame(
    {
        "run_id": ["a", "b", "c", "d"],
        "architecture": ["x", "x", "y", "y"],
        "params": [1e8, 1e9, 2e8, 2e9],
        "tokens": [2e9, 2e10, 1e10, 1e11],
        "loss": [3.1, 2.6, 2.8, 2.3],
    }
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "jsonl", "pandas", "polars", "lazy"])
def test_every_format_reads_the_same(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"runs.{form}"
    source: object = path
    if form == "csv":
        PLAIN.to_csv(path, index=False)
    elif form == "tsv":
        PLAIN.to_csv(path, index=False, sep="\t")
    elif form == "parquet":
        PLAIN.to_parquet(path)
    elif form == "jsonl":
        PLAIN.to_json(path, orient="records", lines=True)
    else:
        frame = pl.DataFrame(PLAIN.to_dict(orient="list"))
        source = {"pandas": PLAIN, "polars": frame, "lazy": frame.lazy()}[form]
    assert load_runs(source) == load_runs(PLAIN)  # type: ignore[arg-type]


def test_canonical_columns_and_defaults() -> None:
    runs = load_runs(PLAIN.drop(columns=["run_id", "architecture"]))
    table = runs.table
    assert table.columns[:4].tolist() == ["run_id", "architecture", "task", "study"]
    assert table["run_id"].tolist() == ["row 0", "row 1", "row 2", "row 3"]
    assert (runs.architectures, runs.task_names, runs.studies) == (
        ("default",), ("loss",), ("default",),
    )  # fmt: skip
    assert runs.compute_source == "6ND"
    assert table["compute"].tolist() == (6 * PLAIN["params"] * PLAIN["tokens"]).tolist()
    assert "compute = 6ND" in runs.notes


@pytest.mark.parametrize(
    "headers",
    [
        ("N", "D", "loss"),
        ("n_params", "n_tokens", "val_loss"),
        ("Params", "TOKENS", "Loss"),
        ("num_parameters", "training tokens", "eval_loss"),
        ("Model Size", "D_tokens", "xent"),
    ],
)
def test_aliases(headers: tuple[str, str, str]) -> None:
    frame = PLAIN.rename(columns=dict(zip(["params", "tokens", "loss"], headers, strict=True)))
    assert load_runs(frame) == load_runs(PLAIN)


@pytest.mark.parametrize(
    ("header", "scale"),
    [("params (B)", 1e9), ("params [M]", 1e6), ("N (millions)", 1e6), ("params_b", 1e9)],
)
def test_units_in_headers(header: str, scale: float) -> None:
    frame = PLAIN.assign(params=PLAIN["params"] / scale).rename(columns={"params": header})
    runs = load_runs(frame)
    assert runs == load_runs(PLAIN)
    assert any(f"read in units of {scale:g}" in n for n in runs.notes)


def test_suffixes_in_values() -> None:
    frame = PLAIN.assign(params=["100M", "1B", "0.2B", "2e9"], tokens=["2B", "20B", "10B", ".1T"])
    assert load_runs(frame) == load_runs(PLAIN)


def test_columns_beat_aliases_and_carry_units() -> None:
    frame = PLAIN.rename(columns={"params": "width"}).assign(N=1.0)
    frame["width"] /= 1e6
    runs = load_runs(frame, columns={"params": "width (M)"})
    assert runs == load_runs(PLAIN)
    assert "columns left out: 'N'" in runs.notes


def test_two_candidates_for_one_column() -> None:
    with pytest.raises(DataError, match=r"'N', 'n_params' could all be 'params'; choose one"):
        load_runs(PLAIN.rename(columns={"params": "N"}).assign(n_params=1))
    notes = load_runs(PLAIN.assign(n_params=1)).notes
    assert "column 'params' is params; 'n_params' left out" in notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": {"parms": "params"}}, "unknown column 'parms'.*did you mean 'params'"),
        ({"columns": {"params": "Params"}}, "unknown header 'Params'.*did you mean 'params'"),
        ({"tasks": {"c4": "eval"}}, "unknown header 'eval'"),
        ({"task_info": {"c4": {"metric": "nats/token"}}}, "unknown task 'c4'"),
        ({"task_info": {"loss": {"metrik": "error"}}}, "unknown key 'metrik'.*did you mean"),
        ({"task_info": {"loss": {"metric": "nat"}}}, "unknown metric 'nat'"),
        ({"compute": "8ND"}, "unknown compute '8ND'"),
        ({"param_count": "all"}, "unknown param_count 'all'"),
    ],
)
def test_unknown_names_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        load_runs(PLAIN, **arguments)  # type: ignore[arg-type]


def test_data_in_bytes() -> None:
    frame = PLAIN.assign(tokens=PLAIN["tokens"] / 0.25 / 1e9).rename(
        columns={"tokens": "data (GB)"}
    )
    with pytest.raises(
        DataError, match=r"'data \(GB\)' gives data in bytes.*tokens_per_byte=0\.25"
    ):
        load_runs(frame)
    assert load_runs(frame, tokens_per_byte=0.25) == load_runs(PLAIN)


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_endings_of_other_systems(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(PLAIN.to_csv(index=False).replace("\n", ending).encode())
    assert load_runs(path) == load_runs(PLAIN)


def test_a_comma_between_thousands_is_said_where_it_may_be_a_decimal_one() -> None:
    def loaded(sizes: list[str], header: str) -> tuple[list[float], list[str]]:
        runs = load_runs(PLAIN.drop(columns="params").assign(**{header: sizes}))
        said = [n for n in runs.notes if "between thousands" in n]
        return runs.table["params"].tolist(), said

    sizes, said = loaded(["1,400", "350", "13", "2.7"], "N (M)")
    assert sizes == [1.4e9, 350e6, 13e6, 2.7e6]
    assert said == ["column 'N (M)': the comma of '1,400' is read as one between thousands"]
    assert loaded(["1,400M", "350M", "13M", "3M"], "N")[1] != []
    assert loaded(["1,400,000", "350M", "13M", "3M"], "N")[1] == []


def test_wide_table_melts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "wide.csv",
        "run,N,D,eval/c4/loss,eval/pile/loss\na,1e8,2e9,3.1,2.9\nb,1e9,2e10,2.6,\n",
    )
    runs = load_runs(path, tasks={"c4": "eval/c4/loss", "pile": "eval/pile/loss"})
    assert runs.table[["run_id", "task", "loss"]].to_numpy().tolist() == [
        ["a", "c4", 3.1], ["b", "c4", 2.6], ["a", "pile", 2.9],
    ]  # fmt: skip
    assert "task 'pile': no value in 1 of 2 rows, left out" in runs.notes


def test_missing_loss_gives_the_call_to_type(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.csv", "run,N,D,eval/c4/loss,pile_ppl\na,1e8,2e9,3.1,20\n")
    with pytest.raises(DataError) as caught:
        load_runs(path)
    call = f"load_runs({str(path)!r}, tasks={{'c4': 'eval/c4/loss', 'pile': 'pile_ppl'}})"
    assert str(caught.value).endswith(f"type: {call}")
    assert len(load_runs(path, tasks={"c4": "eval/c4/loss", "pile": "pile_ppl"})) == 2
    with pytest.raises(DataError, match=r"type: load_runs\(frame, tasks=\{'c4': 'loss_c4'\}\)"):
        load_runs(PLAIN.rename(columns={"loss": "loss_c4"}))


def test_tasks_of_a_long_table_are_refused() -> None:
    with pytest.raises(DataError, match="already names the task of a row"):
        load_runs(PLAIN.assign(task="t", other=1.0), tasks={"o": "other"})


def test_compute_reported_or_derived() -> None:
    reported = PLAIN.assign(compute=[2e18, 2e20, 2e19, 2e21])
    runs = load_runs(reported)
    assert runs.compute_source == "reported"
    assert any(n.startswith("x: reported compute is 1.67 × 6ND (2 rows)") for n in runs.notes)
    again = load_runs(reported, compute="6ND")
    assert again.compute_source == "6ND"
    assert again == load_runs(PLAIN)
    with pytest.raises(DataError, match="compute='reported' but there is no compute column"):
        load_runs(PLAIN, compute="reported")
    with pytest.raises(DataError, match="'6ND' needs params and tokens"):
        load_runs(reported.drop(columns="tokens"), compute="6ND")


def test_blank_compute_names_the_remedy() -> None:
    frame = PLAIN.assign(compute=[2e18, np.nan, 2e19, 2e21])
    with pytest.raises(DataError, match="compute='6ND' does without"):
        load_runs(frame)
    assert load_runs(frame, compute="6ND") == load_runs(PLAIN)


def test_tokens_from_compute() -> None:
    frame = PLAIN.assign(compute=6 * PLAIN["params"] * PLAIN["tokens"]).drop(columns="tokens")
    runs = load_runs(frame)
    np.testing.assert_allclose(runs.table["tokens"], PLAIN["tokens"], rtol=1e-12)
    assert "tokens = compute / 6N" in runs.notes
    assert load_runs(frame.drop(columns="params")).compute_source == "reported"


@pytest.mark.parametrize(
    "header", ["GMACs", "gflops", "forward_flops", "MACs (G)", "compute (GMACs)"]
)
def test_forward_cost_is_never_compute(header: str) -> None:
    runs = load_runs(PLAIN.assign(**{header: 4.0}))
    assert "forward_flops" in runs.table.columns
    assert runs.compute_source == "6ND"


@pytest.mark.parametrize("scale", [1e-9, 1e-11])
def test_forward_cost_under_the_name_flops(scale: float) -> None:
    frame = PLAIN.drop(columns="tokens").assign(flops=1.2 * PLAIN["params"] * scale * 1e10)
    with pytest.raises(DataError, match=r"columns=\{'forward_flops'"):
        load_runs(frame)


def test_which_parameter_count() -> None:
    counts = PLAIN.drop(columns="params").assign(
        params_total=PLAIN["params"], params_non_embedding=[7e7, 8e8, np.nan, 1.9e9]
    )
    total = load_runs(counts)
    assert (total.param_count, len(total)) == ("total", 4)
    other = load_runs(counts, param_count="non-embedding")
    assert (other.param_count, len(other)) == ("non-embedding", 3)
    assert "no non-embedding count in 1 row, left out: c" in other.notes
    with pytest.raises(DataError, match=r"counts in the table: total, non-embedding"):
        load_runs(counts, param_count="active")
    assert load_runs(PLAIN).param_count is None
    assert any("which count N is" in n for n in load_runs(PLAIN).notes)
    assert load_runs(PLAIN, param_count="active").param_count == "active"


def test_the_last_step_of_a_run_is_used() -> None:
    frame = PLAIN.assign(run_id=["a", "a", "b", "b"], step=[0, 100, 200, 50])
    frame = frame.assign(architecture="x", params=[1e8, 1e8, 1e9, 1e9], tokens=[0, 2e10, 1e10, 1e9])
    runs = load_runs(frame)
    assert runs.table[["run_id", "step"]].to_numpy().tolist() == [["a", 100], ["b", 200]]
    assert "4 rows are checkpoints of 2 runs: the last step of each is used" in runs.notes


@pytest.mark.parametrize("checkpoints", ["last", "all"])
def test_one_name_at_two_sizes_is_two_runs(checkpoints: Literal["last", "all"]) -> None:
    # A schedule as the run's name: the smaller model stopped earlier, and is not an earlier step of the larger one.
    frame = PLAIN.assign(run_id="cosine", architecture="x", step=[50, 100, 20, 80])
    runs = load_runs(frame.assign(params=[1e8, 1e8, 1e9, 1e9]), checkpoints=checkpoints)
    assert runs.table["run_id"].unique().tolist() == ["cosine/100000000", "cosine/1000000000"]
    assert len(runs) == (2 if checkpoints == "last" else 4)
    assert "run ids recur: they are now run_id/params" in runs.notes


def test_a_column_that_is_not_what_it_seems() -> None:
    forward = PLAIN.assign(flops=[1e9, None, 2e9, 1e10])
    with pytest.raises(DataError, match="compute='6ND' does without the reported compute"):
        load_runs(forward)
    with pytest.raises(DataError, match=r"columns=\{'compute': ''\} does without the reported"):
        load_runs(forward.drop(columns="tokens"))
    runs = load_runs(forward, columns={"compute": "", "architecture": " "})
    assert (runs.compute_source, runs.architectures) == ("6ND", ("default",))
    assert "columns left out: 'architecture', 'flops'" in runs.notes
    with pytest.raises(UnknownNameError, match="unknown column 'comput'"):
        load_runs(PLAIN, columns={"comput": ""})


def test_small_counts_are_believed_where_they_are_stated() -> None:
    sizes = [16, 64, 256, 1024]
    frame = pd.DataFrame({"size_train": sizes, "error": [0.4, 0.3, 0.25, 0.2]})
    with pytest.raises(DataError, match=r"columns=\{'tokens': 'size_train \(samples\)'\}"):
        load_runs(frame, columns={"tokens": "size_train"})
    runs = load_runs(frame, columns={"tokens": "size_train (samples)"})
    assert runs.table["tokens"].tolist() == sizes
    with pytest.raises(
        DataError, match="no plausible number"
    ):  # a header's own words are not the caller's
        load_runs(frame.rename(columns={"size_train": "D (samples)"}))


@pytest.mark.parametrize(
    "header", ["pf_days", "PFLOP-days", "compute_pf_days", "compute (PF-days)"]
)
def test_compute_in_petaflop_days(header: str) -> None:
    frame = PLAIN.drop(columns=["params", "tokens"]).assign(**{header: [1.0, 2.0, 3.0, 4.0]})
    runs = load_runs(frame)
    assert runs.table["compute"].tolist() == [8.64e19 * d for d in (1, 2, 3, 4)]
    assert f"column {header!r}: compute read in units of 8.64e+19" in runs.notes


def test_rows_with_empty_cells_are_left_out_where_that_is_asked() -> None:
    frame = PLAIN.assign(tokens=[np.nan, 2e10, 1e10, 1e11], loss=[3.1, None, 2.8, 2.3])
    with pytest.raises(DataError, match="2 bad cells") as caught:
        load_runs(frame)
    assert str(caught.value).endswith("\ndrop_blank=True leaves out rows with such empty cells")
    runs = load_runs(frame, drop_blank=True)
    assert runs.table["run_id"].tolist() == ["c", "d"]
    assert "2 rows with an empty N, D, C or loss left out: a, b" in runs.notes
    wide = (
        PLAIN.assign(other_loss=[2.0, 2.0, 2.0, None])
        .drop(columns="tokens")
        .assign(tokens=["", "1B", "2B", "3B"])
    )
    tasks = {"x": "loss", "y": "other_loss"}
    assert load_runs(wide, tasks=tasks, drop_blank=True).table["run_id"].tolist() == [*"bcdbc"]
    with pytest.raises(
        DataError, match="row 0, column 'tokens': -1"
    ):  # what is written and wrong is no blank
        load_runs(PLAIN.assign(tokens=[-1, 2e10, 1e10, 1e11]), drop_blank=True)
    with pytest.raises(DataError, match="no row has every N, D, C and loss"):
        load_runs(PLAIN.assign(tokens=""), drop_blank=True)
    reported = PLAIN.assign(compute=[None, 1e20, 1e20, 1e21])
    assert len(load_runs(reported, drop_blank=True)) == 3
    assert len(load_runs(reported, drop_blank=True, compute="6ND")) == 4


def test_a_comma_too_many_at_the_end_of_every_line(tmp_path: Path) -> None:
    lines = PLAIN.to_csv(index=False).splitlines()
    assert load_runs(
        write(tmp_path / "a.csv", "".join(f"{line},,\n" for line in lines))
    ) == load_runs(PLAIN)


def test_objects_within_a_line_are_columns(tmp_path: Path) -> None:
    rows = [
        {"config": {"N": n, "D": d}, "summary": {"val": {"loss": loss}}}
        for n, d, loss in PLAIN[["params", "tokens", "loss"]].itertuples(index=False)
    ]
    path = write(tmp_path / "runs.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"columns=\{'loss': 'summary.val.loss'\}"):
        load_runs(path)
    with pytest.raises(DataError, match=r"columns=\{'params': 'config.N', 'tokens': 'config.D'\}"):
        load_runs(path, columns={"loss": "summary.val.loss"})
    mapped = {"params": "config.N", "tokens": "config.D", "loss": "summary.val.loss"}
    plain = load_runs(PLAIN.drop(columns=["run_id", "architecture"]))
    assert load_runs(path, columns=mapped) == plain


def test_a_named_index_is_a_column(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    PLAIN.set_index("params").to_parquet(path)
    assert load_runs(path) == load_runs(PLAIN)
    assert load_runs(PLAIN.set_index("params")) == load_runs(PLAIN)


def test_labels_that_recur_become_unique() -> None:
    frame = PLAIN.assign(run_id=["S", "L", "S", "L"])
    runs = load_runs(frame)
    assert runs.table["run_id"].tolist() == ["x/S", "x/L", "y/S", "y/L"]
    seeded = load_runs(frame.assign(architecture="x", run_id="S", seed=range(4)))
    assert seeded.table["run_id"].tolist() == ["S/0", "S/1", "S/2", "S/3"]


def test_flagged_rows_are_kept_and_named() -> None:
    runs = load_runs(PLAIN.assign(flag=["", "odd", "False", None]))
    assert len(runs) == 4
    assert "1 flagged row kept, not dropped: b" in runs.notes
    assert len(runs.where(unflagged=True)) == 3


def test_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xef\xbb\xbf" + PLAIN.to_csv(index=False).encode())
    assert load_runs(path) == load_runs(PLAIN)


def test_optional_numbers_may_be_missing() -> None:
    runs = load_runs(PLAIN.assign(loss_se=[0.01, np.nan, 0.01, 0.02], unique_tokens=[1e9] * 4))
    assert runs.table["loss_se"].isna().sum() == 1


def test_a_cells_own_unit_is_noted() -> None:
    frame = PLAIN.drop(columns="params").assign(**{"params (B)": ["0.1", "1", "100M", "1B"]})
    runs = load_runs(frame)
    assert runs.table["params"].tolist() == [1e8, 1e9, 1e8, 1e9]
    (note,) = (n for n in runs.notes if "unit of its own" in n)
    assert "column 'params (B)': a unit of its own in 2 of 4 cells, such as '100M'" in note


def test_loaded_runs_come_back_as_they_are() -> None:
    runs = load_runs(PLAIN)
    assert load_runs(runs) is runs
    with pytest.raises(DataError, match="loaded already"):
        load_runs(runs, compute="6ND")
