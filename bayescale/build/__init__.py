"""The only room that makes a ``pm.Model``: from a resolved specification and a table to a graph."""

from bayescale.build.coverage import build_coverage
from bayescale.build.data import (
    Observations,
    canonical_rows,
    model_data,
    observations,
    structure,
)
from bayescale.build.model import build
from bayescale.build.namespace import pytensor_namespace

__all__ = [
    "Observations",
    "build",
    "build_coverage",
    "canonical_rows",
    "model_data",
    "observations",
    "pytensor_namespace",
    "structure",
]
