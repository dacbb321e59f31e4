"""What the rows of each curve show by themselves: its level, and in which intervals its slope. A sampler starts there.

What rows show is sampled directly and as it is; what they do not, as its prior has it. The priors stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale.laws import STEP, numpy_namespace, to_link, walk_steps
from bayescale.spec import ResolvedModel

if TYPE_CHECKING:
    from bayescale.build.data import Observations

BOUNDED_STARTS = (0.001, 0.99)  # shares of the random-guess level at which a sampler may start
MOST_FLOOR = 0.9  # share of the floor in a loss that is seen, up to which its logarithm is taken

Entry = tuple[tuple[str, ...], np.ndarray]


def shown(model: ResolvedModel, seen: Observations) -> dict[str, Entry]:
    """Entries of :func:`bayescale.build.model_data` for what every group, and every curve, shows by itself."""
    found: dict[str, Entry] = {}
    if model.level_dims:
        found["level_start"] = (model.level_dims, _levels(model, seen))
    if model.slope is not None:
        found |= _slopes(model, model.slope, seen)
    return found


def _losses(seen: Observations) -> np.ndarray:
    """Losses as T has them: of a bounded law shares of the random-guess level, within what has a logit."""
    loss = np.exp(seen.log_loss)
    if seen.upper is None:
        return loss
    # A counted error of none or of all has no logit.
    return np.clip(loss / seen.upper, *BOUNDED_STARTS)


def _levels(model: ResolvedModel, seen: Observations) -> np.ndarray:
    """Median loss of every group of ``level_dims``, on the link scale of T."""
    sides = [seen.index[side] for side in model.level_dims]
    level = pd.Series(_losses(seen)).groupby(sides).median().to_numpy()
    level = level.reshape([len(model.groups[side]) for side in model.level_dims])
    return np.asarray(to_link(numpy_namespace, model.parameters["T"].support, level))


def _slopes(model: ResolvedModel, exponent: str, seen: Observations) -> dict[str, Entry]:
    """Of the slopes of every curve in every interval of its walk, dims (curve, interval).

    ``slope_level`` is the loss in the middle of an interval, ``slope_shown`` says whether the curve has a row in it,
    and ``slope_start`` is a log elasticity of the loss. ``slope_of`` picks, for each interval, the last one with a row
    on the way out from the pivot, and ``slope_since`` the steps of the walk from there on, both with a further dim
    ``towards``.
    """
    ((axis, (first, last)),) = model.drift.items()
    size, loss, u = last - first, _losses(seen), seen.centred[axis]
    level = np.empty((len(model.curves), size))
    has_row = np.zeros(level.shape, dtype=bool)
    pivot = np.empty((len(level), 1))
    for curve in range(len(level)):
        mine = np.flatnonzero(seen.index["curve"] == curve)
        mine = mine[np.argsort(u[mine])]
        level[curve] = np.interp(STEP * (np.arange(first, last) + 0.5), u[mine], loss[mine])
        pivot[curve] = np.interp(0.0, u[mine], loss[mine])
        has_row[curve, np.clip(np.floor(u[mine] / STEP).astype(int) - first, 0, size - 1)] = True
    last_row, since = _outward(has_row, first, last)
    dims = ("curve", f"interval_{axis}")
    return {
        "slope_level": (dims, level),
        "slope_shown": (dims, has_row),
        "slope_start": (dims, _elasticities(model, exponent, level, pivot)),
        "slope_of": ((*dims, "towards"), last_row),
        "slope_since": ((*dims, "towards"), since),
    }


def _outward(has_row: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The last interval with a row on the way out from the pivot to each, and the steps of the walk after it."""
    steps, zero = walk_steps(first, last), -first  # the interval to the right of the pivot
    last_row = np.zeros((*has_row.shape, len(steps)))
    since = np.zeros_like(last_row)
    for side in (range(zero, len(steps)), range(zero - 1, -1, -1)):
        path: list[int] = []
        for k in side:
            path.append(k)
            for curve, rows in enumerate(has_row):
                back = next((i for i, j in enumerate(reversed(path)) if rows[j]), len(path))
                if back < len(path):
                    last_row[curve, k, path[-1 - back]] = 1.0
                after = path[len(path) - back :]
                since[curve, k, after] = steps[after]
    return last_row, since


def _elasticities(
    model: ResolvedModel, exponent: str, level: np.ndarray, pivot: np.ndarray
) -> np.ndarray:
    """Log elasticities where φ and the exponent are in the middle of their priors and nothing drifts."""
    floor = _middle(model, "phi") * pivot
    found = np.log(_middle(model, exponent)) + np.log1p(-np.minimum(floor / level, MOST_FLOOR))
    return found - np.log1p(-floor) if model.upper else found


def _middle(model: ResolvedModel, name: str) -> float:
    parameter = model.parameters[name]
    return (
        float(parameter.get_prior().quantile(0.5)) if parameter.fixed is None else parameter.fixed
    )
