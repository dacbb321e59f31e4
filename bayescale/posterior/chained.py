"""`Chained`: a fit of a loss and one of the errors that follow from it; used like a `Fit` of the errors in N and D."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayescale.errors import ForecastError, unknown
from bayescale.posterior.convergence import Verdict
from bayescale.posterior.fit import Fit, require_fit
from bayescale.posterior.groups import Group, New, Side
from bayescale.posterior.stacked import Stacked

# Draws for new groups and noise of the second step are keyed apart from those of the first, whatever its seed.
_APART = 0x5EC0


@dataclass(frozen=True, eq=False)
class Chained:
    """Two steps: a law of the loss in N and D, and a law of the error in that loss.

    Given the losses that were observed, the joint posterior of both steps is the product of the posteriors of each
    (their parameters are apart, and the second step's rows enter given their losses). So to put independent draws of
    the two side by side *is* to draw from the joint fit, and the uncertainty of the first step reaches the error. The
    second step takes the observed losses as they are: of a measurement error of theirs it knows nothing.

    Attributes
    ----------
    first : Fit or Stacked
        Of the loss.
    second : Fit
        Of the error: a law that reads ``upstream_loss`` alone, in the unit of the first.
    upstream_task : str or None
        Task of the first whose loss the second reads, where labels do not say so; see :meth:`groups`.

    Raises
    ------
    ForecastError, UnknownNameError
    """

    first: Fit | Stacked
    second: Fit
    upstream_task: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.first, Stacked):
            require_fit(self.first, "a chain")
        require_fit(self.second, "a chain")
        inputs = self.second.model.get_law().inputs
        if inputs != ("upstream_loss",):
            raise ForecastError(
                f"the second step of a chain reads upstream_loss, and {self.second.model.spec.name!r} reads "
                f"{', '.join(inputs)}; fit one that does (error-loss)"
            )
        if "upstream_loss" in self.members[0].model.get_law().inputs:
            raise ForecastError("the first step of a chain is a fit of the loss, not of an error")
        tasks = self.members[0].model.groups["task"]
        if self.upstream_task is not None and self.upstream_task not in tasks:
            raise unknown("task", self.upstream_task, tasks, "the first step")

    @property
    def members(self) -> tuple[Fit, ...]:
        """Fits of the first step, which say what N and D do."""
        return self.first.members

    @property
    def parts(self) -> tuple[tuple[Fit, np.ndarray | slice], ...]:
        """Each fit of the first step with its draws, as of a :class:`Stacked`."""
        return self.first.parts

    @cached_property
    def onto(self) -> Fit:
        """The second step, with a seed of its own: equal seeds of both would tie their noise together."""
        keyed = np.random.SeedSequence([self.second.seed, _APART])
        return replace(self.second, seed=int(keyed.generate_state(1)[0]))

    @cached_property
    def partners(self) -> tuple[np.ndarray, ...]:
        """For each of :attr:`parts`, the draws of the second step beside its own, in random order; few serve twice."""
        sizes = self.second.posterior.sizes
        rng = np.random.default_rng([self.seed, _APART])
        order = rng.permutation(int(sizes["chain"] * sizes["draw"]))
        counts = [_count(fit, draws) for fit, draws in self.parts]
        ends = np.cumsum(counts)
        return tuple(np.split(np.resize(order, ends[-1]), ends[:-1]))

    @property
    def seed(self) -> int:
        """Of the first step."""
        return self.first.seed

    @property
    def unit(self) -> str:
        """Metric of the second step's tasks."""
        return self.second.unit

    @property
    def convergence(self) -> Verdict:
        """That of the step that missed the gate, else of the first."""
        steps = (self.first, self.second)
        return next(
            (s.convergence for s in steps if not s.convergence.passed), self.first.convergence
        )

    @property
    def data_hash(self) -> str:
        """Of the table of losses and the table of errors."""
        return _sha256([self.first.data_hash, self.second.data_hash])

    @property
    def hash(self) -> str:
        """SHA-256 of both models and seeds."""
        said = [(m.model.hash, m.seed) for m in (*self.members, self.second)]
        weights = self.first.weights if isinstance(self.first, Stacked) else ()
        return _sha256([said, weights, self.upstream_task])

    def labels(self, side: Side) -> tuple[str, ...]:
        """Fitted labels that a forecast may name: tasks are the second step's, all else the first's."""
        return self.second.labels(side) if side == "task" else self.first.labels(side)

    def require_converged(self, allow: bool = False) -> None:
        """Raise unless both steps passed the gate or the caller allows it."""
        self.first.require_converged(allow)
        self.second.require_converged(allow)

    def groups(
        self,
        architecture: Group | None = None,
        task: Group | None = None,
        study: Group | None = None,
    ) -> dict[Side, Group]:
        """Complete a choice of group, as :meth:`Fit.groups`; the task is one of errors.

        The loss is that of the task of the same name, or else of ``upstream_task``, or of the only one. The second step
        takes the architecture of the same name, the only one that it has, or else a new one.
        """
        chosen = self.second.groups(self.beside("architecture", architecture), task)["task"]
        where = self.first.groups(architecture, self._loss_task(chosen), study)
        return {**where, "task": chosen}

    def first_groups(self, where: dict[Side, Group]) -> dict[Side, Group]:
        """What :meth:`groups` gave, for the first step."""
        return {**where, "task": self._loss_task(where["task"])}

    def second_groups(self, where: dict[Side, Group]) -> dict[Side, Group]:
        """What :meth:`groups` gave, for the second step."""
        study = where["study"] if where["study"] in self.second.labels("study") else None
        return self.second.groups(
            self.beside("architecture", where["architecture"]), where["task"], study
        )

    def beside(self, side: Side, group: Group | None) -> Group:
        """The second step's group of one of the first."""
        labels = self.second.labels(side)
        if isinstance(group, str) and group in labels:
            return group
        if len(labels) == 1:
            return labels[0]
        return group if isinstance(group, New) else New(str(group))

    def _loss_task(self, task: Group) -> str:
        labels = self.first.labels("task")
        if isinstance(task, str) and task in labels:
            return task
        if self.upstream_task is not None:
            return self.upstream_task
        if len(labels) > 1:
            raise ForecastError(
                f"say whose loss {task} follows: chain(..., upstream_task=...), one of {', '.join(labels)}"
            )
        return labels[0]

    def to_dict(self) -> dict[str, Any]:
        """Who is in the chain, as plain data."""
        names = [m.model.spec.name for m in self.members]
        return {
            "first": {"models": names, "data_hash": self.first.data_hash},
            "second": {"model": self.second.model.spec.name, "data_hash": self.second.data_hash},
            "upstream_task": self.upstream_task,
        }

    def __str__(self) -> str:
        first = str(self.first) if isinstance(self.first, Stacked) else self.first.model.spec.name
        return f"chain of {first} and {self.second.model.spec.name}"


def chain(loss_fit: Fit | Stacked, error_fit: Fit, *, upstream_task: str | None = None) -> Chained:
    """Chain a fit of a loss to a fit of errors that read it, for errors from N and D with the uncertainty of both.

    Parameters
    ----------
    loss_fit : Fit or Stacked
        Of the loss, in the unit in which ``upstream_loss`` stood in the other's table.
    error_fit : Fit
        Of a law that reads ``upstream_loss`` (``error-loss``).
    upstream_task : str, optional
        Task of ``loss_fit`` whose loss it is; needed where it has several and none has the name of the error's task.

    Returns
    -------
    Chained
        What ``predict``, ``plan``, ``cheapest``, ``stopping`` … take as they take a fit; save it with
        :func:`bayescale.posterior.save_chain` (``bayescale chain``).

    Raises
    ------
    ForecastError, UnknownNameError
    """
    return Chained(loss_fit, error_fit, upstream_task)


def _count(fit: Fit, draws: np.ndarray | slice) -> int:
    sizes = fit.posterior.sizes
    return int(sizes["chain"] * sizes["draw"]) if isinstance(draws, slice) else len(draws)


def _sha256(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()


Posterior = Fit | Stacked | Chained


def require_posterior(value: object, what: str) -> None:
    """Raise, with the way to a fit, where something else than a fit, a stack or a chain was passed."""
    if not isinstance(value, Stacked | Chained):
        require_fit(value, what)


def require_one_step(value: Posterior, what: str) -> None:
    """Raise where a chain was passed to what is of one step."""
    if isinstance(value, Chained):
        raise ForecastError(
            f"{what} is of one step: take the fit of the loss, or that of the error"
        )
