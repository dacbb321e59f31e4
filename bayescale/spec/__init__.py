"""Model specifications: priors as values, populations with their studies, and their resolution on a table."""

from bayescale.spec.correlation import cholesky, concentration
from bayescale.spec.draws import GROUP_DIMS, coords, curve_label, effect_dims, prior_draws
from bayescale.spec.evidence import RATE_MAX
from bayescale.spec.model import LEVELS, Drift, Family, Level, Likelihood, ModelSpec, ParameterModel
from bayescale.spec.population import Population, Populations, Study
from bayescale.spec.prior import FAMILIES, Prior
from bayescale.spec.resolve import ResolvedModel, ResolvedParameter, resolve
from bayescale.spec.scale import corpus_class

__all__ = [
    "FAMILIES",
    "GROUP_DIMS",
    "LEVELS",
    "RATE_MAX",
    "Drift",
    "Family",
    "Level",
    "Likelihood",
    "ModelSpec",
    "ParameterModel",
    "Population",
    "Populations",
    "Prior",
    "ResolvedModel",
    "ResolvedParameter",
    "Study",
    "cholesky",
    "concentration",
    "coords",
    "corpus_class",
    "curve_label",
    "effect_dims",
    "prior_draws",
    "resolve",
]
