"""Label-aligned forecasts for known and new groups; what a decision is made from."""

from bayescale.posterior import New
from bayescale.predict.distance import distance, distance_note, in_words
from bayescale.predict.forecast import EXACT_LAW, Forecast, Kind, predict
from bayescale.predict.points import FLOP_PER_PARAM_TOKEN, complete, grid, locate

__all__ = [
    "EXACT_LAW",
    "FLOP_PER_PARAM_TOKEN",
    "Forecast",
    "Kind",
    "New",
    "complete",
    "distance",
    "distance_note",
    "grid",
    "in_words",
    "locate",
    "predict",
]
