"""How much rows say of every group effect and every step of a walk, which decides how these are sampled.

An effect e ~ Normal(0, τ), which rows by themselves would leave a standard error of 1/√h, is sampled as

    v ~ Normal(0, s),  e = τ v / s,  s = √(1 + τ² h).

Where τ is far above that error, v is the effect in units of it, which is what data know; where it is far below, v is
the effect in units of τ, near its prior whatever τ is; and v given data has a spread near one on either side. So
neither a τ that may be zero nor one that is well known makes a funnel: a partial centring whose weight is that of the
data (Papaspiliopoulos et al. 2007, Statistical Science 22, sec. 4). The error is of the design, at the middle of the
priors: it changes how fast chains move and never what they are of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from bayescale.laws import Axis, from_link, numpy_namespace, overlap, to_link, walk_matrix
from bayescale.spec import GROUP_DIMS, Level, ResolvedModel, coords

if TYPE_CHECKING:
    from bayescale.build.data import Observations

EXPONENTS = ("alpha", "beta", "delta")
Entry = tuple[tuple[str, ...], np.ndarray]
_STEP = 1e-4  # of differences on the link scale
# Fisher information of one Normal row of the log of its scale.
_OF_A_SCALE = 2.0


def information(model: ResolvedModel, seen: Observations) -> dict[str, Entry]:
    """Entries of :func:`bayescale.build.model_data` for effects, and for walks where these are sampled as steps.

    ``basis_<side>``, dims (side, contrast): orthonormal directions of effects that sum to zero;
    ``information_<level>``, h along them for every parameter of the level; ``whole_<level>``, about T of every group
    where groups have floors. ``basis_walk_<axis>``, dims (curve,
    interval, direction): W/τ of independent unit Normals; ``information_walk_<axis>``, h along them for every curve.
    """
    names, by_parameter, by_step, away = _slopes(model, seen)
    of_row = np.stack([seen.index[side] for side in model.groups], axis=1)
    cells, cell = np.unique(of_row, axis=0, return_inverse=True)
    rows = [np.flatnonzero(cell == i) for i in range(len(cells))]
    by_cell = [_of_cell(model, by_parameter[r], [s[r] for s in by_step.values()]) for r in rows]
    found = _of_effects(model, seen, names, np.array(by_cell), rows)
    for level in ridges(model):
        (side,) = GROUP_DIMS[level]
        mean = np.bincount(seen.index[side], away) / np.bincount(seen.index[side])
        whole = _middle(model, "R0") + _middle(model, "L_inf")
        found[f"whole_{level}"] = ((side,), whole * np.exp(mean))
    return found | _of_walks(model, seen, by_step)


def ridges(model: ResolvedModel) -> list[Level]:
    """Levels of which every group has a floor and an R₀ of its own, and with them a ridge."""
    if model.upper:
        return []
    one_side = [level for level in model.levels() if len(GROUP_DIMS[level]) == 1]
    return [
        level
        for level in one_side
        if {"R0", "L_inf"} <= set(model.pooled_parameters(level))
        and model.correlation(level) is None
    ]


def _of_cell(model: ResolvedModel, slope: np.ndarray, steps: list[np.ndarray]) -> np.ndarray:
    """What the rows of one architecture, task and study say of its parameters, given its walk.

    Where slopes are sampled, whatever its walk may be.
    """
    if model.slope is None:
        return slope.T @ slope
    covariance = np.eye(len(slope)) + _middle(model, "drift") ** 2 * sum(s @ s.T for s in steps)
    return np.asarray(slope.T @ np.linalg.solve(covariance, slope))


def _of_effects(
    model: ResolvedModel,
    seen: Observations,
    names: list[str],
    by_cell: np.ndarray,
    rows: list[np.ndarray],
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    groups = coords(model)
    first = [r[0] for r in rows]
    weight = np.trace(by_cell, axis1=1, axis2=2)
    along: dict[str, np.ndarray] = {}
    for side in dict.fromkeys(side for level in model.levels() for side in GROUP_DIMS[level]):
        contrasts = linalg.helmert(len(groups[side])).T
        mine = contrasts[seen.index[side][first]]
        basis = contrasts @ np.linalg.eigh((weight * mine.T) @ mine)[1]
        found[f"basis_{side}"] = ((side, f"contrast_{side}"), basis)
        along[side] = basis**2
    for level in model.levels():
        sides = GROUP_DIMS[level]
        shares = along[sides[0]][seen.index[sides[0]]]
        for side in sides[1:]:
            shares = (shares[:, :, None] * along[side][seen.index[side]][:, None, :]).reshape(
                len(shares), -1
            )
        value = _of_level(model, level, names, by_cell, shares, first)
        shape = [along[side].shape[1] for side in sides]
        dims = (f"parameter_{level}", *(f"contrast_{side}" for side in sides))
        found[f"information_{level}"] = (dims, value.reshape(-1, *shape))
    return found


def _of_level(
    model: ResolvedModel,
    level: Level,
    names: list[str],
    by_cell: np.ndarray,
    shares: np.ndarray,
    first: list[int],
) -> np.ndarray:
    """h of every parameter along every contrast, the others of its level at the scale of their own priors.

    ``shares``, dims (run, contrast), is the square of what a contrast adds to a row. Of what is no parameter of the
    law only the scale of the noise is seen in rows by itself.
    """
    pooled = model.pooled_parameters(level)
    found = np.zeros((len(pooled), shares.shape[1]))
    if "sigma" in pooled:
        found[pooled.index("sigma")] = _OF_A_SCALE * shares.sum(axis=0)
    # A level that is sampled itself is given.
    law = [n for n in pooled if n in names and not (n == "T" and model.level_dims)]
    at = [names.index(n) for n in law]
    whole = np.einsum("cpq,ck->kpq", by_cell[:, at][:, :, at], shares[first])
    own = np.array([model.parameters[n].pool[level] for n in law]) ** -2.0
    whole = whole + np.diag(own)
    every = list(range(len(law)))
    found[[pooled.index(n) for n in law]] = _each(whole, own, every)
    if level in ridges(model):
        # R₀ and L∞ move along with exponents: what is told of them is so given these.
        rest = [i for i in every if law[i] not in EXPONENTS]
        found[[pooled.index(law[i]) for i in rest]] = _each(whole, own, rest)
    return found


def _each(whole: np.ndarray, own: np.ndarray, kept: list[int]) -> np.ndarray:
    """What is told of each of some parameters, the others of them at their priors, dims (parameter, contrast)."""
    covariance = np.linalg.inv(whole[:, kept][:, :, kept])
    precision = 1.0 / np.diagonal(covariance, axis1=1, axis2=2).T
    return np.maximum(precision - own[kept][:, None], 0.0)


def _of_walks(
    model: ResolvedModel, seen: Observations, by_step: dict[Axis, np.ndarray]
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for axis, steps in by_step.items() if model.slope is None else ():
        parts = [steps[seen.index["curve"] == curve] for curve in range(len(model.curves))]
        value, direction = np.linalg.eigh([part.T @ part for part in parts])
        dims = ("curve", f"interval_{axis}", f"direction_{axis}")
        found[f"basis_walk_{axis}"] = (dims, walk_matrix(*model.drift[axis]) @ direction)
        found[f"information_walk_{axis}"] = ((dims[0], dims[2]), np.maximum(value, 0.0))
    return found


def _slopes(
    model: ResolvedModel, seen: Observations
) -> tuple[list[str], np.ndarray, dict[Axis, np.ndarray], np.ndarray]:
    """Slopes of the log loss of every row, over its noise, at the middle of the priors.

    Names of the parameters of the law, slopes by them on their link scales, dims (run, parameter), and by the steps of
    the walks over τ, dims (run, interval); and how far log losses lie from those of the law, shape (run,).
    """
    xp, law = numpy_namespace, model.get_law()
    middle = {n: _middle(model, n) for n, p in model.parameters.items() if p.equals is None}
    names = [n for n, p in model.parameters.items() if p.prior and n not in model.spec.scales]

    def at(name: str | None = None, away: float = 0.0, axis: Axis | None = None) -> np.ndarray:
        theta = dict(middle)
        if name is not None:
            support = model.parameters[name].support
            theta[name] = from_link(xp, support, to_link(xp, support, theta[name]) + away)
        theta = law.complete(theta, xp, seen.upper)
        theta |= {n: theta[p.equals] for n, p in model.parameters.items() if p.equals is not None}
        inputs = law.effective_inputs(seen.centred, theta, xp)
        if axis is not None:
            inputs[axis] = inputs[axis] + away
        beside = seen.centred if law.modifiers else None
        return np.log(law.loss(inputs, theta, seen.upper, xp, beside))

    def slope(name: str | None = None, axis: Axis | None = None) -> np.ndarray:
        return (at(name, _STEP, axis) - at(name, -_STEP, axis)) / (2 * _STEP * noise)

    variance = middle["sigma"] ** 2 + seen.log_loss_se**2
    if seen.trials.any():
        rate = (seen.errors + 0.5) / (seen.trials + 1.0)
        variance += (1.0 - rate) / (rate * seen.trials)
    noise = np.sqrt(variance)
    flat = np.zeros(len(noise))
    by_parameter = np.stack([flat + slope(name=n) for n in names], axis=1)
    inputs = law.effective_inputs(seen.centred, law.complete(middle, xp, seen.upper), xp)
    by_step = {
        axis: slope(axis=axis)[:, None]
        * (overlap(flat + inputs[axis], *reach) @ walk_matrix(*reach))
        for axis, reach in model.drift.items()
    }
    return names, by_parameter, by_step, seen.log_loss - at()


def _middle(model: ResolvedModel, name: str) -> float:
    parameter = model.parameters[name]
    return (
        parameter.fixed
        if parameter.fixed is not None
        else float(parameter.get_prior().quantile(0.5))
    )
