"""The posterior branch's root: `Fit`, its file, its convergence gate and its groups; never imports PyMC."""

from bayescale.posterior.contraction import contraction, link_spread
from bayescale.posterior.convergence import Convergence, assess, diagnostics
from bayescale.posterior.curve import Curve, group_curve
from bayescale.posterior.fit import Fit, require_fit
from bayescale.posterior.groups import (
    Group,
    New,
    Side,
    group_parameters,
    keyed_generator,
    population_parameters,
)
from bayescale.posterior.store import load_fit, save
from bayescale.posterior.summary import Summary, fitted_groups, summarise

__all__ = [
    "Convergence",
    "Curve",
    "Fit",
    "Group",
    "New",
    "Side",
    "Summary",
    "assess",
    "contraction",
    "diagnostics",
    "fitted_groups",
    "group_curve",
    "group_parameters",
    "keyed_generator",
    "link_spread",
    "load_fit",
    "population_parameters",
    "require_fit",
    "save",
    "summarise",
]
