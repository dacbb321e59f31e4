"""Schedules, steps, batches and transfer: printed laws, neutral values, slopes, recovery and its controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit
from hypothesis import given
from hypothesis import strategies as st
from test_laws import ORACLE, inputs_of

import bayescale as bs
from bayescale.errors import DataError, PlanError
from bayescale.laws import LAWS, Law
from bayescale.laws.batches import critical_batch, least_steps, least_tokens
from bayescale.laws.schedules import from_tissue
from bayescale.laws.transfer import from_hernandez
from bayescale.runs import Runs
from bayescale.zoo import load_model

CORE = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.6}
TEXT = {"loss": {"metric": "nats/token", "corpus": "text"}}


def loss_at(law: Law, theta: dict[str, float], logs: dict[str, Any]) -> Any:
    done = law.complete(theta)
    return law.loss(law.effective_inputs(logs, done), done, beside=logs)


# ------------------------------------------------------------------ schedules


def tissue_sums(rates: np.ndarray, memory: float) -> tuple[np.ndarray, np.ndarray]:
    """S₁ and S₂ as they are defined: S₂ adds up momenta of the falls, each remembered by λ a step."""
    s2, momentum, total = [], 0.0, 0.0
    for i, rate in enumerate(rates):
        momentum = memory * momentum + ((rates[i - 1] - rate) if i else 0.0)
        total += momentum
        s2.append(total)
    return np.cumsum(rates), np.array(s2)


@pytest.mark.parametrize("shape", ["cosine", "steps", "rising again"])
def test_annealing_is_the_law_of_tissue(shape: str) -> None:
    steps, peak, memory = np.arange(4000), 3e-4, 0.995
    rates = {
        "cosine": peak * (0.55 + 0.45 * np.cos(np.pi * steps / 4000)),
        "steps": peak * np.where(steps < 1500, 1.0, np.where(steps < 3000, 0.3, 0.1)),
        "rising again": peak * np.where((steps > 1000) & (steps < 2000), 0.2, 1.0),
    }[shape]
    at = np.array([200, 1200, 1900, 2500, 4000])
    s1, s2 = (s[at - 1] for s in tissue_sums(rates, memory))
    expected = 2.6 + 0.5 * s1**-0.45 - 40.0 * s2
    columns = bs.schedule_inputs(rates, at, memory=1 / (1 - memory))
    law = LAWS["data"].reading(["schedule"]).modified(["annealing"])
    pivot = np.log(1000.0)  # steps, which are tokens here
    theta = from_tissue(2.6, 0.5, 0.45, 40.0, peak, memory, pivot)
    logs = {"tokens": np.log(at) - pivot}
    logs |= {name: np.log(columns[name].to_numpy()) for name in ("mean_rate", "end_rate")}
    np.testing.assert_allclose(loss_at(law, theta, logs), expected, rtol=1e-9)


def test_a_rate_that_rises_first_has_not_fallen_and_one_that_is_held_never_does() -> None:
    warm = np.r_[np.linspace(0.1, 1.0, 10), np.ones(90)]
    found = bs.schedule_inputs(warm, [5, 10, 100], memory=20)
    assert found["end_rate"].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert found["mean_rate"].tolist() == pytest.approx([0.3, 0.55, 0.955])
    assert bs.schedule_inputs([2.0] * 7).to_dict("records") == [
        {"step": 7, "mean_rate": 1.0, "end_rate": 1.0}
    ]


@pytest.mark.parametrize(
    ("rates", "options", "message"),
    [
        ([1.0, np.nan], {}, "expected one finite learning rate a step"),
        ([[1.0]], {}, "shape"),
        ([0.0, 0.0], {}, "all zero"),
        ([1.0, 1.0], {"memory": 0.5}, "memory = 0.5"),
        ([1.0, 1.0], {"at": [1, 3]}, "step 3"),
        ([1.0, 1.0], {"at": [0]}, "step 0"),
    ],
)
def test_what_is_no_schedule_is_refused(rates: Any, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bs.schedule_inputs(rates, **options)


def test_a_run_of_no_said_schedule_is_the_plain_law() -> None:
    law = LAWS["parameter-data"].reading(["schedule"]).modified(["annealing", "steps"])
    theta = CORE | {"hill": 0.1, "step_share": 0.3, "alpha_S": 0.5}
    at: dict[str, Any] = {"params": np.array([-1.0, 2.0]), "tokens": np.array([0.5, 3.0])}
    said = {g.name: float(g.scaled(g.missing)) for g in law.given}
    plain = loss_at(LAWS["parameter-data"], CORE, at)
    np.testing.assert_array_equal(loss_at(law, theta, at | said), plain)
    # A rate held at its peak keeps the whole hill.
    held = loss_at(law, theta, at | said | {"end_rate": 0.0})
    np.testing.assert_allclose(held - plain, 0.1, rtol=1e-10)


# ------------------------------------------------------------------ steps and batches


def test_steps_and_parameters_are_kaplans() -> None:
    """L = (N_c/N)^.077 + (S_c/S)^.76 with N_c 6.5e13 and S_c 2.1e3 (eq. 1.6)."""
    law = LAWS["parameter"].modified(["steps"])
    n0, s0 = 1e8, 1e4
    level = (6.5e13 / n0) ** 0.077
    theta = {"R0": level, "beta": 0.077, "L_inf": 0.0, "alpha_S": 0.76}
    theta["step_share"] = (2.1e3 / s0) ** 0.76 / level
    n, s = np.array([1e7, 1e9, 1e11]), np.array([1e3, 1e5, 1e6])
    found = loss_at(law, theta, {"params": np.log(n / n0), "optimizer_steps": np.log(s / s0)})
    np.testing.assert_allclose(found, (6.5e13 / n) ** 0.077 + (2.1e3 / s) ** 0.76, rtol=1e-12)
    assert load_model("parameter-steps").get_law().modifiers == law.modifiers


@given(st.floats(1.0, 1e6), st.floats(1e3, 1e9), st.floats(1e3, 1e9))
def test_steps_and_tokens_trade_as_mccandlish_has_it(
    steps: float, batch: float, critical: float
) -> None:
    tokens = batch * steps
    s_min, d_min = least_steps(steps, batch, critical), least_tokens(tokens, batch, critical)
    assert (steps / s_min - 1) * (tokens / d_min - 1) == pytest.approx(1.0, rel=1e-6)
    assert critical_batch(1.0) == 2e8
    assert critical_batch(2.0) == pytest.approx(2e8 / 2 ** (1 / 0.21))


def test_tokens_beyond_the_critical_batch_are_wasted() -> None:
    law = LAWS["parameter-data"].reading(["critical-batch"])
    theta = law.complete(CORE | {"batch_critical": 2.0, "critical_by_tokens": 0.4})
    v = np.array([0.0, 1.5, -1.0])
    batch = np.log([1.0, 8.0, 1e-30])
    worth = law.effective_inputs({"params": 0 * v, "tokens": v, "batch_size": batch}, theta)
    expected = least_tokens(np.exp(v), np.exp(batch), 2.0 * np.exp(0.4 * v))
    np.testing.assert_allclose(np.exp(worth["tokens"]), expected, rtol=1e-12)
    assert worth["tokens"][2] == v[2]


# ------------------------------------------------------------------ transfer and fine-tuning


@pytest.mark.parametrize(
    "row", [r for r in ORACLE if r["quantity"] == "hernandez_transfer"], ids=str
)
def test_transferred_data_are_hernandezs(row: dict[str, str]) -> None:
    at = inputs_of(row["inputs"])
    n0, d0 = 3e8, 5e6
    theta = CORE | from_hernandez(1.9e4, 0.18, 0.38, n0, d0)
    law = LAWS["parameter-data"].reading(["transfer"])
    logs: dict[str, Any] = {"params": np.log(at["N"] / n0), "tokens": np.log(at["D"] / d0)}
    tuned = law.effective_inputs(logs | {"pretrained": 1.0}, theta)["tokens"]
    assert d0 * np.exp(tuned) - at["D"] == pytest.approx(float(row["value"]), rel=6e-6)
    scratch = law.effective_inputs(logs | {"pretrained": 0.0}, theta)["tokens"]
    assert scratch == logs["tokens"]


def test_fine_tuning_is_a_product_with_a_slow_phase() -> None:
    """Zhang et al. 2024, eq. 1: A·X^−α·D_f^−β + E; with a shift, (D_f + s)^−β."""
    law = LAWS["product"].reading(["shifted-tokens"])
    n, d = np.geomspace(1e8, 1e10, 5), np.geomspace(1e3, 1e9, 5)
    theta = {"R0": 0.5 * (2e4 / 1e4) ** -0.12, "beta": 0.2, "delta": 0.12, "L_inf": 1.1}
    found = loss_at(
        law, theta | {"shift": 1.0}, {"params": np.log(n / 1e9), "tokens": np.log(d / 1e4)}
    )
    np.testing.assert_allclose(
        found, 1.1 + 0.5 * (n / 1e9) ** -0.2 * ((d + 1e4) / 1e4) ** -0.12, rtol=1e-12
    )
    assert load_model("fine-tuning").get_law() == law


def test_a_product_is_forecast_and_has_no_best_split() -> None:
    fit = make_fit("fine-tuning", runs=_fine_tuned(0.2, 0.12), draws=60)
    assert (bs.predict(fit, params=1e10, tokens=1e8, kind="expected").draws > 0).all()
    with pytest.raises(PlanError, match="joint law"):
        bs.plan(fit, 1e20, allow_experimental=True)


# ------------------------------------------------------------------ one text for numpy and pytensor


@pytest.mark.parametrize(
    ("law", "theta"),
    [
        (
            LAWS["parameter-data"].reading(["schedule"]).modified(["annealing", "steps"]),
            CORE | {"hill": 0.1, "step_share": 0.3, "alpha_S": 0.5},
        ),
        (
            LAWS["parameter-data"].reading(["critical-batch", "transfer"]),
            CORE
            | {"batch_critical": 2.0, "critical_by_tokens": 0.4}
            | {"transfer": 8.0, "transfer_by_tokens": 0.2, "transfer_by_params": 0.4},
        ),
        (LAWS["product"], {"R0": 0.8, "beta": 0.2, "delta": 0.1, "L_inf": 1.6}),
    ],
    ids=["schedules", "batches and transfer", "product"],
)
def test_numpy_and_pytensor_agree_in_value_and_gradient(law: Law, theta: dict[str, float]) -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    rng = np.random.default_rng(0)
    at = {axis: rng.normal(size=8) for axis in law.inputs}
    at |= {g.name: rng.uniform(0.0, 1.0, 8) if g.linear else rng.normal(size=8) for g in law.given}
    names, inputs = {n: pt.dscalar(n) for n in theta}, {n: pt.dvector(n) for n in at}
    value = law.loss(
        law.effective_inputs(inputs, done := law.complete(names, xp), xp),
        done,
        None,
        xp,
        beside=inputs,
    )
    slopes = pytensor.grad(value.sum(), list(names.values()))
    compiled = pytensor.function(
        [*inputs.values(), *names.values()], [value, *slopes], mode="FAST_COMPILE"
    )
    found, *gradient = compiled(*at.values(), *theta.values())
    np.testing.assert_allclose(found, loss_at(law, theta, at), rtol=1e-12)
    for name, slope in zip(theta, gradient, strict=True):
        h = 1e-6 * abs(theta[name])
        up, down = (loss_at(law, theta | {name: theta[name] + s * h}, at) for s in (1, -1))
        assert float(slope) == pytest.approx((up - down).sum() / (2 * h), rel=1e-5, abs=1e-7)


# ------------------------------------------------------------------ recovery, and where nothing is to be found


def _table(law: Law, theta: dict[str, float], table: pd.DataFrame, seed: int = 0) -> Runs:
    """Losses of a law at the rows of a table, with three parts in a thousand of noise."""
    logs = {g.name: g.scaled(table[g.name].to_numpy(float)) for g in law.given if g.name in table}
    logs = {k: v - v.mean() if k in ("steps", "batch_size") else v for k, v in logs.items()}
    logs |= {axis: np.log(table[axis] / np.exp(np.log(table[axis]).mean())) for axis in law.inputs}
    logs |= {g.name: float(g.scaled(g.missing)) for g in law.given if g.name not in table}
    loss = np.asarray(loss_at(law, theta, {k: np.asarray(v) for k, v in logs.items()}))
    noise = np.exp(0.003 * np.random.default_rng(seed).standard_normal(len(table)))
    return bs.load_runs(table.assign(loss=loss * noise), task_info=TEXT, name="simulated")


def _grid(**values: Any) -> pd.DataFrame:
    index = pd.MultiIndex.from_product(list(values.values()), names=list(values))
    return index.to_frame(index=False)


def _scheduled(hill: float) -> Runs:
    table = _grid(
        params=[3e7, 1e8, 3e8, 1e9],
        tokens=np.geomspace(1e9, 1e11, 6),
        end_rate=[1e-3, 0.1, 0.4, 1.0],
    )
    table["mean_rate"] = 0.5 + 0.5 * table["end_rate"]
    law = LAWS["parameter-data"].reading(["schedule"]).modified(["annealing"])
    return _table(law, CORE | {"hill": hill}, table)


def _transferred(ratio: float) -> Runs:
    table = _grid(
        params=[3e7, 1e8, 3e8, 1e9], tokens=np.geomspace(1e6, 1e10, 7), pretrained=[0.0, 1.0]
    )
    law = LAWS["parameter-data"].reading(["transfer"])
    shape = {"transfer": ratio, "transfer_by_tokens": 0.18, "transfer_by_params": 0.38}
    return _table(law, CORE | shape, table)


def _fine_tuned(beta: float, delta: float) -> Runs:
    table = _grid(params=[3e8, 1e9, 3e9, 1e10], tokens=np.geomspace(1e5, 1e9, 8))
    law = LAWS["product"]
    theta = {"R0": 0.6, "beta": beta, "delta": delta, "L_inf": 1.2}
    return _table(law, theta, table)


SAMPLER: dict[str, Any] = {"drift": False, "draws": 600, "tune": 600, "chains": 2}


def _within(fit: Any, truth: dict[str, float]) -> None:
    """Every parameter within three posterior standard deviations, on the log scale where it is positive."""
    for name, value in truth.items():
        draws = np.log(fit.posterior[name].to_numpy().ravel())
        assert abs(draws.mean() - np.log(value)) < 3.0 * draws.std(), name


@pytest.mark.slow
def test_what_a_rate_holds_up_is_recovered_and_none_is_found_where_none_is() -> None:
    found = bs.fit(_scheduled(0.12), "annealing", **SAMPLER, seed=1)
    _within(found, {"hill": 0.12})
    assert found.posterior["hill"].to_numpy().std() < 0.02
    none = bs.fit(_scheduled(1e-12), "annealing", **SAMPLER, seed=2)
    assert np.quantile(none.posterior["hill"].to_numpy(), 0.9) < 0.01


@pytest.mark.slow
def test_what_is_transferred_is_recovered_and_none_is_found_where_none_is() -> None:
    found = bs.fit(_transferred(5.0), "transfer", **SAMPLER, seed=3)
    _within(found, {"transfer": 5.0, "transfer_by_tokens": 0.18, "transfer_by_params": 0.38})
    none = bs.fit(_transferred(1e-12), "transfer", **SAMPLER, seed=4)
    assert np.quantile(none.posterior["transfer"].to_numpy(), 0.9) < 0.1


@pytest.mark.slow
def test_the_exponents_of_fine_tuning_are_recovered() -> None:
    found = bs.fit(_fine_tuned(0.2, 0.12), "fine-tuning", **SAMPLER, seed=5)
    _within(found, {"beta": 0.2, "delta": 0.12})
    # Without a slow phase in the data none is found within them.
    assert np.quantile(found.posterior["shift"].to_numpy(), 0.9) < 0.05
