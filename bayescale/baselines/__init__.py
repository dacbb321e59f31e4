"""What the field does today, from the papers' formulas, so that back-tests score it beside the models."""

from bayescale.baselines.baseline import Baseline, Predictive, Rows
from bayescale.baselines.huber import HUBER
from bayescale.baselines.isoflop import ISOFLOP
from bayescale.baselines.least_squares import ONE_AXIS

VERSION = 1  # of the numbers that baselines give
BASELINES: dict[str, Baseline] = {b.name: b for b in (HUBER, ISOFLOP, *ONE_AXIS)}

__all__ = ["BASELINES", "VERSION", "Baseline", "Predictive", "Rows"]
