"""The numbers behind the prior of drift are those that the population study found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from conftest import ROOT

from bayescale.zoo import load_populations

EVIDENCE = json.loads((ROOT / "case_studies" / "population" / "evidence.json").read_text("utf-8"))


def test_drift_rests_on_what_the_study_found() -> None:
    drift = load_populations().population["drift"]
    assert drift.studies == {name: found["drift"]["median"] for name, found in EVIDENCE.items()}


def test_its_centre_and_width_cover_the_studies() -> None:
    drift = load_populations().population["drift"]
    logs = np.log(list(drift.studies.values()))
    # A new study lies about the mean of n by their spread times √(1+1/n); rounding of the file is the tolerance.
    assert drift.prior["mu"] == pytest.approx(logs.mean(), abs=0.05)
    assert drift.prior["sigma"] >= logs.std(ddof=1) * math.sqrt(1 + 1 / len(logs)) - 0.05


def test_a_set_that_is_fitted_is_left_out_of_its_own_prior() -> None:
    whole = load_populations().population["drift"].prior
    for gone in ("chinchilla", "alabdulmohsin", "pile-families"):
        rest = load_populations().without([gone]).population["drift"].prior
        assert rest["mu"] != whole["mu"]
        assert rest["sigma"] > whole["sigma"]
