"""`Fit`: a frozen posterior with everything needed to forecast, decide and draw from it — and never PyMC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import xarray as xr

from bayescale.errors import ConvergenceError, ForecastError, unknown
from bayescale.posterior.convergence import Verdict
from bayescale.posterior.groups import Group, New, Side, group_parameters
from bayescale.spec import ResolvedModel
from bayescale.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from bayescale.posterior.summary import Summary


def require_fit(value: object, what: str) -> None:
    """Raise, with the way to a fit, where something else was passed for one."""
    if isinstance(value, Fit):
        return
    if isinstance(value, str | PathLike):
        said = f"the path {str(value)!r}; load it first: load_fit({str(value)!r})"
    else:
        said = f"a {type(value).__name__} (expected what fit(...) or load_fit(path) gives)"
    raise ForecastError(f"{what} takes a fit, not {said}")


@dataclass(frozen=True, eq=False)
class Fit:
    """A posterior.

    Attributes
    ----------
    tree : xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``diagnostics`` (by scalar R̂ and ESS, or k̂), ``observed_data`` (loss)
        and ``constant_data`` (inputs and labels of the fitted rows), as ArviZ takes them.
    model : ResolvedModel
        The model with its priors as numbers, its groups and its pivots.
    convergence : Convergence or Importance
        The gate's verdict, by the engine that made the draws.
    data_hash : str
        Content hash of the fitted :class:`bayescale.runs.Runs`.
    seed : int
        Of the sampler, and of draws for new groups.
    versions : dict
        Package → version that made the fit.
    notes : tuple of str
        What loading said of the table, and fitting of its engine.
    """

    tree: xr.DataTree
    model: ResolvedModel
    convergence: Verdict
    data_hash: str
    seed: int
    versions: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def posterior(self) -> xr.Dataset:
        """The draws, dims ``chain, draw`` and labelled ones."""
        return self.tree["posterior"].to_dataset()

    @property
    def runs(self) -> xr.Dataset:
        """The fitted rows: inputs, labels and loss over dim ``run``."""
        data = self.tree["constant_data"].to_dataset()
        return data.merge(self.tree["observed_data"].to_dataset())

    @property
    def members(self) -> tuple[Fit, ...]:
        """The fit itself, as a :class:`bayescale.posterior.Stacked` has several."""
        return (self,)

    @property
    def parts(self) -> tuple[tuple[Fit, slice], ...]:
        """The fit with all of its draws, as a stack has each member with some."""
        return ((self, slice(None)),)

    @property
    def unit(self) -> str:
        """Metric of the tasks."""
        return self.model.loss_unit

    def labels(self, side: Side) -> tuple[str, ...]:
        """Fitted labels of a side."""
        return self.model.groups[side]

    def groups(
        self,
        architecture: Group | None = None,
        task: Group | None = None,
        study: Group | None = None,
    ) -> dict[Side, Group]:
        """Complete a choice of group: a side with one label needs none; of several, one must be named.

        The study may stay unnamed where the fitted rows of the architecture and task leave only one; else it is new.
        """
        where: dict[Side, Group] = {
            "architecture": self._only("architecture", architecture),
            "task": self._only("task", task),
        }
        labels = self.model.groups["study"]
        self._refuse_new("study", study)
        if study is None:
            rows = self.runs
            keep = [
                (rows[side] == group).to_numpy()
                for side, group in where.items()
                if isinstance(group, str) and group in self.model.groups[side]
            ]
            left = (
                rows["study"].to_numpy()[[all(k) for k in zip(*keep, strict=True)]]
                if keep
                else labels
            )
            seen = sorted(set(map(str, left)))
            study = labels[0] if len(labels) == 1 else seen[0] if len(seen) == 1 else New("study")
        where["study"] = study
        return where

    def _only(self, side: Side, group: Group | None) -> Group:
        labels = self.model.groups[side]
        self._refuse_new(side, group)
        if isinstance(group, New) or (group is not None and group in labels):
            return group
        if group is not None:
            raise unknown(
                side, group, labels, f"the fit; for a group not fitted pass New({group!r})"
            )
        if len(labels) > 1:
            raise ForecastError(f"say which {side}: {', '.join(labels)}, or New('...')")
        return labels[0]

    def _refuse_new(self, side: Side, group: Group | None) -> None:
        """A new group under a fitted label would be taken for the fitted one by whoever reads the result."""
        if isinstance(group, New) and group.label in self.model.groups[side]:
            raise ForecastError(
                f"{group.label!r} is a fitted {side}: pass {group.label!r} for it, "
                "or New(...) with another label"
            )

    def parameters(self, where: Mapping[Side, Group]) -> dict[str, xr.DataArray]:
        """Completed parameters of a group, dims ``chain, draw``; see :func:`group_parameters`."""
        return group_parameters(self.posterior, self.model, where, self.seed)

    def require_converged(self, allow: bool = False) -> None:
        """Raise unless the gate was passed or the caller allows it."""
        if not (self.convergence.passed or allow):
            raise ConvergenceError(
                f"this fit {self.convergence}; {self.convergence.advice}",
                self.convergence.to_dict(),
            )

    def summary(self, target: Mapping[str, float] | None = None) -> Summary:
        """Posterior summary by group, scales, variance partition and what the data left at the prior.

        Parameters
        ----------
        target : mapping, optional
            Where to say the local exponents too, beside the pivot and the edge of the data: ``{"params": 70e9,
            "tokens": 1.4e12}``, in counts; the one axis of a law in one; or, of a law in N and D, ``{"compute": 1e24}``
            (FLOP), each draw at its own optimum.

        Raises
        ------
        ForecastError
            If the target is not one place on the law's axes.
        """
        from bayescale.posterior.summary import summarise

        return summarise(self, target)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write one NetCDF file, beside and then renamed; see :func:`bayescale.posterior.store.save`."""
        from bayescale.posterior.store import save

        return save(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        shape = self.posterior.sizes
        return (
            f"Fit({self.model.spec.name!r} on {counted(self.runs.sizes['run'], 'row')}, "
            f"{shape['chain']} × {shape['draw']} draws, {self.convergence})"
        )
