"""The quick engine: exact where Laplace is, refused where nothing simple fits, and NUTS's posterior in between."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import make_runs
from scipy import special

import bayescale as bs
from bayescale.cli.run import run
from bayescale.posterior import Fit, Importance, load_fit
from bayescale.runs import Runs
from bayescale.sample import Compiled, Weighted, draw_quick
from bayescale.sample.density import Density
from bayescale.spec import resolve
from bayescale.workflow import programs
from bayescale.workflow.fitting import beyond_quick
from bayescale.zoo import load_model, load_populations

LogDensity = Callable[[np.ndarray], tuple[float, np.ndarray]]
DRAWS, CHAINS = 1000, 4
Z = 4.5  # standard errors: passed by chance alone once in 150,000 comparisons


def compiled(log_density: LogDensity, size: int, name: str = "x") -> Compiled:
    """A program whose compiled functions are Python's: what the engine sees of a model, without compiling one."""
    double = ctypes.POINTER(ctypes.c_double)

    @ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, double, double, double, ctypes.c_void_p)
    def logp(n: int, x, gradient, value, _data) -> int:  # type: ignore[no-untyped-def]
        found, slope = log_density(np.ctypeslib.as_array(x, (n,)))
        value[0] = found
        np.ctypeslib.as_array(gradient, (n,))[:] = slope
        return 0 if np.isfinite(found) else 4

    def function(call: object) -> SimpleNamespace:
        return SimpleNamespace(address=ctypes.cast(call, ctypes.c_void_p).value, kept=call)  # type: ignore[arg-type]

    program = SimpleNamespace(
        compiled_logp_func=function(logp),
        user_data=np.zeros(1),
        n_dim=size,
        initial_point_func=lambda seed: np.random.default_rng(seed).uniform(-1, 1, size),
    )

    def at(_: object, points: np.ndarray, chains: int) -> xr.Dataset:
        by_chain = points.reshape(chains, -1, size)
        return xr.Dataset(
            {f"{name}{i}": (("chain", "draw"), by_chain[..., i]) for i in range(size)}
        )

    return Compiled(program, SimpleNamespace(at=at))  # type: ignore[arg-type]


def quick(log_density: LogDensity, size: int) -> tuple[np.ndarray, Weighted]:
    """Draws of shape (draw, size), and how good their weights were."""
    tree, weighted = draw_quick(compiled(log_density, size), draws=DRAWS, chains=CHAINS, seed=3)
    posterior = tree["posterior"].to_dataset()
    return np.stack([v.to_numpy().ravel() for v in posterior.data_vars.values()], 1), weighted


def standard_error(weighted: Weighted) -> float:
    """Of a mean, in standard deviations: of the weights, and of resampling (a further 1/draws at most)."""
    return float(np.sqrt(1.0 / weighted.ess + 1.0 / (DRAWS * CHAINS)))


# ------------------------------------------------------------------ known densities


def test_a_gaussian_is_drawn_exactly() -> None:
    rng = np.random.default_rng(0)
    mean = np.array([3.0, -1.0, 0.5, 10.0])
    factor = np.tril(rng.normal(size=(4, 4))) + 2.0 * np.eye(4)
    factor[2] *= 1e-3  # scales that differ as those of a level and an exponent do
    precision = np.linalg.inv(factor @ factor.T)

    def log_density(x: np.ndarray) -> tuple[float, np.ndarray]:
        slope = -precision @ (x - mean)
        return float(0.5 * (x - mean) @ slope), slope

    drawn, weighted = quick(log_density, 4)
    assert weighted.pareto_k < 0.5
    assert Importance(weighted.pareto_k, weighted.ess, weighted.draws).passed
    sd = np.sqrt(np.diag(factor @ factor.T))
    error = standard_error(weighted)
    assert np.all(np.abs(drawn.mean(0) - mean) / sd < Z * error)
    # The relative error of a Gaussian's standard deviation is 1/√2 times that of its mean in deviations.
    assert np.all(np.abs(drawn.std(0) / sd - 1.0) < Z * error / np.sqrt(2.0))


def test_curvature_is_that_of_the_density_and_nan_at_its_edge() -> None:
    precision = np.array([[4e4, 30.0], [30.0, 1.0]])

    def log_density(x: np.ndarray) -> tuple[float, np.ndarray]:
        return (float(-0.5 * x @ precision @ x) if x[1] < 1.0 else -np.inf), -precision @ x

    density = Density(compiled(log_density, 2).program)
    # The gradient is linear: what differs is rounding, 1e-16 of it over steps of 1e-5.
    np.testing.assert_allclose(density.curvature(np.array([0.1, 0.5])), precision, atol=1e-6)
    assert np.isnan(density.curvature(np.array([0.1, 1.0 - 1e-6]))).all()


def test_a_funnel_is_refused() -> None:
    """Neal's funnel, whose Gaussian at the mode misses most of the mass."""
    size = 10

    def log_density(x: np.ndarray) -> tuple[float, np.ndarray]:
        v, rest = x[0], x[1:]
        square = float(np.exp(-v) * rest @ rest)
        value = -(v**2) / 18.0 - 0.5 * (size - 1) * v - 0.5 * square
        slope = np.concatenate([[-v / 9.0 - 0.5 * (size - 1) + 0.5 * square], -np.exp(-v) * rest])
        return value, slope

    _, weighted = quick(log_density, size)
    verdict = Importance(weighted.pareto_k, weighted.ess, weighted.draws)
    assert not verdict.passed
    assert "k̂" in str(verdict)


SHAPE = np.array([2.0, 3.0, 6.0])
MIXED = np.array([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.3, 0.4, 2.0]])


def skewed(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Linear mixtures of logs of Gamma variables: one tail is exponential, the other falls far faster."""
    y = np.linalg.solve(MIXED, x)
    return float(SHAPE @ y - np.exp(y).sum()), np.linalg.solve(MIXED.T, SHAPE - np.exp(y))


def test_a_skewed_density_is_weighted_right() -> None:
    drawn, weighted = quick(skewed, 3)
    assert Importance(weighted.pareto_k, weighted.ess, weighted.draws).passed
    mean = MIXED @ special.digamma(SHAPE)
    sd = np.sqrt(MIXED**2 @ special.polygamma(1, SHAPE))
    error = standard_error(weighted)
    assert np.all(np.abs(drawn.mean(0) - mean) / sd < Z * error)
    # The error of a standard deviation is √((κ − 1)/4) that of the mean in deviations, κ the kurtosis.
    kurtosis = 3.0 + MIXED**4 @ special.polygamma(3, SHAPE) / sd**4
    assert np.all(np.abs(drawn.std(0) / sd - 1.0) < Z * error * np.sqrt((kurtosis - 1.0) / 4.0))
    # Unweighted, draws would lie around the mode.
    assert np.abs(MIXED @ np.log(SHAPE) - mean)[0] / sd[0] > Z * error


def test_a_seed_fixes_the_draws() -> None:
    one, two = (quick(skewed, 3)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_verdict_that_fails_says_why() -> None:
    bad = Importance(1.31, 12.0, 4000)
    assert not bad.passed
    assert len(bad.problems) == 2
    assert "1.31 (at most 0.7)" in str(bad)
    assert not Importance(float("nan"), 4000.0, 4000).passed


# ------------------------------------------------------------------ fits


def curve(rows: int, seed: int, scale: float = 1.0) -> Runs:
    """One curve of loss against data."""
    rng = np.random.default_rng(seed)
    tokens = np.geomspace(1e8, 3e10, rows)
    loss = scale * (1.8 + 3.0 * (tokens / 1e8) ** -0.3) * np.exp(0.01 * rng.standard_normal(rows))
    return bs.load_runs(pd.DataFrame({"tokens": tokens, "loss": loss}), convert=False)


def fit(runs: Runs, **more: object) -> Fit:
    options = {"pool": False, "drift": False, "engine": "quick", "progress": False, "seed": 5}
    return bs.fit(runs, "data", **(options | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def quickly() -> Fit:
    programs._programs.clear()
    return fit(curve(14, 0))


def test_a_fit_says_its_engine_and_survives_its_file(quickly: Fit, tmp_path: Path) -> None:
    verdict = quickly.convergence
    assert isinstance(verdict, Importance)
    assert verdict.passed
    assert verdict.to_dict()["engine"] == "quick"
    back = load_fit(quickly.save(tmp_path / "fit.nc"))
    assert back.convergence == verdict
    for group in quickly.tree.children:
        xr.testing.assert_equal(*(f.tree[group].to_dataset() for f in (quickly, back)))
    assert repr(back) == repr(quickly)
    assert f"k̂ {verdict.pareto_k:.2f}" in quickly.summary().verdict
    bs.predict(back, tokens=1e12)


def test_another_table_takes_the_same_program_and_its_own_posterior(quickly: Fit) -> None:
    """Other rows, other priors (of a level four times as high), one compilation; against NUTS on a graph of its own."""
    other = curve(9, 1, scale=4.0)
    one = fit(other)
    assert one.convergence.engine == "quick"
    assert len(programs._programs) == 1
    assert one.posterior.sizes["draw"] == quickly.posterior.sizes["draw"]
    two = bs.fit(other, "data", pool=False, drift=False, progress=False, seed=6, tune=1000)
    assert one.model.parameters == two.model.parameters
    assert one.model.parameters["T"].prior != quickly.model.parameters["T"].prior
    assert isinstance(one.convergence, Importance)
    bulk = two.tree["diagnostics"].to_dataset()["ess_bulk"].min()
    error = np.sqrt(1.0 / one.convergence.ess + 1.0 / (DRAWS * CHAINS) + 1.0 / float(bulk))
    for name in ("T", "delta", "phi", "sigma"):
        # Logs, whose posteriors are close to Gaussian.
        a, b = (np.log(f.posterior[name].to_numpy().ravel()) for f in (one, two))
        assert abs(a.mean() - b.mean()) < Z * error * b.std(), name
        assert abs(np.log(a.std() / b.std())) < Z * error, name


def test_labels_are_those_of_the_table_not_of_the_program(quickly: Fit) -> None:
    frame = curve(12, 2)
    renamed = replace(frame, frame=frame.table.assign(architecture="own"))
    found = fit(renamed).posterior
    assert list(found["architecture"].to_numpy()) == ["own"]
    assert list(quickly.posterior["architecture"].to_numpy()) != ["own"]
    assert len(programs._programs) == 1


def test_weights_that_do_not_hold_lead_to_nuts_and_a_note(
    quickly: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bayescale.posterior.convergence.PARETO_K_MAX", -9.0)
    fallen = fit(curve(14, 0), draws=500, tune=500)
    assert fallen.convergence.engine == "nuts"
    assert fallen.convergence.passed
    assert any("fell back to NUTS" in note and "k̂" in note for note in fallen.notes)
    assert not any("NUTS" in note for note in quickly.notes)
    assert len(programs._programs) == 1, "NUTS ran the program that was there"


def test_the_command_line_takes_the_engine(quickly: Fit, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    curve(14, 0).table[["tokens", "loss"]].to_csv(table, index=False)
    words = ["fit", str(table), "-m", "data", "-o", str(tmp_path / "fit.nc"), "--no-pool"]
    assert run([*words, "--no-drift", "--engine", "quick", "--json"]) == 0
    assert load_fit(tmp_path / "fit.nc").convergence.engine == "quick"


@pytest.mark.parametrize(
    ("pool", "drift", "architectures", "said"),
    [
        (False, False, ("a",), None),
        (False, True, ("a",), "scale of drift"),
        (True, False, ("a", "b"), "spread over architecture"),
    ],
)
def test_models_that_learn_a_scale_go_to_nuts(
    pool: bool, drift: bool, architectures: tuple[str, ...], said: str | None
) -> None:
    runs = make_runs(architectures)
    spec = load_model("parameter-data")
    model = resolve(spec, runs, load_populations(), pool=pool, drift=drift, sweep=False)
    reason = beyond_quick(model)
    assert (reason is None) if said is None else (reason is not None and said in reason)


def test_an_engine_that_does_not_exist_is_named() -> None:
    with pytest.raises(bs.errors.UnknownNameError, match="quick"):
        fit(curve(6, 0), engine="quik")
