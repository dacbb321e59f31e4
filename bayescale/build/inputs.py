"""What the core of a law reads at every run, inside a ``pm.Model``: effective inputs, stretched where they drift."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytensor.tensor as pt

from bayescale.build.data import datum
from bayescale.build.drift import stretched
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.laws import STEP, Array, Axis
from bayescale.spec import ResolvedModel


def core_inputs(model: ResolvedModel, theta: Mapping[str, Array]) -> dict[Axis, Array]:
    """Centred logs that the core reads, shape (run,), from completed parameters inside an open ``pm.Model``."""
    law = model.get_law()
    if law.plain:
        return {
            axis: stretched(model, axis, theta, datum(f"overlap_{axis}"))
            if axis in model.drift
            else datum(f"u_{axis}")
            for axis in law.inputs
        }
    worth = law.effective_inputs({name: datum(f"u_{name}") for name in model.pivots}, theta, xp)
    return {
        axis: stretched(model, axis, theta, overlap(u, *model.drift[axis]))
        if axis in model.drift
        else u
        for axis, u in worth.items()
    }


def overlap(u: Array, first: int, last: int) -> Array:
    """:func:`bayescale.laws.overlap` of inputs that parameters move; beyond the outer edges exponents stay as there."""
    edge = STEP * np.arange(first, last)
    most = np.full(last - first, STEP)
    most[[0, -1]] = np.inf
    right = pt.minimum(pt.maximum(u[:, None] - edge, 0.0), most)
    left = pt.minimum(pt.maximum(edge + STEP - u[:, None], 0.0), most)
    return pt.where(edge >= 0.0, right, -left)
