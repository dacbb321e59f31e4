"""Laws: published numbers, limits, monotonicity, gradients, and one text for numpy and pytensor."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.errors import ModelError, UnknownNameError
from bayescale.laws import LAWS, Law, get_law, numpy_namespace, textbook_theta

_LINES = (Path(__file__).parent / "oracle" / "values.csv").read_text(encoding="utf-8").splitlines()
ORACLE = list(csv.DictReader(line for line in _LINES if not line.startswith("#")))
# Our (beta, delta) are the (alpha, beta) of the papers.
TEXTBOOK = {
    "hoffmann_unrounded": {
        "A": 406.4,
        "B": 410.7,
        "beta": 0.33917,
        "delta": 0.28491,
        "L_inf": 1.6934,
    },
    "hoffmann_rounded": {"A": 406.4, "B": 410.7, "beta": 0.34, "delta": 0.28, "L_inf": 1.69},
    "besiroglu": {"A": 482.01, "B": 2085.43, "beta": 0.3478, "delta": 0.3658, "L_inf": 1.8172},
}
ORIGIN = {"params": 0.0, "tokens": 0.0}
# Oracle values are printed to six digits.
DIGITS = 6e-6

shares = st.floats(0.05, 0.95)
exponents = st.floats(0.03, 0.9)
shapes = st.floats(0.1, 2.0)
logs = st.floats(-12.0, 25.0)  # natural log of scale over its pivot


def inputs_of(text: str) -> dict[str, float]:
    return {k: float(v) for k, v in (part.split("=") for part in text.split(";"))}


def joint_loss(theta: dict[str, float], params: float, tokens: float) -> float:
    centred = {"params": np.log(params), "tokens": np.log(tokens)}
    return float(LAWS["parameter-data"].loss(centred, theta))


def centred_theta(
    omega: float, beta: float, delta: float, gamma: float, r0: float = 0.8, floor: float = 1.7
) -> dict[str, float]:
    theta = {"R0": r0, "omega": omega, "beta": beta, "delta": delta, "gamma": gamma}
    return {**LAWS["parameter-data"].complete(theta), "L_inf": floor}


def some_theta(law: Law, rng: np.random.Generator) -> dict[str, float]:
    names = {p.name for p in law.core.coordinates[0]}
    full = {
        "R0": rng.uniform(0.2, 2.0),
        "omega": rng.uniform(0.1, 0.9),
        "alpha": rng.uniform(0.05, 0.4),
        "a": rng.uniform(0.2, 0.8),
        "beta": rng.uniform(0.1, 0.8),
        "delta": rng.uniform(0.1, 0.8),
        "gamma": rng.uniform(0.15, 1.6),
        "steepness": rng.uniform(0.5, 8.0),
        "n_star": rng.uniform(-1.0, 1.0),
        "curvature": rng.uniform(0.02, 0.2),
        "fade": rng.uniform(-0.05, 0.05),
    }
    theta = law.complete({k: v for k, v in full.items() if k in names})
    theta |= {
        # A guessing level that is above any error at the pivot.
        p.name: rng.uniform(0.93, 0.99) if p.support == "unit" else rng.uniform(0.3, 3.0)
        for p in law.link.parameters
    }
    return {**theta, "L_inf": rng.uniform(0.05, 0.3) if law.link.bounded else 1.7}


# ------------------------------------------------------------------ published numbers


@pytest.mark.parametrize(
    "row", [r for r in ORACLE if r["quantity"].startswith("L_")], ids=lambda r: r["inputs"]
)
def test_joint_law_gives_the_published_losses(row: dict[str, str]) -> None:
    theta = textbook_theta(**TEXTBOOK[row["quantity"].removeprefix("L_")])
    at = inputs_of(row["inputs"])
    assert joint_loss(theta, at["N"], at["D"]) == pytest.approx(float(row["value"]), rel=DIGITS)


def oracle(quantity: str, inputs: str | None = None) -> float:
    (value,) = (
        float(r["value"])
        for r in ORACLE
        if r["quantity"] == quantity and inputs in (None, r["inputs"])
    )
    return value


def test_kaplan_eq_1_5_is_the_joint_law_with_gamma_equal_to_delta_and_no_floor() -> None:
    a_n, a_d, n_c, d_c = 0.076, 0.095, 8.8e13, 5.4e13
    # [(N_c/N)^(a_N/a_D) + D_c/D]^a_D has A = N_c^a_N, B = D_c^a_D.
    theta = textbook_theta(n_c**a_n, d_c**a_d, a_n, a_d, 0.0, gamma=a_d)
    assert joint_loss(theta, 1e9, 2e10) == pytest.approx(oracle("kaplan_L_ND_eq1.5"), rel=DIGITS)
    # Far along either axis the other term vanishes: eqs. 1.1 and 1.2.
    assert joint_loss(theta, 1e9, 1e30) == pytest.approx(oracle("kaplan_L_N"), rel=1e-5)
    assert joint_loss(theta, 1e40, 2e10) == pytest.approx(oracle("kaplan_L_D"), rel=1e-5)


@pytest.mark.parametrize("k", [0.31, 0.45, 1.0])
def test_an_outer_exponent_is_gamma_in_other_letters(k: float) -> None:
    """Videau 2026: L = (A/N^p + B/D^q)^k + E."""
    a, b, p, q, floor = 480.0, 2100.0, 0.75, 0.8, 1.8
    theta = textbook_theta(a**k, b**k, k * p, k * q, floor, gamma=k)
    for n, d in ((1e8, 2e11), (7e9, 1e10), (7e10, 1.4e12)):
        printed = (a * n**-p + b * d**-q) ** k + floor
        assert joint_loss(theta, n, d) == pytest.approx(printed, rel=1e-12)
        # The sum of the terms is another law wherever k is not one.
        added = textbook_theta(a**k, b**k, k * p, k * q, floor)
        assert (joint_loss(added, n, d) == pytest.approx(printed, rel=1e-6)) == (k == 1.0)


def test_the_over_training_form_is_the_joint_law_with_one_exponent() -> None:
    """Gadre et al. 2024, eq. 4, and its parameters as the model file names them."""
    eta, a, b, floor = 0.2729 / 2, 120.0, 160.0, 1.837
    theta = textbook_theta(a * 6**-eta, b * 6**-eta, 2 * eta, 2 * eta, floor)
    assert theta["alpha"] == pytest.approx(eta)
    assert theta["a"] == 0.5
    for n, d in ((1e8, 2e11), (7e9, 1.4e11), (1.4e9, 640 * 1.4e9)):
        c, m = 6 * n * d, d / n
        printed = floor + (a * m**eta + b * m**-eta) * c**-eta
        assert joint_loss(theta, n, d) == pytest.approx(printed, rel=1e-12)


@pytest.mark.parametrize(
    ("law", "axis", "exponent", "scale", "at", "quantity"),
    [
        ("parameter", "params", ("beta", 0.076), 8.8e13, 1e9, "kaplan_L_N"),
        ("data", "tokens", ("delta", 0.095), 5.4e13, 2e10, "kaplan_L_D"),
        ("compute", "compute", ("alpha", 0.050), 3.1e8, 1.0, "kaplan_L_Cmin"),
    ],
)
def test_one_axis_laws_give_kaplans_values(
    law: str, axis: str, exponent: tuple[str, float], scale: float, at: float, quantity: str
) -> None:
    name, value = exponent
    theta = {"R0": 1.0, name: value, "L_inf": 0.0}
    got = LAWS[law].loss({axis: np.log(at / scale)}, theta)
    assert float(got) == pytest.approx(oracle(quantity), rel=DIGITS)


@pytest.mark.parametrize("flop", ["f=2.6e+18", "f=6.1e+19", "f=2.3e+22"])
def test_compute_law_gives_cerebras_values(flop: str) -> None:
    theta = {"R0": 1.0, "alpha": 0.0737, "L_inf": 0.5066}
    got = LAWS["compute"].loss({"compute": np.log(inputs_of(flop)["f"] / 5.984e22)}, theta)
    assert float(got) == pytest.approx(oracle("cerebras_L_f", flop), rel=DIGITS)


def test_textbook_theta_is_the_printed_formula() -> None:
    p = TEXTBOOK["besiroglu"]
    for gamma in (0.3, 1.0, 1.4):
        theta = textbook_theta(**p, gamma=gamma)
        n, d = 3e9, 7e10
        terms = (
            (p["A"] * n ** -p["beta"]) ** (1 / gamma),
            (p["B"] * d ** -p["delta"]) ** (1 / gamma),
        )
        assert joint_loss(theta, n, d) == pytest.approx(p["L_inf"] + sum(terms) ** gamma, rel=1e-12)


# ------------------------------------------------------------------ limits, slopes, symmetry


def test_gamma_one_is_the_sum_and_gamma_zero_the_maximum_of_the_terms() -> None:
    p = TEXTBOOK["besiroglu"]
    for n, d in ((1e9, 2e10), (1e11, 1e10), (1e8, 1e13)):
        terms = p["A"] * n ** -p["beta"], p["B"] * d ** -p["delta"]
        assert joint_loss(textbook_theta(**p), n, d) - p["L_inf"] == pytest.approx(sum(terms))
    # At the pivot of a sharp law each term is R₀ times its share to the power γ, which tends to one.
    sharp, law = centred_theta(0.4, 0.35, 0.37, 1e-4, r0=0.8), LAWS["parameter-data"]
    for u, v in ((1.0, 5.0), (5.0, 1.0), (-3.0, 2.0)):
        largest = 0.8 * max(math.exp(-0.35 * u), math.exp(-0.37 * v))
        got = float(np.exp(law.log_reducible({"params": u, "tokens": v}, sharp)))
        assert got == pytest.approx(largest, rel=2e-4)


@settings(max_examples=60)
@given(shares, exponents, exponents, shapes, logs, logs)
def test_loss_falls_with_n_and_with_d(
    omega: float, beta: float, delta: float, gamma: float, u: float, v: float
) -> None:
    theta, law = centred_theta(omega, beta, delta, gamma), LAWS["parameter-data"]

    def log_r(du: float, dv: float) -> float:
        return float(law.log_reducible({"params": u + du, "tokens": v + dv}, theta))

    # Where the other term dominates by many decades, a step changes nothing that a float can hold.
    assert log_r(0.5, 0.0) <= log_r(0.0, 0.0)
    assert log_r(0.0, 0.5) <= log_r(0.0, 0.0)
    assert log_r(0.5, 0.5) < log_r(0.0, 0.0)


@settings(max_examples=60)
@given(shares, exponents, exponents, shapes)
def test_slopes_at_the_pivot_are_omega_beta_and_the_rest_of_delta_whatever_gamma(
    omega: float, beta: float, delta: float, gamma: float
) -> None:
    theta, law, h = centred_theta(omega, beta, delta, gamma), LAWS["parameter-data"], 1e-5

    def slope(axis: str) -> float:
        up, down = ({**ORIGIN, axis: s} for s in (h, -h))
        return float((law.log_reducible(up, theta) - law.log_reducible(down, theta)) / (2 * h))

    assert slope("params") == pytest.approx(-omega * beta, abs=1e-7)
    assert slope("tokens") == pytest.approx(-(1 - omega) * delta, abs=1e-7)
    assert float(law.log_reducible(ORIGIN, theta)) == pytest.approx(math.log(theta["R0"]))


@settings(max_examples=60)
@given(shares, exponents, exponents, shapes, logs, logs)
def test_swapping_n_and_d_with_their_parameters_changes_nothing(
    omega: float, beta: float, delta: float, gamma: float, u: float, v: float
) -> None:
    law = LAWS["parameter-data"]
    one = law.log_reducible({"params": u, "tokens": v}, centred_theta(omega, beta, delta, gamma))
    two = law.log_reducible(
        {"params": v, "tokens": u}, centred_theta(1 - omega, delta, beta, gamma)
    )
    assert float(one) == pytest.approx(float(two), rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(st.floats(0.03, 0.5), st.floats(0.1, 0.9))
def test_the_two_coordinate_sets_agree(alpha: float, a: float) -> None:
    law = LAWS["parameter-data"]
    first = law.complete({"R0": 1.0, "omega": 0.5, "alpha": alpha, "a": a, "gamma": 1.0})
    second = law.complete({k: first[k] for k in ("R0", "omega", "beta", "delta", "gamma")})
    for name in ("alpha", "a", "beta", "delta"):
        assert second[name] == pytest.approx(first[name], rel=1e-12)


def test_extreme_inputs_do_not_overflow() -> None:
    theta = centred_theta(0.5, 0.9, 0.9, 0.01)
    with np.errstate(over="raise", invalid="raise"):
        at = {"params": np.array([-80.0, 80.0]), "tokens": np.array([80.0, -80.0])}
        assert np.all(np.isfinite(LAWS["parameter-data"].log_reducible(at, theta)))
        assert numpy_namespace.sigmoid(np.array([-800.0, 800.0])) == pytest.approx([0.0, 1.0])


# ------------------------------------------------------------------ numpy and pytensor


Compiled = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="module", params=list(LAWS))
def both(request: pytest.FixtureRequest) -> tuple[Law, list[str], Compiled]:
    """A law in pytensor: its loss at three points, and the gradient of their sum by parameter."""
    import pytensor
    import pytensor.tensor as pt

    from bayescale.build import pytensor_namespace

    law = LAWS[request.param]
    names = [p.name for p in (*law.core.coordinates[0], *law.link.parameters, law.floor)]
    theta = {n: pt.dscalar(n) for n in names}
    centred = {axis: pt.dvector(axis) for axis in law.inputs}
    done = law.complete(theta, pytensor_namespace)
    loss = law.loss(centred, done, 0.9 if law.link.bounded else None, pytensor_namespace)
    gradient = pytensor.grad(loss.sum(), list(theta.values()))
    f = pytensor.function(
        [*centred.values(), *theta.values()], [loss, *gradient], mode="FAST_COMPILE"
    )
    return law, names, f


def test_numpy_and_pytensor_agree_in_value_and_gradient(
    both: tuple[Law, list[str], Compiled],
) -> None:
    law, names, compiled = both
    rng = np.random.default_rng(3)
    for _ in range(25):
        whole = some_theta(law, rng)
        theta = {n: whole[n] for n in names}
        centred = {axis: rng.uniform(-6.0, 10.0, 3) for axis in law.inputs}

        def total(changed: dict[str, float], at: dict[str, np.ndarray] = centred) -> np.ndarray:
            return law.loss(at, law.complete(changed), 0.9 if law.link.bounded else None)

        value, *gradient = compiled(*centred.values(), *theta.values())
        np.testing.assert_allclose(value, total(theta), rtol=1e-12)
        for name, slope in zip(names, gradient, strict=True):
            h = 1e-5 * theta[name]
            up, down = ({**theta, name: theta[name] + s} for s in (h, -h))
            numeric = float((total(up) - total(down)).sum() / (2 * h))
            # Central differences err by h² and by rounding over h.
            assert float(slope) == pytest.approx(numeric, rel=2e-5, abs=1e-8)


# ------------------------------------------------------------------ the registry


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_every_law_is_described(law: Law) -> None:
    assert law.name in LAWS
    assert law.title
    assert len(law.source) > 10
    assert law.inputs
    assert "L_inf" in law.parameters
    for name, parameter in law.parameters.items():
        assert parameter.name == name
        assert parameter.latex
        assert parameter.text
        assert parameter.support in ("positive", "unit", "real")
        assert parameter.unit in ("", "loss")
    assert {p.role for p in law.parameters.values()} >= {"floor", "level", "exponent"}


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_latex_renders(law: Law) -> None:
    from matplotlib import mathtext

    parser = mathtext.MathTextParser("path")
    for text in (law.latex, *(p.latex for p in law.parameters.values())):
        assert parser.parse(f"${text}$").width > 0


def test_draws_on_one_axis_and_points_on_another_give_a_matrix() -> None:
    theta = {k: np.full((7, 1), v) for k, v in centred_theta(0.5, 0.3, 0.3, 0.5).items()}
    loss = LAWS["parameter-data"].loss({"params": np.zeros(4), "tokens": np.zeros(4)}, theta)
    assert loss.shape == (7, 4)


def test_unknown_law_proposes_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'parameter-data'"):
        get_law("parameter_data", "my.toml")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["R0", "omega", "alpha", "a", "gamma"], "takes the parameters"),
        (["R0", "omega", "alpha", "a", "gamma", "L_inf", "beta"], "takes the parameters"),
    ],
)
def test_incomplete_parameters_list_what_the_law_takes(names: list[str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        LAWS["parameter-data"].coordinates_for(names, "model 'm'")


def test_unknown_parameter_of_a_law_proposes_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gamma'"):
        LAWS["parameter-data"].coordinates_for(["R0", "gama"], "model 'm'")


@pytest.mark.parametrize("name", sorted(LAWS))
def test_a_law_in_whole_loss_and_floor_share_passes_through_both(name: str) -> None:
    """At the pivot the loss is T, of which the floor is the share φ, whatever the other parameters are.

    An isoFLOP profile says it of the best run of the pivot's budget.
    """
    law, rng = LAWS[name], np.random.default_rng(3)
    upper = 0.8 if law.link.bounded else None
    whole, phi = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)
    rest = {k: v for k, v in some_theta(law, rng).items() if k not in ("R0", "L_inf")}
    theta = law.complete({**rest, "T": whole, "phi": phi}, upper=upper)
    best = 0.0 if law.core.best is None else law.core.best(theta, 0.0)
    at = {axis: -best if axis == "tokens" else best for axis in law.inputs}
    at_pivot = law.loss(at, theta, upper)
    assert at_pivot == pytest.approx(whole * (upper or 1.0))
    assert theta["L_inf"] == pytest.approx(phi * at_pivot)
