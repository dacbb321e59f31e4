"""Counts of solved problems as a ``pm.Model``: two Beta-Binomials over problems, and a share that is never solved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from bayescale.laws import Array

# Stated: nothing in print says how rates of problems are spread; wide enough for benchmarks nearly solved and hardly.
EASY = {"alpha": 2.0, "beta": 1.0}
HARD_SHARE = {"alpha": 1.5, "beta": 1.5}
PRECISION = {"mu": float(np.log(2.0)), "sigma": 1.0}
WEIGHT = {"alpha": 2.0, "beta": 2.0}
UNSOLVABLE = {"alpha": 1.0, "beta": 9.0}


def build_coverage(counts: pd.DataFrame) -> pm.Model:
    """The model of :class:`bayescale.posterior.Coverage` on counts ``samples, correct, problems``."""
    n, c, times = (counts[x].to_numpy(float) for x in ("samples", "correct", "problems"))
    with pm.Model() as built:
        easy = pm.Beta("easy", **EASY)
        hard_share = pm.Beta("hard_share", **HARD_SHARE)
        precision_easy = pm.LogNormal("precision_easy", **PRECISION)
        precision_hard = pm.LogNormal("precision_hard", **PRECISION)
        weight = pm.Beta("weight", **WEIGHT)
        unsolvable = pm.Beta("unsolvable", **UNSOLVABLE)
        solved = pt.logaddexp(
            pt.log(weight) + _log_count(n, c, easy, precision_easy),
            pt.log1p(-weight) + _log_count(n, c, easy * hard_share, precision_hard),
        )
        solved = pt.log1p(-unsolvable) + solved
        never = c == 0
        either = pt.logaddexp(solved[never], pt.log(unsolvable))
        pm.Potential(
            "counts", (times[never] * either).sum() + (times[~never] * solved[~never]).sum()
        )
    return built


def _log_count(n: np.ndarray, c: np.ndarray, mean: Array, total: Array) -> Array:
    """Log of a Beta-Binomial, but for the binomial coefficient, which no parameter is in."""
    a, b = mean * total, (1.0 - mean) * total
    return _betaln(a + c, b + (n - c)) - _betaln(a, b)


def _betaln(a: Array, b: Array) -> Array:
    return pt.gammaln(a) + pt.gammaln(b) - pt.gammaln(a + b)
