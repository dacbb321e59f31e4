"""Designs: from a fit and candidate pilots to what each is worth, in Python, from a file and from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs
from test_plan import besiroglu

from bayescale import plots
from bayescale.cli.run import run
from bayescale.decide import (
    Budget,
    Design,
    Pilot,
    design,
    load_pilots,
)
from bayescale.decide.information.stakes import Stakes
from bayescale.decide.plans.isoflop import LEVELS, SMALLEST
from bayescale.errors import BayescaleError, ConvergenceError, PlanError, UnknownNameError
from bayescale.posterior import Fit, New, Stacked

PRICED = Budget(compute=1e23, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
SMALL = Pilot("small", params=1e9, tokens=2e10)
WIDE = Pilot("wide", params=[1e9, 3e9, 9e9], tokens=[9e10, 3e10, 1e10])
VAST = Pilot("vast", params=1e11, tokens=4e12)


@pytest.fixture(scope="module", autouse=True)
def _few_outcomes() -> Iterator[None]:
    """A quarter of the outcomes: what is asked here does not hang on their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayescale.decide.information.designing.OUTCOMES", 100)
        yield


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit("chinchilla", make_runs(("a", "b")), draws=300)


@pytest.fixture(scope="module")
def found(fit: Fit) -> Design:
    pilots = [SMALL, WIDE, VAST, Pilot("doomed", 1e9, 2e10, failure=1.0)]
    return design(fit, PRICED, pilots, architecture="a", pilot_budget=500.0)


def values(found: Design, name: str = "evsi") -> dict[str, float]:
    return dict(
        zip(found.table["pilot"].to_numpy().tolist(), found.table[name].to_numpy(), strict=True)
    )


# ------------------------------------------------------------------ what must hold


def test_a_pilot_is_worth_between_nothing_and_perfect_information(found: Design) -> None:
    worth = values(found)
    assert worth["doomed"] == 0.0
    assert all(0.0 <= v <= found.evpi.value for v in worth.values())
    # Three shapes on one budget say more of the valley than one run in its middle.
    assert worth["wide"] > worth["small"] > 0.0
    assert found.evpi.value <= PRICED.cost  # type: ignore[operator]
    assert {"beta", "delta", "L_inf"} == set(found.evppi)  # γ is fixed, and nothing drifts
    assert all(w.value <= found.evpi.value + 4 * w.error for w in found.evppi.values())


def test_the_cost_is_six_n_d_at_the_price_of_the_budget(found: Design) -> None:
    cost = values(found, "cost")
    assert cost["small"] == pytest.approx(6 * 1e9 * 2e10 / 1e23 * PRICED.cost)  # type: ignore[operator]
    assert cost["wide"] == pytest.approx(6 * 2.7e20 / 1e23 * PRICED.cost)  # type: ignore[operator]
    for name, net in values(found, "net").items():
        assert net == pytest.approx(values(found)[name] - cost[name])


def test_what_costs_more_than_it_tells_is_not_to_be_run(found: Design) -> None:
    assert found.verdict("vast") == found.verdict("doomed") == "do not run"
    assert found.verdict("wide") == "run"
    assert "vast" not in found.enough.pilots
    assert found.portfolio.cost <= 500.0
    lines = str(found).splitlines()
    (row,) = [line for line in lines if line.strip().startswith("vast")]
    assert row.endswith("do not run")


def test_pilots_far_off_the_valley_are_named() -> None:
    # β = δ and equal terms at the pivot, 1e9 on 2e10: twenty tokens a parameter are best at any cost.
    values = {"R0": 1.0, "alpha": 0.15, "a": 0.5, "omega": 0.5, "L_inf": 1.8, "sigma": 0.01}
    sure = make_fit("chinchilla", make_runs(), draws=100, values=values)
    pilots = [
        Pilot("near", 4e8, 4e8 * 20 * 9),
        Pilot("thin", [1e9, 4e9], [2e10, 4e9 * 20 / 11]),
        Pilot("fat", 1e8, 1e8 * 20 * 11),
    ]
    (said,) = [c for c in design(sure, 1e23, pilots).caveats if "at its word" in c]
    assert said.startswith("runs of thin, fat lie more than 1 decade of D/N off the best")
    near = design(sure, 1e23, pilots[:1])
    assert not any("at its word" in c for c in near.caveats)


def test_a_certain_law_leaves_nothing_to_learn() -> None:
    found = design(besiroglu(draws=100), 1e24, [SMALL])
    assert found.evpi.value < 1e-3 * 1e24  # the grid of N misses the optimum by a hair
    assert values(found)["small"] <= found.evpi.value
    assert found.enough.pilots == ()
    assert found.evppi == {}
    assert "no pilot pays: do not run" in str(found)


def test_the_same_pilot_has_the_same_worth_in_any_list(fit: Fit, found: Design) -> None:
    alone = design(fit, PRICED, [SMALL], architecture="a")
    assert values(alone)["small"] == values(found)["small"]
    in_flop = design(fit, 1e23, [SMALL], architecture="a")
    assert in_flop.problem["unit"] == "FLOP"
    assert values(in_flop)["small"] / 1e23 == pytest.approx(values(alone)["small"] / PRICED.cost)  # type: ignore[operator]


def test_more_runs_and_the_groups_own_runs_say_more(fit: Fit) -> None:
    pilots = [
        SMALL,
        replace(WIDE, name="elsewhere", architecture=New("q")),
        replace(WIDE, name="thrice", repeats=3),
        WIDE,
    ]
    found = design(fit, PRICED, pilots, architecture="a")
    worth, error = values(found), values(found, "error")
    assert worth["thrice"] > worth["wide"] - 2 * error["wide"]
    assert worth["elsewhere"] < worth["wide"]
    assert values(found, "flop")["thrice"] == pytest.approx(3 * values(found, "flop")["wide"])


def test_an_offset_of_its_own_makes_a_pilot_worth_less() -> None:
    table = make_runs().table
    # Three budgets of three sizes each, so that the model has sweeps.
    swept = table.assign(sweep=[f"budget {i % 3}" for i in range(len(table))])
    from bayescale.runs import load_runs

    fit = make_fit("chinchilla", load_runs(swept), draws=300)
    assert fit.model.sweeps
    wide = xr.full_like(fit.posterior["sweep"], 0.05)
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(fit.posterior.assign(sweep=wide))
    fit = replace(fit, tree=tree)
    joined = replace(SMALL, name="joined", sweep=fit.model.sweeps[0])
    found = design(fit, 1e23, [SMALL, joined])
    assert values(found)["small"] < values(found)["joined"]
    assert not any("knows no sweeps" in note for note in found.caveats)
    with pytest.raises(UnknownNameError, match="unknown sweep 'budget 9'"):
        design(fit, 1e23, [replace(SMALL, sweep="budget 9")])


def test_an_uncertain_price_that_is_certain_changes_nothing() -> None:
    money = Budget(dollars=2e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    # All but certain: enough to be read draw by draw, too little to change a digit.
    price = "LogNormal(median=2.7, sigma=1e-9)"
    sure = Budget(dollars=2e6, price_per_hour=price, mfu=0.4, hardware="H100-SXM")
    for drift in (False, True):
        own = make_fit("parameter-data", make_runs(("a", "b")), draws=100, drift=drift)
        where = own.groups("a")
        plain, drawn = (Stakes.of(own, where, b) for b in (money, sure))
        np.testing.assert_allclose(drawn.log_params, plain.log_params, atol=0.05)
        assert (plain.inputs, list(drawn.inputs)) == ({}, ["price_per_hour"])
        if not drift:
            # What wastes all but e^−7 of the budget wastes all.
            waste = plain.iso.wasted_share(plain.iso.log_reducible(drawn.log_params))
            np.testing.assert_allclose(-drawn.utility / 2e6, waste, atol=1e-3)
            continue
        # Along a drifting frontier, the budget that is as good is read off a table, at most one of its steps off.
        some = np.arange(0, 200, 10)
        curve = plain.iso.curve.take(some)
        levels = plain.iso.log_compute - np.linspace(SMALLEST, 0.0, 1001)
        best = np.minimum.accumulate(curve.optimum(levels)[1], axis=1)
        log_r = plain.iso.log_reducible(drawn.log_params)[some]
        enough = [np.interp(-r, -b, levels) for r, b in zip(log_r, best, strict=True)]
        found = plain.iso.log_compute + np.log1p(drawn.utility[some] / 2e6)
        apart = np.abs(found - np.array(enough))
        assert apart.max() < SMALLEST / (LEVELS - 1) + SMALLEST / 1000
        assert apart.mean() < 0.1 * SMALLEST / (LEVELS - 1)


def test_price_and_utilisation_are_groups_where_they_are_uncertain(fit: Fit) -> None:
    budget = Budget(
        dollars=2e6,
        price_per_hour="LogNormal(median=2.7, sigma=1)",
        mfu="Beta(alpha=16, beta=24)",
        hardware="H100-SXM",
    )
    found = design(fit, budget, [SMALL], architecture="a")
    assert {"price_per_hour", "mfu"} < set(found.evppi)
    assert found.problem["total"] == 2e6


def test_drift_is_a_group_where_the_final_run_lies_beyond_the_data() -> None:
    fit = make_fit(runs=make_runs(), draws=200, drift=True)
    assert "drift" in design(fit, 1e24, [SMALL]).evppi
    stack = Stacked((fit, make_fit("chinchilla", make_runs(), draws=200)), (0.5, 0.5))
    mixed = design(stack, 1e24, [SMALL, WIDE])
    assert 0.0 < values(mixed)["wide"] <= mixed.evpi.value


# ------------------------------------------------------------------ figure, file, command line


def test_the_figure_ranks_the_pilots(found: Design) -> None:
    figure = plots.pilots(found)
    (axes,) = figure.axes
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels == sorted(values(found), key=lambda n: values(found, "net")[n])
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(marks, 100 * np.sort(found.table["net"]) / found.problem["total"])
    with pytest.raises(PlanError, match="draws a design, not a list"):
        plots.pilots([found])  # type: ignore[arg-type]


FILE = """
pilot_budget = 1e21
[budget]
compute = "1e23"
[run]
architecture = "a"
[[pilot]]
name = "small"
params = "1B"
tokens = "20B"
[[pilot]]
name = "wide"
params = ["1B", "3B", "9B"]
tokens = ["90B", "30B", "10B"]
failure = 0.1
"""


def test_a_file_gives_what_python_gives(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pilots.toml").write_text(FILE, encoding="utf-8")
    stated = load_pilots(tmp_path / "pilots.toml")
    assert stated.pilots == (SMALL, replace(WIDE, failure=0.1))
    saved = str(fit.save(tmp_path / "fit.nc"))
    words = ["design", saved, str(tmp_path / "pilots.toml"), "--plot", str(tmp_path / "rank.pdf")]
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    expected = design(fit, 1e23, stated.pilots, pilot_budget=1e21, architecture="a")
    assert said["pilots"] == json.loads(json.dumps(expected.to_dict()["pilots"]))
    assert run(words) == 1  # the figure exists
    assert "exists already" in capsys.readouterr().err
    assert run(words[:3]) == 0
    assert "pilots stop paying at" in capsys.readouterr().out


def test_the_file_in_the_readme_is_one(root: Path, tmp_path: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(pilot_budget.*?)```", readme, re.DOTALL)
    (tmp_path / "pilots.toml").write_text(text, encoding="utf-8")
    stated = load_pilots(tmp_path / "pilots.toml")
    assert stated.pilots == (Pilot("one run", 3e9, 6e10, failure=0.1),)
    assert (stated.budget, stated.architecture) == (Budget(compute=1e24), "Pythia")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("failure = 0.1", "failur = 0.1"), "unknown key 'failur' in .*pilot.2.* mean 'failure'"),
        (("compute =", "computes ="), "unknown key 'computes' .* mean 'compute'"),
        (("pilot_budget =", "budgets ="), "unknown key 'budgets' .* mean 'budget'"),
        (('"1e23"', "-1e23"), "compute = -1e.23"),
        (("pilot_budget = 1e21", 'pilot_budget = "many"'), "pilot_budget: .*'many'"),
        (("failure = 0.1", "failure = 1.2"), r"'wide': failure = 1.2 .*from 0 to 1"),
        (('"90B", ', ""), "params has 3, tokens has 2"),
        (('params = "1B"', ""), "pilot.1.params: Field required"),
        (('compute = "1e23"', 'compute = 1e23\nmfu = "Beta(alpha=2, beta=2)"'), "needs all of"),
        (("[run]", "[run"), "not a TOML file"),
        ((FILE[FILE.index("[[pilot") :], ""), "no pilots; add one"),
        (('"1B"\n', '"-1B"\n'), "-1"),
    ],
)
def test_bad_files(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    assert change[0] in FILE
    (tmp_path / "pilots.toml").write_text(FILE.replace(*change), encoding="utf-8")
    with pytest.raises(BayescaleError, match=message) as caught:
        load_pilots(tmp_path / "pilots.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pilots": []}, "pilots is an empty list"),
        ({"pilots": [SMALL, SMALL]}, "'small' is in the list more than once"),
        ({"pilots": [replace(SMALL, architecture="c")]}, "unknown architecture 'c'"),
        ({"pilots": [replace(SMALL, task="wbe")]}, "unknown task 'wbe'.* mean 'web'"),
        ({"pilot_budget": -1.0}, "pilot_budget = -1"),
        ({"budget": -1e23}, "compute = -1e.23"),
        ({"architecture": None}, "say which architecture"),
    ],
)
def test_bad_designs(fit: Fit, options: dict[str, Any], message: str) -> None:
    given = {"budget": 1e23, "pilots": [SMALL], "architecture": "a"} | options
    with pytest.raises(BayescaleError, match=message):
        design(fit, **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"params": -1e9}, "'p': params = -1e"),
        ({"repeats": 0}, "repeats = 0"),
        ({"cost": -5.0}, "cost = -5.0"),
        ({"cost": float("nan")}, "cost = nan"),
        ({"failure": "often"}, "failure = 'often' .expected a number"),
        ({"name": ""}, "needs a name"),
    ],
)
def test_bad_pilots(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Pilot(**({"name": "p", "params": 1e9, "tokens": 2e10} | options))


def test_fits_that_cannot_say(fit: Fit) -> None:
    with pytest.raises(ConvergenceError):
        design(make_fit(draws=60, converged=False), 1e23, [SMALL])
    with pytest.raises(PlanError, match="no choice of N and D"):
        design(make_fit("data", make_runs(), draws=60), 1e23, [SMALL])
    odd = make_fit(runs=make_runs(), draws=60, noise="one-sided")
    with pytest.raises(PlanError, match="not known under one-sided noise"):
        design(odd, 1e23, [SMALL])
