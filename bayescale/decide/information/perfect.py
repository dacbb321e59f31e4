"""What perfect information would be worth: of everything (EVPI), and of one group of parameters (EVPPI)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial.hermite_e import hermevander
from scipy import special, stats

from bayescale.decide.plans.montecarlo import mean_error
from bayescale.errors import PlanError

FOLDS = 10
MOST_DEGREE, DRAWS_A_COLUMN = 5, 40
#: Values, one a draw → Monte-Carlo standard error of their mean.
Error = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Worth:
    """A value of information, in the unit of the utility, and its Monte-Carlo standard error."""

    value: float
    error: float


def independent(values: np.ndarray) -> float:
    """Standard error of a mean over draws that are one chain."""
    return mean_error(values, (len(values),), 1)


def best_action(utility: np.ndarray) -> int:
    """The action of largest expected utility."""
    return int(np.argmax(utility.mean(axis=0)))


def advantages(utility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Utility above that of the best action, shape (draw, action), and its largest value in each draw, shape (draw,).

    Raises
    ------
    PlanError
        If it is no array of draws by actions, or not finite.
    """
    if utility.ndim != 2 or 0 in utility.shape:
        raise PlanError(f"utility of shape {utility.shape} (expected (draw, action))")
    if not np.isfinite(utility).all():
        raise PlanError("utility: not every value is finite")
    above = utility - utility[:, [best_action(utility)]]
    return above, above.max(axis=1)


def evpi(utility: np.ndarray, error: Error = independent) -> Worth:
    """Expected value of perfect information: E[max over actions] − max over actions of E[utility].

    Zero where one action is best in every draw. With draws alone the best action is chosen on the same draws, which
    makes the value a little too small.

    Parameters
    ----------
    utility : ndarray, shape (draw, action)
        What each action is worth in each draw; more is better.
    error : callable
        Standard error of a mean over draws.
    """
    _, regret = advantages(utility)
    return Worth(float(regret.mean()), error(regret))


def evppi(utility: np.ndarray, group: np.ndarray, error: Error = independent) -> Worth:
    """Expected value of knowing some parameters exactly and the others as before.

    By regression (Strong, Oakley & Brennan 2014): the utility of every action is regressed on the group, and the best
    action is chosen by what the regression says. To pay nothing for noise that is fitted, each tenth of the draws is
    predicted from the other nine and the chosen action judged by its utility there. So it is the value of a policy,
    and where the regression is too stiff it errs to the low side.

    Parameters
    ----------
    utility : ndarray, shape (draw, action)
        What each action is worth in each draw; more is better.
    group : ndarray, shape (draw, parameter)
        Monotone transformations of a parameter change little: ranks enter, as normal scores, in polynomials of the
        largest total degree up to 5 that leaves 40 draws a term.
    error : callable
        Standard error of a mean over draws.

    Raises
    ------
    PlanError
        If the draws of group and utility differ in number, or are too few.
    """
    above, _ = advantages(utility)
    if group.ndim != 2 or len(group) != len(utility):
        raise PlanError(
            f"group of shape {group.shape} (expected (draw, parameter) with {len(utility)} draws)"
        )
    basis = _polynomials(group)
    # The terms are all but orthogonal, so that normal equations hold, and a fold is taken out of them by subtraction.
    square, product = basis.T @ basis, basis.T @ above
    chosen = np.empty(len(above), int)
    for held in np.array_split(np.arange(len(above)), FOLDS):
        own = basis[held]
        terms = np.linalg.lstsq(square - own.T @ own, product - own.T @ above[held])[0]
        chosen[held] = np.argmax(own @ terms, axis=1)
    gain = np.take_along_axis(above, chosen[:, None], axis=1)[:, 0]
    # Whoever knows may still do what was best before: a policy that loses is not followed.
    return Worth(max(float(gain.mean()), 0.0), error(gain))


def _polynomials(group: np.ndarray) -> np.ndarray:
    """Products of Hermite polynomials of the normal scores, shape (draw, term)."""
    draws, columns = group.shape
    scores = stats.norm.ppf((stats.rankdata(group, axis=0) - 0.5) / draws)
    # Of unit variance: the nth has variance n!.
    power = hermevander(scores, MOST_DEGREE) / np.sqrt(special.factorial(range(MOST_DEGREE + 1)))
    basis = [np.ones(draws)]
    for degree in range(1, MOST_DEGREE + 1):
        terms = list(combinations_with_replacement(range(columns), degree))
        if (len(basis) + len(terms)) * DRAWS_A_COLUMN > draws:
            break
        for term in terms:
            basis.append(np.prod([power[:, j, term.count(j)] for j in set(term)], axis=0))
    if len(basis) == 1:
        raise PlanError(
            f"{draws} draws are too few to regress on {columns} parameters "
            f"(expected {(columns + 1) * DRAWS_A_COLUMN} or more)"
        )
    return np.stack(basis, axis=1)
