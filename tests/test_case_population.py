"""The learned priors are those that the population study found, and predict a new set from the others."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_study import module, opened
from conftest import ROOT
from scipy import stats

from bayescale.zoo import load_populations

FOLDER = ROOT / "case_studies" / "population"
EVIDENCE: dict[str, Any] = json.loads((FOLDER / "evidence.json").read_text("utf-8"))
PRIORS = (ROOT / "models" / "priors.toml").read_text("utf-8")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from opened(FOLDER, ["learn", "sets", "study"], monkeypatch)


def by_population() -> dict[str, dict[str, float]]:
    return module("learn").by_population(EVIDENCE)


def test_the_file_of_priors_is_what_the_study_writes() -> None:
    assert module("learn").rewritten(PRIORS, by_population()) == PRIORS


def test_the_account_quotes_what_was_found() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert "<!-- evidence -->" in text
    made = {"evidence": module("study").table(EVIDENCE)}
    assert module("recorded").with_tables(text, made) == text


def test_writing_replaces_what_was_learned_and_nothing_else() -> None:
    found = by_population()
    study = next(iter(found["drift_curve"]))
    other = found | {"drift_curve": found["drift_curve"] | {study: 0.9}}
    before = tomllib.loads(PRIORS)
    after = tomllib.loads(module("learn").rewritten(PRIORS, other))
    assert after["population"].pop("drift_curve") != before["population"].pop("drift_curve")
    assert after == before


def test_a_learned_population_predicts_a_new_value() -> None:
    # Of n Normal values a new one lies within the 95 % interval of the population in 95 % of all cases.
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(600):
        *seen, new = np.exp(rng.normal(-1.0, 0.5, 6))
        low, high = module("learn").predicted(seen, "LogNormal").quantile(np.array([0.025, 0.975]))
        inside.append(low <= new <= high)
    assert abs(np.mean(inside) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 600)


def test_shares_are_predicted_on_the_logit() -> None:
    shares = [0.5, 0.7, 0.9]
    prior = module("learn").predicted(shares, "LogitNormal")
    assert prior.family == "LogitNormal"
    assert prior["mu"] == pytest.approx(float(stats.logistic.ppf(shares).mean()), abs=1e-3)


def test_every_set_is_left_out_of_its_own_priors() -> None:
    whole = load_populations()
    for name, source in module("sets").SOURCES.items():
        assert EVIDENCE[name]["uses"] == source.uses
        assert whole.studies[name].uses == source.uses
        rest = whole.without([source.uses])
        assert not any(name in population.studies for population in rest.population.values())


@pytest.mark.parametrize("name", ["drift", "drift_curve", "phi", "phi_error"])
def test_losing_a_set_moves_a_prior_and_never_narrows_it(name: str) -> None:
    whole = load_populations()
    for study in whole.population[name].studies:
        rest = whole.without([study]).population[name].prior
        assert rest["mu"] != whole.population[name].prior["mu"]
        assert rest["sigma"] > whole.population[name].prior["sigma"]


@pytest.mark.parametrize("name", ["drift", "sweep"])
def test_a_stated_prior_holds_every_study(name: str) -> None:
    population = load_populations().population[name]
    values = np.array(list(population.studies.values()))
    low, high = population.prior.quantile(np.array([0.025, 0.975]))
    assert ((values > low) & (values < high)).all()


def test_a_hundred_curves_and_more_stand_behind_the_priors_of_curves() -> None:
    curves = sum(
        found["curves"] for found in EVIDENCE.values() if found["model"] != "parameter-data"
    )
    assert curves >= 100
    assert all(found["verdict"].startswith("converged") for found in EVIDENCE.values())
