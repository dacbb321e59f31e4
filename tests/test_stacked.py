"""A stack of fits is forecast with and planned on like a fit: a mixture in proportion to its weights, on file too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from helpers import make_fit, make_runs
from matplotlib.figure import Figure

import bayescale as bs
from bayescale.cli import run
from bayescale.errors import ConvergenceError, DataError, FitFileError, ForecastError, PlanError
from bayescale.posterior import Fit, save_stack
from bayescale.predict import DRIFTING, EXACT_LAW, Kind
from bayescale.runs import Runs
from bayescale.workflow import backtesting

POINT: dict[str, Any] = {"params": 2e10, "tokens": 4e11, "architecture": "a"}
BUDGET = 1e22


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Three architectures, each with a sweep below and one above."""
    frame = make_runs(("a", "b", "c")).table
    frame["sweep"] = np.where(frame["params"] > 2e9, "large", "small")
    return bs.load_runs(frame.drop(columns="study"))


@pytest.fixture(scope="module")
def fits(runs: Runs) -> tuple[Fit, Fit]:
    """A law that drifts and one that is exact."""
    return pair(runs, 75)


def pair(runs: Runs, draws: int) -> tuple[Fit, Fit]:
    """Posteriors that differ in drift, and in the floor by more than either is wide."""
    low, high = ({"L_inf": value} for value in (1.6, 2.2))
    drifting = make_fit(runs=runs, draws=draws, drift=True, values=low)
    return drifting, make_fit("chinchilla", runs, draws=draws, seed=1, values=high)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_quantiles_are_those_of_the_weighted_mixture(runs: Runs, kind: Kind) -> None:
    weights, fits = (0.3, 0.7), pair(runs, 600)
    made = bs.stack(fits, weights)
    mixed = bs.predict(made, **POINT, kind=kind).draws.to_numpy().ravel()
    own = [bs.predict(f, **POINT, kind=kind).draws.to_numpy().ravel() for f in fits]
    size = len(mixed)
    assert size == 1200
    assert [int(np.isin(mixed, o).sum()) for o in own] == [360, 840]
    for p in (0.05, 0.25, 0.5, 0.75, 0.95):
        at = np.quantile(np.concatenate(own), p)
        exact = sum(w * np.mean(o <= at) for w, o in zip(weights, own, strict=True))
        # Drawn without replacement in each member: no more spread than of independent draws.
        error = np.sqrt(exact * (1 - exact) / size)
        assert abs(np.mean(mixed <= at) - exact) < 5 * error
        if p == 0.5:  # equal weights are told from these: the control that the bound can fail
            assert abs(np.mean([np.mean(o <= at) for o in own]) - exact) > 5 * error
    again = bs.predict(bs.stack(fits, weights), **POINT, kind=kind).draws
    np.testing.assert_array_equal(again.to_numpy().ravel(), mixed)


def test_the_seed_chooses_the_draws(fits: tuple[Fit, Fit]) -> None:
    first, other = (bs.stack(fits, (0.5, 0.5), seed=s).parts[0][1] for s in (0, 1))
    assert len(first) == len(other) == 75
    assert not np.array_equal(first, other)


def test_all_the_weight_on_one_member_is_that_member(fits: tuple[Fit, Fit]) -> None:
    alone = bs.stack(fits, {"parameter-data": 1.0, "chinchilla": 0.0})
    for new in ("b", bs.New("d")):
        where = POINT | {"architecture": new}
        one = bs.predict(fits[0], **where).draws.to_numpy().ravel()
        np.testing.assert_array_equal(bs.predict(alone, **where).draws.to_numpy().ravel(), one)
    mine = bs.plan(alone, BUDGET, ["expectation", "cvar:0.1"], 2.5, architecture="a").to_dict()
    whole = bs.plan(fits[0], BUDGET, ["expectation", "cvar:0.1"], 2.5, architecture="a").to_dict()
    for part in ("recommendations", "optimum", "regret_set", "table", "frontier"):
        assert mine[part] == whole[part], part


def test_a_plan_and_a_forecast_of_a_stack_agree(fits: tuple[Fit, Fit]) -> None:
    """The same draws of the curve, and the same offsets: P(loss ≤ target) is the forecast's, but for its noise."""
    made = bs.stack(fits, (0.4, 0.6))
    target = 2.6
    plan = bs.plan(made, BUDGET, target_loss=target, architecture="a")
    every = plan.table.isel(action=slice(0, None, 40))
    where = {
        "params": every["params"].to_numpy(),
        "tokens": every["tokens"].to_numpy(),
        "architecture": "a",
    }
    curve = bs.predict(made, **where, kind="expected")
    np.testing.assert_allclose(curve.draws.mean(("chain", "draw")), every["loss"], rtol=1e-9)
    hit = (bs.predict(made, **where, kind="run").draws <= target).mean(("chain", "draw"))
    p = every["p_hit"].to_numpy()
    assert np.all(np.abs(hit - p) < 5 * np.sqrt(np.maximum(p * (1 - p), 1e-3) / 150))
    assert 0.02 < p.min() < p.max() < 0.98
    optimum = [bs.plan(f, BUDGET, architecture="a").optimum["params"]["median"] for f in fits]
    assert min(optimum) <= plan.optimum["params"]["median"] <= max(optimum)


def test_notes_are_of_the_worst_member(fits: tuple[Fit, Fit], runs: Runs) -> None:
    made = bs.stack(fits, (0.5, 0.5))
    forecast = bs.predict(made, **POINT)
    own = [bs.predict(f, **POINT) for f in fits]
    assert set(own[0].notes) | set(own[1].notes) <= set(forecast.notes)
    assert {DRIFTING, EXACT_LAW} <= set(forecast.notes)
    worst = max(float(f.points["decades"].max()) for f in own)
    assert float(forecast.points["decades"].max()) == worst
    plan = bs.plan(made, BUDGET, architecture="a")
    assert f"in chinchilla {EXACT_LAW}" in plan.problem["assumes"]
    assert [m["weight"] for m in plan.provenance["stack"]["members"]] == [0.5, 0.5]
    missed = make_fit("chinchilla", runs, draws=50, converged=False)
    half = bs.stack([fits[0], missed], [0.5, 0.5])
    with pytest.raises(ConvergenceError):
        bs.predict(half, **POINT)
    with pytest.raises(ConvergenceError):
        bs.plan(half, BUDGET, architecture="a")
    said = bs.predict(half, **POINT, allow_unconverged=True).notes
    assert any("did not converge" in note for note in said)


def test_members_of_unlike_length_and_noise_are_mixed(runs: Runs) -> None:
    short, long = make_fit(runs=runs, draws=50), make_fit("chinchilla", runs, draws=500)
    counts = [len(draws) for _, draws in bs.stack([short, long], [0.5, 0.5]).parts]
    assert counts == [100, 100]
    counts = [len(draws) for _, draws in bs.stack([short, long], [0.05, 0.95]).parts]
    assert counts == [50, 950]


def test_what_cannot_be_stacked_is_refused(fits: tuple[Fit, Fit], runs: Runs) -> None:
    other = make_fit("chinchilla", make_runs(), draws=20)
    with pytest.raises(ForecastError, match="need the same data"):
        bs.stack([fits[0], other], [0.5, 0.5])
    with pytest.raises(ForecastError, match=r"sum to 0\.9"):
        bs.stack(fits, [0.5, 0.4])
    with pytest.raises(ForecastError, match=r"weight -0\.5"):
        bs.stack(fits, [1.5, -0.5])
    with pytest.raises(ForecastError, match="2 fits was given 1 weights"):
        bs.stack(fits, [1.0])
    with pytest.raises(ForecastError, match="no fit of kaplan"):
        bs.stack(fits, {"parameter-data": 0.5, "chinchilla": 0.25, "kaplan": 0.25})
    with pytest.raises(ForecastError, match="a stack takes a fit"):
        bs.Stacked((fits[0], "b.nc"), (0.5, 0.5))  # type: ignore[arg-type]
    compute = make_fit("compute", runs, draws=20)
    with pytest.raises(PlanError, match="no choice of N and D"):
        bs.plan(bs.stack([fits[0], compute], [0.5, 0.5]), BUDGET, architecture="a")
    # A law in compute alone can still be forecast with, at a point whose compute follows.
    assert bs.predict(bs.stack([fits[0], compute], [0.5, 0.5]), **POINT).draws.sizes["draw"] > 0


# ---------------------------------------------------------------- files, commands and the figure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, runs: Runs, fits: tuple[Fit, Fit]) -> Path:
    """Two fits and a back-test of their models."""
    place = tmp_path_factory.mktemp("stack")
    for fit, name in zip(fits, ("a.nc", "b.nc"), strict=True):
        fit.save(place / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            backtesting,
            "fit",
            lambda table, spec, **s: make_fit(spec, table, draws=300, drift=s["drift"]),
        )
        models = ["parameter-data", "chinchilla", "kaplan"]
        made = bs.backtest(runs, models, by="params", cuts=[4e9], progress=False)
    made.save(place / "bt.json")
    return place


def said(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """What a command that must succeed prints, as JSON."""
    assert run([str(w) for w in (*words, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


def test_compare_writes_a_stack_that_predict_and_plan_take(
    folder: Path, fits: tuple[Fit, Fit], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, bt, out = (folder / name for name in ("a.nc", "b.nc", "bt.json", "stack.json"))
    found = said(capsys, "compare", a, b, "--backtest", bt, "-o", out)
    weights = [row["weight"] for row in found["table"]]
    assert [row["model"] for row in found["table"]] == ["parameter-data", "chinchilla"]
    assert all("k_max" in row and "equal_weight" in row for row in found["table"])
    stack = bs.load_stack(out)
    assert list(stack.weights) == weights
    where = ("--params", "20B", "--tokens", "400B", "--architecture", "a")
    shell = said(capsys, "predict", out, *where)["forecasts"][0]
    python = bs.predict(stack, **POINT | {"architecture": ["a"]}).table().to_dict("records")[0]
    assert shell["median"] == python["median"]
    plan = said(capsys, "plan", out, "--compute", "1e22", "--architecture", "a")
    assert plan["provenance"]["stack"]["data_hash"] == fits[0].data_hash
    alone = said(capsys, "compare", "--backtest", bt)
    assert len(alone["table"]) == 3
    assert run(["compare", str(a), str(b), "--backtest", str(bt)]) == 0
    assert "stacking on 3 held-out groups" in capsys.readouterr().out


def test_wrong_uses_of_compare_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, says in (
        ((), "nothing to compare"),
        (("-o", tmp_path / "s.json", folder / "a.nc"), "a stack needs its fits and --backtest"),
        (("--figure", tmp_path / "f.pdf", folder / "a.nc"), "add --backtest"),
        ((folder / "a.nc", "--backtest", folder / "bt.json", "--strength", "0"), "strength = 0"),
        (("--backtest", folder / "a.nc"), "is no back-test"),
    ):
        assert run(["compare", *map(str, words)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert says in printed.err
        assert len(printed.err.strip().splitlines()) == 1


def test_a_stack_file_is_checked_strictly(
    folder: Path, tmp_path: Path, fits: tuple[Fit, Fit]
) -> None:
    for fit, name in zip(fits, ("a.nc", "b.nc"), strict=True):
        fit.save(tmp_path / name)
    a, b = tmp_path / "a.nc", tmp_path / "b.nc"
    (tmp_path / "inner").mkdir()
    file = save_stack(tmp_path / "inner" / "s.json", {a: 0.4, b: 0.6}, fits[0].data_hash)
    assert json.loads(file.read_text())["members"][0]["path"] == "../a.nc"
    assert bs.load_stack(file).weights == (0.4, 0.6)
    good = json.loads(file.read_text())
    for change, says in (
        ({"extra": 1}, "extra"),
        ({"schema_version": 2}, "schema_version"),
        ({"members": []}, "members"),
        ({"seed": "0"}, "seed"),
    ):
        file.write_text(json.dumps(good | change))
        with pytest.raises(FitFileError, match=f"is no stack: {says}"):
            bs.load_stack(file)
    file.write_text("half")
    with pytest.raises(FitFileError, match="is no stack"):
        bs.load_stack(file)
    with pytest.raises(FitFileError, match="cannot read"):
        bs.load_stack(tmp_path / "none.json")
    file.write_text(json.dumps(good))
    make_fit("chinchilla", draws=20).save(b, overwrite=True)
    with pytest.raises(FitFileError, match="has changed since"):
        bs.load_stack(file)
    b.unlink()
    with pytest.raises(FitFileError, match=r"no fit file .*b\.nc"):
        bs.load_stack(file)


def test_the_figure_draws_the_numbers(folder: Path) -> None:
    found = bs.compare(bs.load_backtest(folder / "bt.json"))
    numbers = bs.plot.stacking_numbers(found)
    np.testing.assert_allclose(numbers["weight"].sum(), 1.0)
    assert numbers["difference"].sizes == {"model": 3, "group": 3}
    np.testing.assert_allclose(numbers["difference"].mean("group"), numbers["mean"])
    for width, inches in (("column", 3.3), ("text", 6.8)):
        figure = bs.plot.stacking(found, width=width)
        assert figure.get_size_inches()[0] == inches
        drawn = figure.axes[0].lines[-1].get_xdata()
        np.testing.assert_allclose(drawn, numbers["weight"])
    own = Figure()
    assert bs.plot.stacking(found, axes=own.subplots(1, 2)) is own
    fit = make_fit("chinchilla", make_runs(), draws=20)
    with pytest.raises(ForecastError, match="without a back-test"):
        bs.plot.stacking(bs.compare(fit))


def test_a_comparison_is_of_the_data_of_its_fits(folder: Path) -> None:
    found = bs.compare(bs.load_backtest(folder / "bt.json"))
    others = [make_fit(m, make_runs(), draws=20) for m in found.weights]
    with pytest.raises(DataError, match="other data than compared"):
        bs.stack(others, found)
