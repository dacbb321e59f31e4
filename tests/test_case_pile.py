"""The case study of the Pile families: its README says what ``expected.json`` holds, and a refit agrees with both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from case_study import check_tables, check_that_a_number_off_is_named, module, opened

import bayescale as bs

MODULES = ("quantities", "report", "study")
ALONE, POOLED = "Pythia alone / pooled", "Cerebras alone / pooled"
ENDS = ("q5", "q95")
# Phrases of the README, with the numbers of `expected.json` that fill them.
Filled = tuple[str, tuple[tuple[str, str], ...]]
PROSE: tuple[Filled, ...] = (
    ("to the population it does, {}×", ((f"sd ratio/{ALONE}/beta", ".2f"),)),
    ("within the pooled fit {}×", ((f"sd ratio/{ALONE}: Pythia/beta", ".2f"),)),
    (
        "from the start, {}× ({}× for its own)",
        (
            (f"sd ratio/{POOLED}/beta", ".2f"),
            (f"sd ratio/{POOLED}: Cerebras-GPT/beta", ".2f"),
        ),
    ),
    (
        "comparison reaches 2: {}×, {}×, {}× and {}×.",
        (
            (f"log sd ratio/{ALONE}/beta", ".2f"),
            (f"log sd ratio/{ALONE}: Pythia/beta", ".2f"),
            (f"log sd ratio/{POOLED}/beta", ".2f"),
            (f"log sd ratio/{POOLED}: Cerebras-GPT/beta", ".2f"),
        ),
    ),
    ("Part of the {} is", ((f"sd ratio/{ALONE}/beta", ".2f"),)),
    (
        "pooling moves β from {} to {}, and",
        (("q50/Pythia alone/beta", ".3f"), ("q50/pooled/beta", ".3f")),
    ),
    (
        "do not overlap: {}–{} and {}–{}.",
        tuple((f"{q}/{fit} alone/beta", ".3f") for fit in ("Pythia", "Cerebras") for q in ENDS),
    ),
    (
        "(L∞ {} and {}) that it",
        (("q50/Pythia alone/L_inf", ".3f"), ("q50/Cerebras alone/L_inf", ".3f")),
    ),
    (
        "at a floor of {}, with γ at {}:",
        (("q50/pooled/L_inf", ".3f"), ("q50/pooled/gamma", ".3f")),
    ),
    ("contraction {} with independent", (("contraction/Pythia alone, (β, δ)/delta", ".0%"),)),
    ("The {} under the shipped", (("contraction/Pythia alone/delta", ".0%"),)),
    (
        "at theirs** ({} and {}):",
        (("contraction/Pythia alone/gamma", ".0%"), ("contraction/Pythia alone/omega", ".0%")),
    ),
    (
        "at their priors**: {} and {}, and {} and {} with the other",
        tuple(
            (f"contraction/Cerebras alone{priors}/{name}", "z.0%")
            for priors in ("", ", (β, δ)")
            for name in ("gamma", "omega")
        ),
    ),
    (
        "the floor: α at {}, δ at {}, β at {}.",
        tuple((f"correlation/pooled/{name}", "+.2f") for name in ("alpha", "delta", "beta")),
    ),
    (
        "population's β moves from {} to {}, and no",
        (("q50/pooled/beta", ".3f"), ("q50/pooled, unflagged/beta", ".3f")),
    ),
)
# Numbers of the prose that are stated, not estimated: priors.
STATED = {".28", ".27", ".4"}


@pytest.fixture
def case(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the study, on the path for as long as the test runs."""
    yield from opened(root / "case_studies" / "pile_families", MODULES, monkeypatch)


@pytest.fixture
def expected(case: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def prose(case: Path) -> str:
    """The README without its tables and its example, on one line."""
    text = (case / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(?s)<!-- [\w ]+ -->.*?<!-- end -->", "", text)
    return " ".join(text.split())


def spelled(value: float, form: str) -> str:
    text = format(value, form).replace("%", " %").replace("-", "−")
    return re.sub(r"(^|[+−])0\.", r"\1.", text)


def test_the_tables_of_the_readme_are_those_of_the_recorded_run(
    case: Path, expected: dict[str, Any]
) -> None:
    check_tables(case, expected)


@pytest.mark.parametrize(("phrase", "numbers"), PROSE, ids=[phrase for phrase, _ in PROSE])
def test_numbers_of_the_prose(
    phrase: str, numbers: tuple[tuple[str, str], ...], expected: dict[str, Any], prose: str
) -> None:
    found = [spelled(expected["numbers"][path]["value"], form) for path, form in numbers]
    assert phrase.format(*found) in prose


def test_every_decimal_of_the_prose_is_checked(expected: dict[str, Any], prose: str) -> None:
    known = {
        spelled(expected["numbers"][path]["value"], form).lstrip("+")
        for _, numbers in PROSE
        for path, form in numbers
    }
    bare = re.sub(r"arXiv:\S+|Pythia-deduped-1\.4B", "", prose)
    assert set(re.findall(r"(?<![\w.])\d*\.\d+", bare)) <= known | STATED


def test_what_the_designs_leave_at_the_prior(expected: dict[str, Any]) -> None:
    """D constant says nothing of δ, D ∝ N nothing of γ and ω: contraction below 10 %, and the summary says so."""
    untouched = {
        "Pythia alone, (β, δ)": ("delta",),
        "Cerebras alone": ("gamma", "omega"),
        "Cerebras alone, (β, δ)": ("gamma", "omega"),
    }
    for fit, names in untouched.items():
        for name in names:
            assert expected["numbers"][f"contraction/{fit}/{name}"]["value"] < 0.1
            assert any(n.startswith(f"{name} stayed at its prior") for n in expected["notes"][fit])


def test_the_recorded_run_is_of_the_shipped_data(expected: dict[str, Any]) -> None:
    runs = bs.load_runs("pile-families")
    assert expected["data"] == {"name": runs.name, "rows": len(runs), "hash": runs.hash}
    assert all(verdict.startswith("converged") for verdict in expected["verdicts"].values())


def test_a_number_that_is_off_is_named(case: Path, expected: dict[str, Any]) -> None:
    check_that_a_number_off_is_named(expected, "sd/pooled/beta")


@pytest.mark.slow
def test_a_refit_gives_the_recorded_numbers(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module("study").main(["--figures", str(tmp_path)]) == 0, capsys.readouterr().err
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"forest.pdf", "forest.png", "compare.pdf", "compare.png"}
