"""FLOP accounting: 6ND, and how a reported compute differs from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.runs.tasks import Task

#: Operations per parameter and token, forward and backward (Kaplan et al. 2020, §2.1).
PER_PARAM_TOKEN = 6.0
# Width over depth of the usual dense decoder; GPT-3 and Pythia have 85–142.
_ASPECT = 100.0


def six_nd(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Training compute C = 6·N·D in FLOP (Kaplan et al. 2020, eq. 2.2).

    Parameters
    ----------
    params, tokens : ndarray of float
        N and D, counts.
    """
    return PER_PARAM_TOKEN * params * tokens


def attention_flops(params: np.ndarray, context: float) -> np.ndarray:
    """Training FLOP per token in attention scores, 12·layers·width·context.

    The table does not give layers and width, so a dense decoder of width = 100·layers is assumed:
    N = 12·layers·width² (Kaplan et al. 2020, table 1) then gives both.

    Parameters
    ----------
    params : ndarray of float
        N, without embeddings where known.
    context : float
        Tokens of context.
    """
    width = (params * _ASPECT / 12.0) ** (1.0 / 3.0)
    return 12.0 * (width / _ASPECT) * width * context


def embedding_flops(params: np.ndarray, vocabulary: float) -> np.ndarray:
    """Training FLOP per token in the output head, 6·vocabulary·width, for an N without it."""
    width = (params * _ASPECT / 12.0) ** (1.0 / 3.0)
    return PER_PARAM_TOKEN * vocabulary * width


def compare_reported(frame: pd.DataFrame, task: Task, param_count: str | None) -> list[str]:
    """Compare reported compute with 6ND, one line per architecture.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns with `params`, `tokens` and `compute`.
    task : Task
        Its context and vocabulary, where known, give the attention and embedding terms.
    param_count : str or None
        Whether `params` includes embeddings.

    Returns
    -------
    list of str
        A note each, never an error: published accountings differ for good reasons.
    """
    rows = frame.drop_duplicates("run_id")
    params, tokens = rows["params"].to_numpy(float), rows["tokens"].to_numpy(float)
    compute = rows["compute"].to_numpy(float)
    ratio = compute / six_nd(params, tokens)
    terms = PER_PARAM_TOKEN * params
    named = []
    if task.context:
        terms = terms + attention_flops(params, task.context)
        named.append(f"attention (context {task.context})")
    if task.vocabulary and param_count == "non-embedding":
        terms = terms + embedding_flops(params, task.vocabulary)
        named.append(f"output head (vocabulary {task.vocabulary})")
    full = compute / (terms * tokens)
    groups = rows["architecture"].to_numpy()
    lines = []
    for group in dict.fromkeys(groups):
        here = groups == group
        who = group if group != "default" else "all runs"
        line = f"{who}: reported compute is {_span(ratio[here])} × 6ND ({_rows(here)})"
        if named:
            line += f", {_span(full[here])} × 6ND plus {' and '.join(named)}, width = 100·layers"
        if np.median(ratio[here]) < 0.1 or np.median(ratio[here]) > 10:
            line += "; far off: is it forward FLOP, or another unit?"
        lines.append(line)
    apart = int((np.abs(ratio - 1.0) > 0.2).sum())
    if apart:
        lines.append(f"{apart} of {len(ratio)} rows report a compute more than 20 % away from 6ND")
    return lines


def _span(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low}–{high}"


def _rows(here: np.ndarray) -> str:
    count = int(here.sum())
    return f"{count} row{'s' * (count != 1)}"
