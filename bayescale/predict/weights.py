"""Stacking weights: the mixture of models under which what was held out is densest, drawn toward equal weights."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from bayescale.errors import DataError


def stacking_weights(
    log_density: np.ndarray, count: np.ndarray | None = None, strength: float = 1.0
) -> np.ndarray:
    """Weights on the simplex that maximise Σᵤ cᵤ·log Σₖ wₖ pᵤₖ + (s/K)·Σₖ log wₖ.

    Stacking of predictive distributions with the log score (Yao, Vehtari, Simpson & Gelman 2018, Bayesian Analysis 13:
    917), with a Dirichlet(1 + s/K) prior on the weights (as Yao, Pirš, Vehtari & Gelman 2022, Bayesian Analysis 17,
    regularise theirs): up to a constant the second term is −s·KL(equal ‖ w), so that s held-out groups speak for equal
    weights. The maximum is unique.

    Parameters
    ----------
    log_density : ndarray, shape (unit, model)
        Log of pᵤₖ: joint density of what was held out together, under each model.
    count : ndarray, shape (unit,), optional
        cᵤ; one each by default.
    strength : float
        s, above zero.

    Returns
    -------
    ndarray, shape (model,)

    Raises
    ------
    DataError
        If the strength is not positive, a density is NaN, or no model gives a unit any density.
    """
    if not (np.isfinite(strength) and strength > 0):
        raise DataError(f"strength = {strength:g} of the prior on weights (expected above 0)")
    density = np.asarray(log_density, float)
    if np.isnan(density).any() or not np.isfinite(density.max(axis=1)).all():
        raise DataError("a held-out group has no density under any model: its score is no number")
    units, models = density.shape
    each = np.ones(units) if count is None else np.asarray(count, float)
    prior = strength / models
    total = each.sum() + strength

    def cost(eta: np.ndarray) -> tuple[float, np.ndarray]:
        log_w = log_softmax(eta)
        joint = density + log_w
        mixed = logsumexp(joint, axis=1)
        share = np.exp(joint - mixed[:, None])
        # Constant shifts of a unit's densities move the cost, not its minimum.
        value = -(each @ (mixed - density.max(axis=1)) + prior * log_w.sum())
        slope = total * np.exp(log_w) - each @ share - prior
        return float(value / total), slope / total

    found = minimize(cost, np.zeros(models), jac=True, method="BFGS", options={"gtol": 1e-9})
    return np.asarray(softmax(found.x))
