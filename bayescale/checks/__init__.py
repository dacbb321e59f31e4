"""Checks of a fit and of a model: predictive bands, PIT, prior sensitivity, ranks of simulated truths; without PyMC."""

from bayescale.checks.components import prior_components
from bayescale.checks.predictive import Predictive, predictive
from bayescale.checks.quantities import quantities
from bayescale.checks.ranks import SBC, load_sbc
from bayescale.checks.rows import Rows, all_rows, at_prior, log_likelihood, with_draws
from bayescale.checks.sensitivity import Sensitivity, power_scale, sensitivity
from bayescale.checks.target import decade_beyond
from bayescale.checks.uniformity import Uniformity, uniformity

__all__ = [
    "SBC",
    "Predictive",
    "Rows",
    "Sensitivity",
    "Uniformity",
    "all_rows",
    "at_prior",
    "decade_beyond",
    "load_sbc",
    "log_likelihood",
    "power_scale",
    "predictive",
    "prior_components",
    "quantities",
    "sensitivity",
    "uniformity",
    "with_draws",
]
