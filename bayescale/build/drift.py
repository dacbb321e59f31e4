"""The walks of the local exponents inside a ``pm.Model``: one an axis and curve, as stretched log inputs."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.population import centring
from bayescale.laws import Array, Axis, overlap, walk_matrix
from bayescale.spec import ResolvedModel


def stretched(
    model: ResolvedModel, axis: Axis, u: np.ndarray, amplitude: Array, curve: np.ndarray
) -> Array:
    """The input that the law reads where its exponent drifts, shape (run,), inside an open ``pm.Model``.

    ``amplitude`` is τ at every run, or one for all; ``curve`` the position of every run's curve.
    """
    first, last = model.drift[axis]
    tau = at_groups(amplitude, curve)
    tau = tau[:, None] if tau.ndim else tau
    spread, factor = centring(tau, len(u) / len(model.curves))
    v = pm.Normal(f"z_walk_{axis}", sigma=spread, dims=("curve", f"interval_{axis}"))
    walk = factor * pt.dot(v, walk_matrix(first, last).T)
    pm.Deterministic(f"walk_{axis}", walk, dims=("curve", f"interval_{axis}"))
    length = pm.Data(f"overlap_{axis}", overlap(u, first, last), dims=("run", f"interval_{axis}"))
    return (pt.exp(walk)[curve] * length).sum(axis=1)


def at_groups(by_run: Array, group: np.ndarray) -> Array:
    """A value for each group, of a parameter that is the same for all runs of it; a scalar stays one."""
    return by_run[np.unique(group, return_index=True)[1]] if by_run.ndim else by_run
