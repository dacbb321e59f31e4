"""Model specifications and their resolution on a table: what parses, what does not and what the message says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import make_runs, pile_families, stating

from bayescale.errors import DataError, ModelError, UnknownNameError
from bayescale.runs import Runs
from bayescale.spec import ParameterModel, Prior, ResolvedModel, resolve
from bayescale.spec.groups import ROWS_THAT_SHOW
from bayescale.zoo import load_model, load_populations, model_names, parse_model

POPULATIONS = load_populations()


def resolved(model: str = "parameter-data", runs: Runs | None = None, **options: Any) -> Any:
    return resolve(load_model(model), runs or pile_families(), POPULATIONS, **options)


# ------------------------------------------------------------------ specifications


def content(**changes: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "R0": {"prior": "level"},
        "omega": {"prior": "omega"},
        "alpha": {"prior": "alpha"},
        "a": {"prior": "a"},
        "gamma": {"fixed": 1.0},
        "L_inf": {"prior": "floor"},
    }
    base: dict[str, Any] = {
        "name": "mine",
        "title": "Mine",
        "area": "joint",
        "law": "parameter-data",
        "likelihood": {"family": "normal", "sigma": {"prior": "sigma"}},
        "parameters": parameters,
    }
    return base | changes


def with_parameter(name: str, entry: dict[str, Any] | None) -> dict[str, Any]:
    changed = dict(content()["parameters"])
    if entry is None:
        changed.pop(name)
    else:
        changed[name] = entry
    return content(parameters=changed)


@pytest.mark.parametrize(
    ("given_content", "message"),
    [
        (content(statu="stable"), "unknown key 'statu'.*did you mean 'status'"),
        (
            with_parameter("R0", {"prior": "level", "pol": {}}),
            "unknown key 'pol' in parameters.R0; did you mean 'pool'",
        ),
        (
            content(likelihood={"famly": "normal", "sigma": {"prior": "sigma"}}),
            "did you mean 'family'",
        ),
        (
            content(likelihood={"family": "normal", "sigma": {"prier": "sigma"}}),
            "did you mean 'prior'",
        ),
        (content(status="draft"), "status = 'draft': Input should be 'stable' or 'experimental'"),
        (content(drift="walk"), "drift = 'walk' .expected a table with keys from: axes, amplitude"),
        (
            content(drift={"axes": {"parms": "none"}}),
            "axis 'parms' in drift.axes; did you mean 'params'",
        ),
        (
            with_parameter("R0", 3),
            "parameters.R0 = 3 .expected a table with keys from: prior, fixed",
        ),
        (content(law="parameter-dat"), "did you mean 'parameter-data'"),
        (content(parameters=3), "parameters = 3: .*valid dictionary"),
        (with_parameter("gama", {"fixed": 1.0}), "did you mean 'gamma'"),
        (with_parameter("L_inf", None), "takes the parameters"),
        (with_parameter("R0", {}), "exactly one of prior, fixed, equals; got none"),
        (with_parameter("R0", {"prior": "level", "fixed": 1.0}), "exactly one of"),
        (
            with_parameter("gamma", {"fixed": 1.0, "pool": {"study": "tau_gamma"}}),
            "only a parameter with a prior can be pooled",
        ),
        (
            with_parameter("gamma", {"equals": "gamma"}),
            "unknown parameter 'gamma' in parameters.gamma",
        ),
        (with_parameter("gamma", {"equals": "delt"}), "equals; did you mean 'delta'"),
        (with_parameter("a", {"equals": "alpha"}), "role 'exponent' and cannot be tied"),
        (with_parameter("gamma", {"fixed": -1.0}), "gamma is fixed at -1"),
        (with_parameter("gamma", {"fixed": 0.0}), "gamma is fixed at 0"),
        (with_parameter("a", {"fixed": 1.5}), "a is fixed at 1.5 .expected between 0 and 1"),
        (with_parameter("L_inf", {"fixed": -0.1}), "L_inf is fixed at -0.1"),
        (with_parameter("L_inf", {"fixed": math.inf}), "L_inf is fixed at inf"),
        (
            content(likelihood={"family": "student-t", "sigma": {"prior": "sigma"}}),
            "nu_minus_2 belongs to",
        ),
        (
            content(
                likelihood={
                    "family": "student-t",
                    "sigma": {"prior": "sigma"},
                    "nu_minus_2": {"fixed": 3.0},
                }
            ),
            "nu_minus_2 takes a prior",
        ),
        (
            content(
                likelihood={
                    "family": "normal",
                    "sigma": {"prior": "sigma"},
                    "sweep": {"fixed": 0.1},
                }
            ),
            "sweep takes a prior",
        ),
        (content(drift={"axes": {"params": "exponent"}}), "amplitude is missing: an axis drifts"),
        (content(drift={"axes": {"compute": "none"}}), "does not read 'compute'"),
        (content(drift={"axis": {}}), "did you mean 'axes'"),
    ],
)
def test_bad_content_names_key_and_expectation(given_content: dict[str, Any], message: str) -> None:
    with pytest.raises((ModelError, UnknownNameError), match=message):
        parse_model(given_content, "my.toml")


def test_specification_is_frozen_and_hashed_by_content() -> None:
    spec = parse_model(content(), "my.toml")
    with pytest.raises(ValueError, match="frozen"):
        spec.title = "Other"  # type: ignore[misc]
    assert spec.hash == parse_model(content(), "elsewhere.toml").hash
    assert spec.hash != parse_model(content(title="Other"), "my.toml").hash
    assert ParameterModel(prior="level") == spec.parameters["R0"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"prior": "levle"}, "unknown prior 'levle' in model 'mine', R0; did you mean 'level'"),
        ({"prior": "LogNormal(mu=1)"}, "model 'mine', R0: "),
        (
            {"prior": "level", "pool": {"task": "tau_tsk_R0"}},
            "R0, task; did you mean 'tau_task_R0'",
        ),
        ({"prior": "level", "pool": {"task": "alpha"}}, "HalfNormal.sigma=.*, not LogNormal"),
        ({"prior": "Normal(mu=1, sigma=1)"}, "reaches outside"),
        ({"prior": "level_share", "pool": {"task": "HalfNormal(sigma=0)"}}, "sigma = 0"),
    ],
)
def test_bad_priors_are_found_when_a_model_meets_a_table(
    entry: dict[str, Any], message: str
) -> None:
    spec = parse_model(with_parameter("R0", entry), "my.toml")
    with pytest.raises((ModelError, UnknownNameError), match=message):
        resolve(spec, make_runs(), POPULATIONS)


# ------------------------------------------------------------------ resolution


def runs_for(model: str) -> Runs:
    if load_model(model).get_law().link.bounded:
        return stating(make_runs(metric="error", corpus=None, upper=0.75), model)
    return stating(pile_families(), model)


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("model", model_names())
def test_every_shipped_model_resolves_to_numbers(model: str, pool: bool) -> None:
    done = resolved(model, runs_for(model), pool=pool)
    assert done.pooled is pool
    law = done.get_law()
    for name, parameter in done.parameters.items():
        assert (parameter.prior is None) == (name not in ("sigma",) and parameter.prior is None)
        if parameter.prior is not None:
            low, high = parameter.get_prior().quantile(np.array([1e-6, 1 - 1e-6]))
            assert low < high
            assert parameter.support == "real" or low > 0
            assert parameter.support != "unit" or high < 1
            assert parameter.source
    assert set(done.pivots) == {*law.inputs, *(g.name for g in law.given)}
    assert not pool or done.groups["architecture"]
    again = ResolvedModel.model_validate_json(done.model_dump_json())
    assert again == done
    assert again.hash == done.hash


def test_hash_is_stable_and_sees_what_matters() -> None:
    runs = pile_families()
    shuffled = replace(runs, frame=runs.table.sample(frac=1.0, random_state=3))
    assert resolved().hash == resolved().hash
    assert resolved(runs=shuffled).hash == resolved().hash
    others = [
        resolved(pool=False),
        resolved("chinchilla"),
        resolved(exclude=["chinchilla"]),
        resolved(priors={"gamma": "LogNormal(mu=0, sigma=0.1)"}),
        resolved(runs=runs.where(lambda t: t["params"] > 2e8)),
    ]
    assert len({resolved().hash, *(o.hash for o in others)}) == 6


def test_levels_at_work_are_those_with_several_groups() -> None:
    assert resolved().levels() == ["architecture"]
    assert resolved(runs=make_runs()).levels() == []
    full = resolved(runs=make_runs(("a", "b"), ("x", "y"), ("s", "t")))
    assert full.levels() == ["architecture", "task", "cell", "study"]
    assert full.pooled_parameters("task") == ["R0", "omega", "alpha", "a", "L_inf", "sigma"]
    assert "L_inf" not in full.pooled_parameters("architecture")
    assert resolved(runs=make_runs(("a", "b")), pool=False).levels() == []


def test_a_study_that_renames_the_architectures_is_no_level() -> None:
    runs = make_runs(("a", "b"))
    renamed = runs.table.assign(study=runs.table["architecture"].map({"a": "s", "b": "t"}))
    assert resolved(runs=replace(runs, frame=renamed)).levels() == ["architecture"]


@pytest.mark.parametrize(("model", "metric"), [("data", "nats/token"), ("saturating", "error")])
def test_stating_a_floor_switches_to_level_and_floor(model: str, metric: str) -> None:
    error = metric == "error"
    table = make_runs(metric=metric, corpus=None if error else "web", upper=0.75 if error else None)
    prior = "Beta(alpha=2, beta=9)" if error else "LogNormal(mu=0.53, sigma=0.1)"
    stated = resolve(load_model(model), table, load_populations(), {"L_inf": prior})
    assert {"R0", "L_inf"} < stated.parameters.keys()
    assert not {"T", "phi"} & stated.parameters.keys()
    assert stated.parameters["L_inf"].get_prior() == Prior.parse(prior)
    with pytest.raises(ModelError, match=r"\(T, phi\) or on \(R0, L_inf\), not on both"):
        resolve(load_model(model), table, load_populations(), {"L_inf": prior, "phi": "Beta(2, 2)"})


def test_levels_are_sampled_where_every_curve_shows_its_own() -> None:
    spec, populations = load_model("data"), load_populations()

    def sides(table: Runs) -> tuple[str, ...]:
        return resolve(spec, table, populations).level_dims

    both = make_runs(("a", "b"), ("x", "y"))
    assert sides(both) == ("architecture", "task")
    assert sides(make_runs(("a", "b"))) == ("architecture",)
    assert sides(make_runs()) == ()
    assert sides(make_runs(("a", "b"), studies=("s", "t"))) == ()
    frame = both.table
    hidden = (frame["architecture"] == "b") & (frame["task"] == "y")
    assert sides(replace(both, frame=frame[~hidden])) == ()
    few = hidden & (hidden.cumsum() > ROWS_THAT_SHOW - 1)
    assert sides(replace(both, frame=frame[~few])) == ()
    assert resolve(spec, both, populations, pool=False).level_dims == ()


def test_stating_beta_switches_to_beta_and_delta() -> None:
    done = resolved(priors={"beta": "LogNormal(mu=-1.2, sigma=0.3)"})
    assert done.overridden == ("beta",)
    assert "alpha" not in done.parameters
    assert "a" not in done.parameters
    assert done.parameters["beta"].prior == "LogNormal(mu=-1.2, sigma=0.3)"
    assert done.parameters["beta"].source == "stated by the caller"
    expected = Prior.parse("LogNormal(median=0.27, sigma=0.4)")
    assert done.parameters["delta"].get_prior().quantile(0.5) == pytest.approx(
        float(expected.quantile(0.5))
    )
    assert done.parameters["beta"].pool == resolved().parameters["alpha"].pool


def test_without_a_floor_the_other_exponent_is_that_of_laws_without_one() -> None:
    done = resolved("kaplan", priors={"beta": "LogNormal(mu=-2.6, sigma=0.3)"})
    assert done.parameters["delta"].get_prior().quantile(0.5) == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"betta": "LogNormal(mu=0, sigma=1)"}, "did you mean 'beta'"),
        ({"beta": "LogNormal(mu=0)"}, "prior of beta: "),
        (
            {"beta": "LogNormal(mu=0, sigma=1)", "a": "Beta(alpha=1, beta=1)"},
            "not on both",
        ),
        ({"a": "LogNormal(mu=0, sigma=1)"}, r"reaches outside \(0, 1\)"),
        ({"alpha": "Normal(mu=0.1, sigma=0.1)"}, r"reaches outside \(0, ∞\)"),
    ],
)
def test_bad_overrides(priors: dict[str, str], message: str) -> None:
    with pytest.raises((ModelError, UnknownNameError), match=message):
        resolved(priors=priors)


def test_an_override_frees_what_a_file_fixes_and_reaches_the_noise() -> None:
    done = resolved(
        "chinchilla",
        priors={"gamma": "LogNormal(mu=0, sigma=0.2)", "sigma": "HalfNormal(sigma=0.01)"},
    )
    assert done.parameters["gamma"].fixed is None
    assert done.parameters["gamma"].prior == "LogNormal(mu=0, sigma=0.2)"
    assert done.parameters["sigma"].prior == "HalfNormal(sigma=0.01)"


# ------------------------------------------------------------------ tables that do not fit a model


def test_tasks_of_different_kinds_are_not_pooled() -> None:
    one, two = make_runs(tasks=("x",)), make_runs(tasks=("y",), metric="bits/byte")
    import pandas as pd

    both = replace(
        one,
        frame=pd.concat([one.table, two.table], ignore_index=True),
        tasks={**one.tasks, **two.tasks},
    )
    with pytest.raises(
        DataError, match=r"'x' \(nats/token\), 'y' \(bits/byte\).*cannot be pooled|pooled"
    ):
        resolved(runs=both)


def test_a_law_names_the_column_it_lacks() -> None:
    runs = make_runs()
    with pytest.raises(DataError, match="needs a column 'compute'"):
        resolved("compute", replace(runs, frame=runs.table.drop(columns="compute")))


def test_a_bounded_law_needs_the_level_of_guessing_above_every_loss() -> None:
    with pytest.raises(DataError, match="random-guess level of task 'web'"):
        resolved("saturating", make_runs(metric="error", corpus=None))
    bad = make_runs(metric="error", corpus=None, upper=0.75)
    low = {"web": replace(bad.tasks["web"], upper=float(bad.table["loss"].max()))}
    with pytest.raises(DataError, match="is not below its random-guess level"):
        resolved("saturating", replace(bad, tasks=low))


def test_a_prior_per_token_has_no_value_for_another_unit() -> None:
    spec = parse_model(with_parameter("R0", {"prior": "level_text"}), "my.toml")
    with pytest.raises(ModelError, match="no value in the unit of this table"):
        resolve(spec, make_runs(metric="loss", corpus=None), POPULATIONS)


def test_a_level_needs_a_reference_on_every_axis_of_the_law() -> None:
    spec = parse_model(
        content(
            law="compute",
            parameters={
                "R0": {"prior": "level_no_floor"},
                "alpha": {"prior": "alpha"},
                "L_inf": {"fixed": 0.0},
            },
        ),
        "my.toml",
    )
    with pytest.raises(ModelError, match="no reference compute"):
        resolve(spec, make_runs(), POPULATIONS)
