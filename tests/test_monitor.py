"""The monitor: what it says of runs in training, what it refuses, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import FRACTIONS, make_fit, make_runs, training_paths

import bayescale as bs
from bayescale.cli import run
from bayescale.decide import (
    Plan,
    TrainingCurve,
    gap_of,
    load_curves,
)
from bayescale.errors import BayescaleError, DataError, PlanError

# ------------------------------------------------------------------ on a plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    fit = make_fit(runs=make_runs(), draws=300)
    budget = bs.Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    return bs.plan(fit, budget, target_loss=2.2)


def curves(
    names: list[str], finals: list[float], tokens: float, until: float = 1.0
) -> pd.DataFrame:
    rng = np.random.default_rng(len(names))
    paths = training_paths(rng, len(names))
    keep = until + 1e-9 >= FRACTIONS
    return pd.concat(
        pd.DataFrame(
            {
                "run": name,
                "tokens": np.rint(FRACTIONS * tokens)[keep],
                "loss": (final * np.exp(path))[keep],
            }
        )
        for name, final, path in zip(names, finals, paths, strict=True)
    )


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return curves([f"r{i}" for i in range(8)], list(np.linspace(2.6, 3.2, 8)), 1e11)


def test_the_run_to_stop_comes_first(plan: Plan, reference: pd.DataFrame) -> None:
    tokens = plan.forecasts[0].tokens
    table = curves(["good", "bad", "close"], [2.0, 2.6, 2.21], tokens, until=0.5)
    found = bs.monitor(plan, table, reference, worth=4e6)
    assert [r.run_id for r in found.runs] == ["bad", "close", "good"]
    assert [r.stop for r in found.runs] == [True, False, False]
    assert found.stop
    good = found.runs[-1]
    assert good.fraction == pytest.approx(0.5)
    assert good.p_planned == pytest.approx(float(plan.forecasts[0].cdf(np.log([2.2]))[0]))
    assert good.flop_left == pytest.approx(0.5 * plan.problem["compute"])
    assert good.dollars_left == pytest.approx(2.5e6)
    assert good.value == pytest.approx(4e6 * good.p_target - 2.5e6)
    assert good.final["lo90"] < 2.0 < good.final["hi90"]
    assert json.dumps(found.to_dict(), allow_nan=False)
    assert bs.monitor(plan, table, reference, risk=1e-12).stop is False


def test_a_run_that_is_done_is_known(plan: Plan, reference: pd.DataFrame) -> None:
    tokens = plan.forecasts[0].tokens
    found = bs.monitor(plan, curves(["a", "b"], [2.1, 2.3], tokens), reference)
    assert {r.run_id: r.p_target for r in found.runs} == {"a": 1.0, "b": 0.0}
    assert all(r.gap is None and r.flop_left == 0 for r in found.runs)


def test_a_loss_half_way_above_the_target_is_no_reason_to_stop(
    plan: Plan, reference: pd.DataFrame
) -> None:
    table = curves(["good"], [2.0], plan.forecasts[0].tokens, until=0.5)
    (found,) = bs.monitor(plan, table, reference).runs
    assert found.loss > 2.2
    assert found.p_target > 0.95


def test_a_run_that_contradicts_the_plan_is_said_to(plan: Plan, reference: pd.DataFrame) -> None:
    table = curves(["odd"], [9.0], plan.forecasts[0].tokens, until=0.5)
    assert any("look for a mistake" in n for n in bs.monitor(plan, table, reference).notes)


def test_without_references_there_is_no_probability(plan: Plan, reference: pd.DataFrame) -> None:
    table = curves(["a"], [2.0], plan.forecasts[0].tokens, until=0.5)
    with pytest.raises(PlanError, match=r"no probability: without complete curves of the same"):
        bs.monitor(plan, table)
    with pytest.raises(PlanError, match=r"2 reference curves .expected 3 or more"):
        bs.monitor(plan, table, reference[reference["run"] <= "r1"])
    labelled = reference.assign(schedule="cosine")
    with pytest.raises(BayescaleError, match=r"unknown schedule 'wsd'.*known: cosine"):
        bs.monitor(plan, table.assign(schedule="wsd"), labelled)
    kept = bs.monitor(plan, table.assign(schedule="cosine"), labelled)
    assert not any("on trust" in n for n in kept.notes)


def test_references_that_cannot_tell_are_refused(plan: Plan, reference: pd.DataFrame) -> None:
    table = curves(["a"], [2.0], plan.forecasts[0].tokens, until=0.3)
    late = reference[reference["tokens"] > 0.4e11]
    with pytest.raises(PlanError, match=r"30 % of training is done.*no checkpoint by then"):
        bs.monitor(plan, table, late)
    one = reference[reference["run"] == "r0"]
    same = pd.concat([one.assign(run=f"s{i}", loss=one["loss"] * (1 + i)) for i in range(4)])
    with pytest.raises(PlanError, match="do not differ"):
        bs.monitor(plan, table, same)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_loss": -1.0}, "target_loss = -1"),
        ({"risk": 0.0}, "risk = 0 .expected a probability"),
        ({"worth": -5.0}, "worth = -5"),
        ({"plan": "plan.json"}, "takes a plan, not a str"),
    ],
)
def test_bad_questions(
    plan: Plan, reference: pd.DataFrame, options: dict[str, Any], message: str
) -> None:
    table = curves(["a"], [2.0], plan.forecasts[0].tokens, until=0.3)
    with pytest.raises(PlanError, match=message):
        bs.monitor(**{"plan": plan, "curve": table, "reference": reference, **options})


def test_what_the_plan_lacks_is_asked_for(reference: pd.DataFrame) -> None:
    bare = bs.plan(make_fit(runs=make_runs(), draws=50), 1e24)
    table = curves(["a"], [2.0], bare.forecasts[0].tokens, until=0.3)
    with pytest.raises(PlanError, match="no target loss: give one, target_loss="):
        bs.monitor(bare, table, reference)
    with pytest.raises(PlanError, match="the plan has no price"):
        bs.monitor(bare, table, reference, target_loss=2.0, worth=1e6)
    steps = table.rename(columns={"tokens": "step"})
    with pytest.raises(PlanError, match="say how many the whole run has, total_steps="):
        bs.monitor(bare, steps, reference, target_loss=2.0)
    with pytest.raises(PlanError, match="beyond the 10 it was to have"):
        bs.monitor(bare, steps, reference, target_loss=2.0, total_steps=10)
    by_steps = bs.monitor(
        bare, steps, reference, target_loss=2.0, total_steps=bare.forecasts[0].tokens
    )
    by_tokens = bs.monitor(bare, table, reference, target_loss=2.0)
    assert by_steps.runs[0].p_target == pytest.approx(by_tokens.runs[0].p_target)


# ------------------------------------------------------------------ curves


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,3.0\n3,2.5\n2,2.4", r"row 4: step 2 of 'the run' comes after 3"),
        ("1,3.0\n2,2.5\n2,2.4", r"row 4: step 2 of 'the run' given twice"),
        ("1,3.0\n-2,2.5", r"row 3, column 'step': '?-2'? .expected 0 or more"),
        ("1,3.0\n,2.5", r"row 3, column 'step'"),
        ("1,3.0\n2,nan", r"row 3, column 'val_loss'.*expected a positive number"),
        ("1,3.0\n2,-1", r"row 3, column 'val_loss'"),
        ("1,3.0\n2,x", r"row 3, column 'val_loss'.*x"),
        ("1,3.0\n2,inf", r"row 3, column 'val_loss'"),
        ("0,3.0", "no checkpoint after the start"),
    ],
)
def test_bad_curves(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(f"step,val_loss\n{rows}\n")
    with pytest.raises(DataError, match=message) as said:
        load_curves(path, "nats/token")
    assert "\n" not in str(said.value)


def test_curves_of_something_else_are_refused() -> None:
    with pytest.raises(DataError, match="'ppl' is perplexity, not nats/token"):
        load_curves(pd.DataFrame({"step": [1], "ppl": [20.0]}), "nats/token")
    with pytest.raises(DataError, match="no column of step or tokens"):
        load_curves(pd.DataFrame({"loss": [2.0]}), "nats/token")


def test_runs_are_told_apart_and_the_start_is_left_out() -> None:
    frame = pd.DataFrame(
        {"id": ["a", "b", "a", "b"], "step": [0, 1, 2, 3], "loss": [9.0, 3.0, 2.0, 1.0]}
    )
    a, b = load_curves(frame, "nats/token")
    assert (a.run_id, a.at.tolist(), b.fractions().tolist()) == ("a", [2.0], [1 / 3, 1.0])


def test_a_gap_does_not_depend_on_the_level_of_the_references() -> None:
    rng = np.random.default_rng(5)
    paths = training_paths(rng, 9)
    at = [
        [TrainingCurve("r", "step", FRACTIONS, np.exp(level + p)) for p in paths[1:]]
        for level in (0.5, 1.5)
    ]
    one, two = (gap_of(FRACTIONS[:9], 1.0 + paths[0][:9], refs) for refs in at)
    assert (one.mean, one.scale) == (pytest.approx(two.mean), pytest.approx(two.scale))


# ------------------------------------------------------------------ command line


def test_monitor_and_score_from_the_shell(
    plan: Plan,
    reference: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    plan.save("plan.json")
    best = plan.forecasts[0]
    reference.to_csv("reference.csv", index=False)
    for name, final in (("good", 2.0), ("bad", 2.6)):
        curves([name], [final], best.tokens, until=0.5).to_csv(f"{name}.csv", index=False)
    words = ["--reference", "reference.csv"]
    assert run(["monitor", "plan.json", "good.csv", *words, "--plot", "fan.pdf"]) == 0
    assert "go on" in capsys.readouterr().out
    assert (tmp_path / "fan.png").stat().st_size > 0
    assert run(["monitor", "plan.json", "bad.csv", *words, "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["runs"][0]["stop"] is True
    assert run(["monitor", "plan.json", "bad.csv"]) == 1
    said = capsys.readouterr().err
    assert "no probability" in said
    assert "--reference (run_id" in said

    for loss in (2.1, 2.2):
        row = {"params": [best.params], "tokens": [best.tokens], "loss": [loss]}
        pd.DataFrame(row).to_csv("outcome.csv", index=False)
        assert run(["score", "plan.json", "outcome.csv", "--json"]) == 0
        (score,) = json.loads(capsys.readouterr().out)["scores"]
        assert score["loss"] == loss
    before = Path("ledger.jsonl").read_bytes()
    assert run(["score", "plan.json", "outcome.csv"]) == 1
    assert "already" in capsys.readouterr().err
    assert run(["score", "--ledger", "ledger.jsonl", "--plot", "ledger.pdf"]) == 0
    assert "outcomes 2, plans 1" in capsys.readouterr().out
    assert Path("ledger.pdf").stat().st_size > 0
    assert Path("ledger.jsonl").read_bytes() == before
    for bad in (["score", "plan.json"], ["score"]):
        assert run(bad) == 1
        capsys.readouterr()
