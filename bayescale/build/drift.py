"""The walks of the local exponents inside a ``pm.Model``: one an axis and curve, as stretched log inputs."""

from __future__ import annotations

import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum
from bayescale.build.population import centred
from bayescale.build.products import matrix_product
from bayescale.laws import Array, Axis, walk_matrix
from bayescale.spec import ResolvedModel


def stretched(model: ResolvedModel, axis: Axis, amplitude: Array, lengths: Array) -> Array:
    """The input that the law reads where its exponent drifts, shape (run,), inside an open ``pm.Model``.

    ``amplitude`` is τ at every run, or one for all; ``lengths`` are what :func:`bayescale.laws.overlap` gives of the
    runs' inputs.
    """
    tau = at_groups(amplitude, "curve")
    tau = tau[:, None] if tau.ndim else tau
    spread, factor = centred(tau, "curve")
    v = pm.Normal(f"z_walk_{axis}", sigma=spread, dims=("curve", f"interval_{axis}"))
    walk = factor * matrix_product(walk_matrix(*model.drift[axis]), v, axis=1)
    pm.Deterministic(f"walk_{axis}", walk, dims=("curve", f"interval_{axis}"))
    return (pt.exp(walk)[datum("curve_index")] * lengths).sum(axis=1)


def at_groups(by_run: Array, group: str) -> Array:
    """A value for each curve or sweep, of a parameter that is the same for all runs of it; a scalar stays one."""
    return by_run[datum(f"first_of_{group}")] if by_run.ndim else by_run
