"""Whether the data tell the floor from the law's slope: notes on what they leave open of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior.contraction import link_spread
from bayescale.posterior.groups import population_parameters

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit

AT_PRIOR = 0.10  # share by which a standard deviation shrank, below which the prior speaks
ROUNDING = 1e-9  # relative spread of what does not vary over draws
CONFOUNDED = 0.5  # share of the variance that two parameters have in common, r²


def confounded(fit: Fit) -> list[str]:
    """Population parameters that the data cannot tell from the floor: r² > .5, on the link scale."""
    model = fit.model
    if not model.pooled:
        return []
    theta = population_parameters(fit.posterior, model)
    law = model.get_law()
    names = [
        name
        for name, parameter in law.parameters.items()
        # A level, and the floor's own share, go with the floor by what they are.
        if parameter.role != "level"
        and name != "phi"
        and name in theta
        and float(theta[name].std()) > ROUNDING * abs(float(theta[name].mean()))
    ]
    floor = law.floor.name
    if floor not in names or len(names) < 2:
        return []
    links = np.array(
        [
            to_link(numpy_namespace, law.parameters[n].support, theta[n]).to_numpy().ravel()
            for n in names
        ]
    )
    corr = np.corrcoef(links)
    return [
        f"{name} and {floor} are confounded (correlation {corr[i, names.index(floor)]:+.2f})"
        for i, name in enumerate(names)
        if name != floor and corr[i, names.index(floor)] ** 2 > CONFOUNDED
    ]


def floor_notes(fit: Fit) -> list[str]:
    """Why a decision should not lean on the floor of a pooled fit: it is its prior's, or goes with another."""
    name = fit.model.get_law().floor.name
    said = confounded(fit)
    spread = link_spread(fit)
    if name in spread.index:
        shrank = float((1.0 - spread["posterior_sd"] / spread["prior_sd"])[name])
        if shrank < AT_PRIOR:
            said.insert(
                0, f"{name} stayed at its prior (sd shrank by {100 * max(shrank, 0):.0f} %)"
            )
    if not said:
        return []
    return [f"the floor is not identified: {'; '.join(said)}; headroom and P(target) hang on it"]
