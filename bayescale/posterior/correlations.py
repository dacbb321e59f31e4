"""Correlation of group effects across parameters, as a table."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale.posterior.groups import level_factor

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit


def correlations(fit: Fit) -> pd.DataFrame:
    """Median and 90 % interval of the correlation of the effects of every two parameters, level by level."""
    model, rows = fit.model, []
    for level in (lv for lv in model.levels() if model.correlation(lv) is not None):
        factor, names = level_factor(fit.posterior, model, level), model.pooled_parameters(level)
        matrix = factor @ np.swapaxes(factor, -1, -2)
        for i, j in combinations(range(len(names)), 2):
            low, middle, high = np.quantile(matrix[..., i, j], [0.05, 0.5, 0.95])
            rows.append(
                {
                    "level": level,
                    "parameter": names[i],
                    "with": names[j],
                    "median": float(middle),
                    "lo90": float(low),
                    "hi90": float(high),
                }
            )
    return pd.DataFrame(rows)
