"""A chain forecasts and plans errors by two steps: the draws of the loss go through the curves of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.cli import run
from bayescale.errors import ConvergenceError, FitFileError, ForecastError, PlanError
from bayescale.posterior import Chained, Fit, Linked, Mixture, curve_of, group_curve
from bayescale.predict import Kind

BUDGET = 1e22
POINT: dict[str, Any] = {"params": [1e9, 2e10], "tokens": [2e10, 4e11]}
LOSS = {"R0": 0.55, "omega": 0.5, "alpha": 0.16, "a": 0.5, "gamma": 0.8, "L_inf": 1.8}
ERROR = {"R0": 1.4, "steepness": 5.0, "guess": 0.75, "L_inf": 0.05}


def error_runs(
    tasks: tuple[str, ...] = ("quiz",), architectures: tuple[str, ...] = ("gpt",)
) -> Any:
    return make_runs(architectures, tasks, metric="error", corpus=None, upper=1.0)


@pytest.fixture(scope="module")
def fits() -> tuple[Fit, Fit]:
    """A loss that drifts, with sweeps, and an error, both as uncertain as their priors."""
    frame = make_runs().table
    frame["sweep"] = np.where(frame["params"] > 2e9, "large", "small")
    runs = bs.load_runs(
        frame.drop(columns=["study", "task"]), task_info={"loss": {"corpus": "web"}}
    )
    return make_fit(runs=runs, drift=True, draws=300), make_fit(
        "error-loss", error_runs(), draws=200
    )


@pytest.fixture(scope="module")
def chain(fits: tuple[Fit, Fit]) -> Chained:
    return bs.chain(*fits)


def expected_error(loss: np.ndarray, fit: Fit) -> np.ndarray:
    """The sigmoid written out."""
    pivot = np.exp(fit.model.pivots["upstream_loss"])
    odds = ERROR["R0"] * np.exp(ERROR["steepness"] * (loss / pivot - 1.0))
    width = ERROR["guess"] * (1.0 - ERROR["L_inf"])
    return ERROR["L_inf"] + width * odds / (1.0 + odds)


def test_with_nothing_uncertain_it_is_the_one_law_put_into_the_other() -> None:
    first = make_fit(runs=make_runs(), values=LOSS)
    second = make_fit("error-loss", error_runs(), values=ERROR)
    loss = bs.predict(first, **POINT, kind="law").draws.to_numpy()
    error = bs.predict(bs.chain(first, second), **POINT, kind="law").draws.to_numpy()
    np.testing.assert_allclose(error, expected_error(loss, second), rtol=1e-12)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_both_steps_are_uncertain_and_neither_alone_accounts_for_it(
    kind: Kind, fits: tuple[Fit, Fit], chain: Chained
) -> None:
    """Against the same draws put together by hand: the spread is that of both, in every kind of forecast."""
    first, _ = fits
    loss = bs.predict(first, **POINT, kind=kind).draws.to_numpy().reshape(600, 2)
    onto = chain.onto
    (beside,) = chain.partners
    error = bs.predict(chain, **POINT, kind=kind).draws.to_numpy().reshape(600, 2)
    curve = group_curve(onto, onto.groups()).take(beside)
    through = curve.loss(curve.log_reducible({"upstream_loss": np.log(loss)}))
    if kind != "run":  # neither has the second step sweeps
        np.testing.assert_allclose(error, through, rtol=1e-12)
    else:
        assert 0.0 < np.abs(np.log(error / through)).mean() < 0.5
    sure = make_fit("error-loss", error_runs(), draws=200, values=ERROR)
    known = bs.predict(bs.chain(first, sure), **POINT, kind=kind).draws
    spread = bs.predict(chain, **POINT, kind=kind).draws.std(("chain", "draw"))
    assert (known.std(("chain", "draw")) > 0).all()
    assert (spread > 1.2 * known.std(("chain", "draw"))).all()


def test_equal_seeds_do_not_tie_the_steps_together(fits: tuple[Fit, Fit]) -> None:
    """The noise of the loss of a run and that of its error, drawn by the same seed for the same labels."""
    first = make_fit(runs=make_runs(), draws=2000, values=LOSS)
    second = make_fit("error-loss", make_runs(metric="error", corpus=None, upper=1.0), draws=2000)
    assert first.seed == second.seed
    assert first.labels("task") == second.labels("task")
    chain = bs.chain(first, second)
    point = {"params": 2e9, "tokens": 4e10}
    loss = bs.predict(first, **point, kind="run").draws.to_numpy().ravel()
    error = bs.predict(chain, **point, kind="run").draws.to_numpy().ravel()
    curve = group_curve(chain.onto, chain.onto.groups()).take(chain.partners[0])
    through = curve.loss(curve.log_reducible({"upstream_loss": np.log(loss)[:, None]}))[:, 0]
    own = np.log(error / through)
    noise = np.log(loss) - np.log(np.median(loss))
    # Ranks, since both have heavy tails.
    ranks = [np.argsort(np.argsort(x)) for x in (own, noise)]
    assert abs(np.corrcoef(*ranks)[0, 1]) < 5 / np.sqrt(len(own))


def test_a_plan_chooses_the_n_of_the_loss_and_says_errors(
    fits: tuple[Fit, Fit], chain: Chained
) -> None:
    own = bs.plan(fits[0], BUDGET, target_loss=2.3)
    plan = bs.plan(chain, BUDGET, target_loss=0.3, allow_experimental=True)
    # Draw by draw the error falls where the loss does: the same optimum, and the same compute wasted.
    assert plan.optimum["params"] == own.optimum["params"]
    assert plan.recommendations[0].params == pytest.approx(own.recommendations[0].params)
    np.testing.assert_allclose(plan.table["regret"], own.table["regret"], atol=2e-6)
    assert plan.problem["unit"] == "error"
    assert plan.problem["task"] == "quiz"
    assert 0.0 < plan.optimum["floor"]["median"] < plan.optimum["loss"]["median"] < 1.0
    every = plan.table.isel(action=slice(0, None, 60))
    where = {"params": every["params"].to_numpy(), "tokens": every["tokens"].to_numpy()}
    curve = bs.predict(chain, **where, kind="expected")
    np.testing.assert_allclose(curve.draws.mean(("chain", "draw")), every["loss"], rtol=1e-9)
    hit = (bs.predict(chain, **where, kind="run").draws <= 0.3).mean(("chain", "draw"))
    p = every["p_hit"].to_numpy()
    assert np.all(np.abs(hit - p) < 5 * np.sqrt(np.maximum(p * (1 - p), 1e-3) / 600))
    assert plan.provenance["chain"]["second"]["model"] == "error-loss"
    assert any("chain of parameter-data and error-loss" in c for c in plan.caveats)
    # What it keeps of a run is the error's forecast.
    at = {"params": plan.forecasts[0].params, "tokens": plan.forecasts[0].tokens}
    kept, forecast = plan.forecasts[0].draws, bs.predict(chain, **at).draws.to_numpy().ravel()
    spread = forecast.std() * np.sqrt(1 / len(kept) + 1 / len(forecast))
    assert abs(kept.mean() - forecast.mean()) < 5 * spread
    with pytest.raises(PlanError, match="experimental"):
        bs.plan(chain, BUDGET)


def test_the_cheapest_budget_reaches_its_error_and_stopping_values_it(chain: Chained) -> None:
    most = bs.predict(chain, compute=1e23, kind="campaign").draws
    target = float(most.quantile(0.6))
    found = bs.cheapest(chain, target_loss=target, probability=0.3, allow_experimental=True)
    at = bs.predict(chain, params=found.params, tokens=found.tokens, kind="campaign").draws
    assert float((at <= target * (1 + 1e-9)).mean()) == pytest.approx(found.p_hit, abs=0.01)
    assert found.p_hit >= 0.3
    assert found.problem["unit"] == "error"
    price = {"price_per_hour": 2.7, "mfu": 0.4, "hardware": "H100-SXM"}
    stop = bs.stopping(
        chain,
        bs.IfReached(5e6, target),
        **price,
        low=1e20,
        high=1e24,
        allow_experimental=True,
    )
    assert 1e20 <= stop.compute <= 1e24
    with pytest.raises(ForecastError, match="design is of one step"):
        bs.design(chain, BUDGET, [bs.Pilot("one", params=1e9, tokens=2e10)])


def test_errors_above_guessing_are_reached_by_anything_and_below_the_floor_by_nothing(
    chain: Chained,
) -> None:
    curve = curve_of(chain, chain.groups())
    assert isinstance(curve, Linked)
    log_r = curve.reducible(0.5 * (curve.floor + curve.error(np.full(len(curve.floor), 2.0))))
    assert np.isfinite(log_r).all()
    np.testing.assert_allclose(
        curve.loss(log_r),
        0.5 * (curve.floor + curve.error(np.full(len(curve.floor), 2.0))),
        rtol=1e-6,
    )
    assert np.isnan(curve.reducible(0.999 * curve.floor)).all()
    assert (curve.reducible(np.full(len(curve.floor), 0.9999)) == np.inf).mean() > 0.9
    few = curve.take(np.array([3, 5]))
    np.testing.assert_allclose(few.floor, curve.floor[[3, 5]])


def test_the_first_step_may_be_a_stack(fits: tuple[Fit, Fit]) -> None:
    runs = make_runs()
    stack = bs.stack(
        [make_fit(runs=runs, draws=60), make_fit("chinchilla", runs, draws=60)], (0.5, 0.5)
    )
    chain = bs.chain(stack, fits[1])
    assert isinstance(curve_of(chain, chain.groups()), Mixture)
    forecast = bs.predict(chain, **POINT, kind="expected")
    plan = bs.plan(chain, BUDGET, target_loss=0.3, allow_experimental=True)
    assert forecast.draws.sizes == {"chain": 1, "draw": 120, "point": 2}
    assert 0 < plan.recommendations[0].p_hit < 1
    found = bs.cheapest(chain, target_loss=0.55, probability=0.2, allow_experimental=True)
    assert found.p_hit >= 0.2


def test_labels_say_whose_loss_and_whose_error(fits: tuple[Fit, Fit]) -> None:
    losses = make_fit(runs=make_runs(("a", "b"), ("web", "code")), draws=50)
    errors = make_fit("error-loss", error_runs(("quiz", "code"), ("a", "c")), draws=50)
    chain = bs.chain(losses, errors, upstream_task="web")
    where = chain.groups("a", "code")
    assert chain.first_groups(where)["task"] == chain.second_groups(where)["task"] == "code"
    where = chain.groups("b", "quiz")
    assert chain.first_groups(where)["task"] == "web"
    assert chain.second_groups(where)["architecture"] == bs.New("b")
    both = bs.predict(chain, **POINT, architecture=["a", bs.New("d")], task="quiz")
    assert both.draws.sizes["architecture"] == 2
    with pytest.raises(ForecastError, match="say whose loss quiz follows"):
        bs.predict(bs.chain(losses, errors), **POINT, architecture="a", task="quiz")
    with pytest.raises(ForecastError, match="what the first step of a chain forecasts"):
        bs.predict(chain, upstream_loss=2.0, architecture="a", task="quiz")
    with pytest.raises(ForecastError, match="reads upstream_loss, and 'parameter-data' reads"):
        bs.chain(losses, losses)
    with pytest.raises(ForecastError, match="a fit of the loss, not of an error"):
        bs.chain(errors, errors)
    missed = make_fit("error-loss", error_runs(), draws=20, converged=False)
    with pytest.raises(ConvergenceError):
        bs.predict(bs.chain(losses, missed), **POINT, architecture="a")


def test_losses_that_the_second_step_never_saw_are_named(chain: Chained) -> None:
    far = bs.predict(chain, params=1e12, tokens=1e14, kind="law")
    assert any("lie below the lowest one of the second step" in n for n in far.notes)
    sure = bs.chain(make_fit(runs=make_runs(), values=LOSS), chain.second)
    near = bs.predict(sure, params=1e9, tokens=2e10, kind="law")
    assert not any("of the draws of the upstream loss" in n for n in near.notes)


def test_a_chain_is_one_file_that_the_commands_take(
    fits: tuple[Fit, Fit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / n) for n in ("loss.nc", "error.nc", "chain.json")]
    for fit, name in zip(fits, names, strict=False):
        fit.save(name)
    assert run(["chain", *names[:2], "-o", names[2]]) == 0
    assert "chain of parameter-data and error-loss" in capsys.readouterr().out
    opened = bs.load_chain(names[2])
    one = bs.predict(opened, **POINT).draws
    np.testing.assert_array_equal(one, bs.predict(bs.chain(*fits), **POINT).draws)
    where = ["--params", "70B", "--tokens", "1.4T"]
    assert run(["predict", names[2], *where]) == 0
    assert "in error" in capsys.readouterr().out
    assert run(["plan", names[2], "--compute", "1e22", "--allow-experimental", "--json"]) == 0
    assert run(["chain", *names[:2], "-o", names[2]]) == 1
    assert run(["chain", names[1], names[0], "-o", str(tmp_path / "wrong.json")]) == 1
    assert not (tmp_path / "wrong.json").exists()
    fits[1].save(names[0], overwrite=True)
    with pytest.raises(FitFileError, match="has changed since"):
        bs.load_chain(names[2])
    assert run(["predict", names[2], *where]) == 1
