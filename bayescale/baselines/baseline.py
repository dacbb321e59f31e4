"""What a baseline is: a published point fit with a bootstrap, which forecasts runs of one architecture on one task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bayescale.errors import DataError

# Column → one value a run: params, tokens, compute (6·N·D), scale (the axis held out by), budget, loss.
type Rows = Mapping[str, np.ndarray]

REFITS = 200
NOISE_PER_REFIT = 10


@dataclass(frozen=True)
class Predictive:
    """What a baseline says of single new runs: bootstrapped curves with Normal noise of the log loss around them.

    Attributes
    ----------
    log_loss : ndarray, shape (refit, run)
        Log of the loss without noise.
    sigma : ndarray, shape (refit,)
        Standard deviation of the log loss of one run around its curve.
    """

    log_loss: np.ndarray
    sigma: np.ndarray

    def draws(self, rng: np.random.Generator) -> np.ndarray:
        """Losses of a single new run, noise included, shape (draw, run); ten draws a refit."""
        curves = np.repeat(self.log_loss, NOISE_PER_REFIT, axis=0)
        noise = np.repeat(self.sigma, NOISE_PER_REFIT)[:, None]
        return np.exp(curves + noise * rng.standard_normal(curves.shape))


@dataclass(frozen=True)
class Baseline:
    """A method of the field, to be scored beside the models.

    Attributes
    ----------
    name, title, equation, source : str
        As listed by ``bayescale models``.
    inputs : tuple of str
        Columns of :data:`Rows` that it reads, loss aside.
    refuse : callable
        ``fitted -> reason`` why it cannot be fitted to these runs; empty if it can.
    forecast : callable
        ``(fitted, held_out, rng) -> Predictive``, a pure function; called through :meth:`predictive`.
    """

    name: str
    title: str
    equation: str
    source: str
    inputs: tuple[str, ...]
    refuse: Callable[[Rows], str]
    forecast: Callable[[Rows, Rows, np.random.Generator], Predictive]

    def predictive(self, fitted: Rows, held_out: Rows, rng: np.random.Generator) -> Predictive:
        """Forecast held-out runs of the architecture and task that were fitted."""
        # Threads of BLAS only wait for each other on matrices this small, several times as long as the work takes.
        with threadpool_limits(1):
            return self.forecast(fitted, held_out, rng)

    def check(self, fitted: Rows, where: str) -> None:
        """Refuse runs to which the baseline cannot be fitted.

        Parameters
        ----------
        fitted : Rows
            Runs of one architecture on one task.
        where : str
            What they are, for the message.

        Raises
        ------
        DataError
        """
        missing = [name for name in self.inputs if name not in fitted]
        if missing:
            reason = f"reads {' and '.join(self.inputs)}, and the table has no {missing[0]}"
        else:
            reason = self.refuse(fitted)
        if reason:
            raise DataError(f"baseline {self.name!r}, {where}: it {reason}")


def too_few(parameters: int) -> Callable[[Rows], str]:
    """Reason to refuse a table that leaves no run beyond one a parameter to tell the noise by."""

    def refuse(fitted: Rows) -> str:
        count = len(fitted["loss"])
        if count > parameters:
            return ""
        return f"fits {parameters} parameters and needs more runs than that to fit; {count} found"

    return refuse


def spread(residuals: np.ndarray, parameters: int) -> float:
    """Standard deviation of residuals of a fit with so many parameters."""
    return float(np.sqrt((residuals**2).sum() / (len(residuals) - parameters)))
