"""Local exponents of a group's curve where its runs end and at a target: a law is a local truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescale.errors import ForecastError
from bayescale.laws import Law
from bayescale.laws.frontier import LOG_FLOP_PER_PARAM_TOKEN
from bayescale.posterior.curve import EXPONENT, Curve
from bayescale.posterior.groups import Side

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit

NAMES = [f"{name}_{place}" for name in EXPONENT.values() for place in ("edge", "target")]


def at_edge(fit: Fit, where: Mapping[Side, Any], curve: Curve) -> dict[str, np.ndarray]:
    """Exponents at the largest run of a group, where they drift, each of shape (draw,): a forecast starts there."""
    rows = fit.runs
    own = np.logical_and.reduce([rows[side].to_numpy() == str(g) for side, g in where.items()])
    return {
        f"{EXPONENT[axis]}_edge": curve.exponent(axis, np.log(rows[axis].to_numpy()[own].max()))
        for axis in curve.walks
    }


def at_target(curve: Curve, target: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Exponents at a target that :func:`check_target` let pass, each of shape (draw,).

    Of a law in N and D asked for a compute: at each draw's own N* and D*, with the exponent of the frontier there,
    α = βδ/(β+δ) of the local ones, since the optimum balances the two slopes.
    """
    logs: dict[str, Any] = {axis: np.log(value) for axis, value in target.items()}
    on_frontier = "compute" not in curve.law.inputs and "compute" in logs
    if on_frontier:
        budget = logs.pop("compute")
        logs["params"], _ = curve.optimum(budget)
        logs["tokens"] = budget - LOG_FLOP_PER_PARAM_TOKEN - logs["params"]
    found = {f"{EXPONENT[axis]}_target": curve.exponent(axis, at) for axis, at in logs.items()}
    if on_frontier:
        beta, delta = found["beta_target"], found["delta_target"]
        found["alpha_target"] = beta * delta / (beta + delta)
    return found


def check_target(target: Mapping[str, float], law: Law) -> None:
    """Raise unless a target says where on the curve it is: every axis of the law, or compute for a law in N and D."""
    complete = [set(law.inputs)] + [{"compute"}] * law.divides
    if set(target) not in complete:
        options = " or ".join(" and ".join(sorted(axes)) for axes in complete)
        raise ForecastError(
            f"target gives {' and '.join(sorted(target)) or 'nothing'}: law {law.name!r} needs {options}"
        )
    for axis, value in target.items():
        if not (np.isfinite(value) and value > 0):
            raise ForecastError(f"target {axis} = {value:g} (expected a positive, finite number)")
