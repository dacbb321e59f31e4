"""Group effects inside a ``pm.Model``, in the coordinates of :mod:`bayescale.build.information`.

Where every group of a level has a floor of its own it has a ridge of its own besides: rows tell its whole loss
T = L∞ + R₀ and its elasticity α·R₀/T far better than L∞, R₀ and α by themselves. There what stands for R₀ and L∞ moves
along with the exponent, so that the whole loss and the elasticity stay. It is exponents that may be alike over groups
whose levels differ: were they moved, a spread of theirs near zero would narrow all the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum
from bayescale.build.information import EXPONENTS, ridges
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.build.products import matrix_product
from bayescale.laws import Array
from bayescale.spec import GROUP_DIMS, Level, ResolvedModel, cholesky, concentration, effect_dims

# Share of R₀ in the whole loss of a group up to which the logarithm of the rest is taken.
MOST_REDUCIBLE = 0.8


def scales(level: Level) -> Array:
    """τ of every parameter that is pooled over a level."""
    return pm.HalfNormal(f"tau_{level}", sigma=datum(f"scale_{level}"), dims=f"parameter_{level}")


def spread(tau: Array, known: Array) -> Array:
    """Standard deviation s of coordinates of effects with spread τ, of which rows say so much."""
    return pt.sqrt(1.0 + tau**2 * known)


def group_effects(
    model: ResolvedModel, level: Level, tau: Array, given: Mapping[str, Array], mean: Array
) -> dict[str, Array]:
    """Effects of one level on the link scale, by parameter: those given, and the others.

    Effects sum to zero over their groups, so that the population is the mean of the groups: else every effect could
    be shifted against it, along a ridge that is longer the better the data. ``mean`` is R₀ of the population, if any.
    """
    names, groups = model.pooled_parameters(level), GROUP_DIMS[level]
    drawn = [n for n in names if n not in given]
    effect = dict(given)
    if drawn:
        pm.modelcontext(None).add_coord(f"drawn_{level}", drawn)
        at = [names.index(n) for n in drawn]
        wide = tau[at].reshape((len(drawn), *[1] * len(groups)))
        s = spread(wide, datum(f"information_{level}")[at])
        dims = (f"drawn_{level}", *(f"contrast_{side}" for side in groups))
        unit = pm.Normal(f"z_{level}", sigma=s, dims=dims) / s
        for axis, side in enumerate(groups, start=1):
            unit = matrix_product(datum(f"basis_{side}"), unit, axis)
        eta = model.correlation(level)
        if eta is not None:
            # Mixing the parameters within each group leaves the sums over groups at zero.
            unit = pt.tensordot(_correlation(model, level, eta), unit, axes=1)
        effect |= {n: tau[i] * unit[k] for k, (n, i) in enumerate(zip(drawn, at, strict=True))}
        if level in ridges(model):
            effect |= _along_ridge(
                level, effect, {n: (tau[i], i) for n, i in zip(drawn, at, strict=True)}, mean
            )
    stacked = pt.stack([effect[n] for n in names])
    pm.Deterministic(f"effect_{level}", stacked, dims=effect_dims(level))
    return effect


def _correlation(model: ResolvedModel, level: Level, eta: float) -> Array:
    """Cholesky factor of the correlation of a level's effects across parameters, under LKJ(η)."""
    size = len(model.pooled_parameters(level))
    b = concentration(size, eta)
    unit = pm.Beta(f"z_partial_{level}", alpha=b, beta=b, dims=f"pair_{level}")
    partial = pm.Deterministic(
        f"partial_correlation_{level}", 2.0 * unit - 1.0, dims=f"pair_{level}"
    )
    return cholesky(partial, size, xp)


def _along_ridge(
    level: Level, effect: Mapping[str, Array], scale: Mapping[str, tuple[Array, int]], mean: Array
) -> dict[str, Array]:
    """Effects on R₀ and L∞, from what stands for them, given those on exponents.

    Log R₀ goes with −log α and log L∞ with log(T − R₀), so far as rows say more of an effect than its spread does.
    These are shifts: the density needs no further term, but is that of the effects in place of what stands for them.
    ``scale`` has τ of every parameter, and its position at the level; ``mean`` is R₀ of the population.
    """
    moved: dict[str, Array] = {}

    def move(name: str, by: Array) -> None:
        tau, i = scale[name]
        told = tau**2 * datum(f"information_{level}")[i].mean()
        moved[name] = effect[name] + told / (1.0 + told) * by
        more = ((moved[name] ** 2 - effect[name] ** 2) / tau**2).sum()
        pm.Potential(f"{level}_{name}", -0.5 * more)

    exponents = [effect[n] for n in EXPONENTS if n in scale]
    if exponents:
        move("R0", -sum(exponents) / len(exponents))
    own = mean * pt.exp(moved.get("R0", effect["R0"]))
    floor = log_rest(own / datum(f"whole_{level}"), MOST_REDUCIBLE)
    move("L_inf", floor - floor.mean())
    return moved


def log_rest(share: Array, edge: float) -> Array:
    """log(1 − share), and beyond the edge its tangent there: shares that are sampled may come near one, or pass it."""
    beyond = np.log1p(-edge) - (share - edge) / (1.0 - edge)
    return pt.where(share < edge, pt.log1p(-pt.minimum(share, edge)), beyond)
