"""The walks of the local exponents inside a ``pm.Model``: one an axis and curve, as stretched log inputs.

Where every curve shows its slopes (``ResolvedModel.slope``) these are what is sampled, in place of the walk: in each
interval in which it has rows

    log elasticity of the loss = log exponent + W + log of the share of the loss that still falls,

the share by the loss that is seen there. Rows pin this sum down to some hundredths, however little they say of its
parts: of the exponent, of the walk, of the floor. The map from W is a shift, so densities need no further term.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum
from bayescale.build.effects import log_rest, spread
from bayescale.build.population import flat
from bayescale.build.products import matrix_product
from bayescale.build.shown import MOST_FLOOR
from bayescale.laws import Array, Axis, walk_matrix
from bayescale.spec import ResolvedModel


def stretched(
    model: ResolvedModel, axis: Axis, theta: Mapping[str, Array], lengths: Array
) -> Array:
    """The input that the law reads where its exponent drifts, shape (run,), inside an open ``pm.Model``.

    ``theta`` holds the completed parameters, at every run or one for all; ``lengths`` are what
    :func:`bayescale.laws.overlap` gives of the runs' inputs.
    """
    tau = _by_curve(theta["drift"])
    if model.slope is None:
        s = spread(tau, datum(f"information_walk_{axis}"))
        v = pm.Normal(f"z_walk_{axis}", sigma=s, dims=("curve", f"direction_{axis}"))
        walk = tau * (datum(f"basis_walk_{axis}") * (v / s)[:, None, :]).sum(axis=2)
    else:
        walk = _slopes_shown(model, axis, theta, tau, theta[model.slope])
    pm.Deterministic(f"walk_{axis}", walk, dims=("curve", f"interval_{axis}"))
    return (pt.exp(walk)[datum("curve_index")] * lengths).sum(axis=1)


def _slopes_shown(
    model: ResolvedModel, axis: Axis, theta: Mapping[str, Array], tau: Array, exponent: Array
) -> Array:
    """W by the slopes of the intervals with rows, and by independent steps in the others, dims (curve, interval)."""
    floor = _by_curve(theta["phi"] * theta["T"])
    falls = log_rest(floor / datum("slope_level"), MOST_FLOOR)
    if model.upper:
        falls -= pt.log1p(-floor)
    v = flat(f"z_walk_{axis}", pt.zeros(()), ("curve", f"interval_{axis}"))
    slope = datum("slope_start") + v
    own = slope - pt.log(_by_curve(exponent)) - falls
    since = (datum("slope_since") * v[:, None, :]).sum(axis=2)
    walk = (datum("slope_of") * own[:, None, :]).sum(axis=2) + tau * since
    seen = datum("slope_shown")
    steps = matrix_product(np.linalg.inv(walk_matrix(*model.drift[axis])), walk, axis=1) / tau
    z = pt.where(seen, steps, v)
    pm.Potential(f"prior_walk_{axis}", (-0.5 * z**2 - pt.where(seen, pt.log(tau), 0.0)).sum())
    return walk


def _by_curve(value: Array) -> Array:
    """A parameter for each curve, against its intervals; a scalar stays one."""
    mine = at_groups(value, "curve")
    return mine[:, None] if mine.ndim else mine


def at_groups(by_run: Array, group: str) -> Array:
    """A value for each curve or sweep, of a parameter that is the same for all runs of it; a scalar stays one."""
    return by_run[datum(f"first_of_{group}")] if by_run.ndim else by_run
