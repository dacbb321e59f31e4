"""Actions that a plan leaves out: constraints by hand, candidate lists, the reasons, and what cannot be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs
from test_plan import CHINCHILLA, besiroglu

from bayescale.decide import Budget, Constraints, IsoFlop, Plan, load_plan, load_problem, plan
from bayescale.errors import PlanError, UnknownNameError
from bayescale.posterior import Fit

PRICED = Budget(compute=5.76e23, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
A_DAY = 989.4e12 * 0.4 * 86400  # FLOP of one H100


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=200)


def chosen(made: Plan) -> tuple[float, float]:
    (best,) = made.recommendations
    return best.params, best.tokens


# ------------------------------------------------------------------ along the budget


def test_a_certain_law_goes_to_the_edge_of_what_is_feasible() -> None:
    # Its optimum is 72.2B on 1.33T tokens: fewer tokens, or less memory, and the edge is the best.
    few = plan(besiroglu(), PRICED, constraints=Constraints(tokens=1e12))
    assert chosen(few)[1] == pytest.approx(1e12, rel=1e-3)
    assert float(few.table["tokens"].max()) <= 1e12 * (1 + 1e-9)
    (left,) = few.infeasible
    assert left.params_hi == pytest.approx(5.76e23 / 6 / 1e12)
    assert left.reason.startswith("tokens: needs")
    assert "not feasible: N from" in str(few)
    assert "constraints bind: in 100 % of the draws the best N is left out" in few.caveats
    small = plan(besiroglu(), PRICED, constraints=Constraints(bytes_per_param=16, accelerators=8))
    # 8 × 80 GB over 16 bytes
    assert chosen(small)[0] == pytest.approx(40e9, rel=1e-3)
    assert small.infeasible[0].reason.startswith("memory: needs")
    # Its waste is that of the valley at that distance from the optimum, whatever else is left out.
    log_n = np.array([math.log(40e9)])
    iso = IsoFlop.of(besiroglu(), besiroglu().groups(), PRICED)
    waste = float(iso.wasted_share(iso.log_reducible(log_n)).mean())
    assert small.recommendations[0].regret == pytest.approx(waste, rel=1e-3)


def test_constraints_that_do_not_bind_change_nothing(fit: Fit) -> None:
    many = {"days": 1e6, "dollars": 1e12, "accelerators": 1e12}
    loose = Constraints(tokens=1e24, bytes_per_param=1.0, **many)
    free, held = plan(fit, PRICED), plan(fit, PRICED, constraints=loose)
    assert held.infeasible == ()
    assert chosen(held) == chosen(free)
    np.testing.assert_array_equal(held.table["loss"], free.table["loss"])
    assert "infeasible" not in free.to_dict()
    assert free.problem.keys() == held.problem.keys() - {"constraints"}


def test_a_budget_that_no_action_keeps_is_refused(fit: Fit) -> None:
    days = 5.76e23 / A_DAY / 1024
    plan(fit, PRICED, constraints=Constraints(days=days * 1.001, accelerators=1024))
    with pytest.raises(PlanError, match=r"days: needs \S+ days, 10 are allowed; a budget of"):
        plan(fit, PRICED, constraints=Constraints(days=10, accelerators=1024))
    with pytest.raises(PlanError, match=r"dollars: needs \S+ \$, 1e\+03 are allowed"):
        plan(fit, PRICED, constraints=Constraints(dollars=1e3))
    both = Constraints(tokens=1e11, bytes_per_param=16, accelerators=8)
    with pytest.raises(PlanError, match=r"tokens ask for N ≥ 9.6e\+11, the memory for N ≤ 4e\+10"):
        plan(fit, PRICED, constraints=both)


def test_all_that_would_be_searched_may_be_left_out() -> None:
    for limit in (Constraints(tokens=1e9), Constraints(bytes_per_param=1e5, accelerators=1)):
        made = plan(besiroglu(), PRICED, constraints=limit)
        n, d = chosen(made)
        assert n * d * 6 == pytest.approx(5.76e23)
        assert d <= 1e9 * (1 + 1e-9) if limit.tokens else n <= 80e9 / 1e5 * (1 + 1e-9)


def test_latency_is_bytes_of_the_weights_over_bandwidth() -> None:
    # H100 SXM reads 3.35e12 bytes/s: 10 ms a token are 33.5e9 bytes, 16.75B weights of two bytes.
    one = plan(besiroglu(), PRICED, constraints=Constraints(latency=0.010))
    assert chosen(one)[0] == pytest.approx(16.75e9, rel=1e-3)
    (late,) = (i for i in one.infeasible if i.reason.startswith("latency"))
    assert late.params_lo == pytest.approx(16.75e9)
    needed = late.params_hi * 2 / 3.35e12
    assert late.reason == f"latency: needs {needed:.3g} s a token, 0.01 are allowed at the largest"
    assert one.problem["constraints"] == {"latency": 0.010}
    # Twice the accelerators at half the bytes: four times the N, and still feasible at N* = 72.2B beyond that.
    four = Constraints(latency=0.010, bytes_per_weight=1.0, serving_accelerators=2)
    assert chosen(plan(besiroglu(), PRICED, constraints=four))[0] == pytest.approx(67e9, rel=1e-3)
    eight = Constraints(latency=0.010, bytes_per_weight=1.0, serving_accelerators=4)
    free = chosen(plan(besiroglu(), PRICED))
    assert chosen(plan(besiroglu(), PRICED, constraints=eight))[0] == pytest.approx(
        free[0], rel=1e-2
    )


def test_what_serves_holds_the_weights(fit: Fit) -> None:
    # However much time there is, 80 GB hold 40B weights of two bytes.
    slow = plan(besiroglu(), PRICED, constraints=Constraints(latency=10.0))
    assert chosen(slow)[0] == pytest.approx(40e9, rel=1e-3)
    reasons = [i.reason for i in slow.infeasible]
    assert [r for r in reasons if r.startswith("serving memory: needs")] == reasons
    listed = plan(
        fit,
        PRICED,
        candidates=[(7e9, 1e12), (70e9, 1e12)],
        constraints=Constraints(latency=0.01, serving_accelerators=2),
    )
    (left,) = listed.infeasible
    assert left.reason == f"latency: needs {140e9 / 6.7e12:.3g} s a token, 0.01 are allowed"
    both = Constraints(tokens=1e11, latency=0.01)
    with pytest.raises(
        PlanError, match=r"tokens ask for N ≥ 9.6e\+11, the latency for N ≤ 1.68e\+10"
    ):
        plan(fit, PRICED, constraints=both)


# ------------------------------------------------------------------ lists


def test_a_list_is_weighed_as_it_is(fit: Fit, tmp_path: Path) -> None:
    pairs = [(70e9, 1.3e12), (7e9, 1e13), (1e9, 2e10), (3e11, 1e13), (20e9, 3e12)]
    limits = Constraints(tokens=5e12)
    made = plan(fit, CHINCHILLA, ["expectation", "cvar:0.1"], candidates=pairs, constraints=limits)
    kept = [pairs[0], pairs[2], pairs[4]]
    table = made.table
    np.testing.assert_allclose(np.stack([table["params"], table["tokens"]], 1), kept)
    iso = IsoFlop.of(fit, fit.groups(), CHINCHILLA)
    loss = np.stack(
        [
            IsoFlop.of(fit, fit.groups(), 6 * n * d).log_reducible(np.log([n]))[:, 0]
            for n, d in kept
        ],
        axis=1,
    )
    np.testing.assert_allclose(table["loss"], iso.loss(loss).mean(axis=0))
    np.testing.assert_allclose(table["regret"], iso.wasted_share(loss).mean(axis=0))
    assert all(
        (r.params, r.tokens) in [pytest.approx(k) for k in kept] for r in made.recommendations
    )
    said = {(i.params_lo, i.tokens): i.reason for i in made.infeasible}
    assert set(said) == {pairs[1], pairs[3]}
    assert said[pairs[1]] == "tokens: needs 1e+13 tokens, 5e+12 are allowed"
    budget = [
        i.reason for i in made.infeasible if i.reason.startswith("budget: needs 1.8e+25 FLOP")
    ]
    assert len(budget) == 1
    assert "not feasible: N = 7B, D = 10T: tokens" in str(made)
    again = load_plan(made.save(tmp_path / "plan.json"))
    assert again.infeasible == made.infeasible
    assert again.hash == made.hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": []}, "candidates is an empty list"),
        ({"candidates": [(70e9,)]}, "expected N and D, two positive numbers"),
        ({"candidates": [(70e9, -1.0)]}, "expected N and D, two positive numbers"),
        ({"candidates": [(1e12, 1e13)]}, r"no candidate is feasible: budget: needs 6e\+25 FLOP"),
        ({"constraints": {"tokens": -1.0}}, r"constraints.tokens = -1 .expected a positive"),
        (
            {"constraints": {"days": 30.0}},
            "constraints.days needs accelerators and hardware and mfu",
        ),
        ({"constraints": {"dollars": 1e6}}, "constraints.dollars needs price_per_hour"),
        ({"constraints": {"bytes_per_param": 16.0}}, "needs accelerators and hardware"),
        ({"constraints": {"latency": 0.02}}, "constraints.latency needs hardware"),
        ({"constraints": {"latency": -0.02}}, r"constraints.latency = -0.02"),
        (
            {"constraints": {"bytes_per_weight": 1.0}},
            "bytes_per_weight is of serving: give latency",
        ),
    ],
)
def test_what_cannot_be_read(fit: Fit, options: dict[str, Any], message: str) -> None:
    def asked() -> Plan:
        limits = options.get("constraints")
        return plan(
            fit,
            CHINCHILLA,
            candidates=options.get("candidates"),
            constraints=None if limits is None else Constraints(**limits),
        )

    with pytest.raises(PlanError, match=message):
        asked()


def test_a_file_states_candidates_and_constraints(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        'candidates = [{ params = "70B", tokens = "1.3T" }]\n'
        '[budget]\ncompute = 1e24\n[constraints]\ntokens = "5T"\ndays = 30\naccelerators = 1024\n'
    )
    stated = load_problem(path)
    assert stated.pairs() == [(70e9, 1.3e12)]
    assert stated.get_constraints() == Constraints(tokens=5e12, days=30.0, accelerators=1024.0)
    path.write_text(
        "[budget]\ncompute = 1e24\n[constraints]\nlatency = 0.02\nserving_accelerators = 8\n"
    )
    served = Constraints(latency=0.02, serving_accelerators=8.0)
    assert load_problem(path).get_constraints() == served
    path.write_text("[budget]\ncompute = 1e24\n[constraints]\ntoken = 1e12\n")
    with pytest.raises(UnknownNameError, match=r"'token' in .*constraints.* mean 'tokens'"):
        load_problem(path)
    path.write_text("[budget]\ncompute = 1e24\n[constraints]\ndays = -3.0\n")
    with pytest.raises(PlanError, match="days = -3"):
        load_problem(path)


def test_a_bandwidth_that_is_not_known_is_not_made_up() -> None:
    lacking = Budget(compute=1e24, price_per_hour=2.0, mfu=0.4, hardware="H100-PCIe")
    with pytest.raises(
        PlanError, match=r"the bandwidth of H100-PCIe is not known .take one of .*H100"
    ):
        Constraints(latency=0.01).limits(lacking)
