"""`Stacked`: several fits of one table with weights, whose draws stand in proportion to them; used like a `Fit`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayescale.errors import ForecastError
from bayescale.posterior.convergence import Verdict
from bayescale.posterior.fit import Fit, require_fit
from bayescale.posterior.groups import Group, Side

SUM_AGREES = 1e-6


@dataclass(frozen=True, eq=False)
class Stacked:
    """A mixture of the posterior predictive distributions of fits (Yao et al. 2018).

    Attributes
    ----------
    members : tuple of Fit
        Fits of the same table, in the same unit.
    weights : tuple of float
        One a member; none is negative, and they sum to one.
    seed : int
        Chooses which draws of each member stand for it.

    Raises
    ------
    ForecastError
        If members were fitted to different data or have different units, or the weights are none.
    """

    members: tuple[Fit, ...]
    weights: tuple[float, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        for member in self.members:
            require_fit(member, "a stack")
        _check_weights(self.weights, len(self.members))
        for what, found in (
            ("the same data", [m.data_hash for m in self.members]),
            ("one unit of loss", [m.model.loss_unit for m in self.members]),
        ):
            for member, value in zip(self.members, found, strict=True):
                if value != found[0]:
                    names = [m.model.spec.name for m in (self.members[0], member)]
                    raise ForecastError(
                        f"members of a stack need {what}: {names[0]!r} has {found[0][:12]}, "
                        f"{names[1]!r} has {value[:12]}; fit both to one table"
                    )

    @cached_property
    def parts(self) -> tuple[tuple[Fit, np.ndarray], ...]:
        """Each member that has draws in the mixture, with their indices (chains one after the other), sorted.

        Without replacement, in proportion to the weights, the same for whoever asks.
        """
        found = []
        for i, (member, count) in enumerate(zip(self.members, self._counts, strict=True)):
            if count:
                rng = np.random.default_rng([self.seed, i])
                chosen = rng.choice(_draws(member), count, replace=False)
                found.append((member, np.sort(chosen)))
        return tuple(found)

    @property
    def unit(self) -> str:
        """Metric of the tasks."""
        return self.members[0].unit

    def labels(self, side: Side) -> tuple[str, ...]:
        """Fitted labels of a side: all members were fitted to the same rows."""
        return self.members[0].labels(side)

    def groups(
        self,
        architecture: Group | None = None,
        task: Group | None = None,
        study: Group | None = None,
    ) -> dict[Side, Group]:
        """Complete a choice of group, as :meth:`Fit.groups`."""
        return self.members[0].groups(architecture, task, study)

    @property
    def _counts(self) -> np.ndarray:
        """Draws of each member: in all as many as the longest has, or as the shortest allows; largest remainder."""
        held = np.array([_draws(m) for m in self.members])
        weights = np.array(self.weights)
        some = weights > 0
        total = min(int(held.max()), int((held[some] / weights[some]).min()))
        share = weights * total
        counts = np.floor(share).astype(int)
        largest = np.argsort(counts - share, kind="stable")
        counts[largest[: total - counts.sum()]] += 1
        return counts

    @property
    def convergence(self) -> Verdict:
        """That of the first member that missed the gate, else of the first."""
        missed = [m.convergence for m in self.members if not m.convergence.passed]
        return (missed or [self.members[0].convergence])[0]

    @property
    def data_hash(self) -> str:
        """Content hash of the table that all members were fitted to."""
        return self.members[0].data_hash

    @property
    def hash(self) -> str:
        """SHA-256 of the members' models and seeds, the weights and the seed."""
        said = [(m.model.hash, m.seed, w) for m, w in zip(self.members, self.weights, strict=True)]
        return hashlib.sha256(repr((said, self.seed)).encode()).hexdigest()

    def require_converged(self, allow: bool = False) -> None:
        """Raise unless every member passed the gate or the caller allows it."""
        for member in self.members:
            member.require_converged(allow)

    def to_dict(self) -> dict[str, Any]:
        """Who is in the stack, as plain data."""
        return {
            "data_hash": self.data_hash,
            "seed": self.seed,
            "members": [
                {"model": m.model.spec.name, "model_hash": m.model.hash, "weight": w}
                for m, w in zip(self.members, self.weights, strict=True)
            ],
        }

    def __str__(self) -> str:
        said = zip(self.members, self.weights, strict=True)
        return "stack of " + ", ".join(f"{m.model.spec.name} {w:.3f}" for m, w in said)


def _check_weights(weights: Sequence[float], members: int) -> None:
    if members == 0 or len(weights) != members:
        raise ForecastError(f"a stack of {members} fits was given {len(weights)} weights")
    for weight in weights:
        if not (np.isfinite(weight) and weight >= 0):
            raise ForecastError(f"weight {weight:g} in a stack (expected from 0 to 1)")
    if abs(sum(weights) - 1.0) > SUM_AGREES:
        raise ForecastError(f"the weights of a stack sum to {sum(weights):g} (expected 1)")


def _draws(fit: Fit) -> int:
    sizes = fit.posterior.sizes
    return int(sizes["chain"] * sizes["draw"])
