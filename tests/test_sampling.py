"""What a sampled posterior must show: the published numbers on real runs, and simulated truths that it holds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

import bayescale as bs
from bayescale.laws import joint_frontier
from bayescale.posterior import Fit
from bayescale.runs import Runs

GOPHER_FLOP = 5.88e23  # the budget of Hoffmann et al. 2022, Table 3
SIMULATIONS = 6


@pytest.fixture(scope="module")
def chinchilla_runs(public_data: Path) -> Runs:
    """The 240 runs that Besiroglu et al. fitted: the five highest losses left out."""
    runs = bs.load_runs("chinchilla").where(unflagged=True)
    assert len(runs) == 240
    return runs


@pytest.fixture(scope="module")
def chinchilla(chinchilla_runs: Runs) -> Fit:
    return bs.fit(chinchilla_runs, model="chinchilla", pool=False, seed=20, progress=False)


def test_chinchilla_agrees_with_the_replication(chinchilla: Fit) -> None:
    """Besiroglu et al. 2024, table 1, in our notation (their alpha, beta are our beta, delta).

    The shipped priors rest partly on these very runs; what is found must not.
    """
    assert chinchilla.model.excluded == ("chinchilla",)
    theta = chinchilla.parameters(chinchilla.groups())
    best = np.exp(joint_frontier(theta, chinchilla.model.pivots).log_params(np.log(GOPHER_FLOP)))
    assert float(theta["beta"].mean()) == pytest.approx(0.348, abs=0.02)
    assert float(theta["delta"].mean()) == pytest.approx(0.366, abs=0.03)
    assert float(theta["L_inf"].mean()) == pytest.approx(1.82, abs=0.03)
    assert 60e9 < float(best.median()) < 90e9


def test_chinchilla_converges_without_a_divergence(chinchilla: Fit) -> None:
    assert chinchilla.model.nu_minus_2 is not None, "Student-t noise"
    assert chinchilla.convergence.rhat <= 1.01
    assert chinchilla.convergence.divergences == 0


def test_a_plan_finds_the_same_optimum(chinchilla: Fit) -> None:
    plan = bs.plan(chinchilla, bs.Budget(compute=GOPHER_FLOP))
    best = plan.recommendations[0]
    # Expected loss is flat around the median optimum; the tolerance is that of the published range.
    assert 55e9 < best.params < 95e9


# ------------------------------------------------------------------ simulated truth


@pytest.fixture(scope="module")
def study(root: Path) -> ModuleType:
    """The offline study, of which this is the smallest piece."""
    path = root / "case_studies" / "simulated_truth" / "study.py"
    spec = importlib.util.spec_from_file_location("simulated_truth_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_simulated_truths_lie_where_the_posterior_says(study: ModuleType) -> None:
    """Truth from the prior, data from the truth: its rank among posterior draws is uniform."""
    tested = study.study_bench(study.design(architectures=2, tasks=1))
    records = [study.one(seed, tested) for seed in range(SIMULATIONS)]
    ranks = {k: np.array([r["ranks"][k] for r in records]) for k in records[0]["ranks"]}
    most = stats.binom.ppf(0.9999, SIMULATIONS, 0.1)
    for name, values in ranks.items():
        # A uniform rank has standard deviation 1/√12; the mean of n of them, that over √n.
        assert abs(values.mean() - 0.5) < 4.0 / np.sqrt(12 * SIMULATIONS), (name, values)
        outside = np.sum((values < 0.05) | (values > 0.95))
        assert outside <= most, (name, values)
