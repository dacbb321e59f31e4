"""What a finite number of draws leaves open: Monte-Carlo standard errors by the effective number of draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_error(values: np.ndarray, parts: Sequence[int], chains: int) -> float:
    """Monte-Carlo standard error of a mean over draws.

    Parameters
    ----------
    values : ndarray, shape (draw,)
        One a draw; draws of all chains, one chain after the other.
    parts : sequence of int
        How many draws are of each member of a mixture; the members are independent of each other, and their shares of
        the mixture are fixed.
    chains : int
        Into which the draws of every part fall.
    """
    import arviz_stats.base  # a second and more: only who asks for it pays

    variance = 0.0
    for own in np.split(np.asarray(values, float), np.cumsum(parts)[:-1]):
        if own.min() == own.max():
            continue
        effective = arviz_stats.base.array_stats.ess(
            own.reshape(chains, -1), chain_axis=0, draw_axis=1, method="mean"
        )
        variance += (len(own) / len(values)) ** 2 * own.var() / min(effective, len(own))
    return float(np.sqrt(variance))
