"""Would this model have made these rows? Prior and posterior predictive bands, and PIT that leaves each row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks.draws import at_prior, thinned
from bayescale.checks.neighbours import neighbour_p
from bayescale.checks.uniformity import Uniformity, uniformity
from bayescale.checks.valleys import valley_p
from bayescale.checks.weights import KHAT_MAX, smoothed
from bayescale.posterior import Fit, keyed_generator
from bayescale.predict import Rows, all_rows
from bayescale.wording import counted

DRAWS = 1000  # quantiles of a band need no more, and large tables then fit in memory
PROBS = {"lo90": 0.05, "lo50": 0.25, "median": 0.5, "hi50": 0.75, "hi90": 0.95}
_PLACE = ("architecture", "task", "study", "params", "tokens", "compute")


@dataclass(frozen=True, eq=False)
class Predictive:
    """The fitted rows against what the model would have made.

    Attributes
    ----------
    rows : DataFrame
        One row per fitted row: where it is, its ``loss``; quantiles ``lo90, lo50, median, hi50, hi90`` of a replicated
        loss under the posterior, and under the prior (``prior_lo90``, ...); ``residual`` (log loss − log median);
        ``pit`` and its ``khat``.
    uniformity : Uniformity
        Of ``pit``.
    valleys : float or None
        P-value of isoFLOP valleys that stay as steep at large compute (:func:`bayescale.checks.valleys.valley_p`).
    neighbours : float or None
        P-value of neighbours along a curve that miss it to one side (:func:`bayescale.checks.neighbours.neighbour_p`).
    """

    rows: pd.DataFrame
    uniformity: Uniformity
    valleys: float | None = None
    neighbours: float | None = None

    @property
    def inside(self) -> dict[str, float]:
        """Share of rows inside the 50 and 90 % bands of the posterior, and inside the prior's."""
        frame = self.rows
        return {
            f"{prefix}{level}": float(
                frame["loss"]
                .between(frame[f"{prefix}lo{level}"], frame[f"{prefix}hi{level}"])
                .mean()
            )
            for prefix in ("", "prior_")
            for level in (50, 90)
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        found = []
        if self.uniformity.p < 1 - self.uniformity.probability:
            found.append(
                f"PIT values of the fitted rows are not uniform (p = {self.uniformity.p:.2g}): {self.why}"
            )
        if self.valleys is not None and self.valleys < 1 - self.uniformity.probability:
            found.append(
                f"isoFLOP valleys are steeper at large compute than the law's (p = {self.valleys:.2g}): runs off the "
                "optimum may be tuned worse than those at it, and gamma then reads their tuning; fit without them"
            )
        if self.neighbours is not None and self.neighbours < 1 - self.uniformity.probability:
            found.append(
                f"neighbours along a curve miss it to the same side (p = {self.neighbours:.2g}): it rises or bends as "
                "the law cannot, and its noise is misfit; look at the residuals (--plot), and do not extrapolate"
            )
        if self.inside["prior_90"] == 0.0:
            found.append("no row lies in the prior's 90 % band: the priors speak of another table")
        poor = int((~(self.rows["khat"] <= KHAT_MAX)).sum())
        if poor:
            found.append(
                f"{counted(poor, 'row')} with Pareto k̂ over {KHAT_MAX}: the PIT there is too rough to read"
            )
        return tuple(found)

    @property
    def why(self) -> str:
        """The way in which PIT values depart from uniform."""
        return departure(self.rows["pit"].to_numpy(), "losses", "the noise")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "pit_p": self.uniformity.p,
            "valley_p": self.valleys,
            "neighbour_p": self.neighbours,
            "inside": self.inside,
            "rows": self.rows.to_dict("records"),
            "notes": list(self.notes),
        }


def departure(values: np.ndarray, what: str, spread: str) -> str:
    """Put into words how PIT values differ from uniform: the mean first, if that is what is off, else the spread."""
    n = len(values)
    # A uniform value has mean 1/2 and variance 1/12, its square deviation variance 1/180.
    shift = (float(values.mean()) - 0.5) * np.sqrt(12 * n)
    wide = (float(np.mean((values - 0.5) ** 2)) - 1 / 12) * np.sqrt(180 * n)
    # Values all at one end are far from the middle too, so that a mean that is clearly off comes first.
    if abs(shift) > 3.0 or abs(shift) >= abs(wide):
        return f"{what} lie {'above' if shift > 0 else 'below'} what is said of them"
    return f"{spread} is said to be too {'small' if wide > 0 else 'large'}"


def predictive(fit: Fit) -> Predictive:
    """Hold the fitted rows against the predictive distributions of a fit.

    PIT values leave each row out by Pareto-smoothed importance weights (Vehtari, Gelman & Gabry 2017), since a row that
    was fitted lies too near its own band; they integrate over the noise, and need no more draws than the curve.

    Parameters
    ----------
    fit : Fit
        Converged or not; a fit with a bad residual is what this is for.

    Returns
    -------
    Predictive
    """
    posterior = all_rows(thinned(fit, DRAWS))
    prior = all_rows(at_prior(fit, DRAWS))
    rows = fit.runs
    frame = pd.DataFrame({c: rows[c].to_numpy() for c in _PLACE if c in rows})
    frame["loss"] = np.exp(posterior.observed)
    for prefix, under in (("", posterior), ("prior_", prior)):
        rng = keyed_generator(fit.seed, f"{prefix}replicated", [])
        replicated = under.simulate(rng)
        for name, p in PROBS.items():
            frame[f"{prefix}{name}"] = np.exp(np.quantile(replicated, p, axis=0))
    frame["residual"] = np.log(frame["loss"] / frame["median"])
    frame["pit"], frame["khat"] = _left_out(posterior)
    return Predictive(
        frame,
        uniformity(frame["pit"].to_numpy()),
        valley_p(fit, posterior),
        neighbour_p(fit, posterior),
    )


def _left_out(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """PIT of every row under the posterior without it, and the k̂ of its weights."""
    weight, khat = smoothed(-rows.log_density().T)
    # A weighted mean of probabilities may pass 1 by rounding.
    return np.clip((weight * rows.cdf().T).sum(axis=1), 0.0, 1.0), khat
