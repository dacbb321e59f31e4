"""Checks of a fit and of a model: predictive bands, PIT, prior sensitivity, ranks of simulated truths; without PyMC."""

from bayescale.checks.components import prior_components
from bayescale.checks.draws import at_prior, thinned, with_draws
from bayescale.checks.predictive import Predictive, predictive
from bayescale.checks.prior_curves import REFERENCE, prior_curves
from bayescale.checks.quantities import quantities
from bayescale.checks.ranks import SBC, load_sbc
from bayescale.checks.sensitivity import Sensitivity, power_scale, sensitivity
from bayescale.checks.target import decade_beyond
from bayescale.checks.uniformity import Uniformity, uniformity

__all__ = [
    "REFERENCE",
    "SBC",
    "Predictive",
    "Sensitivity",
    "Uniformity",
    "at_prior",
    "decade_beyond",
    "load_sbc",
    "power_scale",
    "predictive",
    "prior_components",
    "prior_curves",
    "quantities",
    "sensitivity",
    "thinned",
    "uniformity",
    "with_draws",
]
