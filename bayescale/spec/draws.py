"""Draws from a resolved model's prior, labelled as a posterior is: for prior predictions and simulated truth."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescale.laws import numpy_namespace, walk_matrix
from bayescale.spec.correlation import cholesky, concentration, pairs
from bayescale.spec.model import Level
from bayescale.spec.prior import Prior
from bayescale.spec.resolve import ResolvedModel

GROUP_DIMS: dict[Level, tuple[str, ...]] = {
    "architecture": ("architecture",),
    "task": ("task",),
    "cell": ("architecture", "task"),
    "study": ("study",),
}


def effect_dims(level: Level) -> tuple[str, ...]:
    """Dims of ``effect_<level>``: its parameters, then its groups, over each of which it sums to zero."""
    return (f"parameter_{level}", *GROUP_DIMS[level])


def coords(model: ResolvedModel) -> dict[str, list[str]]:
    """Coordinates of every labelled dimension of the posterior."""
    out: dict[str, list[str]] = {str(name): list(labels) for name, labels in model.groups.items()}
    for level in model.levels():
        names = model.pooled_parameters(level)
        out[f"parameter_{level}"] = names
        if model.correlation(level) is not None:
            out[f"pair_{level}"] = [f"{names[i]} | {names[j]}" for i, j in pairs(len(names))]
    if model.drift:
        out["curve"] = [curve_label(*pair) for pair in model.curves]
    for axis, (first, last) in model.drift.items():
        out[f"interval_{axis}"] = [str(k) for k in range(first, last)]
    if model.sweeps:
        out["sweep_label"] = list(model.sweeps)
    if model.paths:
        out["path"] = [label for label, _, _ in model.paths]
    return out


def curve_label(architecture: str, task: str) -> str:
    """Coordinate of the pair of an architecture and a task in the walks of a posterior."""
    return f"{architecture} | {task}"


def prior_draws(model: ResolvedModel, draws: int, seed: int = 0) -> xr.Dataset:
    """Draw parameters from the prior.

    Parameters
    ----------
    model : ResolvedModel
        Priors, groups and levels.
    draws : int
        Number of independent draws.
    seed : int
        Seed of numpy's default generator.

    Returns
    -------
    xarray.Dataset
        The variables of a posterior, dims ``chain`` (1), ``draw`` and the labelled ones.
    """
    rng = np.random.default_rng(seed)
    sizes = {name: len(labels) for name, labels in coords(model).items()}
    own = () if model.pooled else ("architecture", "task")
    data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, parameter in model.parameters.items():
        if parameter.prior is not None:
            shape = (1, draws, *(sizes[d] for d in own))
            data[name] = (("chain", "draw", *own), parameter.get_prior().sample(rng, shape))
    for level in model.levels():
        names, dims = model.pooled_parameters(level), effect_dims(level)
        scale = np.array([model.parameters[n].pool[level] for n in names])
        tau = np.abs(rng.standard_normal((1, draws, len(names)))) * scale
        data[f"tau_{level}"] = (("chain", "draw", dims[0]), tau)
        z = rng.standard_normal((1, draws, *(sizes[d] for d in dims)))
        for axis in range(3, z.ndim):
            z = z - z.mean(axis=axis, keepdims=True)
        eta = model.correlation(level)
        if eta is not None:
            b = concentration(len(names), eta)
            partial = 2.0 * rng.beta(b, b, (1, draws, len(b))) - 1.0
            data[f"partial_correlation_{level}"] = (("chain", "draw", f"pair_{level}"), partial)
            factor = cholesky(partial, len(names), numpy_namespace)
            z = np.einsum("cdij,cdj...->cdi...", factor, z)
        effect = tau.reshape(tau.shape + (1,) * (len(dims) - 1)) * z
        data[f"effect_{level}"] = (("chain", "draw", *dims), effect)
    for drifting, (first, last) in model.drift.items():
        z = rng.standard_normal((1, draws, len(model.curves), last - first))
        unit = z @ walk_matrix(first, last).T
        dims = ("chain", "draw", "curve", f"interval_{drifting}")
        data[f"walk_{drifting}"] = (dims, _amplitudes(model, data)[..., None] * unit)
    if model.sweeps:
        offset = data["sweep"][1][..., None] * rng.standard_normal((1, draws, len(model.sweeps)))
        data["offset"] = (("chain", "draw", "sweep_label"), offset)
    if model.paths:
        scale = _at_pairs(model, data["run_effect"][1], [(a, t) for _, a, t in model.paths])
        offset = scale * rng.standard_normal((1, draws, len(model.paths)))
        data["offset_run"] = (("chain", "draw", "path"), offset)
    if model.nu_minus_2 is not None:
        data["nu"] = (
            ("chain", "draw"),
            2.0 + Prior.parse(model.nu_minus_2).sample(rng, (1, draws)),
        )
    return xr.Dataset(data, coords=coords(model))


def _at_pairs(
    model: ResolvedModel, value: np.ndarray, pairs_of: list[tuple[str, str]]
) -> np.ndarray:
    """A parameter without effects at pairs of architecture and task, shape (1, draws, pair)."""
    if model.pooled:
        return np.repeat(value[..., None], len(pairs_of), axis=-1)
    architectures, tasks = model.groups["architecture"], model.groups["task"]
    at = [architectures.index(a) for a, _ in pairs_of], [tasks.index(t) for _, t in pairs_of]
    return value[..., at[0], at[1]]


def _amplitudes(
    model: ResolvedModel, data: dict[str, tuple[tuple[str, ...], np.ndarray]]
) -> np.ndarray:
    """Amplitude of the drift of every curve, shape (1, draws, curve)."""
    at = {
        "architecture": [model.groups["architecture"].index(a) for a, _ in model.curves],
        "task": [model.groups["task"].index(t) for _, t in model.curves],
    }
    value = data["drift"][1]
    if not model.pooled:
        return value[..., at["architecture"], at["task"]]
    log_tau = np.repeat(np.log(value)[..., None], len(model.curves), axis=-1)
    for level in model.levels():
        if "drift" in model.pooled_parameters(level):
            effect = data[f"effect_{level}"][1][:, :, model.pooled_parameters(level).index("drift")]
            if level == "cell":
                log_tau = log_tau + effect[..., at["architecture"], at["task"]]
            else:
                log_tau = log_tau + effect[..., at[level]]
    return np.exp(log_tau)
