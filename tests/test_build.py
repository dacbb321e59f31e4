"""The graph: its log density against one written out in numpy and scipy, its labels, its dims; nothing is sampled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_runs
from scipy import linalg, stats

from bayescale.laws import overlap, walk_matrix
from bayescale.runs import Runs
from bayescale.spec import Level, Prior, ResolvedModel, prior_draws, resolve
from bayescale.zoo import load_model, load_populations

POINTS = 3


@dataclass
class Case:
    """A built model, its pieces as functions of a point, and the table it was built on."""

    model: ResolvedModel
    runs: Runs
    graph: Any
    log_density: Any
    named: list[str]
    evaluate: Any

    def values(self, point: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What a posterior holds, at a point of the sampler's space."""
        return dict(zip(self.named, map(np.asarray, self.evaluate(point)), strict=True))


CASES = {
    "joint, one level": ("parameter-data", {"architectures": ("a", "b", "c")}, True),
    "joint, every level": (
        "parameter-data",
        {"architectures": ("a", "b"), "tasks": ("x", "y"), "studies": ("s", "t")},
        True,
    ),
    "compute": ("compute", {"architectures": ("a", "b")}, True),
    "chinchilla, unpooled": ("chinchilla", {"architectures": ("a", "b")}, False),
    "kaplan": ("kaplan", {}, True),
    "saturating": ("saturating", {"metric": "error", "corpus": None, "upper": 0.75}, True),
    "saturating, curves that show their levels": (
        "saturating",
        {
            "architectures": ("a", "b"),
            "tasks": ("x", "y", "z"),
            "metric": "error",
            "corpus": None,
            "upper": 0.75,
        },
        True,
    ),
    "data, one side": ("data", {"architectures": ("a", "b", "c")}, True),
    "data, unpooled": ("data", {"architectures": ("a", "b")}, False),
    "joint, drifting": ("parameter-data", {}, True),
    "data, drifting, one curve": ("data", {}, True),
    "data, drifting, curves that show their slopes": (
        "data",
        {"architectures": ("a", "b", "c")},
        True,
    ),
    "data, along runs": ("data", {"architectures": ("a", "b")}, True),
    "saturating, drifting, curves that show their slopes": (
        "saturating",
        {
            "architectures": ("a", "b"),
            "tasks": ("x", "y"),
            "metric": "error",
            "corpus": None,
            "upper": 0.75,
        },
        True,
    ),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    from bayescale.build import build

    name, design, pool = CASES[request.param]
    runs = with_standard_errors(make_runs(**design))
    words: dict[str, Any] = {"pool": pool, "drift": "drifting" in request.param}
    if "along runs" in request.param:
        runs = with_steps(runs)
        words |= {"correlation": True, "run_effect": False}
    model = resolve(load_model(name), runs, load_populations(), **words)
    assert (model.slope is not None) == ("show their slopes" in request.param)
    graph = build(model, runs)
    named = [str(n) for n in prior_draws(model, 1).data_vars]
    outputs = [graph[n] for n in named]
    return Case(
        model,
        runs,
        graph,
        graph.compile_logp(sum=False, mode="FAST_COMPILE"),
        named,
        graph.compile_fn(
            graph.replace_rvs_by_values(outputs),
            inputs=graph.value_vars,
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        ),
    )


def with_standard_errors(runs: Runs) -> Runs:
    """Standard errors in some rows only, as tables have them."""
    loss = runs.table["loss"]
    se = np.where(np.arange(len(runs)) % 3 == 0, 0.007 * loss, np.nan)
    return replace(runs, frame=runs.table.assign(loss_se=se))


def with_steps(runs: Runs) -> Runs:
    """Rows of one size as checkpoints of one run; one of them is a run by itself."""
    table = runs.table
    run = table["params"].map("{:.2g}".format).where(table.index > 0, "alone")
    return replace(runs, frame=table.assign(run_id=run, step=table["tokens"] / 1e6), numbered=False)


def random_point(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    start = case.graph.initial_point()
    return {k: v + rng.normal(0.0, 0.1, np.shape(v)) for k, v in start.items()}


# ------------------------------------------------------------------ the density, written out


def log_pdf(prior: Prior, x: np.ndarray) -> np.ndarray:
    v = dict(prior.values)
    match prior.family:
        case "LogNormal":
            return np.asarray(stats.lognorm.logpdf(x, s=v["sigma"], scale=math.exp(v["mu"])))
        case "Beta":
            return np.asarray(stats.beta.logpdf(x, v["alpha"], v["beta"]))
        case "Gamma":
            return np.asarray(stats.gamma.logpdf(x, v["alpha"], scale=1 / v["beta"]))
        case "HalfNormal":
            return np.asarray(stats.halfnorm.logpdf(x, scale=v["sigma"]))
        case "LogitNormal":
            z = np.log(x / (1 - x))
            return np.asarray(stats.norm.logpdf(z, v["mu"], v["sigma"]) - np.log(x) - np.log1p(-x))
    raise AssertionError(prior.family)


def log_prior(model: ResolvedModel, at: dict[str, np.ndarray]) -> float:
    """Density over the natural coordinates: links of the parameters, log scales, and effects."""
    total = 0.0
    for name, parameter in model.parameters.items():
        if parameter.prior is None:
            continue
        x = at[name]
        jacobian = np.log(x) + (np.log1p(-x) if parameter.support == "unit" else 0.0)
        total += float(np.sum(log_pdf(parameter.get_prior(), x) + jacobian))
    if model.nu_minus_2 is not None:
        x = at["nu"] - 2.0
        total += float(log_pdf(Prior.parse(model.nu_minus_2), x) + np.log(x))
    for level in model.levels():
        scale = np.array([model.parameters[n].pool[level] for n in model.pooled_parameters(level)])
        tau, effect = at[f"tau_{level}"], free_effects(level, at)
        total += float(np.sum(stats.halfnorm.logpdf(tau, scale=scale) + np.log(tau)))
        total += float(np.sum(stats.norm.logpdf(effect, scale=tau[:, None])))
    for axis, reach in model.drift.items():
        # Steps outward from the pivot are independent.
        steps = np.linalg.solve(walk_matrix(*reach), at[f"walk_{axis}"].T)
        total += float(np.sum(stats.norm.logpdf(steps, scale=at["drift"])))
    return total


def free_effects(level: Level, at: dict[str, np.ndarray]) -> np.ndarray:
    """Effects in orthonormal coordinates, one row a parameter: they sum to zero over each of their axes."""
    effect = at[f"effect_{level}"]
    for axis in range(1, effect.ndim):
        effect = np.moveaxis(
            np.moveaxis(effect, axis, -1) @ linalg.helmert(effect.shape[axis]).T, -1, axis
        )
    return effect.reshape(effect.shape[0], -1)


def natural(model: ResolvedModel, at: dict[str, np.ndarray]) -> np.ndarray:
    """The coordinates of :func:`log_prior` as one vector."""
    parts: list[np.ndarray] = []
    for name, parameter in model.parameters.items():
        if parameter.prior is not None:
            x = at[name]
            parts.append(np.log(x) - (np.log1p(-x) if parameter.support == "unit" else 0.0))
    if model.nu_minus_2 is not None:
        parts.append(np.log(at["nu"] - 2.0))
    for level in model.levels():
        parts += [np.log(at[f"tau_{level}"]), free_effects(level, at)]
    parts += [at[f"walk_{axis}"] for axis in model.drift]
    return np.concatenate([np.ravel(p) for p in parts])


def log_volume(case: Case, point: dict[str, np.ndarray], h: float = 1e-5) -> float:
    """Log determinant of the map from the sampler's coordinates to the natural ones, by central differences."""
    columns = []
    for name, value in point.items():
        for k in np.ndindex(np.shape(value)):
            step = np.zeros(np.shape(value))
            step[k] = h
            up, down = (
                natural(case.model, case.values({**point, name: value + s * step}))
                for s in (1.0, -1.0)
            )
            columns.append((up - down) / (2 * h))
    matrix = np.array(columns)
    assert matrix.shape[0] == matrix.shape[1]
    return float(np.linalg.slogdet(matrix)[1])


def parameters_of_row(
    model: ResolvedModel, at: dict[str, np.ndarray], row: Any
) -> dict[str, float]:
    place = {side: labels.index(str(row[side])) for side, labels in model.groups.items()}
    theta: dict[str, float] = {}
    for name, parameter in model.parameters.items():
        if parameter.fixed is not None:
            theta[name] = parameter.fixed
        elif parameter.prior is not None:
            own = () if model.pooled else (place["architecture"], place["task"])
            value = float(at[name][own])
            eta = (
                math.log(value)
                if parameter.support == "positive"
                else math.log(value / (1 - value))
            )
            for level in model.levels():
                if level in parameter.pool:
                    sides = ("architecture", "task") if level == "cell" else (level,)
                    which = model.pooled_parameters(level).index(name)
                    k = (which, *(place[s] for s in sides))
                    eta += float(at[f"effect_{level}"][k])
            theta[name] = (
                math.exp(eta) if parameter.support == "positive" else 1 / (1 + math.exp(-eta))
            )
    if "T" in theta:
        whole = theta["T"] * model.upper.get(str(row["task"]), 1.0)
        theta["L_inf"] = theta["phi"] * whole
        theta["R0"] = whole - theta["L_inf"]
        if model.upper:
            theta["R0"] /= model.upper[str(row["task"])] - whole
    if "alpha" in theta and "a" in theta:
        theta["beta"] = theta["alpha"] / theta["a"]
        theta["delta"] = theta["alpha"] / (1 - theta["a"])
    for name, parameter in model.parameters.items():
        if parameter.equals is not None:
            theta[name] = theta[parameter.equals]
    return theta


def loss_of_row(
    model: ResolvedModel, theta: dict[str, float], at: dict[str, np.ndarray], row: Any
) -> float:
    away = {k: math.log(row[k]) - p for k, p in model.pivots.items()}
    for axis, reach in model.drift.items():
        curve = model.curves.index((str(row["architecture"]), str(row["task"])))
        lengths = overlap(np.array([away[axis]]), *reach)[0]
        away[axis] = float(lengths @ np.exp(at[f"walk_{axis}"][curve]))
    if len(away) == 2:
        g = theta["gamma"]
        by_n = theta["omega"] * math.exp(-theta["beta"] * away["params"] / g)
        by_d = (1 - theta["omega"]) * math.exp(-theta["delta"] * away["tokens"] / g)
        r = theta["R0"] * (by_n + by_d) ** g
    else:
        ((axis, x),) = away.items()
        exponent = {"compute": "alpha", "params": "beta", "tokens": "delta"}[axis]
        r = theta["R0"] * math.exp(-theta[exponent] * x)
    if model.upper:
        upper = model.upper[str(row["task"])]
        return theta["L_inf"] + (upper - theta["L_inf"]) * r / (1 + r)
    return theta["L_inf"] + r


def log_likelihood(model: ResolvedModel, runs: Runs, at: dict[str, np.ndarray]) -> float:
    total, before = 0.0, dict[tuple[str, ...], tuple[float, float]]()
    table = runs.table
    for _, row in (table.sort_values("step") if "step" in table else table).iterrows():
        theta = parameters_of_row(model, at, row)
        se = 0.0 if np.isnan(row["loss_se"]) else row["loss_se"] / row["loss"]
        scale = math.hypot(theta["sigma"], se)
        residual = math.log(row["loss"]) - math.log(loss_of_row(model, theta, at, row))
        noise = stats.norm() if model.nu_minus_2 is None else stats.t(float(at["nu"]))
        run, z, rho = (str(row["architecture"]), str(row["run_id"])), residual / scale, 0.0
        if "correlation_length" in theta and run in before:
            # Given the checkpoint before; runs are of one study and task.
            z0, step0 = before[run]
            rho = math.exp(-math.log(row["step"] / step0) / theta["correlation_length"])
            z, scale = (z - rho * z0) / math.sqrt(1.0 - rho**2), scale * math.sqrt(1.0 - rho**2)
        total += float(noise.logpdf(z)) - math.log(scale)
        before[run] = (residual / math.hypot(theta["sigma"], se), row.get("step", math.nan))
    return total


def test_log_density_is_prior_times_volume_times_likelihood(case: Case) -> None:
    """Whatever coordinates the sampler moves in, the posterior is that of the model as printed."""
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(POINTS):
        point = random_point(case, rng)
        at = case.values(point)
        expected = log_prior(case.model, at) + log_likelihood(case.model, case.runs, at)
        assert math.isfinite(expected)
        found = sum(float(np.sum(term)) for term in case.log_density(point))
        gaps.append(found - expected - log_volume(case, point))
    # A density known up to a constant is enough for a sampler; anything that moves with the point is an error.
    assert np.ptp(gaps) < 1e-6 * (1.0 + abs(expected))


def test_everything_sampled_moves_on_the_real_line(case: Case) -> None:
    for variable in case.graph.free_RVs:
        distribution = type(variable.owner.op).__name__
        free = distribution in ("FlatRV", "NormalRV") or variable.name.startswith("z_")
        transform = case.graph.rvs_to_transforms[variable]
        assert free or transform is not None, f"{variable.name} may leave its support"


# ------------------------------------------------------------------ labels, dims, rows


def test_dims_and_coords_are_named(case: Case) -> None:
    graph, model = case.graph, case.model
    sizes = {k: len(v) for k, v in graph.coords.items()}
    for side in ("architecture", "task", "study"):
        assert tuple(graph.coords[side]) == model.groups[side]
    assert sizes["run"] == len(case.runs)
    for level in model.levels():
        assert list(graph.coords[f"parameter_{level}"]) == model.pooled_parameters(level)
    for variable in (*graph.free_RVs, *graph.deterministics, *graph.data_vars, *graph.observed_RVs):
        assert variable.ndim == len(graph.named_vars_to_dims.get(variable.name, ())), variable.name


def test_posterior_has_the_variables_that_prior_draws_have(case: Case) -> None:
    drawn = prior_draws(case.model, 2)
    named = case.graph.named_vars_to_dims
    for name, value in drawn.data_vars.items():
        assert name in case.graph.named_vars
        assert tuple(value.dims[2:]) == tuple(named.get(str(name), ()))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_does_not_reach_the_graph(seed: int) -> None:
    from bayescale.build import observations

    runs = with_standard_errors(make_runs(("a", "b"), ("x", "y")))
    shuffled = replace(runs, frame=runs.table.sample(frac=1.0, random_state=seed))
    spec, populations = load_model("parameter-data"), load_populations()
    one, two = (resolve(spec, r, populations, drift=False) for r in (runs, shuffled))
    assert one == two
    left, right = observations(one, runs), observations(two, shuffled)
    for name in ("log_loss", "log_loss_se"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for name in left.centred:
        np.testing.assert_array_equal(left.centred[name], right.centred[name])
    for name in left.index:
        np.testing.assert_array_equal(left.index[name], right.index[name])


def test_labels_meet_their_positions_and_unknown_ones_fail_before_the_graph() -> None:
    from bayescale.build import build, canonical_rows, observations

    runs = make_runs(("b", "a"), ("y", "x"))
    model = resolve(load_model("parameter-data"), runs, load_populations(), drift=False)
    rows, index = canonical_rows(runs), observations(model, runs).index
    for side, labels in model.groups.items():
        assert [labels[i] for i in index[side]] == list(rows[side])
    renamed = replace(runs, frame=runs.table.assign(architecture="mamba"))
    with pytest.raises(KeyError, match="mamba"):
        build(model, renamed)


def test_observations_carry_relative_standard_errors() -> None:
    from bayescale.build import canonical_rows, observations

    runs = with_standard_errors(make_runs())
    model = resolve(load_model("parameter-data"), runs, load_populations(), drift=False)
    rows: pd.DataFrame = canonical_rows(runs)
    expected = (rows["loss_se"] / rows["loss"]).fillna(0.0)
    np.testing.assert_allclose(observations(model, runs).log_loss_se, expected)
    assert not np.any(observations(model, make_runs()).log_loss_se)


def test_slopes_that_standard_errors_hide_are_not_sampled() -> None:
    """Neighbouring rows fall by some per cent: with errors of 2 % they show no slope, of .01 % they do; so without."""
    runs = make_runs(("a", "b", "c"))
    for se, hidden in ((np.nan, False), (1e-4, False), (0.02, True)):
        table = runs.table
        given = replace(runs, frame=table.assign(loss_se=se * table["loss"]))
        model = resolve(load_model("data"), given, load_populations())
        assert model.level_dims == ("architecture",)
        assert (model.slope is None) == hidden
    plain = resolve(load_model("data"), runs, load_populations())
    assert "slopes" not in plain.model_dump_json()
