"""`huber-bootstrap`: the joint law by Huber's loss on log residuals and L-BFGS, as Hoffmann and Besiroglu fit it."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from bayescale.baselines.baseline import REFITS, Baseline, Predictive, Rows, spread, too_few

THRESHOLD = 1e-3  # of Huber's loss, on the log residual
PARAMETERS = 5
# Hoffmann et al. 2022, appendix D.3: starts in log A, log B, log L∞, β, δ.
LOG_AMPLITUDES = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
LOG_FLOORS = (-1.0, -0.5, 0.0, 0.5, 1.0)
EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)


def fit(rows: Rows) -> dict[str, float]:
    """Fit L = L∞ + A·N^−β + B·D^−δ to runs of one architecture on one task.

    Parameters
    ----------
    rows : Rows
        ``params``, ``tokens`` and ``loss``.

    Returns
    -------
    dict
        ``A``, ``B``, ``L_inf`` (unit of the loss), ``beta``, ``delta``.

    Notes
    -----
    Minimises Σ Huber(LSE(a − β log N, b − δ log D, e) − log L) with the sum, not the mean, over runs (Hoffmann et al.
    2022, eq. 3; Besiroglu et al. 2024, section 2). All 4,500 starts of the published grid are evaluated; L-BFGS goes
    on from the best of each pair of exponents. It moves in amplitudes at the mean log N and log D, which changes its
    path and not the objective.
    """
    logs, pivots, observed = _logs(rows)
    with threadpool_limits(1):  # as in Baseline.predictive
        a, b, e, beta, delta = _best(logs, pivots, observed)
    return {
        "A": float(np.exp(a + beta * pivots[0])),
        "B": float(np.exp(b + delta * pivots[1])),
        "L_inf": float(np.exp(e)),
        "beta": float(beta),
        "delta": float(delta),
    }


def forecast(fitted: Rows, held_out: Rows, rng: np.random.Generator) -> Predictive:
    """Refit to runs drawn with replacement, each from the best point; Normal noise of the residuals' own scale."""
    logs, pivots, observed = _logs(fitted)
    best = _best(logs, pivots, observed)
    at = np.log([held_out["params"], held_out["tokens"]]) - pivots[:, None]
    curves = []
    for _ in range(REFITS):
        drawn = rng.integers(len(observed), size=len(observed))
        curves.append(_curve(_descend(best, logs[:, drawn], observed[drawn]), at))
    sigma = spread(observed - _curve(best, logs), PARAMETERS)
    return Predictive(np.array(curves), np.full(REFITS, sigma))


def _logs(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logs = np.log([rows["params"], rows["tokens"]])
    pivots = logs.mean(axis=1)
    return logs - pivots[:, None], pivots, np.log(rows["loss"])


def _terms(theta: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Log of the three terms, the first axis; ``theta`` holds a, b, e, β, δ, each a number or a column."""
    a, b, e, beta, delta = theta
    return np.array(np.broadcast_arrays(a - beta * logs[0], b - delta * logs[1], e + 0 * logs[0]))


def _curve(theta: np.ndarray, logs: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp.reduce(_terms(theta, logs)))


def _huber(residual: np.ndarray) -> np.ndarray:
    """Summed over the last axis."""
    pull = np.clip(residual, -THRESHOLD, THRESHOLD)
    return (pull * (residual - 0.5 * pull)).sum(axis=-1)


def _objective(
    theta: np.ndarray, logs: np.ndarray, observed: np.ndarray
) -> tuple[float, np.ndarray]:
    """The sum over runs, and its slope."""
    terms = _terms(theta, logs)
    line = np.logaddexp.reduce(terms)
    residual = line - observed
    pull = np.exp(terms - line) * np.clip(residual, -THRESHOLD, THRESHOLD)
    total = pull.sum(axis=1)
    slope = np.array([*total, -(pull[0] * logs[0]).sum(), -(pull[1] * logs[1]).sum()])
    return float(_huber(residual)), slope


def _descend(start: np.ndarray, logs: np.ndarray, observed: np.ndarray) -> np.ndarray:
    # Slopes are of the order of the threshold, far below what L-BFGS takes for flat unless told.
    found = minimize(
        _objective,
        start,
        args=(logs, observed),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-8 * THRESHOLD},
    )
    return np.asarray(found.x)


def _best(logs: np.ndarray, pivots: np.ndarray, observed: np.ndarray) -> np.ndarray:
    found = []
    for beta, delta in product(EXPONENTS, EXPONENTS):
        a, b, e = np.array(list(product(LOG_AMPLITUDES, LOG_AMPLITUDES, LOG_FLOORS))).T
        grid = np.array(
            [
                a - beta * pivots[0],
                b - delta * pivots[1],
                e,
                np.full(len(e), beta),
                np.full(len(e), delta),
            ]
        )
        height = _huber(_curve(grid[:, :, None], logs) - observed)
        found.append(_descend(grid[:, height.argmin()], logs, observed))
    return min(found, key=lambda theta: _objective(theta, logs, observed)[0])


HUBER = Baseline(
    "huber-bootstrap",
    "Joint law by Huber's loss on log residuals, runs bootstrapped",
    "L = L_inf + A N^-beta + B D^-delta",
    "Hoffmann et al. 2022, eq. 3 and appendix D.3; Besiroglu et al. 2024, section 2",
    ("params", "tokens"),
    too_few(PARAMETERS),
    forecast,
)
