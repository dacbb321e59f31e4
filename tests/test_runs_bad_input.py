"""Every bad input gets one clear error that names row, column, value, expectation and remedy."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import BayescaleError, DataError
from bayescale.runs import load_runs

HEAD = "run,N,D,loss\n"
GOOD = "a,1e8,2e9,3.1\nb,1e9,2e10,2.6\nc,2e9,4e10,2.4\n"
CASES: dict[str, tuple[bytes | str, str]] = {
    "missing column": ("run,N,D\na,1e8,2e9\n", "no column 'loss' and none that looks like one"),
    "no scale at all": ("run,loss\na,3.1\n", "no column of parameters, tokens or compute"),
    "negative": (HEAD + GOOD + "d,1e9,1e10,-0.2\n",
                 "row 5, column 'loss': -0.2 (expected a positive number)"),
    "zero": (HEAD + "a,0,2e9,3.1\n" + GOOD[1:], "row 2, column 'N': 0 (expected a positive"),
    "NaN": (HEAD + GOOD + "d,1e9,NaN,2.5\n", "row 5, column 'D': NaN (expected a positive"),
    "blank": (HEAD + GOOD + "d,1e9,,2.5\n", "row 5, column 'D': empty (expected a positive"),
    "blank, and how to do without": (HEAD + GOOD + "d,1e9,,2.5\n", "drop_blank=True leaves out rows with such"),
    "infinite": (HEAD + GOOD + "d,inf,2e9,2.5\n", "row 5, column 'N': inf (expected a positive"),
    "unparsable value": (HEAD + GOOD + "d,7Q,2e9,2.5\n",
                         "row 5, column 'N': '7Q' (expected a number such as 7B)"),
    "unparsable loss": (HEAD + GOOD + "d,7B,2e9,n/a\n", "row 5, column 'loss': 'n/a' (expected"),
    "decimal comma": (HEAD + GOOD + 'd,7B,2e9,"2,5"\n',
                      "row 5, column 'loss': '2,5' (expected a number; with a decimal point: 2.5)"),
    "decimal comma in a size": (HEAD + GOOD + 'd,"3,5",2e9,2.5\n',
                                "row 5, column 'N': '3,5' (expected a number such as 7B; with a decimal point: 3.5)"),
    "decimal comma and unit": (HEAD + GOOD + 'd,7B,"1,4T",2.5\n', "1.4T; with a decimal point: 1.4T)"),
    "two commas": (HEAD + GOOD + 'd,"1,4,5",2e9,2.5\n', "'1,4,5' (expected a number such as 7B)"),
    "another's noun": (HEAD + GOOD + "d,7B tokens,2e9,2.5\n", "'7B tokens' (expected a number such as 7B)"),
    "MACs are no compute": ("N,C,loss\n7B,4e20,3.1\n8B,5 TMACs,3\n", "row 3, column 'C': '5 TMACs' (expected"),
    "a speed is no compute": ("N,C (PFLOP/s),loss\n7B,4,3.1\n", "unknown unit 'PFLOP/s' for compute"),
    "bytes alone": ("N,data (GB),loss\n7B,300,3.1\n", "say how many tokens a byte is: tokens_per_byte=0.25"),
    "unparsable unit": ("run,N (Q),D,loss\na,1,2e9,3.1\n",
                        "column 'N (Q)': unknown unit 'Q' for params (known: K, M, B/G, T)"),
    "duplicate run id": (HEAD + GOOD + "b,1e9,2e10,2.6\n",
                         "row 5, column 'run': 'b' (duplicate of row 3; expected each run id once"),
    "no run id": (HEAD + GOOD + ",1e9,2e10,2.6\n", "row 5, column 'run': empty (expected a name)"),
    "empty file": ("", "is empty"),
    "only blank lines": ("\n\n \n", "is empty"),
    "only header": (HEAD, "has a header but no rows"),
    "header and blank lines": (HEAD + "\n,,,\n", "has a header but no rows"),
    "binary": (b"\x7fELF\x00\x01\x02\x00" * 9, "is a binary file, not text"),
    "UTF-16": (HEAD.encode("utf-16"), "is UTF-16 (expected UTF-8)"),
    "semicolons": (HEAD.replace(",", ";"), "load_runs(pandas.read_csv('bad.csv', sep=';'))"),
    "semicolons and decimal commas": (HEAD.replace(",", ";") + "a;1e8;2e9;3,1\n", "sep=';', decimal=','))"),
    "a comment first": ("# mine\n" + HEAD + GOOD, "the first line, '# mine', should hold the headers"),
    "Excel's own first line": ("sep=;\n" + HEAD.replace(",", ";"), "the first line, 'sep=;', is for Excel alone"),
    "two columns without header": ("N,D,loss,,\n1e8,2e9,3.1,a,b\n", "2 columns have no header; give each one"),
    "no headers": (GOOD.replace("a,", "").replace("b,", "").replace("c,", ""), "the first line holds numbers"),
    "one likely loss": ("N,D,acc@1\n1e8,2e9,.3\n", "'acc@1' looks like one; type: load_runs("),
    "a value": ("N,D,task,metric,value\n1e8,2e9,a,test_error,.3\n", "columns={'loss': 'value'})"),
    "a score": ("N,D,mAP\n1e8,2e9,.3\n",
                "columns={'loss': 'mAP'}), and what it measures: task_info={'*': {'metric': 'accuracy'}}"),
    "tabs": (HEAD.replace(",", "\t"), "save it with commas or name it .tsv, or in Python read it yourself: load_runs("),
    "bars": (HEAD.replace(",", "|"), "is separated by bars, not commas"),
    "spaces": (HEAD.replace(",", "  ") + GOOD.replace(",", " "), "load_runs(pandas.read_csv('bad.csv', sep=r'\\s+'))"),
    "mixed encodings": (f"{HEAD}a,1e8,2e9,3.1\né".encode() + b"\xe9,1e9,2e10,2.6\n",
                        "not UTF-8 at byte 29 (line 3, byte 0xe9)"),
    "ragged": (HEAD + GOOD + "d,1e9,2e10,2.5,9,9\n", "read as a table: Expected 4 fields"),
    "every row too long": ("N\n7B,7B\n", "Expected 1 fields in line 2, saw 2"),
    "no table at all": ("x" * 200_000, "cannot be read as a table: line 1: field larger"),
    "open quote": (HEAD + 'a,1e8,2e9,"3.1\n', "cannot be read as a table: EOF inside string"),
    "blank first line": ("\n" + HEAD + GOOD, "the first line is blank"),
    "header twice": ("run,N,D,loss,loss\na,1e8,2e9,3.1,3.1\n", "header 'loss' occurs more than"),
    "params in millions": ("N,D,loss\n100,2e9,3.1\n1000,2e10,2.6\n",
                           "if it is in M, name it 'N (M)' or say columns={'params': 'N (M)'}"),
    "params in billions": ("N,D,loss\n.1,2e9,3.1\n1,2e10,2.6\n", "if it is in B, name it 'N (B)'"),
    "tokens in billions": ("N,D,loss\n1e8,2,3.1\n1e9,20,2.6\n", "if it is in B, name it 'D (B)'"),
    "perplexity of one": ("N,D,ppl\n1e8,2e9,20\n1e9,2e10,1\n",
                          "row 3, column 'ppl': 1 (expected a perplexity above 1)"),
    "percent unsaid": ("N,D,acc\n1e8,2e9,40\n1e9,2e10,50\n",
                       "if 'acc' is in percent, head it 'acc (%)' or say task_info={'loss': {'percent': True}}"),
    "percent of several tasks": ("N,D,task,acc\n1e8,2e9,a,40\n1e9,2e10,b,50\n", "task_info={'*': {'percent': True}}"),
    "perfect accuracy": ("N,D,acc\n1e8,2e9,.4\n1e9,2e10,1\n", "from 0 to below 1)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_file(case: str, tmp_path: Path) -> None:
    content, message = CASES[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        load_runs(path)
    assert message in str(caught.value)
    assert "columns={" in str(caught.value) or "bad.csv" in str(caught.value)


def test_bad_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a directory"):
        load_runs(tmp_path)
    with pytest.raises(DataError, match="did you mean the published set 'pile-families'"):
        load_runs("pile-familis")
    with pytest.raises(DataError, match=r"no file .*nothing\.csv"):
        load_runs(tmp_path / "nothing.csv")
    table = tmp_path / "runs.xlsx"
    table.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"unknown extension '\.xlsx' \(known: \.csv"):
        load_runs(table)
    parquet = tmp_path / "runs.parquet"
    parquet.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="no readable Parquet"):
        load_runs(parquet)
    lines = tmp_path / "runs.jsonl"
    lines.write_text('{"N": 1e8}\n{"N": \n')
    with pytest.raises(DataError, match="line 2 is no JSON"):
        load_runs(lines)
    lines.write_text("[1]\n")
    with pytest.raises(DataError, match="line 1 is no JSON object"):
        load_runs(lines)
    with pytest.raises(DataError, match="cannot read runs from a dict"):
        load_runs({})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="has no rows"):
        load_runs(pd.DataFrame({"loss": []}))
    frame = pd.DataFrame({"N": [1e8], "D": [2e9], "loss": [3.0]})
    with pytest.raises(DataError, match=r"tasks=\['loss'\] \(expected a mapping such as \{'c4'"):
        load_runs(frame, tasks=["loss"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"columns=\{'params': 3\} \(expected a mapping"):
        load_runs(frame, columns={"params": 3})  # type: ignore[dict-item]
    with pytest.raises(DataError, match=r"task_info=.*\(expected a mapping such as"):
        load_runs(frame, task_info={"loss": "nats"})  # type: ignore[dict-item]
    with pytest.raises(DataError, match=r"tokens_per_byte='a' \(expected a number"):
        load_runs(frame, tokens_per_byte="a")  # type: ignore[arg-type]


def test_all_bad_cells_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEAD + GOOD + "d,-1,x,0\n\ne,1e9,0,nan\n")
    with pytest.raises(DataError) as caught:
        load_runs(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("bad.csv: 5 bad cells (rows are lines of the file, the header is line 1):")
    places = [line.split(":")[0].strip() for line in lines[1:]]
    assert sorted(places) == [
        "row 5, column 'D'", "row 5, column 'N'", "row 5, column 'loss'",
        "row 7, column 'D'", "row 7, column 'loss'",
    ]  # fmt: skip


def test_frames_count_rows_from_zero() -> None:
    frame = pd.DataFrame({"N": [1e8, 1e9], "D": [2e9, -1], "loss": [3.0, np.inf]}, index=[7, 9])
    with pytest.raises(DataError) as caught:
        load_runs(frame)
    assert "2 bad cells (rows are positions in the table, from 0)" in str(caught.value)
    assert "row 1, column 'D': -1 (expected" in str(caught.value)


def test_twenty_are_shown_and_all_are_counted() -> None:
    frame = pd.DataFrame({"N": np.full(99, 1e8), "D": np.full(99, 2e9), "loss": np.full(99, -1.0)})
    with pytest.raises(DataError) as caught:
        load_runs(frame)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("the frame: 99 bad cells")
    assert len(lines) == 22
    assert lines[-1] == "  … and 79 more"


def test_a_bad_cell_of_a_wide_table_is_one_cell() -> None:
    frame = pd.DataFrame({"N": [1e8, -1], "D": [2e9, 2e9], "a_loss": 2.0, "b_loss": 2.0})
    with pytest.raises(DataError, match="the frame: 1 bad cell "):
        load_runs(frame, tasks={"a": "a_loss", "b": "b_loss"})


CELLS = st.one_of(
    st.sampled_from(["7B", "1e20", "nan", "", "-1", "1,2", "∞", '"', "%", "3 GB", "0x1", "1e999"]),
    st.text(max_size=6),
    st.floats().map(repr),
)
HEADERS = st.sampled_from(
    ["N", "D", "C", "loss", "acc (%)", "ppl", "params (B)", "data (GB)", "run", "step", "task",
     "seed", "flag", "loss_se", "n_total", "family", "x", "", "params (Q)"]
)  # fmt: skip


@given(st.lists(HEADERS, min_size=1, max_size=6), st.lists(st.lists(CELLS, max_size=6), max_size=4))
def test_garbage_never_gets_past_as_another_error(
    headers: list[str], rows: list[list[str]]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.csv"
        lines = [",".join(headers), *(",".join(row) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
        with suppress(BayescaleError):
            table = load_runs(path).table
            assert np.isfinite(table["loss"]).all()
            assert (table["loss"] > 0).all()


@given(st.binary(max_size=80), st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_bytes_never_get_past_as_another_error(content: bytes, form: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"fuzz.{form}"
        path.write_bytes(content)
        with suppress(BayescaleError):
            load_runs(path)


OBJECTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.dates(),
    st.lists(st.integers(), max_size=2), st.decimals().filter(lambda d: not d.is_snan()),
)  # fmt: skip


@given(st.lists(st.tuples(OBJECTS, OBJECTS, OBJECTS, OBJECTS), max_size=4))
def test_frames_of_anything_never_get_past_as_another_error(rows: list[tuple[object, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["N", "D", "loss", "run"], dtype=object)
    with suppress(BayescaleError):
        load_runs(frame)


def test_a_million_rows(tmp_path: Path) -> None:
    rows = 1_000_000
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "run": np.arange(rows),
            "N": 10 ** rng.uniform(7, 10, rows),
            "D": 10 ** rng.uniform(9, 12, rows),
            "loss": rng.uniform(2, 3, rows).round(4),
        }
    )
    path = tmp_path / "large.csv"
    frame.to_csv(path, index=False)
    start = time.perf_counter()
    assert len(load_runs(path)) == rows
    frame.loc[::2, "loss"] = -1.0
    with pytest.raises(DataError, match="500000 bad cells"):
        load_runs(frame)
    # About 6 s on one core; the bound only has to tell vectorised from row by row.
    assert time.perf_counter() - start < 40
