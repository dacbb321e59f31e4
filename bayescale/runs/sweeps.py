"""Sweeps: the runs of one budget or campaign, which share an offset since hyper-parameters are set per budget."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.runs.table import Runs

AGREEMENT = 0.05  # largest spread of compute within a budget, as a share
MIN_BUDGETS, MIN_SIZES = 3, 3


def sweeps(runs: Runs) -> pd.Series | None:
    """Label of every row's sweep: study, architecture, task and budget; None where the table has no sweeps.

    The budget is the column ``sweep`` where there is one. Else it is read off N, D and C, and only where that is
    beyond doubt: in each study and architecture at least three budgets, each with at least three distinct N at computes
    that agree within 5 %. A row outside every such budget is a sweep of its own.
    """
    table = runs.table
    if "sweep" in table and table["sweep"].notna().any():
        own = pd.Series([f"row {i}" for i in range(len(table))], index=table.index)
        budget: pd.Series | None = table["sweep"].astype("string").fillna(own)
    else:
        budget = _detected(table)
    if budget is None or budget.nunique() < 2:
        return None
    groups = table[["study", "architecture", "task"]].astype(str).agg(" / ".join, axis=1)
    label = groups + " / " + budget.astype(str)
    # With a sweep for every row its offset could not be told from noise.
    return label if label.nunique() < len(label) else None


def _detected(table: pd.DataFrame) -> pd.Series | None:
    if not {"params", "tokens"} <= set(table):
        return None
    product = table["params"].astype(float) * table["tokens"].astype(float)
    log_c = pd.Series(np.log(product.to_numpy()), index=table.index)
    out = pd.Series([f"row {i}" for i in range(len(table))], index=table.index)
    found = False
    for _, rows in table.groupby(["study", "architecture"], sort=False):
        budgets = _budgets(log_c.loc[rows.index].sort_values(), table["params"])
        if len(budgets) < MIN_BUDGETS:
            continue
        found = True
        for members in budgets:
            out.loc[members] = f"{6 * float(np.exp(log_c.loc[members].mean())):.2g} FLOP"
    return out if found else None


def _budgets(log_c: pd.Series, params: pd.Series) -> list[pd.Index]:
    """Clusters of sorted log computes within the agreement that hold enough sizes."""
    budgets, start = [], 0
    for end in range(1, len(log_c) + 1):
        if end == len(log_c) or log_c.iloc[end] - log_c.iloc[start] > AGREEMENT:
            members = log_c.index[start:end]
            if params.loc[members].nunique() >= MIN_SIZES:
                budgets.append(members)
            start = end
    return budgets
