"""The best size at a budget, of a joint law whose exponents drift: exact, draw by draw.

Along a budget u + v = s. Between the edges of its walks' intervals both stretched inputs are straight lines of u: there
log R is a log-sum-exp of straight lines, convex, with its minimum where the slopes of the terms balance, at
logit(share of N's term) = log(δ e^{W_D} / β e^{W_N}). Edges and midpoints are common to all draws, so that nothing but
sums and comparisons is needed to find the minima; there may be several, since a steep stretch can follow a flat one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from bayescale.laws.core import joint_log_reducible
from bayescale.laws.drift import STEP, SharedInputs, Walk
from bayescale.laws.namespace import numpy_namespace

BLOCK = 500  # draws at once, so that the work stays in the processor's cache


def drifting_optimum(
    theta: Mapping[str, np.ndarray],
    walks: Mapping[str, Walk],
    totals: np.ndarray,
    low: float,
    high: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise log R over low ≤ u ≤ high at u + v = total, for every draw and total.

    Parameters
    ----------
    theta : mapping
        Completed parameters of the joint law, each of shape (draw,).
    walks : mapping
        ``params`` and ``tokens`` → the walk of that axis.
    totals : ndarray, shape (total,)
        Sums of the two centred log inputs.
    low, high : float
        Ends of the search in u, the centred log N.

    Returns
    -------
    u, log_reducible : ndarray, shape (draw, total)
    """
    size = len(theta["R0"])
    u, log_r = np.empty((size, len(totals))), np.empty((size, len(totals)))
    by_params = walks["params"].reaching(low, high)
    by_tokens = walks["tokens"].reaching(float(totals.min()) - high, float(totals.max()) - low)
    for start in range(0, size, BLOCK):
        part = np.arange(start, min(start + BLOCK, size))
        block = _Block(
            {k: v[part] for k, v in theta.items()},
            SharedInputs.of(by_params.take(part)),
            SharedInputs.of(by_tokens.take(part)),
        )
        for i, total in enumerate(totals):
            u[part, i], log_r[part, i] = block.lowest(float(total), low, high)
    return u, log_r


@dataclass(frozen=True)
class _Block:
    """Some draws of the law."""

    theta: Mapping[str, np.ndarray]
    by_params: SharedInputs
    by_tokens: SharedInputs

    def lowest(self, total: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """The best u and log R there of every draw."""
        t = self.theta
        edge = _breakpoints(low, high, total)
        middle = 0.5 * (edge[1:] + edge[:-1])
        u, v = self.by_params.stretched(edge), self.by_tokens.stretched(total - edge)
        share = logit(t["omega"]) - (t["beta"] * u - t["delta"] * v) / t["gamma"]  # falls with u
        balance = (
            np.log(t["delta"] / t["beta"])
            + self.by_tokens.at(total - middle)
            - self.by_params.at(middle)
        )
        falls, rises = share[1:] > balance, share[:-1] < balance  # at the end, start of a piece
        before = np.vstack([np.ones_like(falls[:1]), falls[:-1]])
        kink, inside = rises & before, ~(rises | falls)
        last = np.flatnonzero(falls[-1])  # falling to the very end
        piece, draw = np.nonzero(kink | inside)
        start, end = share[piece, draw], share[piece + 1, draw]
        # Where the share stays what balances the slopes, all of a piece is lowest, and its start will do.
        down = np.divide(
            start - balance[piece, draw], start - end, out=np.zeros_like(start), where=start > end
        )
        part = np.clip(down, 0.0, 1.0)
        piece = np.concatenate([piece, np.full(len(last), len(middle) - 1)])
        draw, part = np.concatenate([draw, last]), np.concatenate([part, np.ones(len(last))])

        def between(values: np.ndarray) -> np.ndarray:
            begin = values[piece, draw]
            return np.asarray(begin + part * (values[piece + 1, draw] - begin))

        log_r = joint_log_reducible(
            numpy_namespace,
            {"params": between(u), "tokens": between(v)},
            {k: values[draw] for k, values in t.items()},
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
