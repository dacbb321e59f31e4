"""How much the data narrowed each parameter: spread of the prior and of the posterior on the link scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior.groups import population_parameters
from bayescale.spec import prior_draws

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit

PRIOR_DRAWS = 4000


def contraction(fit: Fit) -> pd.Series:
    """Share of the prior variance that the data took away: 1 − posterior variance / prior variance, by parameter.

    Of population parameters on their link scales (:func:`link_spread`); of the scales of group effects,
    ``tau_task[alpha]``, on their own, since the log of a HalfNormal is ruled by values that are as good as zero. Near 1
    the data speak, near 0 the prior does; below 0 the data made it wider (Schad, Betancourt & Vasishth 2021, eq. 9).
    """
    spread, model = link_spread(fit), fit.model
    found = dict(1.0 - (spread["posterior_sd"] / spread["prior_sd"]) ** 2)
    for level in model.levels():
        tau = fit.posterior[f"tau_{level}"]
        for name in model.pooled_parameters(level):
            variance = model.parameters[name].pool[level] ** 2 * (1.0 - 2.0 / math.pi)
            after = float(tau.sel({f"parameter_{level}": name}).var())
            found[f"tau_{level}[{name}]"] = 1.0 - after / variance
    return pd.Series(found, dtype=float)


def link_spread(fit: Fit) -> pd.DataFrame:
    """Standard deviations of the population's parameters, derived ones too, on their link scales.

    Parameters
    ----------
    fit : Fit
        Without pooling there is no population, and the table is empty.

    Returns
    -------
    DataFrame
        ``prior_sd`` (of 4,000 prior draws) and ``posterior_sd``, by parameter; log scale for positive ones, logit
        for shares.
    """
    model = fit.model
    rows: dict[str, dict[str, float]] = {}
    if model.pooled:
        before = population_parameters(prior_draws(model, PRIOR_DRAWS, fit.seed), model)
        after = population_parameters(fit.posterior, model)
        support = {n: p.support for n, p in model.get_law().parameters.items()}
        support |= dict.fromkeys(model.spec.scales, "positive")
        for name, scale in support.items():
            if name in before and float(before[name].std()) > 0:
                rows[name] = {
                    label: float(to_link(numpy_namespace, scale, x[name]).std())
                    for label, x in (("prior_sd", before), ("posterior_sd", after))
                }
    columns = ["prior_sd", "posterior_sd"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
