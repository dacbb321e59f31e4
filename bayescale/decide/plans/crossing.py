"""Where the frontiers of two groups cross: the compute beyond which one of them is the better to scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEPS_A_DECADE = (
    5  # budgets at which the losses are compared; between them the difference is taken as straight
)


@dataclass(frozen=True, eq=False)
class Crossing:
    """Two frontiers over one range of budgets, draw by draw.

    Attributes
    ----------
    log_compute : ndarray, shape (step,)
        Budgets, rising.
    difference : ndarray, shape (draw, step)
        Frontier loss of the first group less that of the second: negative where the first is better.
    """

    log_compute: np.ndarray
    difference: np.ndarray

    @cached_property
    def _changes(self) -> np.ndarray:
        """Whether the better group changes between a step and the next, shape (draw, step − 1)."""
        better = self.difference < 0
        return better[:, 1:] != better[:, :-1]

    @property
    def count(self) -> np.ndarray:
        """How often the frontiers cross within the range, shape (draw,)."""
        return self._changes.sum(axis=1)

    @property
    def log_crossing(self) -> np.ndarray:
        """Log C of the last crossing, beyond which the order stands up to the end of the range; NaN without one."""
        last = self._changes.shape[1] - 1 - np.argmax(self._changes[:, ::-1], axis=1)
        draw = np.arange(len(last))
        start, end = self.difference[draw, last], self.difference[draw, last + 1]
        step = self.log_compute[last + 1] - self.log_compute[last]
        down = np.divide(start, start - end, out=np.zeros_like(start), where=start != end)
        return np.where(self.count > 0, self.log_compute[last] + down * step, np.nan)

    def shares(self) -> dict[str, float]:
        """Shares of the draws: ``p_first`` and ``p_second`` better throughout, ``p_first_beyond`` and
        ``p_second_beyond`` better from the last crossing on, ``p_several`` that cross more than once.
        """
        crosses, first = self.count > 0, self.difference[:, -1] < 0
        return {
            "p_first": float(np.mean(first & ~crosses)),
            "p_second": float(np.mean(~first & ~crosses)),
            "p_first_beyond": float(np.mean(first & crosses)),
            "p_second_beyond": float(np.mean(~first & crosses)),
            "p_several": float(np.mean(self.count > 1)),
        }
