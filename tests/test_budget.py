"""Budgets: dollars to FLOP and back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayescale.decide import Budget, Constraints, Fleet, cost, hardware_table, load_problem
from bayescale.errors import BayescaleError, PlanError

PRICED: dict[str, Any] = {"price_per_hour": 2.7, "mfu": 0.4, "hardware": "H100-SXM"}


def test_five_million_dollars_of_h100_are_2_64e24_flop() -> None:
    budget = Budget(dollars=5e6, **PRICED)
    by_hand = 5e6 / 2.7 * 3600 * 989.4e12 * 0.4
    assert budget.flop == pytest.approx(by_hand)
    assert budget.flop == pytest.approx(2.64e24, rel=2e-3)
    assert budget.cost == 5e6


def test_hours_agree_with_the_published_conversion() -> None:
    # 1e22 FLOP at 40 % of an H100 are 7,019 hours.
    budget = Budget(compute=1e22, price_per_hour=1.0, mfu=0.4, hardware="H100-SXM")
    assert budget.cost == pytest.approx(7018.84, rel=1e-3)


@pytest.mark.parametrize("hardware", sorted(hardware_table()))
def test_money_and_compute_convert_both_ways(hardware: str) -> None:
    priced = PRICED | {"hardware": hardware}
    bought = Budget(dollars=1e6, **priced)
    again = Budget(compute=bought.flop, **priced)
    assert again.cost == pytest.approx(1e6)
    assert again.flop == bought.flop
    assert bought.flop == pytest.approx(1e6 * (bought.flop_per_dollar or 0))


def test_an_unpriced_budget_has_no_cost() -> None:
    budget = Budget(compute=1e22)
    assert (budget.flop, budget.cost, budget.flop_per_dollar) == (1e22, None, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "one of the two"),
        ({"compute": 1e22, "dollars": 1e6, **PRICED}, "one of the two"),
        ({"compute": -1e22}, "compute = -1e.22"),
        ({"compute": 0.0}, "compute = 0 "),
        ({"compute": float("nan")}, "compute = nan"),
        ({"compute": float("inf")}, "compute = inf"),
        ({"dollars": -5.0, **PRICED}, "dollars = -5"),
        ({"dollars": 5.0, **PRICED, "price_per_hour": -2.7}, "price_per_hour = -2.7"),
        ({"dollars": 5.0, **PRICED, "price_per_hour": 0.0}, "price_per_hour = 0"),
        ({"dollars": 5.0, **PRICED, "mfu": 1.2}, r"mfu = 1.2 .*\(0, 1\]"),
        ({"dollars": 5.0, **PRICED, "mfu": 0.0}, "mfu = 0 "),
        ({"dollars": 5.0, **PRICED, "mfu": float("nan")}, "mfu = nan"),
        ({"dollars": 5.0, **PRICED, "hardware": "H100-SMX"}, "did you mean 'H100-SXM'"),
        ({"dollars": 5.0}, "dollars need price_per_hour"),
        ({"dollars": 5.0, "mfu": 0.4, "hardware": "H100-SXM"}, "dollars need price_per_hour"),
        ({"compute": 1e22, "mfu": 0.4}, "needs all of"),
        ({"dollars": 5.0, **PRICED, "mfu": "Normal(mu=0.9, sigma=0.2)"}, "reaches outside"),
        ({"dollars": 1e-12, **PRICED}, r"a budget of \S+ FLOP"),
        ({"dollars": 5.0, **PRICED, "restarts": -0.1}, "restarts = -0.1 .expected zero or more"),
        ({"dollars": 5.0, **PRICED, "failed": "often"}, "failed"),
        ({"compute": 1e22, "failed": 0.1}, "cost hours: give price_per_hour"),
    ],
)
def test_bad_budgets_say_what_was_expected(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BayescaleError, match=message):
        Budget(**given)


def test_what_money_buys_is_as_uncertain_as_its_price() -> None:
    uncertain = PRICED | {"price_per_hour": "LogNormal(median=2.7, sigma=0.3)"}
    bought = Budget(dollars=5e6, **uncertain)
    drawn = np.log(bought.flop_draws(4000, seed=3))
    # The log of the price has sd .3: that of a median of 4,000 is .3·√(π/2)/√4000, of an sd .3/√8000.
    assert abs(np.median(drawn) - np.log(Budget(dollars=5e6, **PRICED).flop)) < 4 * 0.006
    assert abs(np.std(drawn) - 0.3) < 4 * 0.3 / np.sqrt(8000)
    assert bought.cost == 5e6
    np.testing.assert_array_equal(bought.flop_draws(4000, 3), bought.flop_draws(4000, 3))
    assert set(bought.inputs(50)) == {"price_per_hour"}
    assert "buys" in bought.note()[0]
    stated = Budget(compute=1e22, **uncertain)
    assert (stated.flop, np.ptp(stated.flop_draws(10))) == (1e22, 0.0)
    # E of a LogNormal is its median times e^(σ²/2); its sd over its mean is √(e^σ² − 1).
    by_hand = (Budget(compute=1e22, **PRICED).cost or 0) * np.exp(0.045)
    assert abs((stated.cost or 0) / by_hand - 1) < 4 * np.sqrt(np.expm1(0.09) / 4000)
    own = Budget(dollars=5e6, **PRICED | {"mfu": np.array([0.3, 0.4, 0.5])})
    assert own.flop_draws(3)[2] == pytest.approx(own.flop_draws(3)[0] * 5 / 3)
    with pytest.raises(PlanError, match="one value for each of 4 draws"):
        own.flop_draws(4)


def test_restarts_and_failed_runs_cost_hours(tmp_path: Path) -> None:
    plain = Budget(dollars=5e6, **PRICED)
    lossy = Budget(dollars=5e6, **PRICED, restarts=0.1, failed=0.25)
    # A tenth is done again, and of five runs one is lost.
    assert plain.flop / lossy.flop == pytest.approx(1.1 * 1.25)
    same = Budget(compute=1e22, **PRICED, restarts=0.1, failed=0.25)
    assert same.flop == 1e22
    assert (same.cost or 0) == pytest.approx(
        1.1 * 1.25 * (Budget(compute=1e22, **PRICED).cost or 0)
    )
    fleet = Fleet(**PRICED, restarts=0.1, failed=0.25)
    money = cost(fleet, params=1e9, tokens=1e22 / 6e9).training.money
    assert money is not None
    assert same.cost == pytest.approx(float(money.draws[0]))
    unsure = Budget(dollars=5e6, **PRICED, restarts="LogNormal(median=0.1, sigma=0.5)")
    assert set(unsure.inputs(50)) == {"restarts"}
    assert unsure.note()[0].startswith("restarts: uncertain, the money buys")
    path = tmp_path / "plan.toml"
    path.write_text(
        "[budget]\ndollars = 5e6\nprice_per_hour = 2.7\nmfu = 0.4\nhardware = 'H100-SXM'\n"
        "restarts = 0.1\nfailed = '0.25'\n"
    )
    assert load_problem(path).get_budget().flop == lossy.flop
    # A deadline is as much nearer.
    days = Constraints(days=30, accelerators=1000)
    (most,) = (one.most for one in days.limits(plain))
    (less,) = (one.most for one in days.limits(lossy))
    assert most / less == pytest.approx(1.1 * 1.25)


def test_a_budget_is_frozen_and_stated_by_name() -> None:
    with pytest.raises(AttributeError):
        Budget(compute=1e22).compute = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Budget(1e22)  # type: ignore[misc]
