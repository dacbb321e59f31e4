"""Every error that bayescale raises on purpose: one clear line, an exit code, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class BayescaleError(Exception):
    """Base of all errors that are the caller's to mend; the command line prints it as one line."""

    exit_code = 1


class DataError(BayescaleError, ValueError):
    """A table of runs that cannot be used as it is."""


class ModelError(BayescaleError, ValueError):
    """A model file, prior or option that does not make a model."""


class FitFileError(BayescaleError, ValueError):
    """A file that is not a fit this version can read."""


class PlanError(BayescaleError, ValueError):
    """A budget, risk or action set from which no plan can be made."""


class ForecastError(BayescaleError, ValueError):
    """Points or group labels at which a fit cannot be evaluated."""


class UnknownNameError(BayescaleError, KeyError):
    """A name that nothing here answers to."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; a message should read as a sentence.
        return str(self.args[0])


class ConvergenceError(BayescaleError):
    """A fit whose chains did not reach the gate of :mod:`bayescale.posterior.convergence`.

    Attributes
    ----------
    convergence : dict or None
        The diagnostics, as plain data, where they have not been shown already.
    """

    exit_code = 3

    def __init__(self, message: str, convergence: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.convergence = convergence


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UnknownNameError:
    """Make the error for an unknown name, proposing the nearest one that exists.

    Parameters
    ----------
    kind : str
        What the name should have been ("law", "architecture", ...).
    name : str
        What was given.
    known : iterable of str
        What would have been accepted, listed in the message.
    where : str, optional
        The place it was found in ("model file my.toml").
    """
    options = sorted(str(k) for k in known)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    place = f" in {where}" if where else ""
    listed = ", ".join(options) if options else "none"
    return UnknownNameError(f"unknown {kind} {name!r}{place}{hint} (known: {listed})")
