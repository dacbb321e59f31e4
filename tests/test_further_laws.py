"""Laws of further inputs: printed numbers, limits, neutral where nothing is said, one text for numpy and pytensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_laws import ORACLE, inputs_of

from bayescale.errors import ModelError
from bayescale.given import GIVEN
from bayescale.laws import EFFECTIVE, LAWS, MODIFIERS, Law, numpy_namespace, textbook_theta
from bayescale.laws.mixture import MOST_DOMAINS, shares
from bayescale.laws.precision import from_kumar, log_kept
from bayescale.laws.sparsity import from_krajewski

DIGITS = 6e-6
JOINT = LAWS["parameter-data"]
# Kumar et al. 2024, appendix K.
KUMAR = textbook_theta(4.299e3, 1.806e4, 0.4965, 0.4965, 2.7648)
BITS = {"weight": 2.6745, "activation": 2.2102, "cache": 0.9578}
ROUNDING = {"cost": 0.0598, "by_tokens": 0.5068, "by_params": 0.3439, "scale": 0.5907}
# Krajewski et al. 2024: experts, and dense networks.
FINE = {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47}
# Tao et al. 2024, in millions of parameters outside embeddings, thousands times thousands in them.
TAO = {"A1": 1.8314, "a1": 0.44661, "A2": 0.19584, "a2": 0.67074, "B": 2.1241, "b": 0.44661}

counts = st.floats(1e6, 1e13)


def loss(law: Law, theta: dict[str, Any], **at: Any) -> Any:
    """Loss of a law whose pivots are all one unit; what is missing is missing."""
    logs = {axis: np.log(at[axis]) for axis in law.inputs}
    for entry in law.given:
        logs[entry.name] = entry.scaled(at.get(entry.name, entry.missing))
    return law.loss(law.effective_inputs(logs, theta), theta, beside=logs)


def plain(theta: dict[str, Any], params: Any, tokens: Any) -> Any:
    return JOINT.loss({"params": np.log(params), "tokens": np.log(tokens)}, theta)


# ------------------------------------------------------------------ precision


@pytest.mark.parametrize(
    "row", [r for r in ORACLE if r["quantity"].startswith("kumar_weight")], ids=str
)
def test_bits_keep_what_was_published(row: dict[str, str]) -> None:
    bits = inputs_of(row["inputs"])["P_w"]
    kept = math.exp(log_kept(numpy_namespace, np.log(bits), BITS["weight"], 1.0))
    assert kept == pytest.approx(float(row["value"]), rel=DIGITS)


@given(counts, counts, st.floats(1, 32), st.floats(1, 32), st.floats(1, 32), st.floats(1, 16))
def test_training_and_rounding_in_few_bits_are_kumars(
    n: float, d: float, w: float, a: float, kv: float, post: float
) -> None:
    law = JOINT.reading(["weight-bits", "activation-bits", "cache-bits"]).modified(["rounding"])
    theta = KUMAR | from_kumar(**ROUNDING, pivots={"params": 0.0, "tokens": 0.0})
    for short, scale in BITS.items():
        theta |= {f"{short}_bits_scale": scale, f"{short}_bits_power": 1.0}
    stated = {"weight_bits": w, "activation_bits": a, "cache_bits": kv, "post_bits": post}
    got = float(loss(law, theta, params=n, tokens=d, **stated))
    kept = math.prod(
        1 - math.exp(-bits / BITS[short]) for short, bits in zip(BITS, (w, a, kv), strict=True)
    )
    expected = 4.299e3 * (n * kept) ** -0.4965 + 1.806e4 * d**-0.4965 + 2.7648
    expected += 0.0598 * d**0.5068 / n**0.3439 * math.exp(-post / 0.5907)
    assert got == pytest.approx(expected, rel=1e-9)


def test_more_bits_are_never_worse_and_more_tokens_may_be_after_rounding() -> None:
    law = JOINT.reading(["weight-bits"]).modified(["rounding"])
    theta = KUMAR | from_kumar(**ROUNDING, pivots={"params": 0.0, "tokens": 0.0})
    theta |= {"weight_bits_scale": 3.0, "weight_bits_power": 1.7}
    bits = np.linspace(1.0, 16.0, 61)
    for name in ("weight_bits", "post_bits"):
        curve = loss(law, theta, params=1e8, tokens=1e10, **{name: bits})
        assert (np.diff(curve) <= 0).all()
        assert curve[0] > 1.01 * curve[-1]
    tokens = np.geomspace(1e9, 1e13, 41)
    rounded = loss(law, theta, params=1e8, tokens=tokens, post_bits=3.0)
    assert np.argmin(rounded) not in (0, 40)
    assert (np.diff(loss(law, theta, params=1e8, tokens=tokens)) < 0).all()


# ------------------------------------------------------------------ data


def mixture_theta(domains: int, worth: Any, lean: Any = None) -> dict[str, Any]:
    theta = dict(KUMAR) | {f"worth_{j + 1}": w for j, w in enumerate(worth)}
    return theta | {f"lean_{j + 1}": t for j, t in enumerate(lean or [0.0] * domains)}


def test_tokens_of_several_domains_count_by_their_worth() -> None:
    law, theta = JOINT.reading(["mixture-3"]), mixture_theta(3, (1.0, 0.1, 0.0001))
    at: dict[str, Any] = {"params": 1e9, "tokens": 1e10}
    even = loss(law, theta, **at, share_1=1 / 3, share_2=1 / 3, share_3=1 / 3)
    assert even == pytest.approx(plain(KUMAR, 1e9, 1e10), rel=1e-12)
    # All of one domain: three times as many of what alone is worth much.
    alone = loss(law, theta, **at, share_1=1.0, share_2=0.0, share_3=0.0)
    assert alone == pytest.approx(plain(KUMAR, 1e9, 1e10 * 3 / 1.1001), rel=1e-12)
    none = loss(law, theta, **at, share_1=0.0, share_2=0.0, share_3=1.0)
    assert none > alone
    # A common factor of the worths, and shares in per cent, change nothing.
    scaled = theta | {f"worth_{j}": 7.0 * theta[f"worth_{j}"] for j in (1, 2, 3)}
    stated = {"share_1": 0.5, "share_2": 0.2, "share_3": 0.3}
    per_cent = {name: 100 * value for name, value in stated.items()}
    assert loss(law, scaled, **at, **stated) == pytest.approx(loss(law, theta, **at, **per_cent))


def test_the_mixture_law_is_yes_at_one_scale() -> None:
    # L = c + k·e^(t·r): c is the loss of N and D, k and t of the mixture.
    law = JOINT.modified(["mixture-printed-3"])
    lean, r = [0.4, -1.3, 0.2], np.array([0.2, 0.5, 0.3])
    theta = mixture_theta(3, (1, 1, 1), lean) | {"mixture_level": 0.7}
    got = loss(law, theta, params=1e9, tokens=1e10, share_1=r[0], share_2=r[1], share_3=r[2])
    k = 0.7 * math.exp(-sum(lean) / 3)
    assert got == pytest.approx(plain(KUMAR, 1e9, 1e10) + k * math.exp(float(lean @ r)), rel=1e-12)
    factor = JOINT.modified(["mixture-3"])
    got = loss(factor, theta, params=1e9, tokens=1e10, share_1=r[0], share_2=r[1], share_3=r[2])
    over = math.exp(float(lean @ r) - sum(lean) / 3)
    reducible = plain(KUMAR, 1e9, 1e10) - 2.7648
    assert got == pytest.approx(2.7648 + reducible * over, rel=1e-12)


def test_shares_must_be_stated() -> None:
    table = pd.DataFrame({"params": [1e9], "tokens": [1e10], "share_1": [0.5]})
    with pytest.raises(ModelError, match=r"reads share_2 .* of every run, and 1 of 1 rows have"):
        JOINT.reading(["mixture-2"]).values(table)


def test_quality_is_a_factor_of_tokens() -> None:
    # B/(D^δ·Q^γ): a power of .173 where δ is .3959, of translation.
    law, delta = JOINT.reading(["data-quality"]), 0.3959
    theta = textbook_theta(100.0, 1441.5, 0.3, delta, 3.439) | {"quality_power": 0.173 / delta}
    for quality in (0.2, 1.0, 3.0):
        got = loss(law, theta, params=1e8, tokens=1e9, quality=quality)
        assert got == pytest.approx(
            3.439 + 100.0 * 1e8**-0.3 + 1441.5 / (1e9**delta * quality**0.173), rel=1e-9
        )


def test_the_vocabulary_law_is_taos() -> None:
    law = JOINT.reading(["without-embeddings"]).modified(["embeddings"])
    theta = textbook_theta(
        TAO["A1"] * 1e6 ** TAO["a1"], TAO["B"] * 1e9 ** TAO["b"], TAO["a1"], TAO["b"], 2.0
    )
    theta |= {"vocabulary_level": TAO["A2"] * 1e6 ** TAO["a2"], "vocabulary_exponent": TAO["a2"]}
    for outside, inside, tokens in ((33e6, 2e6, 1e9), (1.1e9, 2e8, 5e10)):
        got = loss(law, theta, params=outside + inside, tokens=tokens, vocabulary_params=inside)
        expected = 2.0 + TAO["A1"] * (outside / 1e6) ** -TAO["a1"]
        expected += (
            TAO["A2"] * (inside / 1e6) ** -TAO["a2"] + TAO["B"] * (tokens / 1e9) ** -TAO["b"]
        )
        assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["vocabulary", "aspect_ratio"])
def test_a_best_value_moves_with_size_and_costs_nothing(name: str) -> None:
    law = JOINT.modified([name])
    own = {f"{name}_best": 3e4, f"{name}_by_params": 0.3, f"{name}_curvature": 0.02}
    theta = KUMAR | own
    for n in (1.0, 1e8, 1e10):
        best = 3e4 * n**0.3
        expected = plain(KUMAR, n, 1e10)
        assert loss(law, theta, params=n, tokens=1e10, **{name: best}) == pytest.approx(expected)
        for off in (0.1, 10.0):
            got = loss(law, theta, params=n, tokens=1e10, **{name: best * off})
            factor = math.exp(0.01 * math.log(10.0) ** 2)
            assert got - 2.7648 == pytest.approx((expected - 2.7648) * factor, rel=1e-9)
    far = loss(law, theta, params=1e8, tokens=1e10, **{name: 1e30})
    assert far - 2.7648 == pytest.approx(math.e * (plain(KUMAR, 1e8, 1e10) - 2.7648))


# ------------------------------------------------------------------ architecture


@pytest.mark.parametrize("pieces", [1.0, 4.0, 16.0, 1e6])
@pytest.mark.parametrize(("n", "d"), [(64e6, 16e9), (25e9, 65e9), (1e12, 1e13)])
def test_granularity_is_krajewskis(n: float, d: float, pieces: float) -> None:
    law = JOINT.reading(["granularity"])
    own = from_krajewski(FINE["a"], FINE["alpha"], FINE["g"], FINE["gamma"])
    base = textbook_theta(own.pop("A"), FINE["b"], own.pop("beta"), FINE["beta"], FINE["c"])
    got = loss(law, base | own, params=n, tokens=d, granularity=pieces)
    expected = FINE["c"] + (FINE["g"] / pieces ** FINE["gamma"] + FINE["a"]) / n ** FINE["alpha"]
    assert got == pytest.approx(expected + FINE["b"] / d ** FINE["beta"], rel=1e-12)


def test_experts_beat_the_dense_fit_and_ever_finer_ones_have_a_limit() -> None:
    # The two published fits: at one size and budget, fine experts are better than a dense network.
    law = JOINT.reading(["granularity"])
    own = from_krajewski(FINE["a"], FINE["alpha"], FINE["g"], FINE["gamma"])
    theta = textbook_theta(own.pop("A"), FINE["b"], own.pop("beta"), FINE["beta"], FINE["c"]) | own
    dense = textbook_theta(16.3, 26.7, 0.126, 0.127, 0.47)
    # Experts hold 64 times as many parameters as the dense network of as much compute.
    assert loss(law, theta, params=64e9, tokens=1e11, granularity=16) < plain(dense, 1e9, 1e11)
    worth = law.effective_inputs(
        {"params": 0.0, "tokens": 0.0, "granularity": np.log([1.0, 2.0, 1e12])}, theta
    )["params"]
    assert worth[0] == 0.0
    assert (np.diff(worth) > 0).all()
    assert worth[-1] == pytest.approx(math.log1p(2.1 / 18.1) / 0.115, rel=1e-5)


def test_idle_parameters_lie_between_nothing_and_all() -> None:
    law = JOINT.reading(["active-share"])
    for worth, counted in ((1e-12, 1e9), (1 - 1e-12, 8e9), (0.5, 1e9 * 8**0.5)):
        got = loss(law, KUMAR | {"idle_worth": worth}, params=1e9, tokens=1e10, active_share=1 / 8)
        assert got == pytest.approx(plain(KUMAR, counted, 1e10), rel=1e-9)


# ------------------------------------------------------------------ distillation


def test_the_student_is_between_its_teacher_and_a_gap() -> None:
    law = JOINT.modified(["distilled"])
    own = {"teacher_power": 0.4, "gap_power": 1.5, "gap_at": 1.1, "gap_softness": 0.08}
    theta = KUMAR | own | {"L_inf": 0.0}
    alone, teachers = 2.5, np.array([1.2, 2.0, 2.5, 3.0])
    got = loss(law, theta, params=1e8, tokens=1e10, teacher_loss=teachers, student_loss=alone)
    reducible = plain(KUMAR | {"L_inf": 0.0}, 1e8, 1e10)
    turn = (1 + (teachers / (alone * 1.1)) ** (1 / 0.08)) ** (-1.5 * 0.08)
    np.testing.assert_allclose(got, teachers + teachers**-0.4 * turn * reducible, rtol=1e-12)
    assert (got > teachers).all()


# ------------------------------------------------------------------ what all have in common

# Shapes in the middle of their priors, for the names that a law may have.
MIDDLE = {
    "post_level": 0.01, "post_bits_scale": 0.6, "post_by_tokens": 0.5, "post_by_params": 0.3,
    "quality_power": 0.6, "mixture_level": 0.4, "vocabulary_level": 0.1,
    "vocabulary_exponent": 0.6, "idle_worth": 0.4, "coarse_cost": 0.12,
    "granularity_exponent": 0.6, "teacher_power": 0.4, "gap_power": 1.1, "gap_at": 0.9,
    "gap_softness": 0.12,
}  # fmt: skip
MIDDLE |= {f"{s}_bits_{p}": v for s in BITS for p, v in (("scale", 2.5), ("power", 1.4))}
MIDDLE |= {f"worth_{j}": 0.3 * j for j in range(1, MOST_DOMAINS + 1)}
MIDDLE |= {f"lean_{j}": 0.2 * j - 0.9 for j in range(1, MOST_DOMAINS + 1)}
for _name in ("vocabulary", "aspect_ratio"):
    MIDDLE |= {f"{_name}_best": 1.2, f"{_name}_by_params": 0.3, f"{_name}_curvature": 0.05}
SAMPLED = {"R0": 0.8, "omega": 0.45, "alpha": 0.16, "a": 0.48, "gamma": 0.7, "L_inf": 1.7}
OURS = [
    ("weight-bits",), ("activation-bits",), ("cache-bits",), ("data-quality",), ("active-share",),
    ("granularity",), ("mixture-2",), ("mixture-5",), ("without-embeddings",),
]  # fmt: skip
MINE = [
    ("rounding",), ("mixture-2",), ("mixture-5",), ("mixture-printed-4",), ("vocabulary",),
    ("aspect_ratio",), ("embeddings",), ("distilled",),
]  # fmt: skip
TOGETHER = [
    # Repetition, precision and experts, rounded: one law, no file of its own.
    (("repeated-data", "routed", "weight-bits", "granularity"), ("rounding", "vocabulary")),
]
CASES = [(e, ()) for e in OURS] + [((), m) for m in MINE] + TOGETHER
FURTHER = {"R_D_star": 12.0, "R_N_star": 4.0, "gain": 0.4, "fading": 0.02, "E_start": 2.0}
FURTHER |= {"E_max": 250.0}


def law_of(effective: tuple[str, ...], modifiers: tuple[str, ...]) -> Law:
    return JOINT.reading(effective).modified(modifiers)


def stated(name: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Values of an input, over its pivot where it has one."""
    given = GIVEN[name]
    if given.linear:
        return rng.uniform(0.02, 1.0, size)
    ranges = {
        "experts": (1.0, 256.0),
        "unique_tokens": (0.01, 10.0),
        "granularity": (1.0, 64.0),
        "active_share": (0.02, 1.0),
        "vocabulary_params": (1e-6, 1e-3),
        "teacher_loss": (1.5, 3.0),
        "student_loss": (2.0, 3.0),
    }
    low, high = ranges.get(name, (1.0, 16.0) if name.endswith("bits") else (0.2, 5.0))
    return np.log(rng.uniform(low, high, size))


@pytest.mark.parametrize(("effective", "modifiers"), CASES, ids=str)
def test_numpy_and_pytensor_agree_in_value_and_gradient(
    effective: tuple[str, ...], modifiers: tuple[str, ...]
) -> None:
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace as xp

    law = law_of(effective, modifiers)
    own = [p.name for part in law.parts for p in part.parameters]
    sampled = SAMPLED | {name: (MIDDLE | FURTHER)[name] for name in own}
    names = {name: pt.dscalar(name) for name in sampled}
    inputs = {name: pt.dvector(name) for name in (*law.inputs, *(g.name for g in law.given))}
    theta = law.complete(names, xp)
    value = law.loss(law.effective_inputs(inputs, theta, xp), theta, None, xp, beside=inputs)
    slopes = pytensor.grad(value.sum(), list(names.values()))
    compiled = pytensor.function(
        [*inputs.values(), *names.values()], [value, *slopes], mode="FAST_COMPILE"
    )
    rng = np.random.default_rng(0)
    size = 12
    at = {axis: rng.uniform(-3.0, 4.0, size) for axis in law.inputs}
    at |= {g.name: stated(g.name, rng, size) for g in law.given}
    for g in law.given:
        if g.missing is not None:
            at[g.name][-1] = g.scaled(g.missing)

    def total(changed: dict[str, float]) -> np.ndarray:
        done = law.complete(changed)
        return np.asarray(law.loss(law.effective_inputs(at, done), done, beside=at))

    found, *gradient = compiled(*at.values(), *sampled.values())
    np.testing.assert_allclose(found, total(sampled), rtol=1e-12)
    for name, slope in zip(sampled, gradient, strict=True):
        h = 1e-6 * abs(sampled[name])
        numeric = (
            total(sampled | {name: sampled[name] + h}) - total(sampled | {name: sampled[name] - h})
        ).sum()
        # Central differences err by h² and by rounding over h, relative to a sum of losses.
        assert float(slope) == pytest.approx(numeric / (2 * h), rel=1e-5, abs=2e-6), name


@pytest.mark.parametrize(("effective", "modifiers"), CASES, ids=str)
def test_where_nothing_is_said_the_law_is_the_plain_one(
    effective: tuple[str, ...], modifiers: tuple[str, ...]
) -> None:
    law = law_of(effective, modifiers)
    needed = [g.name for g in law.given if g.missing is None]
    own = {p.name: (MIDDLE | FURTHER)[p.name] for part in law.parts for p in part.parameters}
    theta = KUMAR | own
    if needed:
        table = pd.DataFrame({"params": [1e9], "tokens": [1e10]})
        with pytest.raises(ModelError, match=f"reads {needed[0]} "):
            law.values(table)
        return
    # To the last digit: what is not said multiplies nothing.
    assert float(loss(law, theta, params=1e9, tokens=1e10)) == float(plain(KUMAR, 1e9, 1e10))


@pytest.mark.parametrize("effective", OURS, ids=str)
def test_effective_inputs_stay_within_their_span(effective: tuple[str, ...]) -> None:
    law, rng = JOINT.reading(effective), np.random.default_rng(1)
    logs = {axis: rng.uniform(18.0, 26.0, 200) for axis in law.inputs}
    for g in law.given:
        logs[g.name] = stated(g.name, rng, 200)
    if "vocabulary_params" in logs:
        logs["vocabulary_params"] = logs["params"] - 3.0
    theta = SAMPLED | {p.name: MIDDLE[p.name] for e in law.effective for p in e.parameters}
    found = law.effective_inputs(logs, law.complete(theta))
    for axis, (low, high) in law.span(logs).items():
        assert (found[axis] >= low - 0.7).all(), axis
        assert (found[axis] <= high + 0.7).all(), axis


def test_shares_are_inputs_and_every_row_of_the_registries_says_what_it_is() -> None:
    assert all(GIVEN[name].linear and GIVEN[name].missing is None for name in shares(MOST_DOMAINS))
    for part in (*EFFECTIVE.values(), *MODIFIERS.values()):
        assert part.title
        assert part.latex
        assert part.source
        assert len({p.name for p in part.parameters}) == len(part.parameters)
