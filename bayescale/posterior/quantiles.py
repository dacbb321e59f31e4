"""The quantiles that tables, plans and figures show: the median, and equal-tailed 50 % and 90 % intervals."""

from __future__ import annotations

import numpy as np

_LEVELS = {"lo90": 0.05, "lo50": 0.25, "median": 0.5, "hi50": 0.75, "hi90": 0.95}
QUANTILES, PROBS = tuple(_LEVELS), tuple(_LEVELS.values())


def named_quantiles(draws: np.ndarray) -> dict[str, float]:
    """Quantiles of all draws by name: ``lo90, lo50, median, hi50, hi90``."""
    return dict(zip(_LEVELS, map(float, np.quantile(draws, PROBS)), strict=True))
