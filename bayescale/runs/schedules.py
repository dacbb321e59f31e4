"""Columns of a schedule: what laws read of the learning rates of a run, from the rates step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.errors import DataError

# Steps over which a rate is smoothed: of those tried on the fitted curves of case_studies/annealing the best.
MEMORY = 400.0
_LEAST = 1e-6  # of the peak: below it nothing is held up


def schedule_inputs(
    rates: Sequence[float] | np.ndarray,
    at: Sequence[int] | np.ndarray | None = None,
    memory: float = MEMORY,
) -> pd.DataFrame:
    """Make ``mean_rate`` and ``end_rate`` of runs that end at given steps of one schedule.

    Parameters
    ----------
    rates : sequence, shape (step,)
        Learning rate of every optimizer step, the first being step 1; warm-up included.
    at : sequence of int, optional
        Steps at which runs (or checkpoints) end; by default the last.
    memory : float
        Steps over which the rate is smoothed, 1/(1 − λ): each step keeps λ of what was. It must be one for a table.

    Returns
    -------
    DataFrame
        ``step``; ``mean_rate``, the mean of the rates so far over their peak (S₁ of Tissue et al. 2024 over peak and
        step); ``end_rate``, the smoothed rate over the peak, one until the rate falls (one less (1 − λ)·S₂ over the
        peak).

    Raises
    ------
    DataError
        For rates that are no positive finite numbers, steps beyond them, or a memory below one step.

    Examples
    --------
    >>> schedule_inputs([1e-3] * 50 + [0.0] * 50, memory=10).round(3).to_dict("records")
    [{'step': 100, 'mean_rate': 0.5, 'end_rate': 0.005}]
    """
    values = np.asarray(rates, float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() < 0:
        raise DataError(
            f"rates of shape {values.shape} (expected one finite learning rate a step, none negative)"
        )
    peak = values.max()
    if peak == 0.0:
        raise DataError("rates are all zero (expected the learning rates of a run)")
    if not memory >= 1.0:
        raise DataError(f"memory = {memory:g} (expected a number of steps, at least 1)")
    steps = np.array([len(values)]) if at is None else np.asarray(at, dtype="int64")
    if steps.size and (steps.min() < 1 or steps.max() > len(values)):
        raise DataError(
            f"step {steps.max() if steps.max() > len(values) else steps.min()} (expected from 1 to {len(values)})"
        )
    share = values / peak
    smooth = _smoothed(share, memory)
    return pd.DataFrame(
        {
            "step": steps,
            "mean_rate": (np.cumsum(share) / np.arange(1, len(share) + 1))[steps - 1],
            "end_rate": np.maximum(smooth, _LEAST)[steps - 1],
        }
    )


def _smoothed(share: np.ndarray, memory: float) -> np.ndarray:
    """The rate over its peak, smoothed exponentially from the step of the peak on; one before."""
    from scipy.signal import lfilter

    kept = 1.0 - 1.0 / memory
    peak = int(share.argmax())
    tail, _ = lfilter([1.0 - kept], [1.0, -kept], share[peak:], zi=[kept])
    return np.concatenate([np.ones(peak), tail])
