"""Tables and figure of the account, made of the scored runs: by set, and pooled over independent groups."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure


def tables(rows: pd.DataFrame) -> dict[str, str]:
    return {}


def figure(rows: pd.DataFrame) -> Figure:
    return Figure()
