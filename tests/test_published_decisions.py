"""Decisions that papers print, from their printed laws: what Chinchilla's budget trains, what four epochs are worth.

Sardana et al. are in test_lifetime.py, the laws' optima in test_frontier.py; intervals over a fit in far_budgets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from helpers import make_fit, make_runs

from bayescale.decide import plan
from bayescale.posterior import Fit, group_curve

# Hoffmann et al. 2022 (unrounded, from the released source) and Besiroglu et al. 2024, in our letters.
LAWS = {
    "hoffmann": {"A": 406.4, "B": 410.7, "beta": 0.33917, "delta": 0.28491, "L_inf": 1.6934},
    "besiroglu": {"A": 482.01, "B": 2085.43, "beta": 0.3478, "delta": 0.3658, "L_inf": 1.8172},
}
# Muennighoff et al. 2023: their C4 law and decay constants, as released.
MUENNIGHOFF = {
    "A": np.exp(6.255414),
    "B": np.exp(7.3049974),
    "beta": 0.3526596,
    "delta": 0.3526596,
    "L_inf": np.exp(0.6254804),
}
R_D, R_N = 15.387756, 5.309743


def certain(law: Mapping[str, float], model: str = "chinchilla", **further: float) -> Fit:
    """A fit whose every draw is one printed law; the runs lie around 1e9 parameters and 2e10 tokens."""
    by_n, by_d = law["A"] * 1e9 ** -law["beta"], law["B"] * 2e10 ** -law["delta"]
    values = {
        "R0": by_n + by_d,
        "omega": by_n / (by_n + by_d),
        "alpha": law["beta"] * law["delta"] / (law["beta"] + law["delta"]),
        "a": law["delta"] / (law["beta"] + law["delta"]),
        "L_inf": law["L_inf"],
        "sigma": 0.01,
    }
    return make_fit(model, make_runs(), draws=10, values={**values, **further})


def printed(law: Mapping[str, float], n: np.ndarray, d: np.ndarray | float) -> np.ndarray:
    return np.asarray(law["L_inf"] + law["A"] * n ** -law["beta"] + law["B"] * d ** -law["delta"])


@pytest.mark.parametrize("compute", [5.76e23, 5.88e23])
@pytest.mark.parametrize("law", LAWS)
def test_what_to_train_at_chinchillas_budget(law: str, compute: float) -> None:
    made = plan(certain(LAWS[law]), compute)
    # By nothing but the printed law: a grid 1e-5 nats apart.
    n = np.exp(np.arange(np.log(1e10), np.log(1e12), 1e-5))
    at = int(np.argmin(printed(LAWS[law], n, compute / (6 * n))))
    assert made.optimum["params"]["median"] == pytest.approx(n[at], rel=1e-4)
    assert made.optimum["tokens"]["median"] == pytest.approx(compute / (6 * n[at]), rel=1e-4)
    assert made.recommendations[0].params == pytest.approx(n[at], rel=5e-3)
    per_param = made.recommendations[0].tokens / made.recommendations[0].params
    # Besiroglu et al.: the printed fit of Hoffmann et al. asks for far more tokens than the 20 that these trained by.
    low, high = (50.0, 70.0) if law == "hoffmann" else (16.0, 21.0)
    assert low < per_param < high


def test_up_to_four_epochs_are_worth_nearly_as_much_as_new_data() -> None:
    fit = certain(MUENNIGHOFF, "repeated-data", gamma=1.0, R_D_star=R_D, R_N_star=R_N)

    def loss(params: float, tokens: float, unique: float | None = None) -> float:
        given = None if unique is None else {"unique_tokens": unique}
        curve = group_curve(fit, fit.groups(), given=given)
        logs = {"params": np.log([[params]]), "tokens": np.log([[tokens]])}
        return float(curve.loss(curve.log_reducible(logs))[0, 0])

    # 8.7B parameters on 178B tokens, all new or 44B four times over: they saw .5 % more loss (figure 1), and their law
    # says .57 %.
    params, tokens = 8.7e9, 178e9
    fresh, two, four = (loss(params, tokens, tokens / e) for e in (1, 2, 4))
    assert fresh == pytest.approx(float(printed(MUENNIGHOFF, np.array(params), tokens)), rel=1e-6)
    assert 0.0 < two / fresh - 1.0 < 0.001
    assert four / fresh - 1.0 == pytest.approx(0.0057, abs=1e-4)
    # Four epochs are worth D' = U(1 + R(1 − e^(−3/R))): 93 % of as many new tokens.
    worth = (1.0 + R_D * -np.expm1(-3.0 / R_D)) / 4.0
    assert worth == pytest.approx(0.93, abs=0.005)
    # Of a network that is no larger than U justifies, D' is all that counts.
    assert loss(1e8, tokens, tokens / 4) == pytest.approx(loss(1e8, worth * tokens), rel=1e-9)
    # Forty epochs are worth little more than that: value fades by 1/e in R of them.
    by_epoch = [loss(params, e * 2e9, 2e9) for e in (1, 4, 16, 40, 60)]
    gains = -np.diff(by_epoch)
    assert (gains > 0).all()
    assert gains[0] > gains[1] > 5 * gains[3]


def test_a_plan_repeats_scarce_data_and_says_what_that_costs() -> None:
    fit = certain(MUENNIGHOFF, "repeated-data", gamma=1.0, R_D_star=R_D, R_N_star=R_N)
    compute = 1e22
    free = plan(fit, compute, allow_experimental=True).recommendations[0]
    alpha = MUENNIGHOFF["beta"] / 2.0
    lost, wasted = [], []
    for epochs in (1.0, 2.0, 4.0, 40.0):
        made = plan(fit, compute, unique_tokens=free.tokens / epochs, allow_experimental=True)
        best = made.recommendations[0]
        lost.append(best.loss["median"] / free.loss["median"] - 1.0)
        headroom = best.loss["median"] - MUENNIGHOFF["L_inf"]
        saved = (headroom / (free.loss["median"] - MUENNIGHOFF["L_inf"])) ** (-1.0 / alpha)
        wasted.append(1.0 - saved)
        # It goes on past the unique tokens, about as far as with new ones.
        if 1.0 < epochs < 40.0:
            assert best.tokens == pytest.approx(free.tokens, rel=0.1)
    # Two epochs cost a thousandth of the loss, four half a percent, forty a tenth.
    np.testing.assert_allclose(lost, [0.0, 0.001, 0.0058, 0.095], atol=4e-4)
    # In compute four are no trifle: a fifth of the budget would have done with new data.
    np.testing.assert_allclose(wasted, [0.0, 0.04, 0.2, 0.94], atol=0.005)
