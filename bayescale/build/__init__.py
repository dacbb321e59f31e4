"""The only room that makes a ``pm.Model``: from a resolved specification and a table to a graph."""

from bayescale.build.model import Observations, build, canonical_rows, observations
from bayescale.build.namespace import pytensor_namespace

__all__ = ["Observations", "build", "canonical_rows", "observations", "pytensor_namespace"]
