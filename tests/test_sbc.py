"""Simulation-based calibration: verdicts on known ranks, a right model that passes, sabotaged ones that must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale import plots
from bayescale.build import model_data
from bayescale.checks import quantities, with_draws
from bayescale.errors import DataError, ModelError
from bayescale.posterior import Fit
from bayescale.spec import coords, resolve
from bayescale.workflow.bench import RANKED, Bench, bench, rank
from bayescale.workflow.fitting import recorded_rows
from bayescale.zoo import load_model, load_populations

SIMULATIONS, SABOTAGED = 60, 15
SHORT = ({"draws": 250, "tune": 300, "chains": 2, "target_accept": 0.95},)
NOISY = {"sigma": "LogNormal(median=0.1, sigma=0.3)"}
WIDE = 1.5  # sd of log delta where one run says nothing of it
SAMPLED = ("R0", "delta", "L_inf", "sigma")


def made(ranks: Mapping[str, np.ndarray]) -> bs.SBC:
    """Simulations with known ranks."""
    columns = {k: v.tolist() for k, v in ranks.items()}
    records = [
        {
            "seed": i,
            "attempt": 1,
            "rhat": 1.0,
            "ess": 400.0,
            "divergences": 0,
            "good": True,
            "ranks": {k: v[i] for k, v in columns.items()},
        }
        for i in range(len(next(iter(columns.values()))))
    ]
    return bs.SBC(records, {"model": "made"})


def test_verdicts_name_what_fails_and_why() -> None:
    rng = np.random.default_rng(0)
    result = made(
        {
            "right": rng.uniform(size=200),
            "low": rng.beta(1.0, 2.0, size=200),
            "narrow": rng.beta(0.5, 0.5, size=200),
            "wide": rng.beta(3.0, 3.0, size=200),
        }
    )
    verdicts = result.verdicts().set_index("quantity")
    assert verdicts["passed"].to_dict() == {
        "right": True,
        "low": False,
        "narrow": False,
        "wide": False,
    }
    assert verdicts["why"].to_dict() == {
        "right": "",
        "low": "truths lie below what is said of them",
        "narrow": "the posterior's spread is said to be too small",
        "wide": "the posterior's spread is said to be too large",
    }
    assert not result.passed
    assert verdicts.loc["narrow", "cover90"] < 0.8 < 0.85 < verdicts.loc["right", "cover90"]


def test_many_right_quantities_pass_together() -> None:
    """Holm keeps the probability that any of forty right quantities fails at 5 %, whatever their dependence."""
    rng = np.random.default_rng(8)
    result = made({str(i): rng.uniform(size=100) for i in range(40)})
    verdicts = result.verdicts()
    assert (verdicts["p"] < 0.05).any(), "without the adjustment some of forty would fail"
    assert result.passed


def test_a_rank_is_a_place_among_the_draws() -> None:
    rng = np.random.default_rng(3)
    found = {"x": np.array([1.0, 2.0, 3.0, 4.0])}
    for below, true in enumerate([0.5, 1.5, 2.5, 3.5, 4.5]):
        place = rank({"x": np.array([true])}, found, rng)["x"]
        assert below / 5 <= place < (below + 1) / 5


def test_ranks_among_few_draws_are_uniform_and_tell_a_spread_too_small() -> None:
    """Four draws: without the point within its place a rank would be one of five numbers."""
    rng = np.random.default_rng(4)

    def ranks(spread: float) -> np.ndarray:
        true, found = rng.normal(size=400), spread * rng.normal(size=(400, 4))
        return np.array(
            [rank({"x": t[None]}, {"x": f}, rng)["x"] for t, f in zip(true, found, strict=True)]
        )

    assert made({"right": ranks(1.0)}).passed
    assert not made({"narrow": ranks(0.5)}).passed


def test_a_file_of_simulations_is_read_back(tmp_path: Path) -> None:
    result = made({"alpha": np.linspace(0.0, 1.0, 20)})
    again = bs.load_sbc(result.save(tmp_path / "sbc.json"))
    assert (again.records, again.problem) == (result.records, result.problem)
    (tmp_path / "sbc.json").write_text("{")
    with pytest.raises(DataError, match="not a JSON file"):
        bs.load_sbc(tmp_path / "sbc.json")


def test_the_figure_of_ranks_shows_the_ranks() -> None:
    rng = np.random.default_rng(1)
    result = made({"right": rng.uniform(size=80), "low": rng.beta(1.0, 3.0, size=80)})
    numbers = plots.ranks_numbers(result)
    assert numbers["passed"].to_series().to_dict() == {"right": True, "low": False}
    low = numbers.sel(quantity="low")
    share = [(result.ranks["low"] <= z).mean() - z for z in low["at"].to_numpy()]
    np.testing.assert_allclose(low["ecdf"].to_numpy()[1:-1], share[1:-1])
    titles = [a.get_title() for a in plots.ranks(result).axes if a.get_visible()]
    assert titles == ["right", "low (fails)"]


# ------------------------------------------------------------------ one compiled model


def design() -> bs.Runs:
    frame = pd.DataFrame({"tokens": np.geomspace(1e8, 1e11, 8), "loss": np.geomspace(4.0, 2.5, 8)})
    return bs.load_runs(frame, task_info={"loss": {"metric": "nats/token", "corpus": "web"}})


@pytest.fixture(scope="module")
def tested() -> Bench:
    """The data law without drift on eight runs, noisy so that chains are short work: the one compilation here."""
    table = design()
    model = resolve(load_model("data"), table, load_populations(), NOISY, drift=False, sweep=False)
    return bench(model, table)


Simulated = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def simulation(
    right: Bench, fits: Bench, seed: int, simulator: Callable[[Fit], Fit] = lambda truth: truth
) -> Simulated:
    """Of one simulation the true quantities, and those of the posterior: data of one bench, fitted by another."""
    truth = right.truth(seed)
    log_loss = right.simulate(simulator(truth), seed)
    fitted, _, _ = fits.refit(log_loss, seed, SHORT, cores=1)
    true, found = (quantities(right.with_losses(f, log_loss)) for f in (truth, fitted))
    return true, found


def ranked(simulated: Sequence[Simulated]) -> bs.SBC:
    rng = np.random.default_rng(0)
    ranks = pd.DataFrame([rank(true, found, rng) for true, found in simulated])
    return made({str(k): v.to_numpy() for k, v in ranks.items()})


@pytest.fixture(scope="module")
def simulated(tested: Bench) -> list[Simulated]:
    """Of every simulation the true quantities, and those of the posterior."""
    return [simulation(tested, tested, seed) for seed in range(SIMULATIONS)]


def test_a_right_model_passes(simulated: list[Simulated]) -> None:
    result = ranked(simulated)
    assert {*SAMPLED, "nu", "loss a decade out", "log likelihood"} <= set(result.ranks)
    assert result.passed, str(result)


def test_a_simulator_of_another_law_fails(tested: Bench) -> None:
    """Data made with √δ in place of δ, refitted on the same program: few simulations tell."""

    def other(truth: Fit) -> Fit:
        return with_draws(truth, truth.posterior.assign(delta=np.sqrt(truth.posterior["delta"])))

    result = ranked([simulation(tested, tested, seed, other) for seed in range(SABOTAGED)])
    verdicts = result.verdicts().set_index("quantity")
    assert not verdicts.loc["delta", "passed"], str(result)
    assert verdicts.loc["delta", "why"] == "truths lie below what is said of them"


def on_one_run(tested: Bench) -> Bench:
    """The same program on one run, which lies at its own pivot: δ is seen by its prior alone, a wide one."""
    table = design()
    one = table.where(np.arange(len(table)) == 4)
    prior = {**NOISY, "delta": f"LogNormal(median=0.3, sigma={WIDE})"}
    model = resolve(load_model("data"), one, load_populations(), prior, drift=False, sweep=False)
    data = {str(name): value.to_numpy() for name, value in model_data(model, one).items()}
    numbers = {name: data[name] for name in tested.program.data_names}
    program = tested.program.with_data(coords(model), **numbers)
    return Bench(model, recorded_rows(model, one), program, one.hash)


@pytest.mark.parametrize("missing", [False, True])
def test_a_missing_jacobian_fails_where_the_prior_matters(tested: Bench, missing: bool) -> None:
    """The sampler moves in log δ. A density of δ that is not multiplied by dδ/dlog δ is off by δ there:
    Normal(μ, s) less log δ is, up to a constant, Normal(μ − s², s)."""
    right = on_one_run(tested)
    mu = float(np.log(0.3))
    program = right.program.with_data(prior_delta_mu=mu - WIDE**2) if missing else right.program
    fits = replace(right, program=program)
    result = ranked([simulation(right, fits, seed) for seed in range(SABOTAGED)])
    verdicts = result.verdicts().set_index("quantity")
    assert verdicts.loc["delta", "passed"] != missing, str(result)
    # What the sabotage leaves alone passes either way.
    assert verdicts.loc[["T", "phi", "sigma"], "passed"].all(), str(result)


def test_a_stopped_study_goes_on(
    tested: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bayescale.workflow.simulating.bench", lambda model, design: tested)
    settings: dict[str, Any] = {"draws": 100, "tune": 150, "drift": False, "sweep": False}
    settings |= {"prior": NOISY, "folder": tmp_path / "kept", "progress": False, "cores": 1}
    bs.sbc("data", design(), 2, **settings)
    kept = bs.load_sbc(tmp_path / "kept" / "sbc.json").records
    seeds: list[int] = []
    record = Bench.record
    monkeypatch.setattr(
        Bench,
        "record",
        lambda self, seed, *a, **k: seeds.append(seed) or record(self, seed, *a, **k),
    )
    result = bs.sbc("data", design(), 3, **settings)
    assert seeds == [2]
    assert result.records[:2] == kept
    # Places among the ranked draws, rounded.
    assert RANKED == 100
    assert all(r["ranks"]["delta"] == round(r["ranks"]["delta"], 4) for r in kept)
    assert len({r["ranks"]["delta"] for r in result.records}) == 3
    with pytest.raises(DataError, match=r"another problem .*model_hash"):
        bs.sbc(
            "data", design(), 3, **{**settings, "prior": {"delta": "LogNormal(mu=-1, sigma=0.2)"}}
        )
    with pytest.raises(ModelError, match="2 or more"):
        bs.sbc("data", design(), 1, **settings)
    with pytest.raises(ModelError, match="jobs = 0"):
        bs.sbc("data", design(), 3, **settings, jobs=0)


@pytest.mark.slow
def test_ranks_are_the_same_however_many_run_at_once(tmp_path: Path) -> None:
    """Two processes at once, which each compile the model, and this one."""
    settings: dict[str, Any] = {"draws": 100, "tune": 100, "progress": False, "cores": 1}
    # A program just compiled may differ in the last digit from the same one out of numba's cache: it is filled first.
    bs.sbc("data-power", design(), 2, **settings, jobs=2)
    two = bs.sbc("data-power", design(), 4, **settings, jobs=2, folder=tmp_path)
    one = bs.sbc("data-power", design(), 4, **settings)
    assert two.records == one.records
    assert bs.load_sbc(tmp_path / "sbc.json").records == one.records
