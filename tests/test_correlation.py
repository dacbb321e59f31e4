"""Correlation along a run: which checkpoint is before which, the density of a path, what it counts, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import PASSED
from scipy import stats

import bayescale as bs
from bayescale.errors import DataError, ForecastError, ModelError
from bayescale.posterior import Fit, group_curve
from bayescale.posterior.evidence import evidence
from bayescale.predict import Noise, pointwise
from bayescale.runs import Runs, preceding
from bayescale.spec import coords, prior_draws, resolve
from bayescale.workflow.fitting import beyond_quick, recorded_rows
from bayescale.zoo import load_model, load_populations
from bayescale.zoo.files import parse_model

GAP = 0.4  # e-folds of training between two checkpoints


def paths(
    runs: int = 6, each: int = 10, length: float = 1.0, sigma: float = 0.01, seed: int = 0
) -> pd.DataFrame:
    """Curves of one law, each by a run whose residuals are an Ornstein-Uhlenbeck process in the log of steps."""
    rng, rho, rows = np.random.default_rng(seed), np.exp(-GAP / length), []
    for i in range(runs):
        residual = rng.standard_normal()
        for j in range(each):
            step = round(1000.0 * np.exp(GAP * j))
            loss = 2.0 + 1.5 * (step / 1000.0) ** -0.3
            loss *= float(np.exp(sigma * residual))
            rows.append((f"r{i}", step, 1e8, 1e6 * step, loss))
            residual = rho * residual + np.sqrt(1.0 - rho**2) * rng.standard_normal()
    return pd.DataFrame(rows, columns=["run", "step", "params", "tokens", "loss"])


def load(frame: pd.DataFrame, **options: Any) -> Runs:
    return bs.load_runs(frame, param_count="total", **{"checkpoints": "all", **options})


def resolved(runs: Runs, model: str = "data", **words: Any) -> Any:
    return resolve(load_model(model), runs, load_populations(), **{"correlation": True, **words})


# ------------------------------------------------------------------ which row precedes which


def test_a_checkpoint_follows_the_one_before_it_on_its_own_task() -> None:
    two = paths(2, 4).assign(pile=2.0).rename(columns={"loss": "c4"})
    info = {name: {"metric": "nats/token"} for name in ("c4", "pile")}
    runs = load(two, tasks={"c4": "c4", "pile": "pile"}, task_info=info)
    table = runs.table.sample(frac=1.0, random_state=1).reset_index(drop=True)
    row, gap = preceding(table)
    for (_, _), part in table.groupby(["run_id", "task"]):
        at = part.sort_values("step").index
        assert row[at[0]] == at[0]
        assert np.isinf(gap[at[0]])
        assert list(row[at[1:]]) == list(at[:-1])
        step = part["step"].sort_values().to_numpy()
        np.testing.assert_allclose(gap[at[1:]], np.diff(np.log(step)))
    alone = table.drop_duplicates(["run_id", "task"]).reset_index(drop=True)
    assert np.isinf(preceding(alone.drop(columns="step"))[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 0.0}, "at step 0"),
        ({"step": np.nan}, "at step nan"),
        ({"step": 1000.0}, "two rows at step 1000"),
    ],
)
def test_steps_must_tell(change: dict[str, float], message: str) -> None:
    table = load(paths(2, 3)).table
    table.loc[1, "step"] = change["step"]
    with pytest.raises(DataError, match=message):
        preceding(table)


# ------------------------------------------------------------------ the density of a path


def built_density(runs: Runs, model: Any, seed: int) -> tuple[np.ndarray, Fit]:
    """Log density of every row at a point of the sampler's space, and the point as a fit of one draw."""
    from bayescale.build import build

    graph = build(model, runs)
    kept = [v for v in graph.unobserved_value_vars if "__" not in v.name]
    (log_y,) = graph.logp(vars=graph.observed_RVs, sum=False)
    function = graph.compile_fn(
        [log_y, *kept], inputs=graph.value_vars, on_unused_input="ignore", mode="FAST_COMPILE"
    )
    point = {}
    for name, value in graph.initial_point().items():
        # By name: two models that share a variable have it at one place.
        rng = np.random.default_rng([seed, *name.encode()])
        point[name] = value + 0.3 * rng.standard_normal(value.shape)
    density, *values = function(point)
    dims = graph.named_vars_to_dims
    posterior = xr.Dataset(
        {
            v.name: (("chain", "draw", *(dims.get(v.name) or ())), np.asarray(x)[None, None])
            for v, x in zip(kept, values, strict=True)
            if not v.name.startswith(("z_", "log_", "logit_"))
        },
        coords=coords(model),
    )
    tree = xr.DataTree.from_dict({"/posterior": posterior})
    return np.asarray(density), Fit(tree, model, PASSED, runs.hash, 0, {})


def design() -> Runs:
    """Runs of three and of one checkpoint, of two families; standard errors in some rows."""
    frame = paths(3, 4).assign(architecture=lambda t: np.where(t["run"] == "r0", "a", "b"))
    frame = frame.drop(index=[9, 10, 11])  # the last run keeps one row
    frame["loss_se"] = np.where(np.arange(len(frame)) % 3 == 0, 0.03, np.nan)
    return load(frame.sample(frac=1.0, random_state=3))


@pytest.mark.parametrize("family", ["normal", "student-t"])
@pytest.mark.parametrize("run_effect", [False, True])
def test_the_density_of_a_path_is_that_of_the_process(family: Any, run_effect: bool) -> None:
    """Of Normal noise a multivariate Normal with correlations exp(−|Δ log step|/length); of a Student-t row by row."""
    from bayescale.build import canonical_rows

    runs = design()
    model = resolved(runs, noise=family, drift=False, run_effect=run_effect)
    for seed in range(3):
        density, fit = built_density(runs, model, seed)
        expected, rows = 0.0, canonical_rows(runs)
        length = fit.posterior["correlation_length"].item()
        for (a, run), part in rows.groupby(["architecture", "run_id"]):
            part = part.sort_values("step")
            curve = group_curve(fit, {"architecture": str(a), "task": "loss", "study": "default"})
            logs = {"tokens": np.log(part["tokens"].to_numpy())[None]}
            centre = np.log(curve.loss(curve.log_reducible(logs)))[0]
            if run_effect:
                centre = (
                    centre
                    + fit.posterior["offset_run"].sel(path=f"default / {a} / {run} / loss").item()
                )
            noise = Noise.of(fit, curve.theta)
            se = np.nan_to_num(part["loss_se"].to_numpy()) / part["loss"].to_numpy()
            scale = np.hypot(noise.sigma[0], se)
            residual = np.log(part["loss"].to_numpy()) - centre
            at = np.log(part["step"].to_numpy())
            correlation = np.exp(-np.abs(at[:, None] - at) / length)
            if family == "normal":
                own = stats.multivariate_normal(cov=correlation * np.outer(scale, scale))
                expected += own.logpdf(residual)
                continue
            z, nu = residual / scale, noise.nu[0]
            expected += stats.t.logpdf(z[0], nu) - np.log(scale[0])
            for k in range(1, len(z)):
                rho = correlation[k, k - 1]
                wide = np.sqrt(1.0 - rho**2)
                expected += stats.t.logpdf((z[k] - rho * z[k - 1]) / wide, nu)
                expected -= np.log(wide * scale[k])
        assert density.sum() == pytest.approx(expected, rel=1e-8)


def test_without_a_gap_that_is_short_rows_are_independent() -> None:
    """Negative control of the density: at a length far below every gap it is that of the model without one."""
    runs = design()
    with_it = resolved(runs, drift=False, run_effect=False)
    far = replace(runs, frame=runs.table.assign(step=(runs.table["step"] / 1000.0) ** 100.0))
    density, _ = built_density(far, resolve_as(with_it, far), 0)
    near, _ = built_density(runs, with_it, 0)
    plain, _ = built_density(
        runs, resolved(runs, drift=False, run_effect=False, correlation=None), 0
    )
    assert not np.allclose(near, plain)
    assert density == pytest.approx(plain, rel=1e-6)


def resolve_as(model: Any, runs: Runs) -> Any:
    """The same model on other steps: nothing else of it reads them."""
    again = resolved(runs, drift=False, run_effect=False)
    assert again == model
    return again


# ------------------------------------------------------------------ what it counts for


def fitted(length: float, run_effect: float = 0.0, **words: Any) -> Fit:
    """Draws of a prior with three scales set."""
    runs = load(paths(4, 6))
    model = resolved(runs, noise="normal", run_effect=run_effect > 0.0, **words)
    posterior = prior_draws(model, 5)
    values = {"sigma": 0.01, "correlation_length": length, "run_effect": run_effect}
    kept = {k: xr.full_like(posterior[k], v) for k, v in values.items() if k in posterior}
    tree = xr.DataTree.from_dict({"/posterior": posterior.assign(kept)})
    for name, rows in recorded_rows(model, runs).items():
        tree[name] = xr.DataTree(rows)
    return Fit(tree, model, PASSED, runs.hash, 0, {})


@pytest.mark.parametrize("length", [1e-9, 0.3, 2.0, 1e9])
@pytest.mark.parametrize("run_effect", [0.0, 0.01])
def test_rows_count_as_many_as_know_their_mean_as_well(length: float, run_effect: float) -> None:
    """m²/ΣΣr a run, by the matrix of correlations; between one a run and all rows."""
    found = evidence(fitted(length, run_effect))
    assert found is not None
    at = np.log(paths(1, 6)["step"].to_numpy())
    shared = run_effect**2 / (run_effect**2 + 0.01**2)
    each = shared + (1.0 - shared) * np.exp(-np.abs(at[:, None] - at) / length)
    assert found.effective == pytest.approx(4 * 36 / each.sum(), rel=1e-6)
    if not run_effect:
        bounds = {1e-9: 24.0, 1e9: 4.0}
        assert found.effective == pytest.approx(bounds.get(length, found.effective), rel=1e-6)


# ------------------------------------------------------------------ off unless asked for; what is refused


def test_it_is_off_unless_the_model_or_the_caller_says_so() -> None:
    runs, spec = load(paths()), load_model("data")
    assert "correlation_length" not in spec.model_dump_json()
    assert "correlation_length" not in resolved(runs, correlation=None).parameters
    asked = resolved(runs)
    assert asked.parameters["correlation_length"].support == "positive"
    own = spec.correlated()
    populations = load_populations()
    assert resolve(own, runs, populations).parameters == asked.parameters
    assert (
        resolve(own, runs, populations, correlation=False).hash
        == resolved(runs, correlation=None).hash
    )
    # A file's own is idle, as a run effect is, where the table keeps one row a run.
    last = load(paths(), checkpoints="last")
    assert "correlation_length" not in resolve(own, last, populations).parameters


def test_a_file_may_state_its_own_prior() -> None:
    stated = {"prior": "LogNormal(median=0.2, sigma=0.3)"}
    spec = load_model("data")
    content: dict[str, Any] = {"extends": "data", "name": "own"}
    content["likelihood"] = {
        **spec.likelihood.model_dump(exclude_none=True),
        "correlation_length": stated,
    }
    own = resolve(parse_model(content, "own"), load(paths()), load_populations())
    prior = own.parameters["correlation_length"].get_prior()
    assert float(prior.quantile(0.5)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        ({"correlation_length": {"fixed": 1.0}}, "correlation_length takes a prior"),
        (
            {"correlation_length": {"prior": "correlation_length", "pool": {"task": "tau_sigma"}}},
            "no pooling",
        ),
        (
            {"family": "one-sided", "inefficiency": {"prior": "inefficiency"}},
            "correlation_length is of student-t or normal noise, not of one-sided",
        ),
        ({"family": "binomial"}, "not of binomial"),
    ],
)
def test_a_model_file_states_it_in_full(likelihood: dict[str, Any], message: str) -> None:
    plain = {"family": "normal", "sigma": {"prior": "sigma"}}
    along = {"correlation_length": {"prior": "correlation_length"}}
    content = {"extends": "data", "name": "own", "likelihood": {**plain, **along, **likelihood}}
    with pytest.raises(ModelError, match=message):
        parse_model(content, "own.toml")


def test_tables_and_noise_that_it_is_not_for() -> None:
    frame = paths()
    with pytest.raises(DataError, match="no run has several rows"):
        resolved(load(frame, checkpoints="last"))
    with pytest.raises(ModelError, match="not of one-sided; take another noise"):
        resolved(load(frame), noise="one-sided")
    trains = frame.assign(unfinished=np.arange(len(frame)) % 10 == 9)
    with pytest.raises(DataError, match="6 rows of unfinished runs"):
        resolved(load(trains), noise="normal")
    with pytest.raises(DataError, match="at step 0"):
        resolved(load(frame.assign(step=frame["step"] - 1000)))


def test_what_reads_rows_one_by_one_refuses_it_and_the_quick_engine_leaves_it_to_nuts() -> None:
    fit = fitted(1.0)
    with pytest.raises(ForecastError, match="a correlation along runs"):
        pointwise(fit)
    model = resolved(load(paths()), drift=False, run_effect=False)
    assert beyond_quick(model) == (
        "the length of a correlation is learnt, and k̂ does not see the tails of such models"
    )


def test_a_forecast_is_of_a_run_by_itself() -> None:
    """The noise around a forecast is that of one row, whatever the correlation of several."""
    at: dict[str, Any] = {"tokens": np.full(400, 1e10)}
    one, other = (bs.predict(fitted(length), **at).draws for length in (1e-3, 10.0))
    np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------------ recovery, and where there is nothing to recover


@pytest.mark.slow
def test_a_length_is_found_where_there_is_one_and_rows_then_say_less() -> None:
    """Sixty rows at correlation .67; and, as the negative control, 240 that are independent.

    With every residual known the standard error of log ρ over 54 pairs is about √((1−ρ²)/(54 ρ²)) = .15, of the length
    1/(−log ρ/.4) a third of it at ρ = .67: within a factor of three is asked for. Without correlation ρ is known to
    1/√216 = .07; its posterior, which no value below zero balances, is to have its median below three of these.
    """
    words: dict[str, Any] = {"noise": "normal", "drift": False, "run_effect": False, "chains": 2}
    words |= {"draws": 800, "tune": 600, "progress": False}
    forecasts: dict[str, float] = {}
    for name, count, length in (("there", 6, 1.0), ("absent", 24, 1e-3)):
        runs = load(paths(count, 10, length=length))
        along = bs.fit(runs, "data", correlation=True, **words)
        plain = bs.fit(runs, "data", **words)
        found = along.posterior["correlation_length"].to_numpy().ravel()
        for key, fit in (("along", along), ("plain", plain)):
            draws = bs.predict(fit, tokens=6e9, kind="expected").draws
            forecasts[f"{name}, {key}"] = float(np.log(draws).std())
            forecasts[f"{name}, {key}, centre"] = float(np.log(draws).mean())
        rho = np.exp(-GAP / found)
        if name == "there":
            assert 1 / 3 < np.median(found) < 3
            assert np.quantile(rho, 0.05) > 0.4
        else:
            assert np.median(rho) < 3 / np.sqrt(216)
    # In the middle of the rows correlated ones know the curve less well than as many independent ones, by a factor of
    # two where 60 count as 15: halfway on the log scale is asked for. A correlation of three standard errors, .2, would
    # widen it by √((1+ρ)/(1−ρ)) = 1.22, and leave it where it is.
    assert forecasts["there, along"] > np.sqrt(2) * forecasts["there, plain"]
    assert forecasts["absent, along"] == pytest.approx(forecasts["absent, plain"], rel=0.22)
    gap = forecasts["absent, along, centre"] - forecasts["absent, plain, centre"]
    assert abs(gap) < 0.25 * forecasts["absent, plain"]
