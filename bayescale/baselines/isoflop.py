"""`isoflop`: a parabola of the loss in log N for each budget, and power laws through the optima (approach 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescale.baselines.baseline import REFITS, Baseline, Predictive, Rows, spread
from bayescale.baselines.curves import CURVES
from bayescale.baselines.least_squares import descend, fit_curve, resampled
from bayescale.errors import DataError

MIN_BUDGETS, MIN_SIZES = 3, 3
PARAMETERS = 7  # two of N*(C), three of L*(C), two of the curvature
_M2 = CURVES["m2"]
ATTEMPTS = 10  # resampled tables for every one that is kept


@dataclass(frozen=True)
class Valleys:
    """Parabolas L = L* + q·(log N − log N*)² of the budgets that have a minimum inside their own runs."""

    log_c: np.ndarray
    log_n: np.ndarray
    loss: np.ndarray
    curvature: np.ndarray


@dataclass(frozen=True)
class Frontier:
    """Power laws through the valleys: straight lines (slope, intercept) in log C, and M2 of the loss.

    log N*(C) and log q(C) are lines; L*(C) = L∞ + κ·C^−α by least squares on logs. C is centred at ``pivot``.
    """

    pivot: float
    log_n: np.ndarray
    loss: np.ndarray
    log_curvature: np.ndarray

    def log_loss(self, rows: Rows) -> np.ndarray:
        """Log loss of runs: the frontier at their budget, and the valley's curvature continued to it."""
        u = np.log(rows["compute"]) - self.pivot
        off = np.log(rows["params"]) - np.polyval(self.log_n, u)
        bend = np.polyval(self.log_curvature, u) + 2.0 * np.log(np.maximum(np.abs(off), 1e-300))
        return np.logaddexp(_M2.formula(self.loss, u), bend)


def valleys(rows: Rows, loss: np.ndarray) -> Valleys:
    """Fit the parabolas, by least squares of the loss; a budget without a minimum inside its runs is left out."""
    found = []
    for budget in np.unique(rows["budget"]):
        mine = rows["budget"] == budget
        log_n = np.log(rows["params"][mine])
        if len(np.unique(log_n)) < MIN_SIZES:
            continue
        centre = log_n.mean()
        q, slope, level = np.polyfit(log_n - centre, loss[mine], 2)
        if q <= 0.0:
            continue
        lowest = -slope / (2.0 * q)
        height = level - slope**2 / (4.0 * q)
        if log_n.min() <= centre + lowest <= log_n.max() and height > 0.0:
            log_c = np.log(rows["compute"][mine]).mean()
            found.append((log_c, centre + lowest, height, q))
    return Valleys(*np.array(found).reshape(-1, 4).T)


def frontier(found: Valleys, near: Frontier | None = None) -> Frontier:
    """Fit the power laws through at least three valleys; L*(C) from many starts, or from one that is near."""
    pivot = float(found.log_c.mean()) if near is None else near.pivot
    u, log_loss = found.log_c - pivot, np.log(found.loss)
    return Frontier(
        pivot,
        np.polyfit(u, found.log_n, 1),
        fit_curve(_M2, u, log_loss) if near is None else descend(_M2, near.loss, u, log_loss),
        np.polyfit(u, np.log(found.curvature), 1),
    )


def refuse(fitted: Rows) -> str:
    """Reason why these runs have no frontier of approach 2."""
    if "budget" not in fitted:
        return (
            f"needs runs by budget: a column 'sweep', or {MIN_BUDGETS} budgets of {MIN_SIZES} sizes each "
            "whose compute agrees within 5 %"
        )
    count = len(np.unique(fitted["budget"]))
    minima = len(valleys(fitted, fitted["loss"]).loss)
    if minima < MIN_BUDGETS:
        return (
            f"needs {MIN_BUDGETS} budgets of at least {MIN_SIZES} sizes whose loss has a minimum inside "
            f"them; {minima} of {count} have one"
        )
    rows = len(fitted["loss"])
    return "" if rows > PARAMETERS else f"needs more than {PARAMETERS} runs to fit; {rows} found"


def forecast(fitted: Rows, held_out: Rows, rng: np.random.Generator) -> Predictive:
    """Refit valleys and power laws to resampled log residuals of the frontier; Normal noise of their own scale.

    A resampled table that leaves fewer than three valleys is drawn again: who sees no minimum does not fit a parabola.

    Raises
    ------
    DataError
        If nine of ten resampled tables leave too few valleys.
    """
    log_loss = np.log(fitted["loss"])
    best = frontier(valleys(fitted, fitted["loss"]))
    line = best.log_loss(fitted)
    residuals = log_loss - line
    curves: list[np.ndarray] = []
    for _ in range(ATTEMPTS * REFITS):
        loss = np.exp(line + resampled(residuals, PARAMETERS, rng))
        found = valleys(fitted, loss)
        if len(found.loss) >= MIN_BUDGETS:
            curves.append(frontier(found, best).log_loss(held_out))
        if len(curves) == REFITS:
            break
    else:
        raise DataError(
            f"baseline 'isoflop': {len(curves)} of {ATTEMPTS * REFITS} resampled tables have a minimum in "
            f"{MIN_BUDGETS} budgets; the valleys are too shallow for their noise"
        )
    return Predictive(np.array(curves), np.full(REFITS, spread(residuals, PARAMETERS)))


ISOFLOP = Baseline(
    "isoflop",
    "IsoFLOP parabolas and power laws through their minima",
    "L = L_inf + k C^-a + q(C) (log N - log N*(C))^2",
    "Hoffmann et al. 2022, section 3.2 (approach 2); loss off the optimum by the valley's curvature, continued",
    ("params", "tokens"),
    refuse,
    forecast,
)
