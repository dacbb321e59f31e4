"""The posterior branch's root: `Fit`, its file, its convergence gate and its groups; never imports PyMC."""

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
from bayescale.posterior.quantiles import PROBS, named_quantiles
from bayescale.posterior.store import load_fit, save
from bayescale.posterior.summary import Summary, summarise

__all__ = [
    "PROBS",
    "Convergence",
    "Curve",
    "Fit",
    "Group",
    "New",
    "Side",
    "Summary",
    "assess",
    "diagnostics",
    "group_curve",
    "group_parameters",
    "keyed_generator",
    "load_fit",
    "named_quantiles",
    "population_parameters",
    "require_fit",
    "save",
    "summarise",
]
