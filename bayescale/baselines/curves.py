"""One-axis curves, M1 to M4, one break, and learning curves of tables, as log loss against centred log scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

type Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]

SHARES = (0.05, 0.3, 0.6, 0.9, 0.99)  # of the floor in the loss at the mean log scale
EXPONENTS = (0.03, 0.1, 0.3, 1.0, 3.0)
# An exponential's argument is kept where it neither overflows nor vanishes; no fit is meant to come near.
_LOWEST, _HIGHEST = -30.0, 4.0


@dataclass(frozen=True)
class Curve:
    """A curve and where its fit starts.

    Attributes
    ----------
    formula : callable
        ``(theta, u) -> log loss``; the first axis of ``theta`` is the parameter, all unconstrained; u is log x less
        its mean over the fitted runs. What follows the first axis broadcasts against u.
    levels : int
        How many of the first parameters shift by t when every loss is multiplied by e^t.
    grid : callable
        ``u -> theta``, shape (parameter, start); the level is put right afterwards.
    """

    formula: Formula
    levels: int
    grid: Callable[[np.ndarray], np.ndarray]


def m1(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """β·x^−c; ``theta``: log level, c."""
    level, c = theta
    return level - c * u


def m2(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """ε∞ + β·x^−c; ``theta``: log floor, log level of the power law, log c."""
    floor, level, log_c = theta
    return np.logaddexp(floor, level - _exp(log_c) * u)


def m3(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """β·(1/x + γ)^c; ``theta``: log level, log γ, log c."""
    level, log_gamma, log_c = theta
    return level + _exp(log_c) * np.logaddexp(-u, log_gamma)


def m4(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(ε − ε∞)/(ε₀ − ε)^α = β·x^−c, solved for ε; ``theta``: log ε∞, log(ε₀ − ε∞), level, log c, log α.

    The share s = (ε − ε∞)/(ε₀ − ε∞) obeys log s − α·log(1 − s) = level − c·u, whatever the unit of the loss.
    """
    floor, width, level, log_c, log_alpha = theta
    log_share = _log_share(level - _exp(log_c) * u, _exp(log_alpha))
    return np.logaddexp(floor, width + log_share)


def bnsl(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """a + b·x^−c₀·(1 + (x/d)^(1/f))^(−c₁f); ``theta``: log a, log b, c₀, c₁, log d, log f."""
    floor, level, c0, c1, log_d, log_f = theta
    f = _exp(log_f)
    return np.logaddexp(floor, level - c0 * u - c1 * f * np.logaddexp(0.0, (u - log_d) / f))


def pow4(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """ε∞ + β·(x + d)^−c; ``theta``: log floor, log level of the power law, log c, log d over the mean of x."""
    floor, level, log_c, log_d = theta
    return np.logaddexp(floor, level - _exp(log_c) * np.logaddexp(u, log_d))


def ilog2(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """ε∞ + a/log(1 + kx); ``theta``: log floor, log a, log k times the mean of x. As printed, k is 1."""
    floor, level, log_k = theta
    return np.logaddexp(floor, level - np.log(np.logaddexp(0.0, u + log_k)))


def janoschek(theta: np.ndarray, u: np.ndarray) -> np.ndarray:
    """ε∞ + b·exp(−k·x^d); ``theta``: log floor, log b, log k times the mean of x to the d, log d."""
    floor, level, log_k, log_d = theta
    return np.logaddexp(floor, level - np.exp(np.clip(log_k + _exp(log_d) * u, -50.0, 50.0)))


def _exp(value: np.ndarray) -> np.ndarray:
    return np.where(value > -np.inf, np.exp(np.clip(value, _LOWEST, _HIGHEST)), 0.0)


def _log_share(h: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Solve log s − α·log(1 − s) = h for log s, by Newton's method in the logit z of s.

    In z the left side rises, bent one way only, between two straight lines: started on the line that bounds the root,
    Newton's steps approach it from one side.
    """
    h, alpha = np.broadcast_arrays(h, alpha)
    z = h / np.where(h < 0, 1.0, np.maximum(alpha, np.exp(_LOWEST)))
    for _ in range(50):
        share = 0.5 * (1.0 + np.tanh(0.5 * z))
        rest = 0.5 * (1.0 - np.tanh(0.5 * z))
        excess = alpha * np.logaddexp(0.0, z) - np.logaddexp(0.0, -z) - h
        step = excess / np.maximum(rest + alpha * share, np.exp(_LOWEST))
        z = z - step
        if np.all(np.abs(step) <= 1e-12 * (1.0 + np.abs(z))):
            break
    return -np.logaddexp(0.0, -z)


def _product(*columns: object) -> np.ndarray:
    return np.array(list(product(*columns))).T  # type: ignore[call-overload]


def _grid_m1(_: np.ndarray) -> np.ndarray:
    return _product((0.0,), (0.1,))


def _grid_m2(_: np.ndarray) -> np.ndarray:
    share, c = _product(SHARES, EXPONENTS)
    return np.array([np.log(share), np.log1p(-share), np.log(c)])


def _grid_m3(_: np.ndarray) -> np.ndarray:
    return _product((0.0,), (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0), np.log(EXPONENTS))


def _grid_m4(_: np.ndarray) -> np.ndarray:
    share, level, log_c, log_alpha = _product(
        SHARES, (-3.0, -1.0, 1.0, 3.0), np.log(EXPONENTS), np.log((0.1, 0.5, 1.0, 2.0))
    )
    return np.array([np.log(share), np.log1p(-share), level, log_c, log_alpha])


def _grid_bnsl(u: np.ndarray) -> np.ndarray:
    share, c0, c1, log_d, log_f = _product(
        SHARES,
        (0.0, 0.05, 0.2, 0.8),
        (-0.3, 0.1, 0.3, 1.0),
        np.quantile(u, (0.1, 0.3, 0.5, 0.7, 0.9)),
        np.log((0.1, 1.0)),
    )
    return np.array([np.log(share), np.log1p(-share), c0, c1, log_d, log_f])


def _grid_pow4(_: np.ndarray) -> np.ndarray:
    share, c, log_d = _product(SHARES, EXPONENTS, (-6.0, -3.0, -1.0, 0.0, 1.0))
    return np.array([np.log(share), np.log1p(-share), np.log(c), log_d])


def _grid_ilog2(_: np.ndarray) -> np.ndarray:
    share, log_k = _product(SHARES, (-4.0, -1.0, 1.0, 4.0, 8.0, 16.0))
    return np.array([np.log(share), np.log1p(-share) + np.log(np.logaddexp(0.0, log_k)), log_k])


def _grid_janoschek(_: np.ndarray) -> np.ndarray:
    share, log_k, d = _product(SHARES, (-3.0, -1.0, 0.0, 1.0), (0.05, 0.1, 0.2, 0.4, 0.8))
    return np.array([np.log(share), np.log1p(-share) + np.exp(log_k), log_k, np.log(d)])


CURVES: dict[str, Curve] = {
    "m1": Curve(m1, 1, _grid_m1),
    "m2": Curve(m2, 2, _grid_m2),
    "m3": Curve(m3, 1, _grid_m3),
    "m4": Curve(m4, 2, _grid_m4),
    "bnsl": Curve(bnsl, 2, _grid_bnsl),
    "pow4": Curve(pow4, 2, _grid_pow4),
    "ilog2": Curve(ilog2, 2, _grid_ilog2),
    "janoschek": Curve(janoschek, 2, _grid_janoschek),
}
