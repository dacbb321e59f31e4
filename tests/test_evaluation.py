"""Many actions at once: the same numbers as one by one, whatever the law, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import make_fit, make_runs

from bayescale.decide import (
    CVaR,
    Expectation,
    ExpectedRegret,
    IsoFlop,
    MinimaxRegret,
    PMiss,
    Quantile,
    Risk,
    evaluate,
)
from bayescale.decide.plans.shared_terms import SharedTerms
from bayescale.errors import PlanError
from bayescale.posterior import Mixture, Posterior, Stacked, group_curve

RISKS: list[Risk] = [
    Expectation(),
    Quantile(0.9),
    CVaR(0.1),
    PMiss(2.2),
    ExpectedRegret(),
    MinimaxRegret(),
]


def posteriors() -> dict[str, Posterior]:
    drifting = make_fit(runs=make_runs(), draws=60, drift=True)
    exact = make_fit("chinchilla", make_runs(), draws=60)
    return {"exact": exact, "drift": drifting, "stack": Stacked((drifting, exact), (0.5, 0.5))}


@pytest.mark.parametrize("kind", ["exact", "drift", "stack"])
def test_all_at_once_is_each_by_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = posteriors()[kind]
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(20, 27, 50)), np.exp(rng.uniform(23, 29, 50))
    iso = IsoFlop.of(fit, fit.members[0].groups(), 6 * float((n * d).max()))
    # Seven actions a block, the last one short.
    monkeypatch.setattr("bayescale.decide.plans.evaluation.BLOCK", 7 * len(iso.frontier_loss))
    found = evaluate(iso.curve, n, d, RISKS, iso.frontier_loss)
    for i in range(0, 50, 7):
        log_r = iso.curve.log_reducible(
            {"params": np.log(n[None, [i]]), "tokens": np.log(d[None, [i]])}
        )
        loss = np.column_stack([iso.frontier_loss, iso.loss(log_r)])
        for risk in RISKS:
            alone = risk(loss, np.ones(len(loss)))[1]
            assert found[risk.name][i] == pytest.approx(alone, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", ["exact", "drift", "stack"])
def test_a_grid_shares_its_terms_and_changes_no_number(kind: str) -> None:
    fit = posteriors()[kind]
    sizes, data = np.geomspace(1e9, 1e12, 7), np.geomspace(1e10, 1e13, 9)
    n, d = (axis.ravel() for axis in np.meshgrid(sizes, data))
    iso = IsoFlop.of(fit, fit.members[0].groups(), 6 * float((n * d).max()))
    parts = iso.curve.parts if isinstance(iso.curve, Mixture) else (iso.curve,)
    for part in parts:
        shared = SharedTerms.of(part, np.log(n), np.log(d))
        assert shared is not None
        whole = part.loss(
            part.log_reducible({"params": np.log(n)[None], "tokens": np.log(d)[None]})
        )
        # A log of 600 at most is rounded to 1e-13, and its exponential by that share.
        np.testing.assert_allclose(shared.loss(slice(None)), whole, rtol=1e-12)
        # Distinct sizes share nothing.
        assert SharedTerms.of(part, np.log(n) + np.linspace(0, 1, len(n)), np.log(d)) is None
    found = evaluate(iso.curve, n, d, RISKS, iso.frontier_loss)
    # A list in which nothing is shared goes the other way, to the same risks.
    apart = n * np.exp(1e-13 * np.arange(len(n)))
    other = evaluate(iso.curve, apart, d, RISKS, iso.frontier_loss)
    for risk in RISKS:
        np.testing.assert_allclose(found[risk.name], other[risk.name], rtol=1e-10, atol=1e-10)


def test_terms_that_are_no_numbers_are_left_as_logs() -> None:
    fit = make_fit("chinchilla", make_runs(), draws=20)
    curve = group_curve(fit, fit.groups())
    far = np.tile(np.log([1e-300, 1e300]) * 20, 8)
    assert SharedTerms.of(curve, far, far) is None


def test_regret_is_not_against_less_than_what_is_compared() -> None:
    fit = make_fit("chinchilla", make_runs(), draws=20)
    iso = IsoFlop.of(fit, fit.groups(), 1e20)
    larger = (np.array([1e10, 1e9]), np.array([1e12, 1e9]))
    with pytest.raises(PlanError, match="an action is better than best"):
        evaluate(iso.curve, *larger, [ExpectedRegret()], iso.frontier_loss)
    assert evaluate(iso.curve, *larger, [Expectation()], iso.frontier_loss)["expectation"][0] > 0


@pytest.mark.parametrize(
    ("n", "d"), [([1e9, 2e9], [1e10]), ([], []), ([1e9], [-1.0]), ([[1e9]], [[1e10]])]
)
def test_what_is_no_list_of_actions(n: list[float], d: list[float]) -> None:
    fit = make_fit("chinchilla", make_runs(), draws=5)
    iso = IsoFlop.of(fit, fit.groups(), 1e23)
    with pytest.raises(PlanError, match="expected positive numbers, one of each"):
        evaluate(iso.curve, np.array(n), np.array(d), RISKS, iso.frontier_loss)
