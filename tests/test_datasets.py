"""Published data sets: embedded and linked ones, and that they are what was published."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import DataError, UnknownNameError
from bayescale.runs import dataset_info, datasets, list_datasets, load_runs

ACCURACIES = {
    t: t for t in dataset_info("pile-families").available if t != "pile_loss"
}  # fmt: skip


def test_list() -> None:
    names = [d.name for d in list_datasets()]
    assert names == ["compound-scaling", "pile-families", "chinchilla"]
    for info in list_datasets():
        assert info.title
        assert info.citation
        assert info.licence
        assert info.embedded == (info.url is None)
        assert info.to_dict()["name"] == info.name
        assert info.embedded or len(info.sha256 or "") == 64
    with pytest.raises(UnknownNameError, match="did you mean 'chinchilla'"):
        dataset_info("chinchila")


def test_pile_families() -> None:
    runs = load_runs("pile-families")
    assert len(runs) == 30
    assert runs.param_count == "total"
    assert runs.compute_source == "reported"
    assert runs.studies == ("pile-families",)
    assert runs.architectures == (
        "Cerebras-GPT", "Cerebras-GPT-muP", "Pythia", "Pythia-deduped", "GPT-NeoX", "GPT-J",
    )  # fmt: skip
    assert runs.lowest_loss() == 1.519
    assert runs.task("pile").kind == "nats/token, GPT-2"
    assert "Dey et al. 2023" in runs.citation
    assert "task 'pile': no value in 6 of 36 rows, left out" in runs.notes
    assert "reported compute is more than 20 % away from 6ND in 22 of 30 rows" in runs.notes
    row = runs.table.set_index("run_id").loc["Pythia-70M"]
    assert (row["params"], row["tokens"], row["compute"], row["loss"]) == (
        70426624, 299892736000, 1.6e20, 2.504,
    )  # fmt: skip


def test_the_anomaly_is_flagged_and_kept() -> None:
    runs = load_runs("pile-families")
    assert len(runs.describe().flagged) == 1
    assert "Pythia-deduped-1.4B" in runs.describe().flagged[0]
    assert len(runs.where(unflagged=True)) == 29


def test_seven_accuracies() -> None:
    runs = load_runs("pile-families", tasks=ACCURACIES)
    assert len(runs.tasks) == 7
    assert len(runs) == 7 * 36
    assert {t.metric for t in runs.tasks.values()} == {"error"}
    best = runs.table.query("run_id == 'GPT-NeoX-20B' and task == 'lambada'")["loss"].item()
    assert best == pytest.approx(1 - 0.720)
    renamed = load_runs("pile-families", tasks={"hs": "hellaswag"})
    assert renamed.task("hs").upper == 0.75


def test_another_count_and_another_compute() -> None:
    runs = load_runs("pile-families", param_count="non-embedding", compute="6ND")
    assert len(runs) == 28
    assert runs.compute_source == "6ND"
    assert any("no non-embedding count in 2 rows" in n for n in runs.notes)


def test_embedded_table_against_the_transcription(public_data: Path) -> None:
    source = pd.read_csv(public_data.parent / "published" / "pile_test_families.csv")
    embedded = load_runs("pile-families").table
    source = source.dropna(subset="pile_test_xent_nats_per_token")
    pairs = {
        "params": "N_total", "tokens": "D_tokens", "compute": "flops_reported",
        "loss": "pile_test_xent_nats_per_token", "params_non_embedding": "N_nonembedding",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        np.testing.assert_array_equal(embedded[ours].to_numpy(), source[theirs].to_numpy())


def test_chinchilla_is_the_published_conversion(public_data: Path) -> None:
    expected = pd.read_csv(public_data / "chinchilla_fig4" / "data.csv")
    runs = load_runs("chinchilla")
    table = runs.table
    assert len(runs) == 245
    for ours, theirs in {"params": "params", "compute": "flops", "loss": "loss"}.items():
        np.testing.assert_array_equal(table[ours].to_numpy(), expected[theirs].to_numpy())
    np.testing.assert_allclose(table["tokens"], expected["tokens"], rtol=1e-14)
    np.testing.assert_array_equal(table["flag"] != "", expected["epoch_outlier"])
    assert len(runs.where(unflagged=True)) == 240


def test_the_mirror_is_checked(
    public_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = dataset_info("chinchilla")
    copy = tmp_path / str(info.mirror)
    copy.parent.mkdir(parents=True)
    shutil.copyfile(public_data / str(info.mirror), copy)
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == info.sha256
    monkeypatch.setenv("BAYESCALE_DATA", str(tmp_path))
    assert len(load_runs("chinchilla")) == 245
    copy.write_bytes(copy.read_bytes() + b"\n")
    with pytest.raises(DataError, match="is not the registered file"):
        load_runs("chinchilla")
    copy.unlink()
    with pytest.raises(DataError, match=r"no file .*; unset BAYESCALE_DATA to download"):
        load_runs("chinchilla")


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    def offline(*_: object, **__: object) -> str:
        raise OSError("Max retries exceeded (Caused by NameResolutionError('no route to host'))")

    monkeypatch.delenv("BAYESCALE_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(
        DataError, match=r"fetched; put .* set BAYESCALE_DATA .*: N[^()]*\('no route to host'\)$"
    ):
        datasets.open_dataset("chinchilla")


def test_a_file_may_have_the_name_of_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pile-families").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load_runs("pile-families")) == 30
    with pytest.raises(DataError, match="is a directory"):
        load_runs(Path("pile-families"))


def test_light_import() -> None:
    code = (
        "import sys, bayescale.runs; "
        "print([m for m in ('pymc', 'pytensor', 'matplotlib', 'scipy', 'xarray', 'pooch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
