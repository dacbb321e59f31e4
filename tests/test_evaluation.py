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
from bayescale.errors import PlanError
from bayescale.posterior import Posterior, Stacked

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
