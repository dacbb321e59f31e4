"""Where a forecast is checked by default: one decade of compute beyond the data, for the family of the largest run."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescale.posterior import Fit

DECADES = 1.0


def decade_beyond(fit: Fit) -> dict[str, Any]:
    """Arguments of :func:`bayescale.predict` for the family of the largest run, at ten times that run's compute.

    A law in N and D is asked at √10 times both; a law in one of them at ten times that one, the other being held.
    """
    rows, inputs = fit.runs, fit.model.get_law().inputs
    size = np.sum([np.log(rows[axis].to_numpy().astype(float)) for axis in inputs], axis=0)
    largest = rows.isel(run=int(np.argmax(size)))
    factor = 10.0 ** (DECADES / len(inputs))
    where = {side: str(largest[side].item()) for side in ("architecture", "task", "study")}
    return {axis: factor * float(largest[axis].item()) for axis in inputs} | where
