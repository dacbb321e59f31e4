"""The case study of a budget: its README says what ``expected.json`` holds, its plan is whole, its pilots by rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from case_study import check_tables, check_that_a_number_off_is_named, module, opened

import bayescale as bs

MODULES = ("report", "steps", "study")
LAST = "held out/over 1.5/bias"
# Phrases of the README, and the numbers that fill them: path, what is done to the value, format.
Filled = tuple[str, tuple[tuple[str, str, str], ...]]
PROSE: tuple[Filled, ...] = (
    (
        "On the eight pilots: N = {}B, D = {}T, a loss of {}, P(loss ≤ 2) = {}.",
        (
            ("eight/expectation/params", "billion", ".0f"),
            ("eight/expectation/tokens", "trillion", ".2f"),
            ("eight/expectation/loss/median", "", ".3f"),
            ("eight/expectation/p_hit", "", ".2f"),
        ),
    ),
    (
        "the waste: {} % of the budget in expectation, ${},000.",
        (
            ("eight/expectation/regret", "percent", ".1f"),
            ("eight/expectation/regret", "of 2M", ".0f"),
        ),
    ),
    ("with a chance of .8, for ${},000.", (("eight/cheapest/dollars", "thousand", ".0f"),)),
    ("stops bringing a dollar at ${}M.", (("stopping/dollars", "million", ".2f"),)),
    (
        "worth most: ${} for ${}.",
        (
            ("pilot/sweep of 3e21/evsi", "hundreds", ",.0f"),
            ("pilot/sweep of 3e21/cost", "hundreds", ",.0f"),
        ),
    ),
    ("the same place is worth ${},", (("pilot/one run of 3e21/evsi", "hundreds", ",.0f"),)),
    (
        "N = {}B, D = {}T, and the expected waste is {} %",
        (
            ("more/expectation/params", "billion", ".1f"),
            ("more/expectation/tokens", "trillion", ".2f"),
            ("more/expectation/regret", "percent", ".1f"),
        ),
    ),
    ("hold every one of the {} runs", (("eight/held out/all/runs", "", ".0f"),)),
    ("of 50 % hold {} %.", (("eight/held out/all/cover50", "percent", ".0f"),)),
    (
        "too low, by {} % and then {} %.",
        (
            ("eight/held out/1 to 1.5/bias", "minus percent", ".2f"),
            (f"eight/{LAST}", "minus percent", ".2f"),
        ),
    ),
    (
        "floor: {}, anywhere from {} to {} (the refit has",
        tuple((f"eight/optimum/floor/{q}", "", ".3f") for q in ("median", "lo90", "hi90")),
    ),
    (
        "the difference between {} and {} nats",
        (
            ("eight/expectation/loss/median", "", ".3f"),
            ("eight/expectation/published loss", "", ".3f"),
        ),
    ),
    ("P(loss ≤ 2) = {} rests", (("eight/expectation/p_hit", "", ".2f"),)),
    (
        "At ${},000 the published law says {}, above",
        (
            ("eight/cheapest/dollars", "thousand", ".0f"),
            ("eight/cheapest/published loss", "", ".3f"),
        ),
    ),
    (
        "with the pilot added, ${},000 and {}, still above.",
        (
            ("more/cheapest/dollars", "thousand", ".0f"),
            ("more/cheapest/published loss", "", ".3f"),
        ),
    ),
    (
        "The plan wastes {} % by the published law, ${},000; the one with the pilot added, {} %.",
        (
            ("eight/expectation/published waste", "percent", ".1f"),
            ("eight/expectation/published waste", "of 2M", ".0f"),
            ("more/expectation/published waste", "percent", ".1f"),
        ),
    ),
    ("the expected {} %, as it", (("eight/expectation/regret", "percent", ".1f"),)),
    (
        "{} % of its simulated outcomes have",
        (("pilot/sweep of 3e21/unsupported", "percent", ".0f"),),
    ),
)


def shown(value: float, what: str) -> float:
    """A number of ``expected.json`` in the unit of the account; N, D and money are kept as log10."""
    scales = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
    if what in scales:
        return 10**value / scales[what]
    factors = {"": 1.0, "percent": 100.0, "minus percent": -100.0, "of 2M": 2000.0}
    return round(value, -2) if what == "hundreds" else factors[what] * value


def spelled(value: float, what: str, form: str) -> str:
    text = format(shown(value, what), form)
    return re.sub(r"^0\.", ".", text) if what == "" else text


@pytest.fixture
def case(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the study, on the path for as long as the test runs."""
    yield from opened(root / "case_studies" / "budget", MODULES, monkeypatch)


@pytest.fixture
def expected(case: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    return content


def test_the_tables_of_the_readme_are_those_of_the_recorded_run(
    case: Path, expected: dict[str, Any]
) -> None:
    check_tables(case, expected)


def test_numbers_of_the_prose(case: Path, expected: dict[str, Any]) -> None:
    prose = " ".join((case / "README.md").read_text(encoding="utf-8").split())
    for phrase, numbers in PROSE:
        found = [spelled(expected["numbers"][p]["value"], *how) for p, *how in numbers]
        assert phrase.format(*found) in prose


def test_what_the_readme_concludes(expected: dict[str, Any]) -> None:
    v = {path: entry["value"] for path, entry in expected["numbers"].items()}
    assert v["eight/held out/all/cover90"] == 1.0
    bins = ("1 to 1.5", "over 1.5")
    assert [v[f"eight/held out/{name}/too low"] for name in bins] == [1.0, 1.0]
    assert sum(v[f"eight/held out/{name}/runs"] for name in bins) == 36
    # "Known to a factor of 24."
    ends = [v[f"eight/optimum/params/{q}"] for q in ("lo90", "hi90")]
    assert round(10 ** (ends[1] - ends[0])) == 24
    # "It fell by 4.7 points, or $94,000, where the EVSI had announced $87,000."
    fell = v["eight/expectation/regret"] - v["more/expectation/regret"]
    assert round(100 * fell, 1) == 4.7
    assert [round(2e3 * fell), round(v["pilot/sweep of 3e21/evsi"] / 1e3)] == [94, 87]
    # "The order of size is right for the dearest, and twice what was announced for the other two."
    ratio = {n: v[f"refit/{n}/fell"] / v[f"pilot/{n}/evsi"] for n in expected["refitted"]}
    assert list(ratio) == ["sweep of 3e21", "sweep of 1e21", "sweep of 3e20"]
    assert 0.8 < ratio["sweep of 3e21"] < 1.25
    assert all(1.5 < ratio[n] < 2.5 for n in ("sweep of 1e21", "sweep of 3e20"))
    paid = [v[f"refit/{n}/fell"] - v[f"pilot/{n}/cost"] for n in expected["refitted"]]
    assert min(paid) > 0
    assert max(v[f"refit/{n}/published waste"] for n in expected["refitted"]) < 0.0165
    # "N is too large by a third"; at $2M the target is met by the published law.
    best = module("steps").by_published_law
    at = (10 ** v["eight/expectation/params"], 10 ** v["eight/expectation/tokens"])
    assert at[0] / best(*at)["params"] == pytest.approx(1.35, abs=0.05)
    assert max(v[f"{s}/expectation/published loss"] for s in ("eight", "more")) < 2.0
    assert all(said.startswith("converged") for said in expected["convergence"].values())
    nets = [v[f"pilot/{name}/net"] for name in expected["verdicts"] if name.startswith("sweep")]
    assert min(nets) > 0


def test_the_published_law_is_that_of_the_paper(case: Path) -> None:
    """Besiroglu et al. 2024: about 70B parameters for Chinchilla's budget of 5.88e23 FLOP, at 20 tokens each."""
    found = module("steps").by_published_law(70e9, 1.4e12)
    assert found["loss"] == pytest.approx(1.8172 + 482.01 / 70e9**0.3478 + 2085.43 / 1.4e12**0.3658)
    assert found["params"] == pytest.approx(73e9, rel=0.05)
    assert 0.0 <= found["waste"] < 0.005
    # Ten times as large on the same budget is waste.
    assert module("steps").by_published_law(700e9, 1.4e11)["waste"] > 0.5


def test_the_plan_is_the_one_that_was_signed(case: Path, expected: dict[str, Any]) -> None:
    plan = bs.load_plan(case / "plan.json")  # refuses one that was edited
    assert plan.hash == expected["plan"]
    assert f"`{plan.hash}`" in (case / "README.md").read_text(encoding="utf-8")
    assert plan.provenance["data_hash"] == expected["pilots hash"]
    first = plan.recommendations[0]
    ratio = first.params / 10 ** expected["numbers"]["eight/expectation/params"]["value"]
    assert ratio == pytest.approx(1.0, rel=1e-6)


def test_the_pilots_are_those_of_the_rule(
    case: Path, expected: dict[str, Any], public_data: Path, tmp_path: Path
) -> None:
    steps, study = module("steps"), module("study")
    runs = bs.load_runs("chinchilla").where(unflagged=True)
    pilots = steps.choose_pilots(runs.table)
    assert study.listed(pilots, steps.wanted_pilots()) == expected["pilots"]
    assert steps.written(pilots, tmp_path / "pilots.csv").hash == expected["pilots hash"]
    assert {"name": runs.name, "rows": len(runs), "hash": runs.hash} == expected["data"]
    # Any other eight have another hash.
    other = steps.written(pilots.iloc[:-1], tmp_path / "fewer.csv")
    assert other.hash != expected["pilots hash"]


def test_nearest_uses_a_row_once(case: Path) -> None:
    import numpy as np
    import pandas as pd

    table = pd.DataFrame({"params": [1e8, 2e8, 9e9], "tokens": [1e9, 1e9, 1e9]}, index=[5, 6, 7])
    found = module("steps").nearest(table, np.array([[1.1e8, 1e9], [1.2e8, 1e9]]))
    assert sorted(found) == [5, 6]


def test_a_number_that_is_off_is_named(case: Path, expected: dict[str, Any]) -> None:
    check_that_a_number_off_is_named(expected, "eight/expectation/params")


@pytest.mark.slow
def test_a_refit_gives_the_recorded_numbers(
    case: Path, public_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module("study").main(["--figures", str(tmp_path)]) == 0, capsys.readouterr().err
    made = {path.stem for path in tmp_path.iterdir()}
    assert made == {"frontier", "pilots", "held_out"}
