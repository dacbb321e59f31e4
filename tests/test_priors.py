"""Prior populations: what they imply at a known scale, what excluding a study does, and units."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from helpers import make_runs, pile_families, stating
from test_laws import TEXTBOOK

from bayescale.errors import ModelError, UnknownNameError
from bayescale.laws import joint_frontier, textbook_theta
from bayescale.posterior import population_parameters
from bayescale.spec import Populations, Prior, ResolvedModel, prior_draws, resolve
from bayescale.zoo import load_model, load_populations, model_names

POPULATIONS = load_populations()
CHINCHILLA = {"hoffmann-2022", "hoffmann-2022-isoflop", "besiroglu-2024", "chinchilla-refit"}
DRAWS = 4000


def resolved(model: str = "parameter-data", **options: Any) -> ResolvedModel:
    runs = options.pop("runs", None) or make_runs()
    return resolve(load_model(model), runs, POPULATIONS, **options)


def population_theta(model: ResolvedModel, draws: int = DRAWS) -> dict[str, np.ndarray]:
    theta = population_parameters(prior_draws(model, draws, seed=1), model)
    return {k: v.to_numpy().ravel() for k, v in theta.items()}


# ------------------------------------------------------------------ what the priors imply


@pytest.mark.parametrize("model", ["parameter-data", "chinchilla", "skaling", "over-training"])
def test_prior_loss_of_a_one_billion_model_is_between_two_and_four_nats(model: str) -> None:
    # The table's pivots are N = 1e9, D = 2e10, so the law there is the floor and the level.
    done = resolved(model)
    assert done.pivots["params"] == pytest.approx(math.log(1e9))
    assert done.pivots["tokens"] == pytest.approx(math.log(2e10))
    theta = population_theta(done)
    loss = theta["L_inf"] + theta["R0"]
    inside = float(np.mean((loss > 2.0) & (loss < 4.0)))
    assert inside > 0.95 - 2 * math.sqrt(0.95 * 0.05 / DRAWS)
    assert loss.max() < math.log(50257)


def test_prior_loss_without_a_floor_is_in_the_same_range() -> None:
    theta = population_theta(resolved("kaplan"))
    low, high = np.quantile(theta["R0"], [0.025, 0.975])
    assert 1.5 < low < high < 4.5
    assert theta["R0"].max() < math.log(50257)


@pytest.mark.parametrize("source", sorted(TEXTBOOK))
def test_published_fits_lie_inside_the_prior(source: str) -> None:
    done = resolved()
    published = textbook_theta(**TEXTBOOK[source])
    frontier = joint_frontier(published, {"params": 0.0, "tokens": 0.0})
    by_n = math.exp(frontier.log_A - published["beta"] * done.pivots["params"])
    by_d = math.exp(frontier.log_B - published["delta"] * done.pivots["tokens"])
    values = published | {"R0": by_n + by_d, "omega": by_n / (by_n + by_d)}
    for name in ("R0", "omega", "alpha", "a", "gamma", "L_inf"):
        low, high = done.parameters[name].get_prior().quantile(np.array([0.025, 0.975]))
        assert low < values[name] < high, name


def test_web_text_floor_does_not_contradict_the_lowest_loss_on_the_pile() -> None:
    lowest = pile_families().lowest_loss()
    assert lowest == pytest.approx(1.519, abs=5e-4)
    floor = POPULATIONS.population["floor_web_text"].prior
    # A floor below the lowest loss seen must not be an extreme of the prior.
    assert float(floor.quantile(0.01)) < lowest
    used = resolved(runs=pile_families()).parameters["L_inf"].get_prior()
    assert float(used.quantile(0.25)) < lowest


@pytest.mark.parametrize("name", sorted(POPULATIONS.population))
def test_published_values_do_not_contradict_their_population(name: str) -> None:
    population = POPULATIONS.population[name]
    assert population.basis
    if len(population.studies) < 3:
        return
    low, high = population.prior.quantile(np.array([0.005, 0.995]))
    inside = [low <= v <= high for v in population.studies.values()]
    assert np.mean(inside) >= 0.7, population.studies


def test_every_study_is_cited_and_used() -> None:
    used = {s for p in POPULATIONS.population.values() for s in p.studies}
    assert used == set(POPULATIONS.studies)
    assert all(len(s.citation) > 15 for s in POPULATIONS.studies.values())


# ------------------------------------------------------------------ excluding studies


@pytest.mark.parametrize("key", ["chinchilla", "hoffmann-2022", "besiroglu-2024"])
def test_excluding_a_study_drops_all_that_its_data_made(key: str) -> None:
    less = POPULATIONS.without([key])
    for name, population in less.population.items():
        assert not CHINCHILLA & set(population.studies), name
        before = POPULATIONS.population[name]
        if not CHINCHILLA & set(before.studies):
            assert population == before


def test_excluded_priors_move_and_do_not_narrow() -> None:
    full, less = resolved(), resolved(exclude=["chinchilla"])
    assert less.excluded == ("chinchilla",)
    for name in ("alpha", "a", "gamma", "L_inf", "R0", "sigma"):
        support = full.parameters[name].support
        before = full.parameters[name].get_prior().link_moments(support)
        after = less.parameters[name].get_prior().link_moments(support)
        assert after[0] != before[0], name
        assert after[1] >= before[1] * 0.999, name
    assert full.parameters["omega"] == less.parameters["omega"]


def test_the_centre_moves_with_the_mean_of_the_studies() -> None:
    before, after = (
        p.population["floor_web_text"] for p in (POPULATIONS, POPULATIONS.without(["chinchilla"]))
    )
    shift = np.mean(np.log(list(after.studies.values()))) - np.mean(
        np.log(list(before.studies.values()))
    )
    assert after.prior["mu"] - before.prior["mu"] == pytest.approx(float(shift))
    n, m = len(before.studies), len(after.studies)
    assert after.prior["sigma"] / before.prior["sigma"] == pytest.approx(
        math.sqrt((1 + 1 / m) / (1 + 1 / n))
    )


def test_unknown_study_proposes_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'chinchilla'"):
        resolved(exclude=["chinchila"])


def test_one_study_may_be_given_as_it_is() -> None:
    assert resolved(exclude="chinchilla") == resolved(exclude=["chinchilla"])


def test_a_prior_left_without_studies_matters_only_to_models_that_use_it() -> None:
    assert resolved("compute", exclude=["kaplan"]).excluded == ("kaplan",)
    with pytest.raises(ModelError, match=r"model 'kaplan', R0: .* rests on kaplan-2020 alone"):
        resolved("kaplan", exclude=["kaplan"])
    own = {"R0": "LogNormal(median=2.6, sigma=0.3)"}
    assert resolved("kaplan", exclude=["kaplan"], priors=own).overridden == ("R0",)


# ------------------------------------------------------------------ units


@pytest.mark.parametrize("model", ["parameter-data", "chinchilla", "compute"])
def test_bits_per_token_move_levels_by_ln_2_and_nothing_else(model: str) -> None:
    log_2 = math.log(2.0)
    nats = resolved(model, runs=make_runs())
    bits = resolved(model, runs=make_runs(metric="bits/token", scale=1 / log_2))
    assert bits.loss_unit == "bits/token"
    for name, parameter in nats.parameters.items():
        other = bits.parameters[name]
        if name in ("R0", "L_inf"):
            before, after = parameter.get_prior(), other.get_prior()
            # Printed priors hold twelve digits.
            assert after["mu"] - before["mu"] == pytest.approx(-math.log(log_2), abs=2e-11)
            assert after["sigma"] == pytest.approx(before["sigma"], rel=1e-11)
        else:
            assert other == parameter


def test_units_of_n_and_d_move_the_pivot_only() -> None:
    # The level of a unit without published levels is a share of the losses: N and D do not enter.
    runs = make_runs(metric="loss", corpus=None)
    far = make_runs(metric="loss", corpus=None, centre=(1e10, 2e11))
    one, two = resolved(runs=runs), resolved(runs=far)
    for name in ("omega", "alpha", "a", "gamma"):
        assert one.parameters[name] == two.parameters[name]
    assert two.pivots["params"] - one.pivots["params"] == pytest.approx(math.log(10.0))


def test_floor_follows_the_kind_of_task() -> None:
    medians = {
        "web": resolved().parameters["L_inf"],
        "pile": resolved(runs=make_runs(corpus="pile")).parameters["L_inf"],
        "other": resolved(runs=make_runs(metric="bits/byte", corpus=None)).parameters["L_inf"],
    }
    assert float(medians["web"].get_prior().quantile(0.5)) == pytest.approx(1.75)
    assert float(medians["pile"].get_prior().quantile(0.5)) == pytest.approx(1.5)
    lowest = make_runs().table["loss"].min()
    assert float(medians["other"].get_prior().quantile(0.5)) == pytest.approx(0.64 * lowest)


def test_a_level_moves_from_its_reference_to_the_pivot() -> None:
    near, far = resolved(), resolved(runs=make_runs(centre=(1e11, 2e12)))
    before, after = (m.parameters["R0"].get_prior() for m in (near, far))
    assert before.quantile(0.5) == pytest.approx(0.9, rel=1e-3)
    # Two decades on in N and in D: about α·log(1e4) lower, and less certain.
    expected = -0.13 * math.log(1e4)
    assert after["mu"] - before["mu"] == pytest.approx(expected, rel=0.25)
    assert after["sigma"] > before["sigma"]


# ------------------------------------------------------------------ prior draws


@pytest.mark.parametrize("model", model_names())
def test_prior_draws_follow_their_priors(model: str) -> None:
    runs = (
        make_runs(metric="error", corpus=None, upper=0.75)
        if load_model(model).get_law().link.bounded
        else make_runs(("a", "b", "c"))
    )
    done = resolved(model, runs=stating(runs, model))
    draws = prior_draws(done, DRAWS, seed=2)
    for name, parameter in done.parameters.items():
        if parameter.prior is not None:
            below = float((draws[name] <= parameter.get_prior().quantile(0.5)).mean())
            assert abs(below - 0.5) < 4 * math.sqrt(0.25 / DRAWS), name


def test_effects_sum_to_zero_over_every_axis() -> None:
    done = resolved(runs=make_runs(("a", "b", "c"), ("x", "y")))
    draws = prior_draws(done, 50)
    assert np.abs(draws["effect_architecture"].sum("architecture")).max() < 1e-12
    assert np.abs(draws["effect_task"].sum("task")).max() < 1e-12
    for axis in ("architecture", "task"):
        assert np.abs(draws["effect_cell"].sum(axis)).max() < 1e-12
    assert draws["effect_cell"].dims == (
        "chain",
        "draw",
        "parameter_cell",
        "architecture",
        "task",
    )


def test_prior_draws_are_those_of_their_seed() -> None:
    done = resolved()
    assert prior_draws(done, 20, seed=3).identical(prior_draws(done, 20, seed=3))
    assert not prior_draws(done, 20, seed=3).identical(prior_draws(done, 20, seed=4))


# ------------------------------------------------------------------ the schema of populations


def populations(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "schema_version": 1,
        "studies": {"one": {"citation": "One 2020", "uses": "d"}},
        "population": defaultdict(
            dict, {"x": {"value": "HalfNormal(sigma=1)", "basis": "b", "studies": {"one": 1.0}}}
        ),
    }
    return base | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"population": {"x": {"value": "HalfNormal(sigma=1)"}}}, "basis"),
        (
            {"population": {"x": {"value": "HalfNormal(s=1)", "basis": "b"}}},
            r"population 'x'.*takes \(sigma\)",
        ),
        (
            {
                "population": {
                    "x": {"value": "HalfNormal(sigma=1)", "basis": "b", "studies": {"two": 1.0}}
                }
            },
            "unknown study 'two'",
        ),
        ({"choice": {"y": {"web": "z"}}}, "unknown population 'z'"),
        (
            {
                "population": {
                    "x": {"value": "HalfNormal(sigma=1)", "basis": "b", "reference": {"params": 1}}
                }
            },
            "only a LogNormal",
        ),
    ],
)
def test_bad_population_files(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Populations.model_validate(populations(**changes))


@pytest.mark.parametrize("family", ["HalfNormal(sigma=0.2)", "Beta(alpha=3, beta=4)"])
def test_other_families_recompute_too(family: str) -> None:
    given = populations(
        studies={"one": {"citation": "x"}, "two": {"citation": "y"}},
        population={"x": {"value": family, "basis": "b", "studies": {"one": 0.2, "two": 0.4}}},
    )
    less = Populations.model_validate(given).without(["one"]).population["x"]
    assert less.studies == {"two": 0.4}
    before, after = Prior.parse(family), less.prior
    assert float(after.quantile(0.5)) > float(before.quantile(0.5))


def test_any_study_behind_the_default_model_can_be_left_out() -> None:
    """A data set that is evidence for a prior can be fitted without itself, whichever it is."""
    for data in sorted({s.uses for s in POPULATIONS.studies.values() if s.uses}):
        for model in ("parameter-data", "chinchilla", "compute", "parameter", "data"):
            resolve(load_model(model), make_runs(tasks=("a", "b")), POPULATIONS, exclude=[data])


def test_without_its_only_study_a_scale_falls_back_on_a_wider_one() -> None:
    without = POPULATIONS.without(["olmo"]).population["tau_task_floor"]
    assert without.studies == {}
    assert without.prior["sigma"] > POPULATIONS.population["tau_task_floor"].prior["sigma"]
