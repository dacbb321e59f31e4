"""The model zoo: finding, loading and copying the model files of ``models/``."""

from bayescale.zoo.copying import copy_model
from bayescale.zoo.files import (
    load_model,
    load_populations,
    model_names,
    parse_model,
)

__all__ = ["copy_model", "load_model", "load_populations", "model_names", "parse_model"]
