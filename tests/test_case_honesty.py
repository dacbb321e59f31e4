"""The account of what drift costs quotes what was run; its truths are what it says, to the last digit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from case_study import module, opened
from conftest import ROOT
from helpers import make_fit

FOLDER = ROOT / "case_studies" / "honesty"
FOUND: dict[str, Any] = json.loads((FOLDER / "results.json").read_text("utf-8"))
TEXT = (FOLDER / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for _ in opened(Path(FOLDER), ("study", "report"), monkeypatch):
            yield module("study")


def test_tables_and_results_are_those_of_the_records(study: ModuleType) -> None:
    records = study.read()
    assert len({r["seed"] for r in records}) == len(records) == FOUND["replicates"]
    again = study.results(records)
    assert again["fits"] == FOUND["fits"]
    for one, other in zip(again["cells"], FOUND["cells"], strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            # Sums of the same numbers in another library version may round otherwise.
            assert one[key] == (value if isinstance(value, int | str) else pytest.approx(value))
    for name, table in study.tables(FOUND).items():
        assert f"<!-- {name} -->\n{table}\n<!-- end -->" in TEXT


def test_the_text_says_what_was_found(study: ModuleType) -> None:
    price = FOUND["price"]
    assert f"{FOUND['replicates']} replicates" in TEXT
    for at, limit in zip(price.values(), module("report").TARGET_WIDTH, strict=True):
        assert at["width90 ratio"][0] <= limit
        assert at["expected width90 ratio"][0] == pytest.approx(2.0, abs=0.25), "about twice"
    assert price["1"]["log_score lost"][0] <= 0.1 < price["2"]["log_score lost"][0]
    assert f"from a prior median of .20 to .{100 * FOUND['amplitude'][1]:02.0f}" in TEXT
    cells = {(c["decades"], c["truth"], c["model"]): c for c in FOUND["cells"]}
    for truth in ("halved at the edge", "halved half a decade out"):
        for model in ("drift", "exact"):
            cover, error = cells[1, truth, model]["cover90"]
            assert cover + 4 * error < module("report").TARGET_COVER, (
                "missed, beyond Monte-Carlo error"
            )
    reach = 1.3 * cells[1, "exact", "exact"]["width90"][0] / 2
    (said,) = re.findall(r"reaches (\.\d+) nats", TEXT)
    assert float(said) == pytest.approx(reach, abs=0.0005)
    moved = -cells[1, "halved half a decade out", "exact"]["error"][0]
    assert moved == pytest.approx(0.02, abs=0.005)
    assert 1.5 * moved > reach


def test_truths_are_central_and_reproduced_by_their_seed(study: ModuleType) -> None:
    model = make_fit(study.entrants()["exact"], study.design(), draws=2).model
    recorded = study.read()[0]
    drawn = study.central_truth(model, recorded["seed"])
    for name, value in recorded["truth"].items():
        assert drawn[name].item() == pytest.approx(value, rel=1e-12)
    assert not drawn["offset"].any()
    many = study.prior_draws(model, study.CANDIDATES, recorded["seed"])
    for name in ("alpha", "gamma", "L_inf", "sigma"):
        rank = float((many[name] < drawn[name].item()).mean())
        assert 0.1 <= rank <= 0.9


@pytest.mark.parametrize(("decades", "break_at"), [(1, 0.0), (1, 0.5), (2, 0.5), (2, np.inf)])
def test_a_broken_frontier_falls_with_half_its_exponent(
    study: ModuleType, decades: int, break_at: float
) -> None:
    """At every place across the valley the reducible loss is larger by what half the exponent loses past the break."""
    law = {"R0": 0.9, "omega": 0.4, "alpha": 0.16, "a": 0.47, "gamma": 0.6, "L_inf": 1.7}
    truth = make_fit(study.entrants()["exact"], study.design(), draws=1, chains=1, values=law)
    exact = np.exp(study.curve(truth, decades, np.inf)) - law["L_inf"]
    broken = np.exp(study.curve(truth, decades, break_at)) - law["L_inf"]
    lost = 0.5 * law["alpha"] * max(decades - break_at, 0.0)
    np.testing.assert_allclose(broken / exact, 10.0**lost, rtol=1e-9)
    assert np.ptp(exact) > 1e-3, "the sizes held out lie across the valley"
