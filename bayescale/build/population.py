"""Population values of a model's parameters, sampled in coordinates that the data see.

A table tells the whole loss at the pivot, T = L∞ + R₀, and its elasticity there, α·R₀/T, far better than it tells the
floor; (L∞, R₀, α) lie on a long curved ridge. So where these three have log-scale priors, the sampler moves in

    log T,   logit(L∞/T),   log α + log(R₀/T)     (likewise for β and δ)

and the priors of L∞, R₀ and α are added as potentials. The map from these coordinates to (log R₀, log L∞, log α) has
determinant one, so densities of the logs need no further term.
"""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.laws import Array
from bayescale.spec import Prior, ResolvedModel

_EXPONENTS = ("alpha", "beta", "delta")


def variable(name: str, prior: Prior, dims: tuple[str, ...]) -> Array:
    """A random variable with a prior of :mod:`bayescale.spec`."""
    if prior.family == "LogitNormal":
        # PyMC gives this one no transform of its own; without it the sampler would leave (0, 1).
        move = pm.distributions.transforms.logodds
        return pm.LogitNormal(name, **dict(prior.values), dims=dims, default_transform=move)
    return getattr(pm, prior.family)(name, **dict(prior.values), dims=dims)


def populations(model: ResolvedModel) -> dict[str, Array]:
    """Every parameter with a prior: a scalar, or dims (architecture, task) where nothing is pooled."""
    dims = () if model.pooled else ("architecture", "task")
    priors = {n: p.get_prior() for n, p in model.parameters.items() if p.prior is not None}
    values = _level_coordinates(priors, dims)
    for name, prior in priors.items():
        if name not in values:
            values[name] = variable(name, prior, dims)
    return values


def _level_coordinates(priors: dict[str, Prior], dims: tuple[str, ...]) -> dict[str, Array]:
    logs = [n for n in ("R0", "L_inf", *_EXPONENTS) if n in priors]
    if not {"R0", "L_inf"} <= set(logs) or any(priors[n].family != "LogNormal" for n in logs):
        return {}
    floor, level = np.exp(priors["L_inf"]["mu"]), np.exp(priors["R0"]["mu"])
    log_total = _flat("log_level", np.log(floor + level), dims)
    logit_share = _flat("logit_floor_share", np.log(floor / level), dims)
    # log(1 - share) and log(share), each without cancellation.
    log_rest, log_share = -pt.softplus(logit_share), -pt.softplus(-logit_share)
    log_value = {"R0": log_total + log_rest, "L_inf": log_total + log_share}
    for name in logs[2:]:
        start = priors[name]["mu"] + np.log(level / (floor + level))
        log_value[name] = _flat(f"log_elasticity_{name}", start, dims) - log_rest
    for name, value in log_value.items():
        prior = pm.Normal.dist(mu=priors[name]["mu"], sigma=priors[name]["sigma"])
        pm.Potential(f"prior_{name}", pm.logp(prior, value))
    return {name: pm.Deterministic(name, pt.exp(v), dims=dims) for name, v in log_value.items()}


def _flat(name: str, start: float, dims: tuple[str, ...]) -> Array:
    return pm.Flat(name, dims=dims, initval=None if dims else start)
