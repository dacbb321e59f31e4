"""What a pilot may show: log losses simulated from draws, and their density under all draws, offsets integrated out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayescale.decide.information.pilots import Pilot
from bayescale.errors import PlanError, unknown
from bayescale.posterior import Curve, Fit, Mixture, Posterior, keyed_generator

BLOCK = 64  # outcomes whose densities are held at a time
# Nodes of the integral over a shared offset, its reach in standard deviations, steps that close in on its centre.
NODES, REACH, STEPS = 13, 6.0, 3
NORMAL_NU = 1e6  # a Student-t with so many degrees of freedom is a Normal


@dataclass(frozen=True, eq=False)
class Scatter:
    """How the log losses of the runs of one sweep scatter around a curve, draw by draw; arrays of shape (draw,).

    Attributes
    ----------
    sigma, nu : ndarray
        Scale and degrees of freedom of the noise of each run.
    shared : ndarray
        Standard deviation of the offset that all runs of the sweep share.
    own : ndarray
        That of the Normal offset particular to each run; zero in most models.
    """

    sigma: np.ndarray
    nu: np.ndarray
    shared: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, fit: Posterior, curve: Curve | Mixture, pilot: Pilot) -> Scatter:
        """Of a pilot around its group's curve.

        Raises
        ------
        PlanError
            For noise that is neither Normal nor Student-t, and for several runs with both a run effect and Student-t
            noise.
        """
        for member in fit.members:
            family = member.model.spec.likelihood.family
            if family not in ("normal", "student-t"):
                raise PlanError(
                    f"outcomes of pilots are not known under {family} noise; "
                    "fit with noise='student-t' or 'normal'"
                )
        theta, none = curve.theta, np.zeros(len(curve.floor))
        nu = np.minimum(theta.get("nu", none + np.inf), NORMAL_NU)
        shared = none if pilot.sweep is not None else theta.get("sweep", none)
        found = cls(theta["sigma"], nu, shared, theta.get("run_effect", none))
        if found.own.any() and len(pilot.runs) > 1 and nu.min() < NORMAL_NU:
            raise PlanError(
                f"pilot {pilot.name!r} has several runs, and the fit a run effect with Student-t noise; "
                "fit with run_effect=False"
            )
        return found

    def simulate(
        self, centre: np.ndarray, source: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Log losses of all runs, shape (outcome, run), each outcome from its own draw of ``centre`` (draw, run)."""
        shape = (len(source), centre.shape[1])
        shared = self.shared[source] * rng.standard_normal(len(source))
        own = self.own[source, None] * rng.standard_normal(shape)
        nu = np.broadcast_to(self.nu[source, None], shape)
        noise = (
            self.sigma[source, None] * rng.standard_normal(shape) / np.sqrt(rng.chisquare(nu) / nu)
        )
        return centre[source] + shared[:, None] + own + noise

    def log_density(self, observed: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Joint log density of every outcome under every draw, shape (outcome, draw), in single precision.

        Parameters
        ----------
        observed : ndarray, shape (outcome, run)
            Log losses.
        centre : ndarray, shape (draw, run)
            Log losses without noise and offset.

        Notes
        -----
        Under Normal noise the runs of a sweep are Normal with equal correlations. Under Student-t noise the shared
        offset is integrated out by the trapezoid rule, whose nodes lie around the offset that fits the outcome best.
        """
        density = self._normal if self.nu.min() >= NORMAL_NU else self._student
        blocks = [
            density((observed[start : start + BLOCK, None] - centre).astype(np.float32))
            for start in range(0, len(observed), BLOCK)
        ]
        return np.concatenate(blocks)

    def _normal(self, apart: np.ndarray) -> np.ndarray:
        runs = apart.shape[-1]
        variance, shared = _single(self.sigma**2 + self.own**2), _single(self.shared**2)
        total = variance + runs * shared
        mean = apart.mean(axis=-1)
        within = np.square(apart - mean[..., None]).sum(axis=-1)
        scale = (runs - 1) * np.log(variance) + np.log(total) + runs * np.log(2 * np.pi)
        return -0.5 * (within / variance + runs * np.square(mean) / total + _single(scale))

    def _student(self, apart: np.ndarray) -> np.ndarray:
        runs, nu, sigma = apart.shape[-1], _single(self.nu), _single(self.sigma)
        # Of one run the two offsets are one; of several there is no offset of each run's own.
        spread = np.hypot(self.shared, self.own)
        constant = gammaln((self.nu + 1) / 2) - gammaln(self.nu / 2)
        constant = runs * (constant - 0.5 * np.log(np.pi * self.nu) - np.log(self.sigma))

        def log_t(offset: np.ndarray | float) -> np.ndarray:
            power = np.float32(0.0)
            for run in range(runs):
                power = power + np.log1p(np.square((apart[..., run] - offset) / sigma) / nu)
            return _single(constant) - (nu + 1) / 2 * power

        if not spread.any():
            return log_t(0.0)
        # A draw without an offset keeps one too small to be seen.
        width = _single(np.maximum(spread, 1e-3 * self.sigma))
        centre, reach = _offset(apart, sigma, nu, width)
        nodes = np.linspace(-REACH, REACH, NODES).astype(np.float32)
        top, total = np.full(centre.shape, -np.inf, np.float32), np.zeros(centre.shape, np.float32)
        for node in nodes:
            offset = centre + reach * node
            here = log_t(offset) - 0.5 * np.square(offset / width)
            higher = np.maximum(top, here)
            total = total * np.exp(top - higher) + np.exp(here - higher)
            top = higher
        step = (
            np.log(nodes[1] - nodes[0])
            + np.log(reach / width)
            - np.float32(0.5 * np.log(2 * np.pi))
        )
        return top + np.log(total) + step


def _offset(
    apart: np.ndarray, sigma: np.ndarray, nu: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Most probable shared offset and its standard deviation, by iteratively re-weighted least squares."""
    least = np.maximum(1 - 2 / nu, np.float32(1 / 3))
    prior, precision = 1 / np.square(width), 1 / np.square(sigma)
    weight = np.broadcast_to(least[:, None], apart.shape)
    for step in range(STEPS + 1):
        informed = prior + precision * weight.sum(axis=-1)
        centre = precision * (weight * apart).sum(axis=-1) / informed
        if step < STEPS:
            far = np.square((apart - centre[..., None]) / sigma[:, None])
            weight = (nu[:, None] + 1) / (nu[:, None] + far)
    kept = np.minimum(weight, least[:, None]).sum(axis=-1)
    return centre, 1 / np.sqrt(prior + precision * kept)


def _single(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def log_likelihood(
    fit: Posterior, curve: Curve | Mixture, pilot: Pilot, source: np.ndarray
) -> np.ndarray:
    """Outcomes of a pilot simulated from the draws ``source``, as log densities under every draw, (outcome, draw)."""
    runs = np.log(np.array(pilot.runs))
    logs = {"params": runs[None, :, 0], "tokens": runs[None, :, 1]}
    centre = np.log(curve.loss(curve.log_reducible(logs)))
    if not np.isfinite(centre).all():
        raise PlanError(
            f"pilot {pilot.name!r}: so far below the fitted runs no loss can be foreseen"
        )
    if pilot.sweep is not None:
        centre = centre + _known_offset(fit, pilot.sweep)[:, None]
    scatter = Scatter.of(fit, curve, pilot)
    rng = keyed_generator(fit.seed, "pilot", [pilot.name])
    return scatter.log_density(scatter.simulate(centre, source, rng), centre)


def _known_offset(fit: Posterior, sweep: str) -> np.ndarray:
    """Draws of the offset of a fitted sweep, shape (draw,)."""
    out = []
    for member, draws in fit.parts:
        out.append(_offset_of(member, sweep)[draws])
    return np.concatenate(out)


def _offset_of(fit: Fit, sweep: str) -> np.ndarray:
    if sweep not in fit.model.sweeps:
        raise unknown("sweep", sweep, fit.model.sweeps, f"the fit of {fit.model.spec.name!r}")
    offset = fit.posterior["offset"].sel(sweep_label=sweep)
    return offset.transpose("chain", "draw").to_numpy().ravel()
