"""Inputs that may be uncertain: a number, a distribution or one's own draws, read into draws keyed by seed and name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from bayescale.errors import PlanError
from bayescale.given import Given
from bayescale.posterior.groups import keyed_generator
from bayescale.spec import Prior

#: A number, a distribution (``"LogNormal(median=2.7, sigma=0.35)"``), or draws.
Uncertain = float | str | Prior | np.ndarray

# Probability that a distribution may have outside the bounds of an input; it is then drawn inside of them.
_TAIL = 1e-6


@dataclass(frozen=True)
class Bounds:
    """What an input may be: above ``low`` (or from it, if ``closed``), and at most ``high``."""

    expected: str
    low: float = 0.0
    high: float = math.inf
    closed: bool = False

    def holds(self, value: np.ndarray) -> bool:
        """Whether all values are finite and inside."""
        above = value >= self.low if self.closed else value > self.low
        return bool(np.all(np.isfinite(value) & above & (value <= self.high)))


POSITIVE = Bounds("a positive number")
SHARE = Bounds("a share in (0, 1]", high=1.0)
FACTOR = Bounds("a factor of at least 1", low=1.0, closed=True)
AT_LEAST_ZERO = Bounds("zero or more", closed=True)


def bounds_of(given: Given) -> Bounds:
    """What a further input may be."""
    expected = f"from {given.lowest:g} to {given.highest:g}"
    return Bounds(expected, given.lowest, given.highest, closed=True)


def draws_of(value: Uncertain, name: str, bounds: Bounds, draws: int, seed: int = 0) -> np.ndarray:
    """Draws of one input, the same for the same seed and name.

    Distributions are drawn by their quantile function, from one uniform per draw that depends on seed and name alone:
    two calls agree, draw i goes with draw i of a posterior, and an input that changes its distribution keeps its ranks.

    Parameters
    ----------
    value : float, str, Prior or ndarray
        An ndarray has one value a draw.
    name : str
        Of the input.
    bounds : Bounds
        Of the input; a distribution must hold all but a millionth of its mass within.
    draws : int
        How many.
    seed : int
        Of the fit whose draws these go with.

    Returns
    -------
    ndarray, shape (draws,)

    Raises
    ------
    PlanError, ModelError
        Naming the input, its value and what was expected.
    """
    if isinstance(value, str):
        value = _read(value, name)
    if isinstance(value, Prior):
        return _from_prior(value, name, bounds, draws, seed)
    if isinstance(value, np.ndarray) and value.ndim:
        if value.shape != (draws,):
            raise PlanError(
                f"{name} has shape {value.shape} (expected one value for each of {draws} draws)"
            )
        if not bounds.holds(value):
            raise PlanError(f"{name}: a draw lies outside (expected {bounds.expected})")
        return value.astype(float)
    if isinstance(value, bool) or not isinstance(value, (Real, np.ndarray)):
        raise PlanError(f"{name} = {value!r} (expected a number, or a distribution such as "
                        "'LogNormal(median=2.7, sigma=0.35)')")  # fmt: skip
    number = float(value)
    if not bounds.holds(np.array(number)):
        raise PlanError(f"{name} = {number:g} (expected {bounds.expected})")
    return np.full(draws, number)


def _read(text: str, name: str) -> Prior | float:
    try:
        return float(text)
    except ValueError:
        return Prior.parse(text, name)


def _from_prior(prior: Prior, name: str, bounds: Bounds, draws: int, seed: int) -> np.ndarray:
    ends = prior.quantile(np.array([_TAIL, 1.0 - _TAIL]))
    if not bounds.holds(ends):
        raise PlanError(f"{name}: {prior} reaches outside (expected {bounds.expected})")
    uniform = keyed_generator(seed, f"input|{name}", []).uniform(_TAIL, 1.0 - _TAIL, draws)
    return prior.quantile(uniform)
