"""`Given`: what is known of a further input of a run."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

MOST_COUNT = 1e30


@dataclass(frozen=True)
class Given:
    """A further input of a run.

    Attributes
    ----------
    name : str
        Column of the table, and argument of a forecast or a decision.
    text : str
        A few words for tables and messages.
    missing : float or None
        Value of a run of which nothing is said: there a law is as if it did not read the input. None where a law that
        reads it needs it of every run.
    said : str
        What its absence assumes, for notes.
    pivot : {"params", "tokens", "compute", "own"} or None
        What its log is centred by: the pivot of an axis on which it is measured, its own mean log over the fitted rows
        that state it, or nothing.
    lowest, highest : float
        Range of its values.
    linear : bool
        Whether laws read it as it is, and not its log: a share, which may be zero.
    count : bool
        Whether it is counted, so that ``100B`` is read as a number of it.
    usual : float
        A value such as people have it, for pictures and simulations that must state one.
    aliases : tuple of str
        Other names of its column, as :func:`bayescale.runs.columns.normalise` leaves a header.
    """

    name: str
    text: str
    missing: float | None
    said: str
    pivot: Literal["params", "tokens", "compute", "own"] | None = None
    lowest: float = 1.0
    highest: float = MOST_COUNT
    linear: bool = False
    count: bool = True
    usual: float = 1.0
    aliases: tuple[str, ...] = ()

    def scaled(self, value: Any) -> Any:
        """What a law reads of a value: its log, or the value itself."""
        import numpy as np  # only where numbers are read: the command line knows the names without it

        return value if self.linear else np.log(value)

    def fault(self, value: object) -> str | None:
        """What is wrong with a value: no number, or out of range; None where nothing is."""
        if isinstance(value, bool) or not isinstance(value, Real):
            return f"{self.name} = {value!r} (expected a number, e.g. 1e11)"
        if not self.lowest <= float(value) <= self.highest:
            return f"{self.name} = {value:g} (expected from {self.lowest:g} to {self.highest:g})"
        return None
