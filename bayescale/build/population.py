"""Population values of a model's parameters, sampled in coordinates that the data see.

A table tells the whole loss at the pivot, T = L∞ + R₀, and its elasticity there, α·R₀/T, far better than the floor;
(L∞, R₀, α) lie on a long curved ridge. So where these three have log-scale priors, the sampler
moves in

    log T,   logit(L∞/T),   log α + log(R₀/T)     (likewise for β and δ),

and the priors of L∞, R₀ and α are added as potentials. The map from these coordinates to (log R₀, log L∞, log α) has
determinant one, so densities of the logs need no further term. A model that is stated in T and φ = L∞/T is there
already; where every curve shows its own level, the levels of the curves are sampled in place of their mean and effects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.build.data import datum, numbers
from bayescale.build.information import EXPONENTS
from bayescale.build.namespace import pytensor_namespace as xp
from bayescale.laws import Array, from_link
from bayescale.spec import Level, Prior, ResolvedModel

# Scales that may be as good as zero, of few effects that are drawn as scale times z.
_THROUGH_ZERO = ("sweep", "run_effect")


def variable(name: str, prior: Prior, dims: tuple[str, ...]) -> Array:
    """A random variable with a prior of :mod:`bayescale.spec`, whose numbers are the model's data."""
    at = numbers(name, prior)
    if prior.family == "LogitNormal":
        # PyMC gives this one no transform of its own; without it the sampler would leave (0, 1).
        move = pm.distributions.transforms.logodds
        return pm.LogitNormal(name, **at, dims=dims, default_transform=move)
    if prior.family == "HalfNormal" and name in _THROUGH_ZERO:
        # On the log scale a sampler crawls through all the values that are as good as zero; the absolute value of a
        # Normal passes through zero instead, where what it scales vanishes.
        signed = pm.Normal(f"z_{name}", **at, dims=dims)
        return pm.Deterministic(name, pt.abs(signed), dims=dims)
    return getattr(pm, prior.family)(name, **at, dims=dims)


@dataclass(frozen=True)
class Populations:
    """Population values, and the group effects that came with them.

    Attributes
    ----------
    value : dict
        Every parameter with a prior: a scalar, or dims (architecture, task) where nothing is pooled.
    effects : dict
        Level → parameter → effects on the link scale, summing to zero, of what was sampled by group.
    """

    value: dict[str, Array]
    effects: dict[Level, dict[str, Array]]


def populations(model: ResolvedModel, tau: Mapping[Level, Array]) -> Populations:
    """Make the population values inside an open ``pm.Model``; ``tau`` holds the scales of each level."""
    dims = () if model.pooled else ("architecture", "task")
    priors = {n: p.get_prior() for n, p in model.parameters.items() if p.prior is not None}
    if "T" in priors:
        return _from_whole(model, priors, tau, dims)
    logs = [n for n in ("R0", "L_inf", *EXPONENTS) if n in priors]
    if not {"R0", "L_inf"} <= set(logs) or any(priors[n].family != "LogNormal" for n in logs):
        return Populations({n: variable(n, prior, dims) for n, prior in priors.items()}, {})
    log_value = _level_coordinates({n: priors[n] for n in logs}, dims)
    value: dict[str, Array] = {}
    for name, prior in priors.items():
        if name in log_value:
            density = pm.Normal.dist(**numbers(name, prior))
            pm.Potential(f"prior_{name}", pm.logp(density, log_value[name]))
            value[name] = pm.Deterministic(name, pt.exp(log_value[name]), dims=dims)
        else:
            value[name] = variable(name, prior, dims)
    return Populations(value, {})


def _from_whole(
    model: ResolvedModel,
    priors: Mapping[str, Prior],
    tau: Mapping[Level, Array],
    dims: tuple[str, ...],
) -> Populations:
    """Populations of a model stated in T and φ; the exponents by the elasticity of the whole loss at the pivot."""
    value, effects = {}, dict[Level, dict[str, Array]]()
    if model.level_dims and priors["T"].family in ("LogNormal", "LogitNormal"):
        value["T"], effects = _levels_shown(model, tau)
    for name, prior in priors.items():
        if name not in value and not (name in EXPONENTS and prior.family == "LogNormal"):
            value[name] = variable(name, prior, dims)
    # Log of the elasticity over the exponent: (1-φ), and (1-T)/(1-φT) of it where the loss bends under its upper bound.
    bend = pt.log1p(-value["phi"])
    if model.upper:
        bend += pt.log1p(-value["T"]) - pt.log1p(-value["phi"] * value["T"])
    for name in (n for n in priors if n not in value):
        log_value = flat(f"log_elasticity_{name}", datum(f"prior_{name}_mu"), dims) - bend
        density = pm.Normal.dist(**numbers(name, priors[name]))
        pm.Potential(f"prior_{name}", pm.logp(density, log_value))
        value[name] = pm.Deterministic(name, pt.exp(log_value), dims=dims)
    return Populations(value, effects)


def _levels_shown(
    model: ResolvedModel, tau: Mapping[Level, Array]
) -> tuple[Array, dict[Level, dict[str, Array]]]:
    """T of the population, and effects on it, from the level of every group, which is what rows show.

    The levels are a sum of their mean, of effects of either side and of what is left in a cell, orthogonal to each
    other: a linear map, so densities of the parts are that of the levels up to a constant.
    """
    rest = flat("z_level", datum("level_start"), model.level_dims)
    mean = rest.mean()
    rest = rest - mean
    parts: dict[Level, Array] = {}
    if len(model.level_dims) == 2:
        parts = {"architecture": rest.mean(axis=1), "task": rest.mean(axis=0)}
        parts["cell"] = rest - parts["architecture"][:, None] - parts["task"]
    else:
        parts = {model.level_dims[0]: rest}
    for level, part in parts.items():
        scale = tau[level][model.pooled_parameters(level).index("T")]
        sides = [side for side in model.level_dims if level in (side, "cell")]
        free = math.prod(len(model.groups[side]) - 1 for side in sides)
        pm.Potential(f"{level}_T", _zero_sum_logp(part, scale, free))
    pm.Potential(
        "prior_T", pm.logp(pm.Normal.dist(datum("prior_T_mu"), datum("prior_T_sigma")), mean)
    )
    whole = from_link(xp, model.parameters["T"].support, mean)
    return pm.Deterministic("T", whole), {level: {"T": part} for level, part in parts.items()}


def _zero_sum_logp(effect: Array, tau: Array, free: Array) -> Array:
    """Log density, up to a constant, of effects that sum to zero, in their ``free`` dimensions."""
    return -0.5 * (effect**2).sum() / tau**2 - free * pt.log(tau)


def _level_coordinates(priors: dict[str, Prior], dims: tuple[str, ...]) -> dict[str, Array]:
    """Logs of R₀, L∞ and the exponents from the coordinates of the module's first paragraph."""
    level, floor = datum("prior_R0_mu"), datum("prior_L_inf_mu")
    log_total = flat("log_level", pt.logaddexp(floor, level), dims)
    logit_share = flat("logit_floor_share", floor - level, dims)
    # log(1 - share) and log(share), each without cancellation.
    log_rest, log_share = -pt.softplus(logit_share), -pt.softplus(-logit_share)
    log_value = {"R0": log_total + log_rest, "L_inf": log_total + log_share}
    for name in (n for n in priors if n not in log_value):
        # log α + log(R₀/T), at the priors' medians.
        start = datum(f"prior_{name}_mu") - pt.softplus(floor - level)
        log_value[name] = flat(f"log_elasticity_{name}", start, dims) - log_rest
    return log_value


def flat(name: str, start: Array, dims: tuple[str, ...]) -> Array:
    """A coordinate without a density of its own, as its distance from where a sampler starts.

    The start is data, which an ``initval`` cannot be: a compiled model would start where its first table lay.
    """
    sizes = tuple(len(pm.modelcontext(None).coords[d]) for d in dims)
    return start + pm.Flat(name, dims=dims or None, initval=np.zeros(sizes))
