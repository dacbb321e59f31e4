"""The observation model inside a ``pm.Model``: offsets that rows share, and the density of each row.

Written twice: here for the sampler, and in ``bayescale.predict.noise`` for forecasts and scores; but for what the
checkpoints of one run have in common, since forecasts are of runs by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf

from bayescale.build.data import datum, priors
from bayescale.build.drift import at_groups
from bayescale.build.population import variable
from bayescale.laws import Array
from bayescale.spec import RATE_MAX, ResolvedModel


def offsets(model: ResolvedModel, theta: Mapping[str, Array]) -> Array:
    """Sum of what the rows of one sweep, and of one run, have in common on the log scale, shape (run,)."""
    total: Array = 0.0
    if model.sweeps:
        total += _shared("offset", "sweep", "sweep_label", theta["sweep"])
    if model.paths:
        total += _shared("offset_run", "path", "path", theta["run_effect"])
    return total


def _shared(name: str, group: str, dim: str, scale: Array) -> Array:
    z = pm.Normal(f"z_{name}", dims=dim)
    offset = pm.Deterministic(name, at_groups(scale, group) * z, dims=dim)
    return offset[datum(f"{group}_index")]


def observe(model: ResolvedModel, theta: Mapping[str, Array], mu: Array) -> None:
    """Add the density of the rows around ``mu``, log of the expected loss of each."""
    family = model.spec.likelihood.family
    if family == "binomial":
        _count_errors(theta["sigma"], mu)
        return
    scale = pt.sqrt(theta["sigma"] ** 2 + datum("log_loss_se") ** 2)
    nu = None
    if model.nu_minus_2 is not None:
        extra = variable("nu_minus_2", priors(model)["nu_minus_2"], ())
        nu = pm.Deterministic("nu", extra + 2.0)
    dims, observed = "run", datum("log_loss")
    if model.unfinished:
        final, still = datum("final"), datum("still")
        _bound(mu[still], scale[still], nu)
        mu, scale, dims = mu[final], scale[final], "finished_run"
    if "correlation_length" in theta:
        mu, scale = _given_the_checkpoint_before(theta["correlation_length"], mu, scale)
    if family == "one-sided":
        waste = theta["inefficiency"]
        pm.CustomDist("y", mu, scale, waste, logp=one_sided_logp, observed=observed, dims=dims)
    elif nu is None:
        pm.Normal("y", mu=mu, sigma=scale, observed=observed, dims=dims)
    else:
        pm.StudentT("y", nu=nu, mu=mu, sigma=scale, observed=observed, dims=dims)


def _given_the_checkpoint_before(length: Array, mu: Array, scale: Array) -> tuple[Array, Array]:
    """Centre and scale of every row given that of the checkpoint before, an Ornstein-Uhlenbeck process in log steps.

    Residuals in units of their scale have r | r' ~ noise(ρ r', √(1−ρ²)), ρ = exp(−gap/length): with Normal noise each
    has the distribution that it would have by itself, with Student-t noise its variance. The first of a run has ρ = 0.
    """
    gap, follows = datum("gap"), datum("follows")
    rho = follows * pt.exp(-gap / length)
    fresh = pt.where(follows > 0.0, pt.sqrt(-pt.expm1(-2.0 * gap / length)), 1.0)
    residual = (datum("log_loss") - mu) / scale
    return mu + scale * rho * residual[datum("previous_index")], scale * fresh


def one_sided_logp(value: Array, mu: Array, sigma: Array, inefficiency: Array) -> Array:
    """Log density of mu + Normal(0, σ) + |Normal(0, τ)| (Aigner, Lovell & Schmidt 1977, eq. 8, of a cost)."""
    total = pt.sqrt(sigma**2 + inefficiency**2)
    z = (value - mu) / total
    tilt = normal_lcdf(0.0, 1.0, z * inefficiency / sigma)
    return 0.5 * np.log(2.0 / np.pi) - pt.log(total) - 0.5 * z**2 + tilt


def _bound(mu: Array, scale: Array, nu: Array | None) -> None:
    """P(final loss ≤ loss seen) of the unfinished runs, as a potential.

    A Student-t is a Normal of uncertain precision, and its distribution function the mean of the Normal's: sampling
    the precision of each of these runs spares the gradient of an incomplete beta function, minutes to compile.
    """
    if nu is not None:
        precision = pm.Gamma("z_precision", alpha=nu / 2, beta=nu / 2, dims="unfinished_run")
        scale = scale / pt.sqrt(precision)
    pm.Potential("unfinished", normal_lcdf(mu, scale, datum("bound")).sum())


def _count_errors(sigma: Array, mu: Array) -> None:
    """Wrong answers among the items, Beta-Binomial: the rate of a run has mean exp(mu) and coefficient of variation
    σ so far as a rate can (σ√[(1−p)/((1−p)+pσ²)])."""
    rate = pt.minimum(pt.exp(mu), RATE_MAX)
    pm.BetaBinomial(
        "y",
        alpha=(1 - rate) / sigma**2,
        beta=(1 - rate) ** 2 / (rate * sigma**2),
        n=datum("trials"),
        observed=datum("errors"),
        dims="run",
    )
