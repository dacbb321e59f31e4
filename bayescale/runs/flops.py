"""FLOP accounting: 6ND, and how a reported compute differs from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.runs.tasks import Task
from bayescale.wording import counted

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


def attention_flops(
    params: np.ndarray, context: float, layers: float | None = None, width: float | None = None
) -> np.ndarray:
    """Training FLOP per token in attention scores, 12·layers·width·context.

    Without layers and width, as in a table of runs, a dense decoder of width = 100·layers is assumed:
    N = 12·layers·width² (Kaplan et al. 2020, table 1) then gives both.

    Parameters
    ----------
    params : ndarray of float
        N, without embeddings where known.
    context : float
        Tokens of context.
    layers, width : float, optional
        Of the architecture.
    """
    across = _width(params) if width is None else width
    deep = _width(params) / _ASPECT if layers is None else layers
    return 12.0 * deep * across * context * np.ones_like(params)


def embedding_flops(
    params: np.ndarray, vocabulary: float, width: float | None = None
) -> np.ndarray:
    """Training FLOP per token in the output head, 6·vocabulary·width, for an N without it."""
    across = _width(params) if width is None else width
    return PER_PARAM_TOKEN * vocabulary * across * np.ones_like(params)


def _width(params: np.ndarray) -> np.ndarray:
    return (params * _ASPECT / 12.0) ** (1.0 / 3.0)


def training_flop_per_token(
    params: np.ndarray,
    context: float | None = None,
    vocabulary: float | None = None,
    layers: float | None = None,
    width: float | None = None,
) -> np.ndarray:
    """Training FLOP per token: 6N, with attention and output head where context and vocabulary are given.

    Parameters
    ----------
    params : ndarray of float
        N; without the head where ``vocabulary`` is given.
    context, vocabulary, layers, width : float, optional
        See :func:`attention_flops` and :func:`embedding_flops`.
    """
    total = PER_PARAM_TOKEN * params
    if context is not None:
        total = total + attention_flops(params, context, layers, width)
    if vocabulary is not None:
        total = total + embedding_flops(params, vocabulary, width)
    return total


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
    head = task.vocabulary if param_count == "non-embedding" else None
    named = []
    if task.context:
        named.append(f"attention (context {task.context})")
    if head:
        named.append(f"output head (vocabulary {head})")
    full = compute / (training_flop_per_token(params, task.context or None, head or None) * tokens)
    groups = rows["architecture"].to_numpy()
    lines = []
    for group in dict.fromkeys(groups):
        here = groups == group
        who = group if group != "default" else "all runs"
        line = f"{who}: reported compute is {_span(ratio[here])} × 6ND ({counted(int(here.sum()), 'row')})"
        if named:
            line += f", {_span(full[here])} × 6ND plus {' and '.join(named)}, width = 100·layers"
        if np.median(ratio[here]) < 0.1 or np.median(ratio[here]) > 10:
            line += "; far off: is it forward FLOP, or another unit?"
        lines.append(line)
    apart = int((np.abs(ratio - 1.0) > 0.2).sum())
    if apart:
        lines.append(
            f"reported compute is more than 20 % away from 6ND in {apart} of {counted(len(ratio), 'row')}"
        )
    return lines


def _span(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low}–{high}"
