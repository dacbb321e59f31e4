"""Coordinates of effects and walks: as wide given data whatever the spread is; tables of many cells pass the gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import make_runs

import bayescale as bs
from bayescale.laws import walk_matrix
from bayescale.runs import Runs
from bayescale.spec import ResolvedModel, resolve
from bayescale.zoo import load_model, load_populations

H = 1e-4  # of differences of gradients


def middle(model: ResolvedModel) -> dict[str, float]:
    return {n: float(p.get_prior().quantile(0.5)) for n, p in model.parameters.items() if p.prior}


@pytest.fixture(scope="module")
def grid() -> tuple[ResolvedModel, Runs]:
    """Six cells whose rows lie on the law at the middle of the priors: there curvature is what the design says."""
    runs = make_runs(("a", "b", "c"), ("x", "y"))
    model = resolve(load_model("parameter-data").with_noise("normal"), runs, load_populations())
    law = model.get_law()
    centred = {axis: np.log(runs.table[axis].to_numpy()) - p for axis, p in model.pivots.items()}
    loss = law.loss(centred, law.complete(middle(model)))
    return model, replace(runs, frame=runs.table.assign(loss=loss))


def curvature(grid: tuple[ResolvedModel, Runs], block: str, drift: float = 1.0) -> np.ndarray:
    """Minus the Hessian of the log density by one block of coordinates, all others in the middle of their priors.

    Scales of levels are those of their priors, and the amplitude of the walks is ``drift`` times its median.
    """
    from bayescale.build import build

    model, runs = grid
    graph = build(model, runs)
    values = {**middle(model), "drift": drift * middle(model)["drift"]}
    point = {name: np.zeros_like(value) for name, value in graph.initial_point().items()}
    for level in model.levels():
        scale = [model.parameters[n].pool[level] for n in model.pooled_parameters(level)]
        point[f"tau_{level}_log__"] = np.log(scale)
    for name, value in values.items():
        if f"{name}_log__" in point:
            point[f"{name}_log__"] = np.array(np.log(value))
        if f"{name}_logodds__" in point:
            point[f"{name}_logodds__"] = np.array(np.log(value / (1.0 - value)))
    slope = graph.compile_dlogp(graph[block], mode="FAST_COMPILE")
    columns = []
    for k in np.ndindex(point[block].shape):
        step = np.zeros(point[block].shape)
        step[k] = H
        up, down = (slope({**point, block: s * step}) for s in (1.0, -1.0))
        columns.append((down - up) / (2 * H))
    return np.array(columns)


@pytest.mark.parametrize("axis", ["params", "tokens"])
def test_walks_are_as_wide_whatever_their_amplitude(
    grid: tuple[ResolvedModel, Runs], axis: str
) -> None:
    from bayescale.build import model_data

    data = model_data(*grid)
    known = middle(grid[0])["drift"] ** 2 * data[f"information_walk_{axis}"].max()
    for drift in (0.03, 1.0, 30.0):
        found = curvature(grid, f"z_walk_{axis}", drift)
        np.testing.assert_allclose(found, np.eye(len(found)), atol=1e-4)
    assert (
        known > 10.0
    )  # negative control: sampled as they are, steps would have a curvature of one and this


def test_effects_are_as_wide_as_their_priors_leave_them(grid: tuple[ResolvedModel, Runs]) -> None:
    """Of each parameter of a level, whatever the others are; by themselves they are known closer."""
    for level in ("architecture", "cell"):
        found = curvature(grid, f"z_{level}")
        np.testing.assert_allclose(np.diagonal(np.linalg.inv(found)), 1.0, rtol=1e-4)
        assert np.diagonal(found).max() > 1.4  # negative control


def test_directions_are_those_of_the_priors(grid: tuple[ResolvedModel, Runs]) -> None:
    """Orthonormal ones, of effects that sum to zero and of a walk's steps: independent Normals stay what they are."""
    from bayescale.build import model_data

    model, runs = grid
    fewer = replace(runs, frame=runs.table.iloc[:-5])  # cells unlike each other
    for data in (model_data(model, runs), model_data(model, fewer)):
        for side in ("architecture", "task"):
            basis = data[f"basis_{side}"].to_numpy()
            np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
            np.testing.assert_allclose(basis.sum(axis=0), 0.0, atol=1e-12)
        for axis, reach in model.drift.items():
            steps = np.linalg.solve(walk_matrix(*reach), data[f"basis_walk_{axis}"].to_numpy())
            for turned in steps:
                np.testing.assert_allclose(turned @ turned.T, np.eye(len(turned)), atol=1e-10)


def test_what_rows_say_goes_with_their_number_and_their_noise(
    grid: tuple[ResolvedModel, Runs],
) -> None:
    from bayescale.build import model_data

    model, runs = grid
    table = runs.table
    twice = replace(runs, frame=pd.concat([table, table], ignore_index=True))
    sigma = middle(model)["sigma"]
    loud = replace(runs, frame=table.assign(loss_se=np.sqrt(3.0) * sigma * table["loss"]))
    name = "information_walk_params"
    once = model_data(model, runs)[name].to_numpy()
    np.testing.assert_allclose(model_data(model, twice)[name], 2.0 * once, atol=1e-6 * once.max())
    np.testing.assert_allclose(model_data(model, loud)[name], once / 4.0, atol=1e-6 * once.max())


def test_tasks_move_along_their_ridges(grid: tuple[ResolvedModel, Runs]) -> None:
    """What stands for an exponent moves R₀ and L∞ too, so that T = L∞ + R₀ and α·R₀/T of each task stay."""
    from bayescale.build import build

    model, runs = grid
    graph = build(model, runs)
    outputs = [graph["effect_task"], graph["R0"], graph["L_inf"]]
    function = graph.compile_fn(
        graph.replace_rvs_by_values(outputs),
        inputs=graph.value_vars,
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    names = model.pooled_parameters("task")
    point = {name: np.zeros_like(value) for name, value in graph.initial_point().items()}
    point["z_task"][names.index("alpha"), 0] = 1.0
    effect, level, floor = function(point)
    by = dict(zip(names, effect, strict=True))
    whole = np.log(level * np.exp(by["R0"]) + floor * np.exp(by["L_inf"]))
    apart = np.ptp(by["alpha"])
    assert apart > 0.01
    assert np.ptp(by["R0"]) > 0.9 * apart
    assert np.ptp(whole) < 0.02 * apart
    assert np.ptp(by["alpha"] + by["R0"] - whole) < 0.1 * apart


# ------------------------------------------------------------------ sampled


def simulated(architectures: int, tasks: int, each: int, seed: int) -> Runs:
    """Budgets of several sizes in every cell; level, floor and exponent differ by task, less so by architecture."""
    rng = np.random.default_rng(seed)
    side = round(np.sqrt(each))
    budget = np.geomspace(1e18, 1e21, side).repeat(-(-each // side))[:each]
    params = np.sqrt(budget / 120) * np.resize(np.geomspace(0.25, 4.0, -(-each // side)), each)
    tokens = budget / 6 / params
    by_architecture = rng.normal(0.0, (0.1, 0.08), (architectures, 2))
    by_task = rng.normal(0.0, (0.25, 0.2, 0.12), (tasks, 3))
    parts = []
    for i, (level, exponent) in enumerate(by_architecture):
        for j, (floor, level_too, exponent_too) in enumerate(by_task):
            times = np.exp(exponent + exponent_too + rng.normal(0.0, 0.02))
            terms = (params / 4e8) ** (-0.34 * times) + (tokens / 8e9) ** (-0.33 * times)
            reducible = 0.55 * np.exp(level + level_too + rng.normal(0.0, 0.03)) * terms
            loss = (1.75 * np.exp(floor) + reducible) * np.exp(rng.normal(0.0, 0.005, each))
            own = {"architecture": f"m{i}", "task": f"t{j}"}
            parts.append(pd.DataFrame({"params": params, "tokens": tokens, "loss": loss, **own}))
    info = {"*": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(pd.concat(parts), task_info=info, param_count="total")


@pytest.mark.slow
@pytest.mark.parametrize(("architectures", "tasks", "each"), [(2, 2, 20), (4, 3, 20), (6, 2, 8)])
def test_architectures_on_tasks_pass_the_gate(architectures: int, tasks: int, each: int) -> None:
    """A fit that misses the gate raises; of one that passes only after its longest attempt the chains crawl."""
    runs = simulated(architectures, tasks, each, seed=1)
    stages = set[str]()
    fit = bs.fit(runs, sweep=False, seed=1, progress=lambda stage, _: stages.add(stage))
    assert fit.convergence.passed
    assert not any("4 times" in stage for stage in stages)
    assert len(fit.model.curves) == architectures * tasks
