"""The model zoo: finding, loading and copying the model files of ``models/``, and which of them a table supports."""

from bayescale.zoo.copying import copy_model
from bayescale.zoo.files import (
    load_model,
    load_populations,
    model_names,
    parse_model,
)
from bayescale.zoo.suggesting import Suggestion, suggest
from bayescale.zoo.support import Support

__all__ = [
    "Suggestion",
    "Support",
    "copy_model",
    "load_model",
    "load_populations",
    "model_names",
    "parse_model",
    "suggest",
]
