"""Groups of unknowns whose value may be asked: exponents, γ, the floor, the worth of repeats, drift, price, MFU."""

from __future__ import annotations

import numpy as np

from bayescale.decide.information.perfect import best_action
from bayescale.decide.information.stakes import Stakes
from bayescale.posterior import Curve, Fit, Group, Posterior, Side

PARAMETERS = ("beta", "delta", "gamma", "L_inf")
SHORTEST = 0.1  # nats beyond the data that count as beyond


def parameter_groups(
    fit: Posterior, where: dict[Side, Group], stakes: Stakes
) -> dict[str, np.ndarray]:
    """Draws of each group of unknowns, shape (draw, number), by name.

    ``beta``, ``delta``, ``gamma`` and ``L_inf`` where they vary over draws; the parameters of effective inputs (what
    repeats are worth) of a single law; ``drift``, the path of the local exponents from the group's largest run to the
    best action of today; what the law is given, where it is uncertain; and the uncertain inputs of the budget.
    """
    theta = stakes.iso.curve.theta
    effective = fit.members[0].model.get_law().effective if len(fit.members) == 1 else ()
    groups = {
        name: theta[name][:, None]
        for name in (*PARAMETERS, *(p.name for e in effective for p in e.parameters))
        if name in theta and np.ptp(theta[name]) > 0
    }
    beyond = _beyond(fit.members[0], where, stakes)
    if beyond.shape[1]:
        groups["drift"] = beyond
    curve = stakes.iso.curve
    if isinstance(curve, Curve):
        unsure = {n: v for n, v in curve.given.items() if isinstance(v, np.ndarray)}
        groups |= {name: draws[:, None] for name, draws in unsure.items() if np.ptp(draws) > 0}
    return groups | {name: draws[:, None] for name, draws in stakes.inputs.items()}


def _beyond(fit: Fit, where: dict[Side, Group], stakes: Stakes) -> np.ndarray:
    """Log mean slope of each axis over both halves of its way beyond the data, against that where the data end."""
    curve = stakes.iso.curve
    parts = (curve,) if isinstance(curve, Curve) else curve.parts
    log_n = float(stakes.log_params[best_action(stakes.utility)])
    log_d = float(np.log(stakes.iso.tokens(log_n)))
    columns = []
    for axis, target in (("params", log_n), ("tokens", log_d)):
        if not any(axis in part.walks for part in parts):
            continue
        columns.append(np.concatenate([_slopes(part, axis, target, fit, where) for part in parts]))
    found = np.hstack(columns) if columns else np.empty((len(curve.floor), 0))
    return found[:, np.ptp(found, axis=0) > 0]


def _slopes(
    part: Curve, axis: str, target: float, fit: Fit, where: dict[Side, Group]
) -> np.ndarray:
    """Of one member's curve, shape (draw, 2); zero where it is exact, or nothing lies beyond."""
    rows = fit.runs
    own = np.logical_and.reduce(
        [rows[s].to_numpy() == str(where[s]) for s in ("architecture", "task")]
    )
    # A group without runs is known at its pivot at most.
    edge = float(np.log(rows[axis].to_numpy()[own]).max()) if own.any() else part.pivots[axis]
    if axis not in part.walks or target - edge < SHORTEST:
        return np.zeros((len(part.floor), 2))
    walk = part.walks[axis]
    u = np.array([edge, (edge + target) / 2, target]) - part.pivots[axis]
    slope = np.diff(walk.stretched(u[None]), axis=1) / np.diff(u)
    return np.log(slope) - np.log(walk.local(float(u[0])))[:, None]
