"""The curves of a stack's members one after the other: a group's curve of which every draw keeps its own law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescale.posterior.chained import Chained, Posterior
from bayescale.posterior.curve import Curve, Overhead
from bayescale.posterior.group_curve import group_curve
from bayescale.posterior.groups import Group, Side
from bayescale.posterior.linked import Linked
from bayescale.posterior.stacked import Stacked
from bayescale.posterior.uncertain import Uncertain

# What a parameter that only some members have amounts to in the others: Normal noise, no offset.
_ABSENT = {"nu": np.inf, "sweep": 0.0}


@dataclass(frozen=True)
class Mixture:
    """Draws of several curves, evaluated as one :class:`Curve` is; draws lie along the first axis, part after part."""

    parts: tuple[Curve, ...]

    @cached_property
    def theta(self) -> dict[str, np.ndarray]:
        """Parameters that all parts have, and those whose absence has a value; each of shape (draw,)."""
        held = [set(part.theta) for part in self.parts]
        names = set.intersection(*held) | (set.union(*held) & set(_ABSENT))
        return {
            name: np.concatenate(
                [
                    part.theta.get(name, np.full(len(part.floor), _ABSENT.get(name)))
                    for part in self.parts
                ]
            )
            for name in sorted(names)
        }

    @cached_property
    def floor(self) -> np.ndarray:
        """L∞ of every draw, shape (draw,)."""
        return np.concatenate([part.floor for part in self.parts])

    @property
    def exact(self) -> bool:
        """Whether nothing drifts in any part."""
        return all(part.exact for part in self.parts)

    def reaching(self, logs: Mapping[str, tuple[float, float]]) -> Mixture:
        """The same curves with their walks held as far, as :meth:`Curve.reaching`."""
        return Mixture(tuple(part.reaching(logs) for part in self.parts))

    def log_reducible(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Log R at log inputs, each of shape (draw, …) or (1, …); result (draw, …)."""
        own = zip(self.parts, self._inputs(logs), strict=True)
        return np.concatenate([part.log_reducible(given) for part, given in own])

    def param_share(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Share of N's term, as :meth:`Curve.param_share`."""
        own = zip(self.parts, self._inputs(logs), strict=True)
        return np.concatenate([part.param_share(given) for part, given in own])

    def _inputs(self, logs: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        split = {axis: self._split(np.asarray(values)) for axis, values in logs.items()}
        return [{axis: v[i] for axis, v in split.items()} for i in range(len(self.parts))]

    def loss(self, log_reducible: np.ndarray) -> np.ndarray:
        """Expected loss from log R, floor included."""
        own = self._split(log_reducible)
        return np.concatenate([p.loss(values) for p, values in zip(self.parts, own, strict=True)])

    def reducible(self, loss: np.ndarray) -> np.ndarray:
        """Log R from the expected loss, as :meth:`Curve.reducible`."""
        own = zip(self.parts, self._split(loss), strict=True)
        return np.concatenate([part.reducible(values) for part, values in own])

    def optimum(
        self, log_compute: np.ndarray | float, overhead: Overhead | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log N* and log R* at budgets C = 6·N·D, as :meth:`Curve.optimum`."""
        found = [part.optimum(log_compute, overhead) for part in self.parts]
        return np.concatenate([n for n, _ in found]), np.concatenate([r for _, r in found])

    def _split(self, values: np.ndarray) -> list[np.ndarray]:
        """Each part's own draws of an array; all of it for everyone where draws share it."""
        if len(values) == 1:
            return [values] * len(self.parts)
        ends = np.cumsum([len(part.floor) for part in self.parts])
        return np.split(values, ends[:-1])


def curve_of(
    posterior: Posterior,
    where: Mapping[Side, Group],
    drift: bool = True,
    given: Mapping[str, Uncertain] | None = None,
) -> Curve | Mixture:
    """The curve of a group of a fit, or the mixture of its members' curves of a stack; of a chain, linked ones."""
    if isinstance(posterior, Chained):
        return _linked(posterior, dict(where), drift, given)
    if not isinstance(posterior, Stacked):
        return group_curve(posterior, where, drift, given)
    parts = [group_curve(fit, where, drift, given).take(draws) for fit, draws in posterior.parts]
    return Mixture(tuple(parts))


def _linked(
    chain: Chained, where: dict[Side, Group], drift: bool, given: Mapping[str, Uncertain] | None
) -> Curve | Mixture:
    first, onto = (
        chain.first_groups(where),
        group_curve(chain.onto, chain.second_groups(where), drift),
    )
    parts = []
    for (fit, draws), beside in zip(chain.parts, chain.partners, strict=True):
        own = group_curve(fit, first, drift, given)
        own = own if isinstance(draws, slice) else own.take(draws)
        parts.append(Linked.of(own, onto.take(beside)))
    return Mixture(tuple(parts)) if isinstance(chain.first, Stacked) else parts[0]
