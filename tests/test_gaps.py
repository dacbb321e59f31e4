"""The gap to the final loss: Gaussian conditioning in closed form, and calibration on simulated curves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import FRACTIONS, training_paths
from scipy import stats

from bayescale.decide import (
    FinalLoss,
    Gap,
    Part,
    RunForecast,
    TrainingCurve,
    assess,
    conditional,
    predict_gap,
)
from bayescale.decide.monitoring.gaps import shrunk_correlation
from bayescale.posterior import PROBS
from bayescale.predict import Noise

# ------------------------------------------------------------------ closed forms


def normal(mean: float, sd: float) -> RunForecast:
    """A forecast of the log loss that is one Normal."""
    part = Part(Noise("normal", np.array([sd])), np.array([mean]), np.array([mean]))
    return RunForecast("expectation", 1e9, 2e10, (part,))


def test_conditioning_of_two_normals() -> None:
    covariance = np.array([[4.0, 1.8], [1.8, 9.0]])
    mean, variance = conditional(np.array([1.0, 2.0]), covariance, np.array([3.0]))
    # ρ = .3, sd 2 and 3: 2 + ρ·3/2·(3 − 1), and 9·(1 − ρ²).
    assert mean == pytest.approx(2.0 + 0.3 * 3 / 2 * 2)
    assert variance == pytest.approx(9.0 * (1 - 0.09))


def test_the_final_loss_is_the_conjugate_normal() -> None:
    """y = x + g, g ~ Normal(m, K), x ~ Normal(μ, s²): precision s⁻² + 1′K⁻¹1, all checkpoints at once."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4)) * 0.02
    covariance = root @ root.T + 1e-5 * np.eye(4)
    mean, log_loss = np.array([0.5, 0.3, 0.2, 0.1]), np.array([1.35, 1.12, 1.0, 0.92])
    prior_mean, prior_sd = 0.8, 0.03
    inverse = np.linalg.inv(covariance)
    precision = prior_sd**-2 + inverse.sum()
    by_hand = (prior_mean / prior_sd**2 + inverse.sum(axis=0) @ (log_loss - mean)) / precision
    # The monitor's way: increments first, then the gap that is left, given them.
    to = np.array([[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1], [0, 0, 0, 1]], float)
    centre, variance = conditional(to @ mean, to @ covariance @ to.T, -np.diff(log_loss))
    gap = Gap(centre, math.sqrt(variance), math.inf, 0, 3, 0.0)
    final = FinalLoss.of(normal(prior_mean, prior_sd), gap, float(log_loss[-1]))
    expected = stats.norm(by_hand, precision**-0.5)
    np.testing.assert_allclose(np.log(final.quantiles()), expected.ppf(PROBS), atol=2e-6)
    target = by_hand + 0.7 * precision**-0.5
    assert final.probability(target) == pytest.approx(stats.norm.cdf(0.7), abs=2e-4)


def test_a_curve_that_says_nothing_leaves_the_forecast_and_a_sharp_one_replaces_it() -> None:
    forecast = normal(0.8, 0.03)
    blind = FinalLoss.of(forecast, Gap(0.1, 50.0, 5.0, 6, 0, 0.0), 0.9)
    sharp = FinalLoss.of(forecast, Gap(0.1, 1e-5, math.inf, 6, 0, 0.0), 0.95)
    for p in (-1.0, 0.0, 1.3):
        assert blind.probability(0.8 + 0.03 * p) == pytest.approx(stats.norm.cdf(p), abs=1e-3)
    np.testing.assert_allclose(sharp.quantiles(), math.exp(0.85), rtol=1e-4)


def test_without_earlier_increments_the_gap_is_the_prediction_of_a_new_value() -> None:
    gaps = np.array([0.10, 0.13, 0.11, 0.16])
    found = predict_gap(np.empty((4, 0)), gaps, np.empty(0))
    assert (found.mean, found.df) == (pytest.approx(gaps.mean()), 3.0)
    assert found.scale == pytest.approx(gaps.std(ddof=1) * math.sqrt(1 + 1 / 4))


def test_with_many_references_it_is_the_regression() -> None:
    rng = np.random.default_rng(1)
    u = rng.normal(size=(4000, 2))
    z = 0.2 + u @ [0.5, -0.3] + 0.1 * rng.normal(size=4000)
    own = np.array([0.4, 1.2])
    found = predict_gap(u, z, own)
    design = np.column_stack([np.ones(4000), u])
    by_hand = np.linalg.lstsq(design, z)[0] @ [1.0, *own]
    # Shrinkage is Var(r)/r², about 1/4000 here, and moves the slopes by as much.
    assert found.shrinkage < 0.01
    assert found.mean == pytest.approx(by_hand, abs=3e-3)
    assert found.scale == pytest.approx(0.1, rel=0.05)


def test_correlations_of_independent_columns_are_shrunk_away() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(8, 5))
    values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    found, shrinkage = shrunk_correlation(values)
    observed = np.corrcoef(values, rowvar=False)
    apart = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found[apart], (1 - shrinkage) * observed[apart])
    assert shrinkage > 0.5
    together, little = shrunk_correlation(values[:, [0, 0, 0]])
    assert little < 0.4
    assert (together > 0.6).all()


# ------------------------------------------------------------------ simulated truth

PRIOR = (0.9, 0.02)


def independent(
    fractions: np.ndarray, log_loss: np.ndarray, references: list[TrainingCurve]
) -> Gap:
    """The negative control: each checkpoint a measurement of the final loss of its own."""
    k = len(fractions)
    gaps = np.array([r.log_loss[:k] - r.log_loss[-1] for r in references])
    precision = 1.0 / gaps.var(axis=0, ddof=1)
    final = precision @ (log_loss - gaps.mean(axis=0)) / precision.sum()
    return Gap(float(log_loss[-1] - final), precision.sum() ** -0.5, math.inf, len(gaps), 0, 1.0)


@pytest.fixture(scope="module")
def replicated() -> dict[str, np.ndarray]:
    """300 runs, each with twelve references of its own, at a random checkpoint, against a random target."""
    rng = np.random.default_rng(20261122)
    forecast = normal(*PRIOR)
    said: dict[str, list[float]] = {"hit": [], "right": [], "independent": []}
    for _ in range(300):
        *paths, own = training_paths(rng, 13)
        references = [
            TrainingCurve(f"r{i}", "step", FRACTIONS, np.exp(1.0 + path))
            for i, path in enumerate(paths)
        ]
        final, target = rng.normal(*PRIOR), rng.normal(*PRIOR)
        done = int(rng.integers(4, 17))
        curve = final + own[:done]
        found, _ = assess(FRACTIONS[:done], curve, references, forecast)
        alone = independent(FRACTIONS[:done], curve, references)
        said["hit"].append(final <= target)
        said["right"].append(found.probability(target))
        wrong = FinalLoss.of(forecast, alone, float(curve[-1]))
        said["independent"].append(wrong.probability(target))
    return {name: np.array(values, float) for name, values in said.items()}


def overconfidence(p: np.ndarray, hit: np.ndarray) -> float:
    """Spiegelhalter's (1986) Z: excess of the Brier score over what the probabilities say of themselves, in sd."""
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return float(((hit - p) * (1 - 2 * p)).sum() / np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum()))


def test_the_probability_is_calibrated_on_simulated_curves(
    replicated: dict[str, np.ndarray],
) -> None:
    p, hit = replicated["right"], replicated["hit"]
    assert ((p > 0.05) & (p < 0.95)).mean() > 0.2  # else there would be little to calibrate
    # Both are standard Normal if P is right: beyond 3.3 in one study of a thousand.
    assert abs(overconfidence(p, hit)) < 3.3
    assert abs((hit - p).sum() / np.sqrt((p * (1 - p)).sum())) < 3.3
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        among = (p >= low) & (p <= high)
        error = np.sqrt((p[among] * (1 - p[among])).sum())
        # Where fewer than one run is expected to go the other way, three or fewer may.
        assert abs((hit - p)[among].sum()) < 3.3 * max(error, 1.0)


def test_checkpoints_taken_as_independent_fail_the_same_check(
    replicated: dict[str, np.ndarray],
) -> None:
    p, hit = replicated["independent"], replicated["hit"]
    assert overconfidence(p, hit) > 6.0
    brier = {n: float(((replicated[n] - hit) ** 2).mean()) for n in ("right", "independent")}
    assert brier["right"] < brier["independent"]
