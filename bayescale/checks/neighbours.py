"""Do neighbours along a curve miss it to the same side? Then the curve has a shape that the law has not."""

from __future__ import annotations

import numpy as np

from bayescale.posterior import Fit, keyed_generator
from bayescale.predict import Rows, group_positions

FEWEST = 8  # rows of a curve, below which a run of signs says nothing


def neighbour_p(fit: Fit, rows: Rows) -> float | None:
    """Posterior predictive p-value of neighbours that miss to the same side.

    A law whose loss falls throughout, fitted to a curve that rises again (double descent) or bends as the law cannot,
    calls the misfit noise: every row is as likely as its noise says, and PIT values are uniform. But the misfit goes on
    from one row to the next. The discrepancy (Gelman, Meng & Stern 1996) is the share of neighbours along a curve whose
    residuals have one sign.

    Parameters
    ----------
    fit : Fit
        Of any law.
    rows : Rows
        Its rows under (some of) its draws, :func:`bayescale.predict.all_rows`.

    Returns
    -------
    float or None
        P(discrepancy of replicated rows ≥ that of the fitted rows) over draws; None for a law of several inputs, along
        which rows have no order, and where no curve has eight rows.
    """
    law = fit.model.get_law()
    if len(law.inputs) != 1 or law.given:
        return None
    scale = fit.runs[law.inputs[0]].to_numpy().astype(float)
    curves = [
        index[np.argsort(scale[index], kind="stable")]
        for _, index in group_positions(fit)
        if len(index) >= FEWEST
    ]
    if not curves:
        return None

    def same_side(log_loss: np.ndarray) -> np.ndarray:
        above = log_loss > rows.centre
        return np.asarray(sum((above[:, o[1:]] == above[:, o[:-1]]).sum(axis=1) for o in curves))

    rng = keyed_generator(fit.seed, "neighbours", [])
    return float(np.mean(same_side(rows.simulate(rng)) >= same_side(rows.observed)))
