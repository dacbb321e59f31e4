"""The account of simulation-based calibration quotes the simulations on record, and says which models have too few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from case_study import check_tables, module, opened
from conftest import ROOT

import bayescale as bs
from bayescale.checks import SBC
from bayescale.zoo import load_model, model_names

FOLDER = ROOT / "case_studies" / "sbc"
FOUND: dict[str, SBC] = {
    path.parent.name: bs.load_sbc(path) for path in sorted(FOLDER.glob("records/*/sbc.json"))
}
ENOUGH = 200
# Models that are still to be simulated, or not often enough: whoever runs one takes it out.
OPEN = {
    "annealing",
    "aspect-ratio",
    "broken",
    "broken-twice",
    "compound",
    "critical-batch",
    "data-quality",
    "distillation",
    "emergence",
    "error-loss",
    "error-loss-exponential",
    "error-loss-known",
    "exact-match",
    "family",
    "fine-tuning",
    "farseer",
    "general-saturating",
    "granularity",
    "isoflop-profile",
    "mistuned",
    "mixture-2",
    "mixture-5",
    "parameter-steps",
    "precision",
    "repeated-data",
    "rounding",
    "routed",
    "shifted-compute",
    "sparsity",
    "transfer",
    "valley",
    "vocabulary",
    "vocabulary-printed",
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from opened(FOLDER, ["report", "study"], monkeypatch)


def test_the_account_quotes_the_simulations_on_record() -> None:
    check_tables(FOLDER, FOUND)


def test_the_study_is_of_every_shipped_model_and_those_without_a_verdict_are_named() -> None:
    assert sorted(module("study").MODELS) == model_names()
    assert ENOUGH == module("report").ENOUGH
    few = {name for name in model_names() if name not in FOUND or len(FOUND[name].records) < ENOUGH}
    assert few == OPEN


@pytest.mark.parametrize("model", sorted(FOUND))
def test_no_simulation_is_left_out(model: str) -> None:
    """Whatever its chains were like; and chains that stay bad are too few to make a verdict."""
    found = FOUND[model]
    assert found.problem["model"] == model
    first = 100_000 * found.problem["seed"]
    assert [r["seed"] for r in found.records] == [first + i for i in range(len(found.records))]
    assert found.ranks.notna().all(axis=None)
    assert sum(not r["good"] for r in found.records) <= 0.05 * len(found.records)


@pytest.mark.parametrize("model", sorted(set(model_names()) - OPEN))
def test_a_model_passes_or_its_file_says_what_fails(model: str) -> None:
    failed = FOUND[model].verdicts().query("not passed")["quantity"]
    said = load_model(model).notes
    for quantity in failed:
        assert f"Simulation-based calibration: {quantity}" in said, (model, quantity)


def test_a_verdict_needs_enough_simulations() -> None:
    """Fewer than enough are no verdict, and one quantity that fails is named with the reason."""
    report = module("report")
    right = FOUND["compute-power"]
    assert "| passes |" in report.tables({"compute-power": right})["verdicts"]
    few = SBC(right.records[:150], right.problem)
    assert "| too few to say |" in report.tables({"compute-power": few})["verdicts"]
    low = [{**r, "ranks": r["ranks"] | {"alpha": r["ranks"]["alpha"] ** 2}} for r in right.records]
    line = next(
        line
        for line in report.tables({"compute-power": SBC(low, right.problem)})["verdicts"].split(
            "\n"
        )
        if line.startswith("| compute-power |")
    )
    assert line.endswith("| fails (alpha: truths lie below what is said of them) |")
