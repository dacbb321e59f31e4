"""The posterior branch's root: `Fit`, `Stacked`, their files, convergence gate and groups; never imports PyMC."""

from bayescale.posterior.contraction import contraction, link_spread
from bayescale.posterior.convergence import (
    INDEPENDENT,
    Convergence,
    Importance,
    Verdict,
    assess,
    diagnostics,
)
from bayescale.posterior.curve import Curve, group_curve
from bayescale.posterior.evidence import Evidence, require_plain_rows
from bayescale.posterior.fit import Fit, require_fit
from bayescale.posterior.floors import floor_notes
from bayescale.posterior.groups import (
    Group,
    New,
    Side,
    group_parameters,
    keyed_generator,
    population_parameters,
)
from bayescale.posterior.mixture import Mixture, curve_of
from bayescale.posterior.quantiles import PROBS, QUANTILES, named_quantiles
from bayescale.posterior.stack_file import load_stack, save_stack
from bayescale.posterior.stacked import Posterior, Stacked, require_posterior
from bayescale.posterior.store import load_fit, save
from bayescale.posterior.summary import Summary, fitted_groups, summarise

__all__ = [
    "INDEPENDENT",
    "PROBS",
    "QUANTILES",
    "Convergence",
    "Curve",
    "Evidence",
    "Fit",
    "Group",
    "Importance",
    "Mixture",
    "New",
    "Posterior",
    "Side",
    "Stacked",
    "Summary",
    "Verdict",
    "assess",
    "contraction",
    "curve_of",
    "diagnostics",
    "fitted_groups",
    "floor_notes",
    "group_curve",
    "group_parameters",
    "keyed_generator",
    "link_spread",
    "load_fit",
    "load_stack",
    "named_quantiles",
    "population_parameters",
    "require_fit",
    "require_plain_rows",
    "require_posterior",
    "save",
    "save_stack",
    "summarise",
]
