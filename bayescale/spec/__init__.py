"""Model specifications: priors as values, populations with their studies, and their resolution on a table."""

from bayescale.spec.draws import coords, effect_dims, prior_draws, sums_to_zero
from bayescale.spec.model import LEVELS, Level, Likelihood, ModelSpec, ParameterModel
from bayescale.spec.population import Population, Populations, Study
from bayescale.spec.prior import FAMILIES, Prior
from bayescale.spec.resolve import ResolvedModel, ResolvedParameter, resolve
from bayescale.spec.scale import corpus_class

__all__ = [
    "FAMILIES",
    "LEVELS",
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
    "coords",
    "corpus_class",
    "effect_dims",
    "prior_draws",
    "resolve",
    "sums_to_zero",
]
