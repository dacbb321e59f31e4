"""Do isoFLOP valleys fade with compute as the law's do? Where they do not, γ may have read the tuning of far runs."""

from __future__ import annotations

import numpy as np

from bayescale.laws import joint_frontier
from bayescale.posterior import Fit, keyed_generator
from bayescale.predict import FLOP_PER_PARAM_TOKEN, Rows, group_positions

_SEEN = 0.01  # of a direction's length, below which a design does not show it


def valley_p(fit: Fit, rows: Rows) -> float | None:
    """Posterior predictive p-value of valleys that stay steep at large compute.

    Runs far from the optimum that are tuned worse than those at it steepen every isoFLOP valley, which γ takes up as
    curvature: within one budget the two cannot be told apart. Over budgets they can: the law's valleys are those of the
    reducible loss, and fade in log loss as its share does; what mistuning costs need not. So the discrepancy (Gelman,
    Meng & Stern 1996) is the standardised residual along x²·c, of x = log N − log N* and c = log C, each family's cubic
    in c taken out; large where valleys are steeper than fitted at the larger budgets. Drift takes up what is left there
    as well, so that it is the law taken as exact of which this can tell.

    Parameters
    ----------
    fit : Fit
        Of any law.
    rows : Rows
        Its rows under (some of) its draws, :func:`bayescale.predict.all_rows`.

    Returns
    -------
    float or None
        P(discrepancy of replicated rows ≥ that of the fitted rows) over draws; None for a law that is not one of N
        and D, or has effective inputs, and where no family has runs off its frontier at several budgets.
    """
    direction = _direction(fit)
    if direction is None:
        return None
    rng = keyed_generator(fit.seed, "valleys", [])

    def along(log_loss: np.ndarray) -> np.ndarray:
        return np.asarray(((log_loss - rows.centre) / rows.noise.sigma) @ direction)

    return float(np.mean(along(rows.simulate(rng)) >= along(rows.observed)))


def _direction(fit: Fit) -> np.ndarray | None:
    """x²·c of every row, less the cubic in c of its family, which is all of it where N goes with C, shape (run,)."""
    law = fit.model.get_law()
    if law.core.name != "joint" or not law.plain:
        return None
    log_n = np.log(fit.runs["params"].to_numpy().astype(float))
    log_d = np.log(fit.runs["tokens"].to_numpy().astype(float))
    log_c = np.log(FLOP_PER_PARAM_TOKEN) + log_n + log_d
    out = np.zeros(len(log_n))
    for where, index in group_positions(fit):
        theta = {n: v.to_numpy().ravel() for n, v in fit.parameters(where).items()}
        medians = {n: np.median(v) for n, v in theta.items()}
        # The optimum of the law without its drift, at the medians: a place to measure from, no estimate.
        optimum = joint_frontier(medians, fit.model.pivots).log_params(log_c[index])
        c = log_c[index] - log_c[index].mean()
        steep = (log_n[index] - optimum) ** 2 * c
        explained = np.vander(c, 4)
        rest = steep - explained @ np.linalg.lstsq(explained, steep, rcond=None)[0]
        if np.linalg.norm(rest) > _SEEN * np.linalg.norm(steep):
            out[index] = rest
    return out if out.any() else None
