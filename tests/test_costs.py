"""Costs: conversions against a published table, uncertain inputs against closed forms, units that do not mix."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bayescale.cli.run import run
from bayescale.decide import (
    Budget,
    Days,
    Emissions,
    Energy,
    Fleet,
    Flop,
    Hours,
    Money,
    Rates,
    cost,
    grid_table,
    hardware_table,
)
from bayescale.decide.costs.hardware import parse_grids, parse_hardware
from bayescale.errors import BayescaleError, ModelError, PlanError, UnknownNameError
from bayescale.posterior.uncertain import POSITIVE, draws_of
from bayescale.runs.flops import attention_flops, embedding_flops
from bayescale.spec import Prior

# Patterson et al. 2021 (arXiv:2104.10350), table 4, as printed: model, kg CO2e/kWh, PUE, W a chip, measured TFLOP/s,
# chips, days, FLOP, MWh, t CO2e (gross).
PATTERSON = [
    ("T5", 0.545, 1.12, 310, 45.6, 512, 20, 4.05e22, 85.7, 46.7),
    ("Meena", 0.415, 1.09, 289, 42.3, 1024, 30, 1.12e23, 232, 96.4),
    ("GShard-600B", 0.201, 1.09, 288, 48.0, 1024, 3.1, 1.33e22, 24.1, 4.8),
    ("Switch Transformer", 0.403, 1.10, 245, 34.4, 1024, 27, 8.22e22, 179, 72.2),
    ("GPT-3", 0.429, 1.10, 330, 24.6, 10000, 14.8, 3.14e23, 1287, 552.1),
    ("Evolved Transformer NAS", 0.431, 1.10, 208, 24.8, 200, 6.8, 2.91e21, 7.5, 3.2),
]
H100: dict[str, Any] = {"hardware": "H100-SXM", "mfu": 0.4}
LLAMA: dict[str, Any] = {"params": 70e9, "tokens": 1.4e12}
PRICE = "LogNormal(median=2.7, sigma=0.35)"


@pytest.mark.parametrize("row", PATTERSON, ids=lambda r: r[0])
def test_published_energy_within_one_percent(row: tuple[Any, ...]) -> None:
    _, grid, pue, watts, tflops, chips, days, flop, mwh, tonnes = row
    rates = Rates.of(
        tflops * 1e12, watts=watts, pue=pue, kg_per_kwh=grid, accelerators=chips, price_per_hour=1.0
    )
    spent = rates.spend(Flop(np.array([flop])))
    from_energy = rates.spend(Energy(np.array([1e3 * mwh]))).kgco2e
    assert spent.kwh is not None
    assert from_energy is not None
    assert spent.days is not None
    assert spent.kwh.draws[0] == pytest.approx(1e3 * mwh, rel=0.01)
    # Days and tonnes are printed with as few as two digits: 1 %, or half a unit of the last one.
    assert spent.days.draws[0] == pytest.approx(days, rel=0.01, abs=0.05)
    assert from_energy.draws[0] == pytest.approx(1e3 * tonnes, rel=0.01, abs=50)


@pytest.mark.parametrize("kind", [Flop, Hours, Days, Money, Energy, Emissions])
def test_every_unit_converts_into_every_other_and_back(kind: type[Flop]) -> None:
    rates = Rates.of(
        4e14, overhead=1.2, price_per_hour=2.7, watts=700, pue=1.1, kg_per_kwh=0.4, accelerators=512
    )
    given = np.array([3.0, 7e5])
    spent = rates.spend(kind(given))
    assert set(spent.amounts()) == {"flop", "hours", "days", "money", "kwh", "kgco2e"}
    np.testing.assert_allclose(spent.amounts()[kind.key].draws, given)
    for amount in spent.amounts().values():
        np.testing.assert_allclose(rates.spend(amount).hours.draws, spent.hours.draws)


def test_a_fleet_and_a_budget_agree() -> None:
    rates = Fleet(**H100, price_per_hour=2.7).rates(draws=1)
    bought = rates.spend(Money(np.array([5e6]))).flop.draws[0]
    budget = Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    assert bought == pytest.approx(budget.flop)


# ------------------------------------------------------------------ units


@pytest.mark.parametrize(
    "wrong",
    [
        lambda c: c.kwh + c.money,
        lambda c: c.money - c.hours,
        lambda c: c.money + 5.0,
        lambda c: c + c.money,
    ],
)
def test_units_do_not_mix(wrong: Any) -> None:
    with pytest.raises(PlanError, match=r"cannot (add|subtract)"):
        wrong(cost(Fleet(**H100), **LLAMA, draws=2).training)


def test_arrays_do_not_slip_past_the_units() -> None:
    money = Money(np.ones(3))
    with pytest.raises(TypeError):
        np.ones(3) + money  # type: ignore[operator]
    np.testing.assert_array_equal((money + money - money).draws, money.draws)


def test_costs_add_and_an_unknown_field_stays_unknown() -> None:
    made = cost(Fleet(**H100), **LLAMA, served_tokens=2e12, serving_mfu=0.1, draws=3)
    assert made.serving is not None
    assert made.serving.days is None
    assert made.total.days is None
    np.testing.assert_allclose(
        made.total.flop.draws, 6 * 70e9 * 1.4e12 + 2 * 70e9 * 2e12, rtol=1e-12
    )
    # A quarter of the utilisation: each FLOP of serving takes four times the hours.
    per_flop = [c.hours.draws[0] / c.flop.draws[0] for c in (made.serving, made.training)]
    assert per_flop[0] == pytest.approx(4 * per_flop[1])


# ------------------------------------------------------------------ uncertain inputs


def test_money_of_a_lognormal_price_is_lognormal() -> None:
    draws = 20_000
    made = cost(Fleet(**H100, price_per_hour=PRICE), **LLAMA, draws=draws).training
    assert made.money is not None
    law = stats.lognorm(0.35, scale=2.7 * made.hours.draws[0])
    for p in (0.05, 0.5, 0.95):
        exact = float(law.ppf(p))
        error = math.sqrt(p * (1 - p) / draws) / float(law.pdf(exact))
        assert abs(np.quantile(made.money.draws, p) - exact) < 4 * error


def test_two_uncertain_inputs_are_independent_and_multiply() -> None:
    draws = 20_000
    fleet = Fleet(hardware="H100-SXM", mfu="LogNormal(median=0.4, sigma=0.1)", price_per_hour=PRICE)
    money = cost(fleet, **LLAMA, draws=draws).training.money
    assert money is not None
    # Logs add: variances too. The sd of a sample's sd is sd/√(2n).
    sd = math.hypot(0.35, 0.1)
    assert abs(np.log(money.draws).std() - sd) < 4 * sd / math.sqrt(2 * draws)


def test_draws_depend_on_seed_and_name_alone() -> None:
    first = draws_of(PRICE, "price_per_hour", POSITIVE, 500, seed=3)
    np.testing.assert_array_equal(draws_of(PRICE, "price_per_hour", POSITIVE, 500, seed=3), first)
    np.testing.assert_array_equal(
        draws_of(Prior.parse(PRICE), "price_per_hour", POSITIVE, 500, seed=3), first
    )
    other_name = draws_of(PRICE, "watts", POSITIVE, 500, seed=3)
    other_seed = draws_of(PRICE, "price_per_hour", POSITIVE, 500, seed=4)
    # Correlations of independent draws have sd 1/√500.
    for other in (other_name, other_seed):
        assert abs(np.corrcoef(np.log(first), np.log(other))[0, 1]) < 4 / math.sqrt(500)
    wider = draws_of("LogNormal(median=9, sigma=2)", "price_per_hour", POSITIVE, 500, seed=3)
    np.testing.assert_array_equal(np.argsort(wider), np.argsort(first))


def test_other_inputs_do_not_move_the_draws() -> None:
    mfu = "Beta(alpha=16, beta=24)"
    plain = cost(Fleet(hardware="H100-SXM", mfu=mfu), **LLAMA, draws=50)
    priced = cost(
        Fleet(hardware="H100-SXM", mfu=mfu, price_per_hour=PRICE, pue="LogNormal(median=1.2, sigma=.01)"),
        **LLAMA,
        draws=50,
    )  # fmt: skip
    np.testing.assert_array_equal(plain.training.hours.draws, priced.training.hours.draws)


def test_own_draws_are_taken_one_by_one() -> None:
    params = np.array([1e9, 2e9, 4e9])
    made = cost(Fleet(**H100), params=params, tokens=1e12, draws=3).training
    np.testing.assert_allclose(made.flop.draws, 6e12 * params)
    with pytest.raises(PlanError, match=r"shape \(3,\) \(expected one value for each of 4"):
        cost(Fleet(**H100), params=params, tokens=1e12, draws=4)


def test_repeated_work_costs_hours_not_flop() -> None:
    plain = cost(Fleet(**H100), **LLAMA, draws=1).training
    unlucky = cost(Fleet(**H100, restarts=0.1, failed=0.5), **LLAMA, draws=1).training
    assert unlucky.hours.draws[0] == pytest.approx(1.65 * plain.hours.draws[0])
    assert unlucky.flop.draws[0] == pytest.approx(plain.flop.draws[0])


# ------------------------------------------------------------------ architectures


def test_attention_and_head_come_from_the_one_accounting() -> None:
    made = cost(
        Fleet(**H100), params=1e9, tokens=1e10, context=4096, vocabulary=50_000, draws=1
    ).training
    size = np.array(1e9)
    per_token = 6e9 + attention_flops(size, 4096) + embedding_flops(size, 50_000)
    assert made.flop.draws[0] == pytest.approx(1e10 * float(per_token))


def test_attention_of_a_stated_architecture() -> None:
    # GPT-3: 96 layers of width 12,288, context 2,048 (Brown et al. 2020, table 2.1); 12·layers·width·context.
    sizes: dict[str, Any] = {"params": 175e9, "tokens": 300e9}
    shape: dict[str, Any] = {"context": 2048, "layers": 96, "width": 12_288}
    with_shape = cost(Fleet(**H100), **sizes, **shape, draws=1).training.flop.draws[0]
    assert with_shape / (6 * 175e9 * 300e9) - 1 == pytest.approx(
        12 * 96 * 12_288 * 2048 / (6 * 175e9)
    )


def test_an_architecture_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "cost",
        "--params",
        "175B",
        "--tokens",
        "300B",
        "--hardware",
        "H100-SXM",
        "--mfu",
        ".4",
    ]
    shape = ["--context", "2048", "--layers", "96", "--width", "12288", "--draws", "1", "--json"]
    assert run([*words, *shape]) == 0
    said = json.loads(capsys.readouterr().out)["training"]["flop"]["median"]
    assert said / (6 * 175e9 * 300e9) - 1 == pytest.approx(12 * 96 * 12_288 * 2048 / (6 * 175e9))
    assert run([*words, "--layers", "96"]) == 1
    assert "give context=" in capsys.readouterr().err


# ------------------------------------------------------------------ the tables


def test_peaks_are_dense() -> None:
    for chip in hardware_table().values():
        assert chip.flop_per_second() == chip.peak[chip.precision]
        if "fp8" in chip.peak:
            # Half the bits, twice the rate; a sparse figure would be four times it.
            assert chip.peak["fp8"] == pytest.approx(2 * chip.peak["bf16"], rel=2e-3)
    assert hardware_table()["V100-SXM"].precision == "fp16"
    assert all(0 < grid.kg_per_kwh < 1 for grid in grid_table().values())


def test_what_a_table_lacks_is_said_and_not_made_up() -> None:
    made = cost(Fleet(hardware="TPU-v5e", mfu=0.4), **LLAMA, draws=2)
    assert set(made.training.amounts()) == {"flop", "hours", "days"}
    assert any("give watts" in note for note in made.notes)
    assert any("give one for money" in note for note in made.notes)
    with pytest.raises(PlanError, match=r"\$ cannot be converted"):
        Fleet(hardware="TPU-v5e", mfu=0.4).rates(2).spend(Money(np.ones(2)))


CHIP: dict[str, Any] = {
    "vendor": "v", "peak": {"bf16": 1e14}, "memory_gb": 80, "watts": 700, "source": "data sheet"
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak": {"bf16": -1e14}}, r"mine.toml, X: peak.bf16"),
        ({"peak": {}}, "peak"),
        ({"peak": {"bf17": 1e14}}, "peak.bf17"),
        ({"watts": "lots"}, "watts"),
        ({"source": ""}, "source"),
        ({"sparse": True}, "sparse"),
        ({"price_per_hour": 2.0}, "go together"),
    ],
)
def test_a_bad_table_names_entry_and_field(change: dict[str, Any], message: str) -> None:
    assert parse_hardware({"X": CHIP}, "mine.toml")["X"].peak == {"bf16": 1e14}
    with pytest.raises(PlanError, match=message):
        parse_hardware({"X": CHIP | change}, "mine.toml")
    with pytest.raises(PlanError, match=r"mine.toml, moon: kg_per_kwh"):
        parse_grids({"moon": {"kg_per_kwh": 0, "year": 2024, "source": "s"}}, "mine.toml")


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"price_per_hour": -2.7}, r"price_per_hour = -2.7 \(expected a positive number\)"),
        ({"price_per_hour": float("nan")}, "price_per_hour = nan"),
        ({"price_per_hour": "Normal(mu=1, sigma=1)"}, "price_per_hour: Normal.* reaches outside"),
        ({"price_per_hour": "LogNorml(mu=1, sigma=1)"}, "did you mean 'LogNormal'"),
        ({"price_per_hour": "cheap"}, "price_per_hour: cannot read 'cheap'"),
        ({"price_per_hour": True}, "expected a number, or a distribution"),
        ({"mfu": 1.2}, r"mfu = 1.2 \(expected a share in \(0, 1\]\)"),
        ({"mfu": 0}, "mfu = 0"),
        ({"mfu": "LogNormal(median=0.5, sigma=0.5)"}, "mfu: LogNormal.* reaches outside"),
        ({"hardware": "H100-SMX"}, "did you mean 'H100-SXM'"),
        ({"precision": "fp4"}, "did you mean 'fp8'"),
        ({"pue": 0.9}, "pue = 0.9"),
        ({"grid": "frence"}, "did you mean 'france'"),
        ({"grid": -0.1}, "grid = -0.1"),
        ({"watts": np.array([700.0, -1.0])}, "watts: a draw lies outside"),
        ({"accelerators": 0}, "accelerators = 0"),
        ({"restarts": -0.1}, "restarts = -0.1"),
        ({"tokens": 0}, r"tokens = 0 \(expected a positive number\)"),
        ({"params": -7e9}, "params = -7e"),
        ({"served_tokens": 1e12}, "go together"),
        ({"draws": 0}, "draws = 0"),
        ({"layers": 96}, "give context="),
        ({"width": 96}, "give context= or vocabulary="),
        ({"context": -1}, "context = -1"),
    ],
)
def test_bad_input_is_one_clear_error(given: dict[str, Any], message: str) -> None:
    every = H100 | LLAMA | {"draws": 2} | given
    of_cost = set(cost.__kwdefaults__ or {}) | {"params", "tokens"}
    with pytest.raises((PlanError, ModelError, UnknownNameError), match=message) as caught:
        cost(
            Fleet(**{k: v for k, v in every.items() if k not in of_cost}),
            **{k: v for k, v in every.items() if k in of_cost},
        )
    assert isinstance(caught.value, BayescaleError)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ more accelerators, less of each


def test_utilisation_falls_with_each_doubling_beyond_where_it_was_measured() -> None:
    asked: dict[str, Any] = {"hardware": "H100-SXM", "price_per_hour": 2.0, "mfu": 0.4}
    spent = {
        count: cost(
            Fleet(**asked, accelerators=count, mfu_at=256, mfu_falls=0.1), params=7e9, tokens=1e12
        ).training
        for count in (64, 256, 1024)
    }
    plain = cost(Fleet(**asked, accelerators=1024), params=7e9, tokens=1e12).training
    assert spent[64].money is not None
    assert spent[256].money is not None
    assert spent[1024].money is not None
    assert plain.money is not None
    np.testing.assert_allclose(spent[64].money.draws, spent[256].money.draws)
    # Two doublings keep .9² of it: as many more hours, and as many more days on the same machines.
    np.testing.assert_allclose(spent[1024].money.draws, plain.money.draws / 0.81)
    np.testing.assert_allclose(spent[1024].days.draws, plain.days.draws / 0.81)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mfu_falls": 0.1}, "mfu_falls needs mfu_at"),
        ({"mfu_falls": 1.0, "mfu_at": 8}, r"mfu_falls = 1 .expected a share from 0 to below 1"),
        ({"mfu_at": 0}, "mfu_at = 0"),
    ],
)
def test_bad_scalings(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Fleet(hardware="H100-SXM", mfu=0.4, **change)
