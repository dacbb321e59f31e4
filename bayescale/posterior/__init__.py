"""The posterior branch's root: `Fit`, `Stacked`, their files, convergence gate and groups; never imports PyMC."""

from bayescale.posterior.chain_file import load_chain, save_chain
from bayescale.posterior.chained import (
    Chained,
    Posterior,
    chain,
    require_one_step,
    require_posterior,
)
from bayescale.posterior.contraction import contraction, link_spread
from bayescale.posterior.convergence import (
    INDEPENDENT,
    Convergence,
    Importance,
    Verdict,
    assess,
    diagnostics,
)
from bayescale.posterior.coverage import Coverage, load_coverage
from bayescale.posterior.curve import Curve, Overhead
from bayescale.posterior.evidence import Evidence, require_plain_rows
from bayescale.posterior.fit import Fit, require_fit
from bayescale.posterior.floors import floor_notes
from bayescale.posterior.group_curve import group_curve
from bayescale.posterior.groups import (
    Group,
    New,
    Side,
    group_parameters,
    keyed_generator,
    population_parameters,
)
from bayescale.posterior.linked import Linked, upstream_of
from bayescale.posterior.mixture import Mixture, curve_of
from bayescale.posterior.quantiles import PROBS, QUANTILES, named_quantiles
from bayescale.posterior.stack_file import load_stack, save_stack
from bayescale.posterior.stacked import Stacked
from bayescale.posterior.store import load_fit, save
from bayescale.posterior.summary import Summary, fitted_groups, summarise

__all__ = [
    "INDEPENDENT",
    "PROBS",
    "QUANTILES",
    "Chained",
    "Convergence",
    "Coverage",
    "Curve",
    "Evidence",
    "Fit",
    "Group",
    "Importance",
    "Linked",
    "Mixture",
    "New",
    "Overhead",
    "Posterior",
    "Side",
    "Stacked",
    "Summary",
    "Verdict",
    "assess",
    "chain",
    "contraction",
    "curve_of",
    "diagnostics",
    "fitted_groups",
    "floor_notes",
    "group_curve",
    "group_parameters",
    "keyed_generator",
    "link_spread",
    "load_chain",
    "load_coverage",
    "load_fit",
    "load_stack",
    "named_quantiles",
    "population_parameters",
    "require_fit",
    "require_one_step",
    "require_plain_rows",
    "require_posterior",
    "save",
    "save_chain",
    "save_stack",
    "summarise",
    "upstream_of",
]
