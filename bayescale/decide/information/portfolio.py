"""Which pilots to run together under a pilot budget: the best subset of a few, or a greedy choice among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescale.decide.information.perfect import Error, advantages, best_action, independent
from bayescale.decide.information.sample import SampleWorth, evsi

MOST_EXACT = 10  # pilots of which every subset is tried
# The search takes fewer outcomes and actions, and weights as they are; what it chose is then valued in full.
SEARCH_OUTCOMES, ACTION_STEP = 200, 4


@dataclass(frozen=True)
class Portfolio:
    """Pilots chosen together.

    Attributes
    ----------
    chosen : tuple of int
        Positions of the pilots, in the order in which they add most.
    worth : SampleWorth
        EVSI of all of them.
    cost : float
    path : tuple of (float, float)
        Cost and EVSI after each of ``chosen``, by the weights of the search.
    """

    chosen: tuple[int, ...]
    worth: SampleWorth
    cost: float
    path: tuple[tuple[float, float], ...]

    @property
    def net(self) -> float:
        """EVSI less the cost."""
        return self.worth.value - self.cost


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pilots whose outcomes were simulated from the same draws.

    Attributes
    ----------
    utility : ndarray, shape (draw, action)
    log_likelihood : sequence of ndarray
        One a pilot, shape (outcome, draw).
    cost, failure : ndarray, shape (pilot,)
        In the unit of the utility; probability that nothing comes of it.
    source : ndarray of int, shape (outcome,)
        The draw behind each outcome.
    error : callable
        Standard error of a mean over draws.
    seed : int
        Of which pilots fail in which outcome.
    """

    utility: np.ndarray
    log_likelihood: Sequence[np.ndarray]
    cost: np.ndarray
    failure: np.ndarray
    source: np.ndarray
    error: Error = independent
    seed: int = 0

    def single(self, pilot: int) -> SampleWorth:
        """EVSI of one pilot, its failures included."""
        whole = evsi(self.utility, self.log_likelihood[pilot], self.source, self.error)
        return whole.if_successful(1.0 - float(self.failure[pilot]))

    def best(self, budget: float = np.inf) -> Portfolio:
        """The pilots of largest EVSI less cost that a budget allows: of all subsets up to ten pilots, else greedily."""
        chosen = self._exact(budget) if len(self.cost) <= MOST_EXACT else self._greedy(budget)
        order, path = self._ordered(chosen)
        outcomes = np.arange(len(self.source))
        if len(order) == 1:
            worth = self.single(order[0])
        elif order:
            worth = evsi(self.utility, self._joint(order, outcomes), self.source, self.error)
        else:
            worth = SampleWorth(0.0, 0.0, len(outcomes), 0)
        return Portfolio(tuple(order), worth, float(self.cost[order].sum()), tuple(path))

    @cached_property
    def _success(self) -> np.ndarray:
        """Which pilots succeed in which outcome, shape (pilot, outcome); as often as they should, to one."""
        rng, outcomes = np.random.default_rng([self.seed, len(self.cost)]), len(self.source)
        rows = [np.arange(outcomes) < round((1.0 - f) * outcomes) for f in self.failure]
        return np.stack([rng.permutation(row) for row in rows])

    def _joint(self, members: Sequence[int], outcomes: np.ndarray) -> np.ndarray:
        """Log likelihood of what several pilots show together; they are sweeps apart, so that it adds up."""
        total = np.zeros((len(outcomes), len(self.utility)), np.float32)
        for pilot in members:
            total += self.log_likelihood[pilot][outcomes] * self._success[pilot, outcomes, None]
        return total

    @cached_property
    def _search(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outcomes of the search, advantages of its actions, and the regret of each draw."""
        above, regret = advantages(self.utility)
        actions = np.union1d(np.arange(0, above.shape[1], ACTION_STEP), best_action(self.utility))
        every = max(1, len(self.source) // SEARCH_OUTCOMES)
        outcomes = np.arange(0, len(self.source), every)
        return outcomes, above[:, actions].astype(np.float32), regret.astype(np.float32)

    def _value(self, total: np.ndarray) -> float:
        """EVSI of a joint log likelihood, as :func:`evsi` without smoothing; shape (search outcome, draw)."""
        outcomes, above, regret = self._search
        rows = np.arange(len(outcomes))
        weights = np.exp(total - total.max(axis=1, keepdims=True))
        own = weights[rows, self.source[outcomes]].copy()
        weights[rows, self.source[outcomes]] = 0.0
        mass = weights.sum(axis=1)
        # Where no other draw can have led there, the outcome is told apart by its own draw alone.
        alone = np.flatnonzero(mass <= 0)
        weights[alone, self.source[outcomes][alone]] = own[alone]
        weights /= np.where(mass > 0, mass, own)[:, None]
        held = float((weights @ regret).sum())
        gain = float((weights @ above).max(axis=1).sum())
        return 0.0 if held <= 0 else gain / held * float(regret.mean())

    def _in_search(self, members: Sequence[int]) -> np.ndarray:
        """Joint log likelihood of pilots at the outcomes of the search."""
        return self._joint(members, self._search[0])

    def _exact(self, budget: float) -> list[int]:
        """The best of all subsets, the empty one included; sets that cost more than perfect information cannot pay."""
        most = min(budget, float(self._search[2].mean()))
        best: tuple[float, list[int]] = (0.0, [])

        def extend(members: list[int], total: np.ndarray | None, first: int) -> None:
            nonlocal best
            for pilot in range(first, len(self.cost)):
                joined = [*members, pilot]
                spent = float(self.cost[joined].sum())
                if spent > most:
                    continue
                own = self._in_search([pilot])
                added = own if total is None else total + own
                best = max(best, (self._value(added) - spent, joined))
                extend(joined, added, pilot + 1)

        extend([], None, 0)
        return best[1]

    def _greedy(self, budget: float, among: Sequence[int] | None = None) -> list[int]:
        """Add the pilot that adds most, less its cost, while one adds anything and can be paid."""
        rest = list(range(len(self.cost)) if among is None else among)
        members: list[int] = []
        value, total = 0.0, self._in_search([])
        while rest:
            spent = float(self.cost[members].sum())
            gains = {
                pilot: self._value(total + self._in_search([pilot])) - value - self.cost[pilot]
                for pilot in rest
                if spent + self.cost[pilot] <= budget
            }
            pilot = max(gains, key=lambda p: gains[p], default=-1)
            if pilot < 0 or (among is None and gains[pilot] <= 0):
                break
            members.append(pilot)
            rest.remove(pilot)
            value, total = value + gains[pilot] + self.cost[pilot], total + self._in_search([pilot])
        return members

    def _ordered(self, chosen: Sequence[int]) -> tuple[list[int], list[tuple[float, float]]]:
        """A chosen set in the order in which its pilots add most, with cost and EVSI after each."""
        order = self._greedy(np.inf, among=chosen)
        path = [
            (float(self.cost[order[: k + 1]].sum()), self._value(self._in_search(order[: k + 1])))
            for k in range(len(order))
        ]
        return order, path
