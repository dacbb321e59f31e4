"""The noise of a run: drawn for forecasts, its density for scores; the twin of the sampler's observation model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special, stats

from bayescale.posterior import Fit, Group, Side, keyed_generator
from bayescale.spec import RATE_MAX, Family


@dataclass(frozen=True)
class Noise:
    """All draws of the noise around one group's curve; arrays have shape (draw,), or that of the centre.

    Methods take ``centre``, log of the loss without noise, of shape (draw, …).

    Attributes
    ----------
    family : str
        As in :class:`bayescale.spec.Likelihood`.
    sigma : ndarray
    nu, inefficiency : ndarray or None
        Of a Student-t; of one-sided noise.
    run_effect : ndarray or None
        Scale of the offset that is particular to a run, where the model has one.
    """

    family: Family
    sigma: np.ndarray
    nu: np.ndarray | None = None
    inefficiency: np.ndarray | None = None
    run_effect: np.ndarray | None = None

    @classmethod
    def of(cls, fit: Fit, theta: Mapping[str, Any]) -> Noise:
        """The noise of a group from its parameters, as :meth:`Fit.parameters` gives them (labelled, or flat)."""
        names = ("sigma", "nu", "inefficiency", "run_effect")
        values = {n: np.asarray(theta[n]).ravel() for n in names if n in theta}
        return cls(fit.model.spec.likelihood.family, **values)

    def at(self, draws: np.ndarray | slice) -> Noise:
        """The noise of some draws."""
        names = ("sigma", "nu", "inefficiency", "run_effect")
        return replace(self, **{n: v[draws] for n in names if (v := getattr(self, n)) is not None})

    def measured(self, log_se: np.ndarray) -> Noise:
        """The noise of runs whose loss is read with a standard error, of the log loss, shape (run,)."""
        return replace(self, sigma=np.hypot(self.sigma[:, None], log_se))

    def new_run(self, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The centre of runs that were not fitted: each has an offset of its own, where the model has them."""
        if self.run_effect is None:
            return centre
        return centre + along(self.run_effect, centre) * rng.standard_normal(centre.shape)

    def simulate(
        self, centre: np.ndarray, rng: np.random.Generator, trials: np.ndarray | None = None
    ) -> np.ndarray:
        """Log loss of one run at every entry of ``centre``.

        Of a binomial the share of errors among ``trials`` items, shape (…); without them the run's own error rate.
        A count of no error has log loss −∞.
        """
        sigma = along(self.sigma, centre)
        if self.family == "binomial":
            rate = rng.beta(*self._beta(centre))
            if trials is not None:
                rate = rng.binomial(trials, rate) / trials
            with np.errstate(divide="ignore"):
                return np.asarray(np.log(rate))
        if self.nu is not None:
            # A Student-t is a Normal over the root of a scaled chi-square, one of each a run.
            nu = np.broadcast_to(along(self.nu, centre), centre.shape)
            chi = rng.chisquare(nu)
            return centre + sigma * rng.standard_normal(centre.shape) / np.sqrt(chi / nu)
        noisy = centre + sigma * rng.standard_normal(centre.shape)
        if self.inefficiency is None:
            return noisy
        waste = np.abs(rng.standard_normal(centre.shape))
        return noisy + along(self.inefficiency, centre) * waste

    def log_density(
        self, observed: np.ndarray, centre: np.ndarray, trials: np.ndarray | None = None
    ) -> np.ndarray:
        """Log density of log losses of shape (…) around every draw, shape (draw, …).

        Of a count it is the log probability of the count over the width of one on the log scale, 1/errors, so that it
        compares with that of other families.
        """
        sigma = along(self.sigma, centre)
        if self.family == "binomial":
            if trials is None:
                a, b = self._beta(centre)
                return np.asarray(stats.beta.logpdf(np.exp(observed), a, b) + observed)
            errors = np.rint(trials * np.exp(observed))
            return np.asarray(
                stats.betabinom.logpmf(errors, trials, *self._beta(centre))
                + observed
                + np.log(trials)
            )
        if self.inefficiency is not None:
            waste = along(self.inefficiency, centre)
            total = np.hypot(sigma, waste)
            z = (observed - centre) / total
            return np.asarray(
                np.log(2.0)
                + stats.norm.logpdf(z)
                - np.log(total)
                + special.log_ndtr(z * waste / sigma)
            )
        if self.nu is not None:
            return np.asarray(stats.t.logpdf(observed, along(self.nu, centre), centre, sigma))
        return np.asarray(stats.norm.logpdf(observed, centre, sigma))

    def cdf(self, value: float | np.ndarray, centre: np.ndarray) -> np.ndarray:
        """P(log loss of a run ≤ value) around every draw, shape (draw, …); of a binomial that of its error rate."""
        sigma = along(self.sigma, centre)
        if self.family == "binomial":
            return np.asarray(stats.beta.cdf(np.exp(value), *self._beta(centre)))
        z = (value - centre) / sigma
        if self.inefficiency is not None:
            waste = along(self.inefficiency, centre)
            tilt = waste / sigma
            scaled = z / np.hypot(1.0, tilt)
            # Of a skew-normal (Azzalini 1985, eq. 5); scipy's own falls back on slow quadrature in the lower tail.
            return np.asarray(special.ndtr(scaled) - 2.0 * special.owens_t(scaled, tilt))
        if self.nu is not None:
            return np.asarray(stats.t.cdf(z, along(self.nu, centre)))
        return np.asarray(stats.norm.cdf(z))

    def _beta(self, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rate = np.minimum(np.exp(centre), RATE_MAX)
        variance = along(self.sigma, centre) ** 2
        return (1 - rate) / variance, (1 - rate) ** 2 / (rate * variance)


def along(value: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """One number a draw, to meet a centre of shape (draw, …)."""
    return value if value.ndim == centre.ndim else value.reshape(-1, *[1] * (centre.ndim - 1))


def campaign_offset(fit: Fit, where: dict[Side, Group], theta: dict[str, np.ndarray]) -> np.ndarray:
    """Offset of the log loss of a new sweep, shape (draw,): one a draw, shared by every run and action in it."""
    if "sweep" not in theta:
        return np.zeros(len(theta["sigma"]))
    rng = keyed_generator(fit.seed, "sweep", list(where.values()))
    return theta["sweep"] * rng.standard_normal(len(theta["sweep"]))


def run_centre(
    fit: Fit, where: Mapping[Side, Group], noise: Noise, campaign: np.ndarray
) -> np.ndarray:
    """Log loss of new runs but for their noise, from that of their campaign, shape (draw, …)."""
    return noise.new_run(campaign, keyed_generator(fit.seed, "run", list(where.values())))


def run_log_loss(
    fit: Fit,
    where: Mapping[Side, Group],
    noise: Noise,
    campaign: np.ndarray,
    trials: np.ndarray | None = None,
) -> np.ndarray:
    """Log loss of new runs; the same seed and groups give the same runs, other groups others."""
    centre = run_centre(fit, where, noise, campaign)
    return noise.simulate(centre, keyed_generator(fit.seed, "noise", list(where.values())), trials)


def predictive_log_density(
    fit: Fit,
    where: Mapping[Side, Group],
    noise: Noise,
    campaign: np.ndarray,
    observed: np.ndarray,
    trials: np.ndarray | None = None,
) -> np.ndarray:
    """Log density of observed log losses of new runs, draw by draw, shape (draw, run)."""
    return noise.log_density(observed, run_centre(fit, where, noise, campaign), trials)
