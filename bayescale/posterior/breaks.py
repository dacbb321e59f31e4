"""How many breaks a curve has: the posterior of their number beside its prior, of laws that may bend.

A prior of bends that is narrow around none stands for one on their number: a break is one at which the exponent changes
by a quarter or more, within the fitted runs; smaller or other ones are no breaks that anybody could tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale.laws.bends import BREAKS
from bayescale.posterior.groups import population_parameters

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit

LEAST = 1.25  # times the exponent changes, either way
_DRAWS = 100_000


def breaks(fit: Fit) -> pd.DataFrame | None:
    """P(number of breaks) of the population's curve; None for a law that has none to count.

    Returns
    -------
    DataFrame or None
        Columns ``breaks``, ``prior``, ``posterior``; one row a number from zero to those that the law may have.
    """
    model = fit.model
    law = model.get_law()
    names = {p.name for bend in law.bends for p in bend.parameters}
    pairs = [pair for pair in BREAKS if pair[0] in names]
    if not pairs or not model.pooled:
        return None
    (bend,) = [b for b in law.bends if pairs[0][0] in {p.name for p in b.parameters}]
    (axis,) = bend.axes
    scale = np.log(fit.runs[axis].to_numpy().astype(float)) - model.pivots[axis]
    ends = float(scale.min()), float(scale.max())
    theta = population_parameters(fit.posterior, model)
    posterior = {name: theta[name].to_numpy().ravel() for name in names}
    rng = np.random.default_rng(0)
    prior = {
        name: model.parameters[name].get_prior().sample(rng, _DRAWS)
        if model.parameters[name].prior is not None
        else np.full(_DRAWS, model.parameters[name].fixed)
        for name in sorted(names)
    }
    counts = np.arange(len(pairs) + 1)
    found = {
        "prior": _shares(prior, pairs, ends, counts),
        "posterior": _shares(posterior, pairs, ends, counts),
    }
    return pd.DataFrame({"breaks": counts, **found})


def _shares(
    theta: dict[str, np.ndarray],
    pairs: list[tuple[str, tuple[str, ...]]],
    ends: tuple[float, float],
    counts: np.ndarray,
) -> np.ndarray:
    """Share of the draws with each number of breaks."""
    number = np.zeros(len(next(iter(theta.values()))), int)
    for bend, places in pairs:
        at = np.log(theta[places[0]]) + sum((theta[p] for p in places[1:]), 0.0)
        large = np.abs(np.log(theta[bend])) >= np.log(LEAST)
        number += large & (at >= ends[0]) & (at <= ends[1])
    return np.asarray([(number == count).mean() for count in counts])


def in_words(found: pd.DataFrame) -> str:
    """One line for a summary."""
    said = [
        f"{row.breaks} with probability {row.posterior:.2f} (prior {row.prior:.2f})"
        for row in found.itertuples()
    ]
    return f"breaks of a quarter of the exponent or more, within the runs: {', '.join(said)}"
