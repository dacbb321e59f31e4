"""The numbers behind the prior of drift are those that the population study found."""

from __future__ import annotations

import json
import math

import numpy as np
from conftest import ROOT

from bayescale.zoo import load_populations

EVIDENCE = json.loads((ROOT / "case_studies" / "population" / "evidence.json").read_text("utf-8"))


def test_drift_rests_on_what_the_study_found() -> None:
    drift = load_populations().population["drift"]
    assert drift.studies == {name: found["drift"]["median"] for name, found in EVIDENCE.items()}


def test_the_prior_holds_every_study_and_is_as_wide_as_they_differ() -> None:
    drift = load_populations().population["drift"]
    logs = np.log(list(drift.studies.values()))
    # A new study lies about the mean of n by their spread times √(1+1/n).
    assert drift.prior["sigma"] >= logs.std(ddof=1) * math.sqrt(1 + 1 / len(logs))
    assert (np.abs(logs - drift.prior["mu"]) < 1.96 * drift.prior["sigma"]).all()


def test_a_set_that_is_fitted_is_left_out_of_its_own_prior() -> None:
    whole = load_populations().population["drift"].prior
    for gone in ("chinchilla", "gadre", "olmo", "pile-families"):
        rest = load_populations().without([gone]).population["drift"].prior
        assert rest["mu"] != whole["mu"]
        assert rest["sigma"] > whole["sigma"]
