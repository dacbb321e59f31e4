"""Label-aligned forecasts for known and new groups; what a decision is made from."""

from bayescale.posterior import New
from bayescale.predict.distance import distance, in_words
from bayescale.predict.forecast import DRIFTING, EXACT_LAW, Forecast, Kind, assumption, predict
from bayescale.predict.points import FLOP_PER_PARAM_TOKEN, complete, grid, locate

__all__ = [
    "DRIFTING",
    "EXACT_LAW",
    "FLOP_PER_PARAM_TOKEN",
    "Forecast",
    "Kind",
    "New",
    "assumption",
    "complete",
    "distance",
    "grid",
    "in_words",
    "locate",
    "predict",
]
