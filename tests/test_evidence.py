"""What rows share: checkpoints of one run, their effective number, and the correlation of group effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import make_fit, make_runs
from scipy import stats

import bayescale as bs
from bayescale.errors import DataError, ForecastError, ModelError, UnknownNameError
from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior import Fit
from bayescale.predict import pointwise
from bayescale.runs import Runs, paths
from bayescale.spec import ModelSpec, cholesky, concentration, prior_draws, resolve
from bayescale.zoo import load_model, load_populations
from bayescale.zoo.files import parse_model

LEVEL = 0.001


def checkpoints(runs: int = 8, each: int = 4, spread: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """Runs that differ by an offset of the log loss with standard deviation ``spread``; noise .005."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(runs):
        offset = spread * rng.standard_normal()
        for j in range(each):
            tokens = 1e9 * 4.0 ** (i % 4) * 1.5**j
            loss = 2.0 + 1.5 * (tokens / 1e9) ** -0.3
            loss *= float(np.exp(offset + 0.005 * rng.standard_normal()))
            rows.append((f"r{i}", j, 1e8, tokens, loss))
    return pd.DataFrame(rows, columns=["run", "step", "params", "tokens", "loss"])


def load(frame: pd.DataFrame, **options: Any) -> Runs:
    return bs.load_runs(frame, param_count="total", **options)


# ------------------------------------------------------------------ rows of one run


def test_all_checkpoints_are_kept_only_where_asked() -> None:
    frame = checkpoints()
    assert len(load(frame)) == 8
    every = load(frame, checkpoints="all")
    assert len(every) == 32
    assert any("no fewer than 8" in n for n in every.notes)
    with pytest.raises(DataError, match="duplicate of row 0"):
        load(pd.concat([frame, frame[:1]], ignore_index=True), checkpoints="all")
    with pytest.raises(UnknownNameError, match="choice of checkpoints"):
        load(frame, checkpoints="first")


def test_a_path_is_a_run_on_a_task_or_a_run() -> None:
    frame = checkpoints(2, 2).rename(columns={"loss": "c4"}).assign(pile=2.0)
    info = {"metric": "nats/token"}
    both: dict[str, Any] = {
        "tasks": {"c4": "c4", "pile": "pile"},
        "task_info": {"c4": info, "pile": info},
    }
    every = load(frame, checkpoints="all", **both)
    assert paths(every).nunique() == 4
    assert paths(every, "tasks").nunique() == 2
    last = load(frame, **both)
    assert paths(last) is None
    assert paths(last, "tasks").nunique() == 2
    assert paths(load(frame.drop(columns="run"), **both), "tasks") is None


def test_a_run_effect_is_at_work_only_where_runs_have_several_rows() -> None:
    spec, populations = load_model("data"), load_populations()
    every = load(checkpoints(), checkpoints="all")
    model = resolve(spec, every, populations)
    assert len(model.paths) == 8
    assert prior_draws(model, 3)["offset_run"].sizes["path"] == 8
    for runs, on in ((load(checkpoints()), True), (every, False)):
        without = resolve(spec, runs, populations, run_effect=on)
        assert not without.paths
        assert without.spec.likelihood.run_effect is None
        assert "run_effect" not in without.parameters


def fitted(run_effect: float) -> Fit:
    values = {"sigma": 0.01, "run_effect": run_effect}
    fit = make_fit("data", load(checkpoints(), checkpoints="all"), draws=5, noise="normal")
    moved = fit.posterior.assign({k: xr.full_like(fit.posterior[k], v) for k, v in values.items()})
    fit.tree["posterior"] = xr.DataTree(moved)
    return fit


def test_rows_count_between_all_of_them_and_one_a_run() -> None:
    """Σ m/(1 + (m−1)ρ): 32 rows at ρ = 0, 8 runs at ρ = 1, and 8·4/2.5 at ρ = ½."""
    for scale, expected in ((1e-9, 32.0), (1e3, 8.0), (0.01, 12.8)):
        found = fitted(scale).summary()
        assert found.evidence is not None
        assert found.evidence.effective == pytest.approx(expected, rel=1e-6)
        assert f"count as {expected:.1f} independent" in str(found)
    assert make_fit("data", load(checkpoints()), draws=5).summary().evidence is None


def test_a_forecast_of_a_run_includes_its_own_offset() -> None:
    fit, at = fitted(0.05), {"tokens": np.full(2000, 1e10)}
    curve = np.log(bs.predict(fit, **at, kind="campaign").draws)
    offset = np.log(bs.predict(fit, **at).draws) - curve
    drawn = offset.to_numpy().ravel()
    assert stats.kstest(drawn, stats.norm(0, np.hypot(0.05, 0.01)).cdf).pvalue > LEVEL
    assert stats.kstest(drawn, stats.norm(0, 0.01).cdf).pvalue < LEVEL


@pytest.mark.slow
def test_a_run_effect_is_found_where_it_is_and_nowhere_else() -> None:
    """Recovery, its negative control, and what becomes of duplicated checkpoints without it.

    The standard deviation of eight offsets is known to 1/√(2·8) = 25 % at best: within a factor of two is asked for.
    Near-copies of a row add no evidence: without a run effect four of them halve the standard deviation of the curve;
    with it they leave it. The bounds lie halfway on the log scale, at 1/√2. Offsets are of the size that the prior of
    their scale expects, so that it is not the two priors, of σ and of the run effect, that are compared.
    """
    words: dict[str, Any] = {"noise": "normal", "drift": False, "chains": 2, "progress": False}
    words |= {"draws": 600, "tune": 600, "allow_unconverged": True}
    there = bs.fit(load(checkpoints(spread=0.03), checkpoints="all"), "data", **words)
    assert 0.015 < float(there.posterior["run_effect"].median()) < 0.06
    absent = bs.fit(load(checkpoints(spread=0.0), checkpoints="all"), "data", **words)
    assert float(absent.posterior["run_effect"].quantile(0.9)) < 0.005
    once = checkpoints(spread=0.01, each=1)
    copies = pd.concat([once.assign(step=j) for j in range(4)], ignore_index=True)
    copies["loss"] *= np.exp(0.001 * np.random.default_rng(1).standard_normal(len(copies)))
    sd = {}
    for name, runs, on in (
        ("once", load(once), True),
        ("copied", load(copies, checkpoints="all"), True),
        ("naive", load(copies, checkpoints="all"), False),
    ):
        fit = bs.fit(runs, "data", run_effect=on, **words)
        at = bs.predict(fit, tokens=1e10, kind="expected", allow_unconverged=True).draws
        sd[name] = float(np.log(at).std())
    assert sd["naive"] < sd["once"] / np.sqrt(2)
    assert sd["copied"] > sd["once"] / np.sqrt(2)


# ------------------------------------------------------------------ correlated effects


@pytest.mark.parametrize(("size", "eta"), [(2, 4.0), (3, 1.0), (5, 4.0)])
def test_partial_correlations_make_the_lkj_distribution(size: int, eta: float) -> None:
    """Every entry of an LKJ(η) matrix is 2·Beta(b, b) − 1, b = η − 1 + K/2 (Lewandowski et al. 2009)."""
    rng, b = np.random.default_rng(0), concentration(size, eta)
    factor = cholesky(2.0 * rng.beta(b, b, (8000, len(b))) - 1.0, size, numpy_namespace)
    matrix = factor @ np.swapaxes(factor, 1, 2)
    np.testing.assert_allclose(np.einsum("nii->ni", matrix), 1.0, rtol=1e-12)
    entry = stats.beta(eta - 1 + size / 2, eta - 1 + size / 2, loc=-1, scale=2)
    for i in range(size):
        for j in range(i):
            assert stats.kstest(matrix[:, i, j], entry.cdf).pvalue > LEVEL


def correlated(**correlation: float) -> ModelSpec:
    """Level and exponent vary by architecture, and by nothing else."""
    pool = {"architecture": "tau_architecture_R0"}
    parameters = {
        "R0": {"prior": "level", "pool": pool},
        "alpha": {"prior": "alpha", "pool": pool},
        "omega": {"prior": "omega"},
        "a": {"prior": "a"},
    }
    content = {"extends": "parameter-data", "name": "own", "parameters": parameters}
    return parse_model({**content, "correlation": correlation}, "own")


def test_the_sampler_and_numpy_correlate_alike() -> None:
    from bayescale.build import build

    runs = make_runs(("a", "b", "c"))
    model = resolve(correlated(architecture=4.0), runs, load_populations(), drift=False)
    built = build(model, runs)
    names = ["effect_architecture", "tau_architecture", "partial_correlation_architecture"]
    inner = [*(built[n] for n in names), built["z_architecture"]]
    function = built.compile_fn(
        built.replace_rvs_by_values(inner),
        inputs=built.value_vars,
        on_unused_input="ignore",
        mode="FAST_COMPILE",
    )
    rng = np.random.default_rng(1)
    point = {k: v + 0.5 * rng.standard_normal(v.shape) for k, v in built.initial_point().items()}
    point["z_partial_architecture_logodds__"] = np.array([1.0])
    effect, tau, partial, contrasts = (np.asarray(v) for v in function(point))
    # Three effects that sum to zero, of two independent ones; each in the scale in which it is sampled.
    data = {n: built[f"{n}_architecture"].get_value() for n in ("basis", "information")}
    z = contrasts / np.sqrt(1.0 + tau[:, None] ** 2 * data["information"]) @ data["basis"].T
    factor = cholesky(partial, len(tau), numpy_namespace)
    np.testing.assert_allclose(partial, 2.0 / (1.0 + np.exp(-1.0)) - 1.0)
    unit = effect / tau[:, None]
    np.testing.assert_allclose(np.linalg.solve(factor, unit), z, rtol=1e-8)
    assert (
        np.abs(unit[1] / z[1] - 1.0).max() > 0.1
    )  # negative control: without the factor they are not
    np.testing.assert_allclose(effect.sum(axis=1), 0.0, atol=1e-10)


def test_a_new_group_has_correlated_effects() -> None:
    """The sample correlation of 4000 draws has standard error (1−ρ²)/√4000; without the prior it is nil."""
    rho, found = 0.8, {}
    for name, spec in (("correlated", correlated(architecture=4.0)), ("independent", correlated())):
        fit = make_fit(spec, make_runs(("a", "b", "c")), draws=2000)
        posterior = fit.posterior
        if name == "correlated":
            partial = xr.zeros_like(posterior["partial_correlation_architecture"])
            order = fit.model.pooled_parameters("architecture")
            pair = f"{order[1]} | {order[0]}"
            partial.loc[{"pair_architecture": pair}] = rho
            posterior = posterior.assign(partial_correlation_architecture=partial)
            fit.tree["posterior"] = xr.DataTree(posterior)
            first = fit.summary().correlations.iloc[0]
            assert first["median"] == pytest.approx(rho)
        new = fit.parameters(fit.groups(bs.New("mamba-3")))
        unit = []
        for parameter in order[:2]:
            support = fit.model.parameters[parameter].support
            moved = to_link(numpy_namespace, support, new[parameter]) - to_link(
                numpy_namespace, support, posterior[parameter]
            )
            tau = posterior["tau_architecture"].sel(parameter_architecture=parameter)
            unit.append((moved / tau).to_numpy().ravel())
        found[name] = float(np.corrcoef(unit)[0, 1])
        # Mean of the groups plus τ·√(1+1/G)·z, whatever the correlation.
        assert stats.kstest(unit[1] / np.sqrt(4 / 3), "norm").pvalue > LEVEL
    assert abs(found["correlated"] - rho) < 4 * (1 - rho**2) / np.sqrt(4000)
    assert abs(found["independent"]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        ({"architecture": 0.0}, "expected a positive number"),
        ({"planet": 4.0}, "unknown level 'planet' in correlation"),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(
    correlation: dict[str, float], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        parse_model({"extends": "data", "name": "own", "correlation": correlation}, "own")


def test_a_correlation_needs_two_pooled_parameters() -> None:
    content = {"extends": "data", "name": "own", "correlation": {"architecture": 4.0}}
    content["parameters"] = {"T": {"prior": "level_whole"}, "phi": {"prior": "phi"}}
    with pytest.raises(ModelError, match="fewer than two parameters"):
        parse_model(content, "own")


@pytest.mark.parametrize(
    ("spec", "noise", "message"),
    [
        ("data", "normal", "a run effect"),
        ("data", "one-sided", "one-sided noise and a run effect"),
    ],
)
def test_what_knows_plain_rows_only_refuses_others(spec: str, noise: Any, message: str) -> None:
    fit = make_fit(spec, load(checkpoints(), checkpoints="all"), draws=5, noise=noise)
    with pytest.raises(ForecastError, match=message):
        pointwise(fit)
    pointwise(make_fit(spec, load(checkpoints()), draws=5, noise="normal"))
