"""The fit file: exact round trip, one clear error for everything that is not a whole fit, old file kept on failure."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import PASSED, make_fit, make_runs

from bayescale.errors import BayescaleError, ConvergenceError, FitFileError
from bayescale.files import free_name
from bayescale.posterior import Fit, load_fit, save
from bayescale.predict import predict


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(("a", "b"), ("x", "y")), draws=50)


@pytest.fixture(scope="module")
def small() -> Fit:
    return make_fit("compute", make_runs(), draws=5)


@pytest.fixture(scope="module")
def written(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit.save(tmp_path_factory.mktemp("fits") / "fit.nc")


@pytest.mark.parametrize("model", ["parameter-data", "kaplan", "compute"])
@pytest.mark.parametrize("pool", [True, False])
def test_round_trip_is_exact(tmp_path: Path, model: str, pool: bool) -> None:
    before = make_fit(model, make_runs(("a", "β-net")), draws=20, pool=pool)
    after = load_fit(before.save(tmp_path / "fit.nc"))
    for group in before.tree.children:
        one, two = (f.tree[group].to_dataset() for f in (before, after))
        xr.testing.assert_equal(one, two)
    assert after.model == before.model
    assert after.model.hash == before.model.hash
    for name in ("convergence", "data_hash", "seed", "versions", "notes"):
        assert getattr(after, name) == getattr(before, name)
    assert repr(after) == repr(before)


def test_forecasts_survive_the_round_trip(fit: Fit, written: Path) -> None:
    where = {"architecture": "a", "task": "x", "compute": [1e21, 1e23]}
    one, two = (predict(f, **where) for f in (fit, load_fit(written)))  # type: ignore[arg-type]
    xr.testing.assert_identical(one.draws, two.draws)


def test_saving_twice_and_over_leaves_one_file(small: Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    save(small, path)
    save(load_fit(path), path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]
    np.testing.assert_array_equal(load_fit(path).posterior["R0"], small.posterior["R0"])


def test_what_a_killed_save_left_is_removed_and_nothing_else(small: Fit, tmp_path: Path) -> None:
    """Old files of the same target are abandoned; a new one may be another process's, an old one another target's."""
    abandoned, at_work, of_another = (
        tmp_path / name
        for name in (".part-fit.nc-a.nc", ".part-fit.nc-b.nc", ".part-other.nc-c.nc")
    )
    for path in (abandoned, at_work, of_another):
        path.write_text("half a file")
    for path in (abandoned, of_another):
        os.utime(path, (0, 0))
    save(small, tmp_path / "fit.nc")
    assert {p.name for p in tmp_path.iterdir()} == {"fit.nc", at_work.name, of_another.name}


def test_a_save_that_fails_leaves_the_old_file_whole(
    small: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(small, tmp_path / "fit.nc")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full)
    with pytest.raises(BayescaleError, match="No space left"):
        save(small, path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_no_file_is_replaced_unasked(fit: Fit, small: Fit, tmp_path: Path) -> None:
    path = fit.save(tmp_path / "fit.nc")
    kept = path.read_bytes()
    with pytest.raises(BayescaleError, match=r"fit\.nc exists already; .*overwrite=True$"):
        small.save(path)
    assert path.read_bytes() == kept
    assert load_fit(small.save(path, overwrite=True)).posterior.identical(small.posterior)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_no_folder_to_save_in(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(BayescaleError, match="no folder"):
        fit.save(tmp_path / "absent" / "fit.nc")


# ------------------------------------------------------------------ what is not a fit


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_truncated_file(written: Path, tmp_path: Path, share: float) -> None:
    whole = written.read_bytes()
    path = tmp_path / "cut.nc"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FitFileError, match=r"cut\.nc.*(truncated|not a NetCDF)") as caught:
        load_fit(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_draw_is_found(fit: Fit, written: Path, tmp_path: Path) -> None:
    """One bit of one number, where NetCDF sees nothing wrong."""
    target, value = tmp_path / "flipped.nc", fit.posterior["L_inf"].to_numpy().ravel()[7:9]
    content = bytearray(written.read_bytes())
    at = content.find(value.tobytes())
    assert at > 0
    content[at] ^= 1
    target.write_bytes(content)
    with pytest.raises(FitFileError, match=r"flipped\.nc is damaged"):
        load_fit(target)
    content[at] ^= 1
    target.write_bytes(content)
    assert load_fit(target).data_hash == fit.data_hash


def with_header(fit: Fit, path: Path, **changes: object) -> Path:
    tree = xr.open_datatree(fit.save(path), engine="h5netcdf").load()
    tree.close()
    for key, value in changes.items():
        if value is None:
            tree.attrs.pop(key)
        else:
            tree.attrs[key] = value
    tree.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "schema 99, newer than 1"),
        ({"format": "other"}, "not a fit that bayescale wrote"),
        ({"format": None}, "not a fit that bayescale wrote"),
        ({"model": "{}"}, "'model' in its header cannot be read"),
        ({"model": "no json"}, "'model' in its header cannot be read"),
        ({"model": None}, "header"),
        ({"schema_version": None}, "header"),
        ({"schema_version": "one"}, "header"),
        ({"convergence": "{}"}, "header"),
        ({"convergence": "no json"}, "header"),
        ({"versions": "no json"}, "header"),
        ({"notes": None}, "header"),
    ],
)
def test_bad_headers(small: Fit, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = with_header(small, tmp_path / "odd.nc", **changes)
    with pytest.raises(FitFileError, match=message) as caught:
        load_fit(path)
    assert "odd.nc" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_groups(small: Fit, tmp_path: Path) -> None:
    path = tmp_path / "part.nc"
    tree = xr.DataTree.from_dict({"/posterior": small.posterior})
    tree.attrs = {"format": "bayescale-fit", "schema_version": 1}
    tree.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(FitFileError, match=r"lacks the groups sample_stats, .*incomplete"):
        load_fit(path)


def test_foreign_files(tmp_path: Path) -> None:
    netcdf = tmp_path / "foreign.nc"
    xr.Dataset({"x": ("t", [1.0, 2.0])}).to_netcdf(netcdf, engine="h5netcdf")
    with pytest.raises(FitFileError, match="not a fit that bayescale wrote"):
        load_fit(netcdf)
    text = tmp_path / "text.nc"
    text.write_text("model,loss\n1,2\n", encoding="utf-8")
    with pytest.raises(FitFileError, match="truncated or not a NetCDF file"):
        load_fit(text)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FitFileError, match=r"no fit file .*absent"):
        load_fit(tmp_path / "absent.nc")
    with pytest.raises(FitFileError, match="it is a folder"):
        load_fit(tmp_path)


# ------------------------------------------------------------------ the gate


def test_a_fit_that_missed_the_gate_is_marked_and_refused(tmp_path: Path) -> None:
    bad = load_fit(make_fit(runs=make_runs(), draws=20, converged=False).save(tmp_path / "f.nc"))
    assert not bad.convergence.passed
    assert "did not converge" in repr(bad)
    with pytest.raises(ConvergenceError, match=r"R̂ of alpha is 1.400.*allow_unconverged"):
        predict(bad, compute=1e22)
    said = predict(bad, compute=1e22, allow_unconverged=True)
    assert any("did not converge" in note for note in said.notes)


def test_a_fit_is_frozen(fit: Fit) -> None:
    with pytest.raises(AttributeError):
        fit.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"divergences": 40}, "raise target_accept"),
        ({"ess_bulk": 90.0}, "raise draws; "),
        ({"rhat": 1.4, "ess_bulk": 90.0}, "raise draws, raise tune, or use a model with fewer"),
    ],
)
def test_advice_is_for_what_went_wrong(changes: dict[str, Any], advice: str) -> None:
    poor = replace(PASSED, **changes)
    assert not poor.passed
    assert poor.advice.startswith(advice)
    assert poor.advice.endswith("allow_unconverged=True")


def test_a_name_that_was_taken_while_a_fit_ran_costs_no_fit(tmp_path: Path) -> None:
    target = tmp_path / "fit.nc"
    assert free_name(target) == target
    target.touch()
    (tmp_path / "fit-2.nc").touch()
    assert free_name(target) == tmp_path / "fit-3.nc"
    assert free_name(target, overwrite=True) == target
