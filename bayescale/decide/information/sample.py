"""What an experiment would be worth (EVSI): the best action under draws re-weighted by each outcome it may have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bayescale.checks.weights import KHAT_MAX, smoothed
from bayescale.decide.information.perfect import Error, Worth, advantages, independent
from bayescale.errors import PlanError

BLOCK = 64  # outcomes whose weights are held at a time


@dataclass(frozen=True)
class SampleWorth(Worth):
    """EVSI, and how far its weights can be trusted.

    Attributes
    ----------
    outcomes : int
        How many were simulated.
    unsupported : int
        How many of these have k̂ > 0.7: too few draws can have led there.
    """

    outcomes: int
    unsupported: int

    def if_successful(self, probability: float) -> SampleWorth:
        """The worth of an experiment that yields nothing but with this probability."""
        return replace(self, value=probability * self.value, error=probability * self.error)


def evsi(
    utility: np.ndarray,
    log_likelihood: np.ndarray,
    source: np.ndarray | None = None,
    error: Error = independent,
) -> SampleWorth:
    """Expected value of sample information, by importance re-weighting of the draws.

    For every simulated outcome the draws are weighted by its likelihood, Pareto-smoothed, and the action that is best
    under these weights is taken; its advantage over the action that is best today is averaged over outcomes.

    Parameters
    ----------
    utility : ndarray, shape (draw, action)
        What each action is worth in each draw; more is better.
    log_likelihood : ndarray, shape (outcome, draw)
        Log density of each simulated outcome under each draw.
    source : ndarray of int, shape (outcome,), optional
        The draw that each outcome was simulated from. It is left out of its own weights: it would know too much.
    error : callable
        Standard error of a mean over draws.

    Returns
    -------
    SampleWorth
        Between 0 and :func:`evpi` of the same utility. Its error has two parts: of the simulated outcomes, and of the
        draws.

    Raises
    ------
    PlanError
        If shapes do not fit.

    Notes
    -----
    The weights of all outcomes together should give back the draws as they are; what they give back of the EVPI, which
    is known, corrects the average (a ratio estimate).
    """
    above, regret = advantages(utility)
    outcomes, draws = len(log_likelihood), len(above)
    if log_likelihood.shape != (outcomes, draws) or outcomes < 2:
        raise PlanError(
            f"log_likelihood of shape {log_likelihood.shape} "
            f"(expected two outcomes or more, by {draws} draws)"
        )
    gain, held, khat = np.empty(outcomes), np.empty(outcomes), np.empty(outcomes)
    of_draw = np.zeros(draws)
    for start in range(0, outcomes, BLOCK):
        block = slice(start, start + BLOCK)
        own = None if source is None else source[block]
        weights, khat[block] = _weights(log_likelihood[block], own)
        chosen = np.argmax(weights @ above, axis=1)
        of_pair = weights * above[:, chosen].T
        gain[block], held[block] = of_pair.sum(axis=1), weights @ regret
        of_draw += of_pair.sum(axis=0)
    unsupported = int(np.sum(khat > KHAT_MAX))
    if held.sum() <= 0.0:
        return SampleWorth(0.0, 0.0, outcomes, unsupported)
    share, perfect = gain.sum() / held.sum(), regret.mean()
    of_outcomes = perfect / held.mean() * (gain - share * held).std(ddof=1) / np.sqrt(outcomes)
    spread = float(np.hypot(of_outcomes, error(of_draw * draws / outcomes)))
    return SampleWorth(float(share * perfect), spread, outcomes, unsupported)


def _weights(
    log_likelihood: np.ndarray, source: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed weights, shape (outcome, draw), none for the source; and k̂, shape (outcome,)."""
    ratio = log_likelihood.astype(float)
    if source is None:
        return _smoothed(ratio)
    others = np.arange(ratio.shape[1] - 1)[None]
    others = others + (others >= source[:, None])
    weights, khat = _smoothed(np.take_along_axis(ratio, others, axis=1))
    full = np.zeros_like(ratio)
    np.put_along_axis(full, others, weights, axis=1)
    return full, khat


def _smoothed(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed weights and k̂; as they are where a tail is too long for any smoothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        weights, khat = smoothed(ratio)
    lost = ~np.isfinite(weights).all(axis=1)
    weights[lost] = special.softmax(ratio[lost], axis=1)
    # Without a number for k̂ the tail is a handful of draws among weights of zero.
    return weights, np.where(np.isfinite(khat), khat, np.inf)
