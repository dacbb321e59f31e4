"""What a law implies at a fixed compute budget: the best (N, D), the frontier loss, and how flat the valley is.

Closed forms hold for the joint law with any γ (DESIGN notation: exponents β on N and δ on D; Hoffmann et al. write α
and β). :mod:`bayescale.laws.numeric_frontier` finds the same numbers for any law in N and D, and is what the closed
forms are tested against. Compute is C = 6·N·D throughout, in FLOP; logs are natural.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from bayescale.errors import PlanError
from bayescale.laws.namespace import Array

LOG_FLOP_PER_PARAM_TOKEN = float(np.log(6.0))


@dataclass(frozen=True)
class Frontier:
    """The compute-optimal frontier of the joint law, one value a draw.

    Attributes
    ----------
    log_A, log_B : array
        Log amplitudes of the textbook terms A·N^−β and B·D^−δ.
    beta, delta, alpha, a, gamma : array
        Exponents; α = βδ/(β+δ) is the slope of the reducible loss along the frontier, a = δ/(β+δ) that of N*.
    log_G : array
        N* = G·(C/6)^a with G = [(β/δ)^γ·A/B]^(1/(β+δ)).
    log_kappa : array
        Reducible loss on the frontier is κ·C^−α with κ = 6^α·A·G^−β·((β+δ)/δ)^γ.
    """

    log_A: Array
    log_B: Array
    beta: Array
    delta: Array
    alpha: Array
    a: Array
    gamma: Array
    log_G: Array
    log_kappa: Array

    def log_params(self, log_compute: Array) -> Array:
        """Log N* at a budget."""
        return self.log_G + self.a * (log_compute - LOG_FLOP_PER_PARAM_TOKEN)

    def log_tokens(self, log_compute: Array) -> Array:
        """Log D* at a budget."""
        return log_compute - LOG_FLOP_PER_PARAM_TOKEN - self.log_params(log_compute)

    def tokens_per_param(self, log_compute: Array) -> Array:
        """D*/N* at a budget."""
        return np.exp(self.log_tokens(log_compute) - self.log_params(log_compute))

    def log_reducible(self, log_compute: Array) -> Array:
        """Log of the reducible loss at the optimum of a budget."""
        return self.log_kappa - self.alpha * log_compute

    def log_excess(self, x: Array) -> Array:
        """Log R/R* at N = N*·e^x and the same budget: γ·log[(δ e^(−βx/γ) + β e^(δx/γ))/(β+δ)]."""
        inside = np.logaddexp(
            np.log(self.delta) - self.beta * x / self.gamma,
            np.log(self.beta) + self.delta * x / self.gamma,
        )
        return self.gamma * (inside - np.log(self.beta + self.delta))

    def wasted_share(self, x: Array) -> Array:
        """Share of the budget wasted at N = N*·e^x: 1 − C'/C where C' on the frontier gives the same loss."""
        return -np.expm1(-self.log_excess(x) / self.alpha)

    def valley_width(self, share: float = 0.05) -> np.ndarray:
        """Ratio of the largest to the smallest N whose wasted share of the budget is at most ``share``, in (0, 1)."""
        if not 0.0 < share < 1.0:  # a whole budget is wasted nowhere: the search would not end
            raise PlanError(f"valley share = {share:g} (expected between 0 and 1)")
        four = np.broadcast_arrays(self.beta, self.delta, self.gamma, self.alpha)
        widths = [
            _valley(float(b), float(d), float(g), float(al), share)
            for b, d, g, al in zip(*(np.ravel(v) for v in four), strict=True)
        ]
        return np.array(widths).reshape(np.shape(four[0]))


def _valley(beta: float, delta: float, gamma: float, alpha: float, share: float) -> float:
    one = Frontier(*(np.float64(v) for v in (0, 0, beta, delta, alpha, 0, gamma, 0, 0)))

    def gap(x: float) -> float:
        return float(one.wasted_share(x)) - share

    far = 1.0
    while min(gap(far), gap(-far)) < 0:
        far *= 2.0
    return float(np.exp(brentq(gap, 0, far) - brentq(gap, -far, 0)))


def joint_frontier(theta: Mapping[str, Array], pivots: Mapping[str, float]) -> Frontier:
    """Closed-form frontier of the joint law from completed parameters at their pivots.

    Parameters
    ----------
    theta : mapping
        Completed parameters R0, omega, beta, delta, gamma, alpha, a (arrays of any one shape).
    pivots : mapping
        ``{"params": mean log N, "tokens": mean log D}`` of the fitted runs.

    Returns
    -------
    Frontier
        Of the same shape.
    """
    beta, delta, gamma = theta["beta"], theta["delta"], theta["gamma"]
    log_r0 = np.log(theta["R0"])
    log_a = log_r0 + gamma * np.log(theta["omega"]) + beta * pivots["params"]
    log_b = log_r0 + gamma * np.log1p(-theta["omega"]) + delta * pivots["tokens"]
    log_g = (gamma * (np.log(beta) - np.log(delta)) + log_a - log_b) / (beta + delta)
    log_kappa = (
        theta["alpha"] * LOG_FLOP_PER_PARAM_TOKEN
        + log_a
        - beta * log_g
        + gamma * (np.log(beta + delta) - np.log(delta))
    )
    return Frontier(log_a, log_b, beta, delta, theta["alpha"], theta["a"], gamma, log_g, log_kappa)


def textbook_theta(
    A: float, B: float, beta: float, delta: float, L_inf: float, gamma: float = 1.0
) -> dict[str, float]:
    """Parameters at pivots zero of a joint law printed as L∞ + [(A·N^−β)^(1/γ) + (B·D^−δ)^(1/γ)]^γ."""
    log_share_a, log_share_b = np.log(A) / gamma, np.log(B) / gamma
    log_total = np.logaddexp(log_share_a, log_share_b)
    return {
        "R0": float(np.exp(gamma * log_total)),
        "omega": float(np.exp(log_share_a - log_total)),
        "beta": beta,
        "delta": delta,
        "gamma": gamma,
        "alpha": beta * delta / (beta + delta),
        "a": delta / (beta + delta),
        "L_inf": L_inf,
    }
