"""How far a loss still has to fall: the gap to the end of training, learned from complete curves of earlier runs.

With f the fraction of training done, the gap of a run is g(f) = log L(f) − log L(1). Complete curves r = 1 … R of the
same schedule give its mean and its covariance along f. Checkpoints of one run move together, so that the gap is taken
apart into increments: what the loss fell between a few earlier fractions, u, and what it has still to fall, z = g(f).
Given u, z is Normal with the conditional mean and variance of jointly Normal values, from the covariance of (u, z)
across the references, whose correlations are shrunk toward none (Schäfer & Strimmer 2005, Stat. Appl. Genet. Mol. Biol.
4: 32, target D). As the references are few it is predicted as in a regression with an intercept on p predictors
(Gelman et al. 2013, Bayesian Data Analysis, §14.2): Student-t with R − 1 − p degrees of freedom, p the effective number
after shrinkage, its variance larger by 1/R and by the distance of u from the references. Where the gap all but follows
from u, shrinking makes its variance larger than what is left in the references: that errs to the side of going on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayescale.decide.monitoring.curves import TrainingCurve
from bayescale.errors import PlanError
from bayescale.wording import counted

LEAST_REFERENCES = 3
RESOLUTION = 1e-9  # of log losses: what differs by less is rounding
MOST_EARLIER = 4  # earlier increments that the gap is regressed on


@dataclass(frozen=True)
class Gap:
    """Student-t of log L(f) − log L(1) of the run at hand.

    Attributes
    ----------
    mean, scale, df : float
        Infinite ``df`` is a Normal.
    references : int
        Complete curves behind it.
    earlier : int
        Earlier increments it is regressed on.
    shrinkage : float
        Of their correlations, from 0 (as observed) to 1 (none).
    """

    mean: float
    scale: float
    df: float
    references: int
    earlier: int
    shrinkage: float

    def quantile(self, probability: np.ndarray) -> np.ndarray:
        """Quantiles of the gap."""
        return np.asarray(self.mean + self.scale * stats.t.ppf(probability, self.df))

    def log_density(self, gap: np.ndarray) -> np.ndarray:
        """Log density of gaps."""
        return np.asarray(stats.t.logpdf(gap, self.df, self.mean, self.scale))


def conditional(
    mean: np.ndarray, covariance: np.ndarray, observed: np.ndarray
) -> tuple[float, float]:
    """Mean and variance of the last of jointly Normal values, given the others."""
    k = len(observed)
    weights = np.linalg.solve(covariance[:k, :k], covariance[:k, k])
    return (
        float(mean[k] + weights @ (observed - mean[:k])),
        float(covariance[k, k] - weights @ covariance[:k, k]),
    )


def shrunk_correlation(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Correlation across rows, drawn toward none, and by how much (Schäfer & Strimmer 2005, eq. 8 and table 2).

    Parameters
    ----------
    values : ndarray, shape (row, column)
        Standardised: each column has mean 0 and sample variance 1.
    """
    n, columns = values.shape
    if columns == 1:
        return np.ones((1, 1)), 0.0
    products = values[:, :, None] * values[:, None, :]
    centre = products.mean(axis=0)
    correlation = n / (n - 1) * centre
    variance = n / (n - 1) ** 3 * ((products - centre) ** 2).sum(axis=0)
    apart = ~np.eye(columns, dtype=bool)
    shrinkage = float(np.clip(variance[apart].sum() / (correlation[apart] ** 2).sum(), 0.0, 1.0))
    return np.where(apart, (1.0 - shrinkage) * correlation, 1.0), shrinkage


def predict_gap(increments: np.ndarray, gaps: np.ndarray, own: np.ndarray) -> Gap:
    """The gap of a run from those of references with their earlier increments.

    Parameters
    ----------
    increments : ndarray, shape (reference, earlier)
        What each reference fell between the same fractions.
    gaps : ndarray, shape (reference,)
        What it fell from the last of these to its end.
    own : ndarray, shape (earlier,)
        Increments of the run at hand.

    Raises
    ------
    PlanError
        With fewer than three references, or if they do not differ.
    """
    references, earlier = increments.shape
    if references < LEAST_REFERENCES:
        raise PlanError(
            f"{counted(references, 'reference curve')} (expected {LEAST_REFERENCES} or more): their spread is not known"
        )
    values = np.column_stack([increments, gaps])
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    if not (sd > RESOLUTION).all():
        raise PlanError("the reference curves do not differ: their spread is not known")
    correlation, shrinkage = shrunk_correlation((values - mean) / sd)
    among = correlation[:earlier, :earlier]
    at = (own - mean[:-1]) / sd[:-1]
    centre, variance = conditional(np.zeros(earlier + 1), correlation, at)
    # Trace of the hat matrix: the correlations as observed, seen through those that were shrunk.
    observed = among - shrinkage * np.eye(earlier)
    used = float(np.trace(np.linalg.solve(among, observed)))
    df = references - 1 - used
    distance = float(at @ np.linalg.solve(among, at)) if earlier else 0.0
    spread = variance * (references - 1) / df * (1 + 1 / references + distance / (references - 1))
    return Gap(
        mean=float(mean[-1] + sd[-1] * centre),
        scale=float(sd[-1] * np.sqrt(spread)),
        df=df,
        references=references,
        earlier=earlier,
        shrinkage=shrinkage,
    )


def gap_of(
    fractions: np.ndarray,
    log_loss: np.ndarray,
    references: Sequence[TrainingCurve],
    until: float = 1.0,
) -> Gap:
    """What the log loss of a curve has still to fall from its last checkpoint to a later fraction.

    Between checkpoints log loss is taken as straight in log fraction. Earlier increments end at equal parts of the
    fraction done; there are at most four, and no more than half of what the references could bear.

    Parameters
    ----------
    fractions, log_loss : ndarray, shape (checkpoint,)
        Of the run at hand.
    references : sequence of TrainingCurve
        Complete.
    until : float
        Fraction of training; 1 is the end.

    Raises
    ------
    PlanError
        If references are too few, do not differ, or begin later than the run's last checkpoint.
    """
    now = float(fractions[-1])
    late = [r.run_id for r in references if r.fractions()[0] > now]
    if late:
        raise PlanError(
            f"{100 * now:.3g} % of training is done, and reference {late[0]!r} has no checkpoint by then; "
            "wait, or leave it out"
        )
    begun = max([float(fractions[0]), *(float(r.fractions()[0]) for r in references)])
    most = max(0, min(MOST_EARLIER, (len(references) - 3) // 2))
    knots = now * np.arange(1, most + 2) / (most + 1)
    knots = np.array([*(k for k in knots[:-1] if k >= begun), now])
    own = -np.diff(_at(knots, fractions, log_loss))
    along = np.array([_at(knots, r.fractions(), r.log_loss) for r in references])
    later = np.array([_at(np.array([until]), r.fractions(), r.log_loss)[0] for r in references])
    return predict_gap(-np.diff(along, axis=1), along[:, -1] - later, own)


def _at(wanted: np.ndarray, fractions: np.ndarray, log_loss: np.ndarray) -> np.ndarray:
    return np.interp(np.log(wanted), np.log(fractions), log_loss)
