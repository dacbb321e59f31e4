"""The best size at a budget, of a joint law whose exponents drift: exact, draw by draw.

Along a budget u + v = s. Between the edges of its walks' intervals both stretched inputs are straight lines of u: there
log R is a log-sum-exp of straight lines, convex, with its minimum where the slopes of the terms balance, at
logit(share of N's term) = log(δ e^{W_D} / β e^{W_N}). Edges and midpoints are common to all draws, so that nothing but
sums and comparisons is needed to find the minima; there may be several, since a steep stretch can follow a flat one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from bayescale.laws.core import joint_log_reducible
from bayescale.laws.drift import STEP, Walk
from bayescale.laws.namespace import numpy_namespace

BLOCK = 500  # draws at once, so that the work stays in the processor's cache


def drifting_optimum(
    theta: Mapping[str, np.ndarray],
    walks: Mapping[str, Walk],
    total: float,
    low: float,
    high: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise log R over low ≤ u ≤ high at u + v = total, for every draw.

    Parameters
    ----------
    theta : mapping
        Completed parameters of the joint law, each of shape (draw,).
    walks : mapping
        ``params`` and ``tokens`` → the walk of that axis.
    total : float
        Sum of the two centred log inputs.
    low, high : float
        Ends of the search in u, the centred log N.

    Returns
    -------
    u, log_reducible : ndarray, shape (draw,)
    """
    size = len(theta["R0"])
    by_params = walks["params"].reaching(low, high)
    by_tokens = walks["tokens"].reaching(total - high, total - low)
    found = []
    for start in range(0, size, BLOCK):
        part = np.arange(start, min(start + BLOCK, size))
        one = {k: v[part] for k, v in theta.items()}
        ends = (low, high)
        found.append(_block(one, by_params.take(part), by_tokens.take(part), total, ends))
    u, log_r = zip(*found, strict=True)
    return np.concatenate(u), np.concatenate(log_r)


def _block(
    theta: Mapping[str, np.ndarray],
    by_params: Walk,
    by_tokens: Walk,
    total: float,
    ends: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    low, high = ends
    beta, delta, gamma = theta["beta"], theta["delta"], theta["gamma"]
    edge = _breakpoints(low, high, total)
    middle = 0.5 * (edge[1:] + edge[:-1])
    u, v = by_params.stretched_along(edge), by_tokens.stretched_along(total - edge)
    share = logit(theta["omega"]) - (beta * u - delta * v) / gamma  # logit; falls with u
    balance = (
        np.log(delta / beta) + by_tokens.value_along(total - middle) - by_params.value_along(middle)
    )
    falls, rises = share[1:] > balance, share[:-1] < balance  # at the end, at the start of a piece
    before = np.vstack([np.ones_like(falls[:1]), falls[:-1]])
    kink, inside = rises & before, ~(rises | falls)
    last = np.flatnonzero(falls[-1])  # falling to the very end
    piece, draw = np.nonzero(kink | inside)
    start, end = share[piece, draw], share[piece + 1, draw]
    part = np.clip((start - balance[piece, draw]) / (start - end), 0.0, 1.0)
    piece = np.concatenate([piece, np.full(len(last), len(middle) - 1)])
    draw, part = np.concatenate([draw, last]), np.concatenate([part, np.ones(len(last))])

    def between(values: np.ndarray) -> np.ndarray:
        begin = values[piece, draw]
        return np.asarray(begin + part * (values[piece + 1, draw] - begin))

    log_r = joint_log_reducible(
        numpy_namespace,
        {"params": between(u), "tokens": between(v)},
        {k: values[draw] for k, values in theta.items()},
    )
    at = edge[piece] + part * (edge[piece + 1] - edge[piece])
    best = np.lexsort((log_r, draw))
    best = best[np.unique(draw[best], return_index=True)[1]]
    return at[best], log_r[best]


def _breakpoints(low: float, high: float, total: float) -> np.ndarray:
    """Ends of the search and, between them, the edges of the intervals of either walk, in u."""
    by_params = STEP * np.arange(np.ceil(low / STEP), np.floor(high / STEP) + 1)
    by_tokens = total - STEP * np.arange(np.ceil((total - high) / STEP), (total - low) / STEP)
    return np.unique(np.concatenate([[low, high], by_params, by_tokens]).clip(low, high))
