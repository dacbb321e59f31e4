"""Effective inputs: published numbers, the plain law where nothing is repeated or routed, gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_laws import ORACLE, inputs_of

from bayescale.errors import ModelError, UnknownNameError
from bayescale.laws import LAWS, Law, numpy_namespace, overlap, textbook_theta
from bayescale.laws.routed import from_clark, log_effective_experts
from bayescale.zoo import load_model

R_D, R_N = 15.387756, 5.309743
A, B, L_INF, EXPONENT = math.exp(6.255414), math.exp(7.3049974), math.exp(0.6254804), 0.3526596
REPEATED = LAWS["parameter-data"].reading(["repeated-data"])
PRINTED = LAWS["parameter-data"].reading(["repeated-data-printed"])
PUBLISHED = textbook_theta(A, B, EXPONENT, EXPONENT, L_INF) | {"R_D_star": R_D, "R_N_star": R_N}
DIGITS = 6e-6

counts = st.floats(1e5, 1e14)


def loss(law: Law, theta: dict[str, float], n: Any, d: Any, u: Any = 1e30) -> Any:
    given_logs = {"params": np.log(n), "tokens": np.log(d), "unique_tokens": np.log(u)}
    return law.loss(law.effective_inputs(given_logs, theta), theta)


def plain(n: Any, d: Any) -> Any:
    return LAWS["parameter-data"].loss({"params": np.log(n), "tokens": np.log(d)}, PUBLISHED)


def worth(n: float, d: float, u: float, law: Law = REPEATED) -> tuple[float, float]:
    """N' and D'."""
    logs = {"params": np.log(n), "tokens": np.log(d), "unique_tokens": np.log(u)}
    found = law.effective_inputs(logs, PUBLISHED)
    return float(np.exp(found["params"])), float(np.exp(found["tokens"]))


# ------------------------------------------------------------------ repeated data


@pytest.mark.parametrize(
    "row", [r for r in ORACLE if r["quantity"].startswith("effective_data")], ids=str
)
def test_repeats_are_worth_what_was_published(row: dict[str, str]) -> None:
    epochs, unique = inputs_of(row["inputs"])["epochs"], 1e9
    for law in (REPEATED, PRINTED):
        _, tokens = worth(1e7, epochs * unique, unique, law)
        assert tokens / unique == pytest.approx(float(row["value"]), rel=DIGITS)


@given(counts, counts, st.floats(1.0, 1e4))
def test_the_printed_law_is_muennighoffs(n: float, u: float, epochs: float) -> None:
    # U_N = G²·U at equal exponents, from the frontier's own formula.
    best = min(n, (A / B) ** (1 / EXPONENT) * u)
    n_eff = best + best * R_N * (1 - math.exp(-(n / best - 1) / R_N))
    d_eff = u + u * R_D * (1 - math.exp(-(epochs - 1) / R_D))
    expected = L_INF + A / n_eff**EXPONENT + B / d_eff**EXPONENT
    assert float(loss(PRINTED, PUBLISHED, n, epochs * u, u)) == pytest.approx(expected, rel=1e-9)


@given(counts, counts, st.floats(1.0, 1e6))
def test_without_repetition_it_is_exactly_the_plain_law(n: float, d: float, more: float) -> None:
    assert float(loss(REPEATED, PUBLISHED, n, d)) == float(plain(n, d))
    assert float(loss(REPEATED, PUBLISHED, n, d, d * more)) == float(plain(n, d))
    assert float(loss(PRINTED, PUBLISHED, n, d)) == float(plain(n, d))


def test_the_printed_law_is_not_the_plain_one_for_a_large_model_at_one_epoch() -> None:
    # 1e10 parameters on 1e9 tokens seen once: a hundred times the best size.
    assert loss(PRINTED, PUBLISHED, 1e10, 1e9, 1e9) > 1.01 * plain(1e10, 1e9)
    assert loss(REPEATED, PUBLISHED, 1e10, 1e9, 1e9) == plain(1e10, 1e9)
    # At many epochs the two are one law.
    both = (loss(law, PUBLISHED, 1e10, 1e13, 1e9) for law in (PRINTED, REPEATED))
    assert next(both) == pytest.approx(next(both), rel=1e-3)


def test_value_has_ceilings() -> None:
    unique = 1e9
    params, tokens = worth(1e16, 1e16, unique)
    assert tokens == pytest.approx(unique * (1 + R_D), rel=1e-9)
    assert params == pytest.approx((A / B) ** (1 / EXPONENT) * unique * (1 + R_N), rel=1e-4)


def test_repeats_that_never_lose_their_value_are_new_tokens() -> None:
    theta = PUBLISHED | {"R_D_star": 1e9, "R_N_star": 1e9}
    assert loss(REPEATED, theta, 1e10, 1e11, 1e9) == pytest.approx(plain(1e10, 1e11), rel=1e-6)
    assert loss(REPEATED, PUBLISHED, 1e10, 1e11, 1e9) > 1.1 * plain(1e10, 1e11)


def test_loss_falls_with_size_tokens_and_unique_tokens_and_never_jumps() -> None:
    scale = np.geomspace(1e6, 1e13, 3001)
    for n, u in ((1e7, 1e9), (1e9, 1e9), (3e9, 1e8), (1e11, 1e10)):
        for curve in (
            loss(REPEATED, PUBLISHED, n, scale, u),
            loss(REPEATED, PUBLISHED, scale, 30 * u, u),
            loss(REPEATED, PUBLISHED, n, 1e11, scale),
        ):
            steps = np.diff(np.log(curve))
            assert (steps <= 1e-12).all()
            # A slope of at most one half in logs, over steps of .0054 nats.
            assert steps.min() > -0.5 * np.log(scale[1] / scale[0])


# ------------------------------------------------------------------ routed networks


CLARK = {"a": -0.0830, "b": -0.118, "c": 0.0099, "d": 1.114, "start": 2.07, "largest": 239.0}


@pytest.mark.parametrize(
    "row", [r for r in ORACLE if r["quantity"].startswith("effective_experts")], ids=str
)
def test_experts_saturate_as_published(row: dict[str, str]) -> None:
    experts = inputs_of(row["inputs"])["E"]
    x = log_effective_experts(numpy_namespace, np.log(experts), CLARK["start"], CLARK["largest"])
    assert CLARK["start"] * math.exp(x) == pytest.approx(float(row["value"]), rel=DIGITS)


@given(st.floats(1e6, 1e11), st.floats(1.0, 1e4))
def test_routing_is_clarks_law(params: float, experts: float) -> None:
    pivot = math.log(1e8)
    law, theta = LAWS["parameter"].reading(["routed"]), from_clark(**CLARK, pivot=pivot)
    centred = {"params": math.log(params) - pivot, "experts": math.log(experts)}
    got = float(law.loss(law.effective_inputs(centred, theta), theta))
    shift = 1 / (1 / CLARK["start"] - 1 / CLARK["largest"])
    effective = 1 / (1 / (experts - 1 + shift) + 1 / CLARK["largest"])
    n, e = math.log10(params), math.log10(effective)
    log_loss = CLARK["a"] * n + CLARK["b"] * e + CLARK["c"] * n * e + CLARK["d"]
    assert math.log10(got) == pytest.approx(log_loss, abs=1e-9)


def test_one_expert_is_a_dense_network_and_routing_gains_less_in_a_larger_one() -> None:
    law, theta = LAWS["parameter"].reading(["routed"]), from_clark(**CLARK, pivot=0.0)
    sizes = np.log([1e7, 1e9, 1e11])
    dense = law.effective_inputs({"params": sizes, "experts": 0.0}, theta)["params"]
    np.testing.assert_array_equal(dense, sizes)
    gain = law.effective_inputs({"params": sizes, "experts": np.log(64.0)}, theta)["params"] - sizes
    assert (np.diff(gain) < 0).all()
    # No gain is left at log10 N = -b/c.
    edge = np.array([-CLARK["b"] / CLARK["c"] * np.log(10.0)])
    at = law.effective_inputs({"params": edge, "experts": np.log(64.0)}, theta)["params"]
    np.testing.assert_allclose(at, edge, atol=1e-9)


# ------------------------------------------------------------------ composition


def test_effective_inputs_apply_one_after_the_other() -> None:
    law = LAWS["parameter-data"].reading(["routed", "repeated-data"])
    theta = PUBLISHED | {"gain": 0.5, "fading": 0.01, "E_start": 2.0, "E_max": 300.0}
    at = {"params": 23.0, "tokens": 26.0, "unique_tokens": 24.0, "experts": np.log(8.0)}
    size = LAWS["parameter-data"].reading(["routed"]).effective_inputs(at, theta)["params"]
    assert law.effective_inputs(at, theta) == REPEATED.effective_inputs(
        at | {"params": size}, theta
    )
    assert law.given == (*LAWS["parameter-data"].reading(["routed"]).given, *REPEATED.given)


@pytest.mark.parametrize(
    ("law", "names", "error", "message"),
    [
        ("parameter-data", ["repeated-dat"], UnknownNameError, "did you mean 'repeated-data'"),
        ("data", ["repeated-data"], ModelError, "changes params, which law 'data' does not read"),
        ("parameter-data", ["repeated-data", "repeated-data-printed"], ModelError, "unique_tokens"),
    ],
)
def test_what_does_not_fit_is_refused(
    law: str, names: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LAWS[law].reading(names, "model 'mine'")


def test_models_without_effective_inputs_keep_their_hash() -> None:
    assert "effective" not in load_model("parameter-data").model_dump_json()
    assert load_model("repeated-data").model_dump()["effective"] == ("repeated-data",)


def test_missing_columns_and_cells_are_filled_in() -> None:
    table = pd.DataFrame({"params": [1e9, 1e9], "tokens": [1e10, 1e11]})
    assert REPEATED.values(table)["unique_tokens"].tolist() == [1e30, 1e30]
    some = REPEATED.values(table.assign(unique_tokens=[np.nan, 1e10]))
    assert some["unique_tokens"].tolist() == [1e30, 1e10]


# ------------------------------------------------------------------ numpy and pytensor


def test_numpy_and_pytensor_agree_in_value_and_gradient() -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    law = LAWS["parameter-data"].reading(["routed", "repeated-data"])
    sampled = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.7}
    sampled |= {"R_D_star": 12.0, "R_N_star": 4.0, "gain": 0.4, "fading": 0.02}
    sampled |= {"E_start": 2.0, "E_max": 250.0}
    names = {n: pt.dscalar(n) for n in sampled}
    inputs = {n: pt.dvector(n) for n in (*law.inputs, *(g.name for g in law.given))}
    theta = law.complete(names, xp)
    value = law.loss(law.effective_inputs(inputs, theta, xp), theta, None, xp)
    slopes = pytensor.grad(value.sum(), list(names.values()))
    compiled = pytensor.function(
        [*inputs.values(), *names.values()], [value, *slopes], mode="FAST_COMPILE"
    )
    rng = np.random.default_rng(0)
    # Rows with and without repetition, excess and experts; the last says nothing of either.
    at = {
        "params": np.append(rng.uniform(-4, 6, 40), 1.0),
        "tokens": np.append(rng.uniform(-4, 6, 40), 1.0),
        "experts": np.append(rng.uniform(0, 6, 40), 0.0),
        "unique_tokens": np.append(rng.uniform(-6, 4, 40), np.log(1e30) - 24.0),
    }
    ordered = [at[name] for name in inputs]

    def total(changed: dict[str, float]) -> np.ndarray:
        done = law.complete(changed)
        return np.asarray(law.loss(law.effective_inputs(at, done), done))

    found, *gradient = compiled(*ordered, *sampled.values())
    np.testing.assert_allclose(found, total(sampled), rtol=1e-12)
    for name, slope in zip(sampled, gradient, strict=True):
        h = 1e-6 * sampled[name]
        numeric = (
            total(sampled | {name: sampled[name] + h}) - total(sampled | {name: sampled[name] - h})
        ).sum()
        # Central differences err by h² and by rounding over h, relative to a sum of forty losses.
        assert float(slope) == pytest.approx(numeric / (2 * h), rel=1e-5, abs=1e-6)


def test_walks_meet_inputs_that_parameters_move_as_they_meet_fixed_ones() -> None:
    import pytensor.tensor as pt

    from bayescale.build.inputs import overlap as in_graph

    u = np.linspace(-1.7, 2.3, 41)
    lengths = in_graph(pt.as_tensor(u), -3, 4).eval()
    np.testing.assert_allclose(lengths, overlap(u, -3, 4), atol=1e-15)
    # Beyond the edges the outermost exponent goes on.
    beyond = in_graph(pt.as_tensor(np.array([-5.0, 9.0])), -3, 4).eval()
    np.testing.assert_allclose(beyond.sum(axis=1), [-5.0, 9.0])
