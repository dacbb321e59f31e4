"""Least squares on log residuals from many starts, and the residual bootstrap, for curves along one axis."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from bayescale.baselines.baseline import REFITS, Baseline, Predictive, Rows, spread, too_few
from bayescale.baselines.curves import CURVES, Curve

POLISHED = 8  # starts that are followed to their optimum, of all that the grid holds
_STEP = 1e-5  # of central differences, in parameters of the order of one


def fit_curve(curve: Curve, u: np.ndarray, log_loss: np.ndarray) -> np.ndarray:
    """Fit a curve by least squares on log residuals, from the best starts of its grid.

    Parameters
    ----------
    curve : Curve
        Formula and grid.
    u, log_loss : ndarray, shape (run,)
        Centred log scale, and log loss.

    Returns
    -------
    ndarray, shape (parameter,)
    """
    grid = curve.grid(u)
    residual = log_loss - curve.formula(grid[:, :, None], u)
    level = residual.mean(axis=1)
    grid[: curve.levels] += level
    height = ((residual - level[:, None]) ** 2).sum(axis=1)
    found = [descend(curve, grid[:, k], u, log_loss) for k in np.argsort(height)[:POLISHED]]
    return min(found, key=lambda theta: float(((log_loss - curve.formula(theta, u)) ** 2).sum()))


def descend(curve: Curve, start: np.ndarray, u: np.ndarray, log_loss: np.ndarray) -> np.ndarray:
    """Follow one start to its optimum (Levenberg and Marquardt)."""
    steps = _STEP * np.eye(len(start))[:, :, None]

    def slopes(theta: np.ndarray) -> np.ndarray:
        centre = theta[:, None, None]
        difference = curve.formula(centre + steps, u) - curve.formula(centre - steps, u)
        return difference.T / (2 * _STEP)

    found = optimize.least_squares(
        lambda theta: curve.formula(theta, u) - log_loss, start, jac=slopes, method="lm"
    )
    return np.asarray(found.x)


def resampled(residuals: np.ndarray, parameters: int, rng: np.random.Generator) -> np.ndarray:
    """Residuals drawn with replacement, centred, and widened for the parameters that were fitted to them."""
    widened = (residuals - residuals.mean()) * np.sqrt(
        len(residuals) / (len(residuals) - parameters)
    )
    return rng.choice(widened, len(residuals))


def bootstrap(curve: Curve, fitted: Rows, held_out: Rows, rng: np.random.Generator) -> Predictive:
    """Refit the curve to resampled residuals, each time from the best point; Normal noise of their own scale.

    Parameters
    ----------
    curve : Curve
        Formula and grid.
    fitted, held_out : Rows
        ``scale``, and of the fitted runs ``loss``.
    rng : Generator
        For the resampling.
    """
    log_x, log_loss = np.log(fitted["scale"]), np.log(fitted["loss"])
    pivot = log_x.mean()
    u, at = log_x - pivot, np.log(held_out["scale"]) - pivot
    best = fit_curve(curve, u, log_loss)
    line = curve.formula(best, u)
    residuals = log_loss - line
    curves = [
        curve.formula(descend(curve, best, u, line + resampled(residuals, len(best), rng)), at)
        for _ in range(REFITS)
    ]
    return Predictive(np.array(curves), np.full(REFITS, spread(residuals, len(best))))


def _baseline(name: str, parameters: int, title: str, equation: str, source: str) -> Baseline:
    curve = CURVES[name]
    return Baseline(
        name,
        title,
        equation,
        source,
        ("scale",),
        too_few(parameters),
        lambda fitted, held_out, rng: bootstrap(curve, fitted, held_out, rng),
    )


_ALABDULMOHSIN = "Alabdulmohsin et al. 2022, section 3"
_DOMHAN = "Domhan et al. 2015, table 1"
ONE_AXIS = (
    _baseline("m1", 2, "Power law", "L = b x^-c", f"{_ALABDULMOHSIN}, M1"),
    _baseline("m2", 3, "Power law with a floor", "L = L_inf + b x^-c", f"{_ALABDULMOHSIN}, M2"),
    _baseline("m3", 3, "Shifted power law", "L = b (1/x + g)^c", f"{_ALABDULMOHSIN}, M3"),
    _baseline(
        "m4",
        5,
        "Power law between a floor and random guessing",
        "(L - L_inf) / (L_0 - L)^a = b x^-c",
        f"{_ALABDULMOHSIN}, M4",
    ),
    _baseline(
        "bnsl",
        6,
        "Broken neural scaling law with one break",
        "L = a + b x^-c0 (1 + (x/d)^(1/f))^(-c1 f)",
        "Caballero et al. 2023, eq. 1 with n = 1",
    ),
    _baseline(
        "pow4",
        4,
        "Power law of the input plus a constant",
        "L = L_inf + b (x + d)^-c",
        f"{_DOMHAN}, pow4",
    ),
    _baseline("ilog2", 3, "Inverse logarithm", "L = L_inf + a/log(1 + k x)", f"{_DOMHAN}, ilog2"),
    _baseline(
        "janoschek",
        4,
        "Stretched exponential",
        "L = L_inf + b exp(-k x^d)",
        f"{_DOMHAN}, Janoschek",
    ),
)
