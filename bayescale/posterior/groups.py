"""Parameters of one group — a known architecture, task and study, or a new one — from the draws of a fit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from bayescale.errors import ForecastError, unknown
from bayescale.laws import from_link, numpy_namespace, to_link
from bayescale.spec import Level, ResolvedModel, cholesky

Side = Literal["architecture", "task", "study"]


@dataclass(frozen=True)
class New:
    """A group that was not fitted: its effects are drawn from the population.

    The draws depend on the fit's seed and on the label alone, so a forecast, a plan and a figure for
    ``New("mamba-3")`` speak of the same group.
    """

    label: str

    def __post_init__(self) -> None:
        if not self.label:
            raise ForecastError("a new group needs a label: New('mamba-3')")

    def __str__(self) -> str:
        return f"new: {self.label}"


Group = str | New


def group_parameters(
    posterior: xr.Dataset, model: ResolvedModel, where: Mapping[Side, Group], seed: int
) -> dict[str, xr.DataArray]:
    """Completed parameters of a group, draw by draw.

    Parameters
    ----------
    posterior : Dataset
        Draws, as a fit or :func:`bayescale.spec.prior_draws` holds them.
    model : ResolvedModel
        What they are draws of.
    where : mapping
        ``architecture``, ``task`` and ``study``: each a fitted label or a :class:`New` one.
    seed : int
        Of the fit; keys the draws of new groups.

    Returns
    -------
    dict of str to DataArray
        Law parameters (derived ones too) and ``sigma``, dims ``chain, draw``; ``nu`` where there is one.

    Raises
    ------
    UnknownNameError
        For a label that was not fitted.
    ForecastError
        For a new group of a fit without pooling.
    """
    for side, group in where.items():
        if isinstance(group, str) and group not in model.groups[side]:
            hint = f"a fit; for one that was not fitted, pass bs.New({group!r})"
            raise unknown(side, group, model.groups[side], hint)
    own = posterior
    if not model.pooled:
        own = _own_curve(posterior, where)
    theta: dict[str, xr.DataArray] = {}
    like = own[next(n for n, p in model.parameters.items() if p.prior is not None)]
    for name, parameter in model.parameters.items():
        if parameter.fixed is not None:
            theta[name] = xr.zeros_like(like) + parameter.fixed
        elif parameter.prior is not None:
            theta[name] = own[name]
            effects = [_effect(posterior, model, lv, name, where, seed) for lv in parameter.pool]
            moved = [e for e in effects if e is not None] if model.pooled else []
            if moved:
                eta = to_link(numpy_namespace, parameter.support, own[name]) + sum(moved)
                theta[name] = from_link(numpy_namespace, parameter.support, eta)
    # A new task has no level of its own: nothing that depends on it is a number then.
    upper = model.upper.get(str(where["task"]), np.nan) if model.upper else None
    theta = model.get_law().complete(theta, upper=upper)
    for name, parameter in model.parameters.items():
        if parameter.equals is not None:
            theta[name] = theta[parameter.equals]
    if "nu" in posterior:
        theta["nu"] = posterior["nu"]
    return theta


def population_parameters(posterior: xr.Dataset, model: ResolvedModel) -> dict[str, xr.DataArray]:
    """Completed parameters of the population: all group effects at zero; only for pooled fits.

    The random-guess level is the mean of the tasks'.
    """
    names = [n for n, p in model.parameters.items() if p.prior is not None]
    theta = {n: posterior[n] for n in names}
    for name, parameter in model.parameters.items():
        if parameter.fixed is not None:
            theta[name] = xr.zeros_like(theta[names[0]]) + parameter.fixed
    upper = float(np.mean(list(model.upper.values()))) if model.upper else None
    theta = model.get_law().complete(theta, upper=upper)
    for name, parameter in model.parameters.items():
        if parameter.equals is not None:
            theta[name] = theta[parameter.equals]
    return theta


def _own_curve(posterior: xr.Dataset, where: Mapping[Side, Group]) -> xr.Dataset:
    new = [g.label for s in ("architecture", "task") if isinstance(g := where[s], New)]
    if new:
        raise ForecastError(
            f"nothing is known of {new[0]!r}: the fit was made without pooling; fit with pool=True"
        )
    chosen = {s: str(where[s]) for s in ("architecture", "task")}
    return posterior.sel(chosen).drop_vars(list(chosen))


def _effect(
    posterior: xr.Dataset,
    model: ResolvedModel,
    level: Level,
    name: str,
    where: Mapping[Side, Group],
    seed: int,
) -> xr.DataArray | None:
    """Effect of one level on a parameter, on the link scale; None where there is none."""
    sides: tuple[Side, ...] = ("architecture", "task") if level == "cell" else (level,)
    labels = [where[s] for s in sides]
    active = level in model.levels()
    if not any(isinstance(g, New) for g in labels):
        if not active:
            return None
        chosen: dict[str, str] = {s: str(g) for s, g in zip(sides, labels, strict=True)}
        chosen[f"parameter_{level}"] = name
        return posterior[f"effect_{level}"].sel(chosen, drop=True)
    like = posterior[name]
    rng = keyed_generator(seed, f"{level}|{name}", labels)
    # A level with one group says nothing of its effects' correlation, whose prior is centred on none.
    correlated = model.correlation(level) is not None
    if active:
        tau = posterior[f"tau_{level}"].sel({f"parameter_{level}": name}, drop=True)
    else:
        # A level with one group says nothing of its spread: it is what the prior says.
        tau = (
            xr.zeros_like(like)
            + np.abs(rng.standard_normal(like.shape)) * (model.parameters[name].pool[level])
        )
    # Effects sum to zero: the population value is the mean of the groups, and a new one differs from that mean.
    new = next(side for side, group in zip(sides, labels, strict=True) if isinstance(group, New))
    widen = np.sqrt(1.0 + 1.0 / len(model.groups[new]))
    unit = (
        _correlated(posterior, model, level, name, labels, seed)
        if correlated
        else rng.standard_normal(like.shape)
    )
    return tau * widen * xr.zeros_like(like).copy(data=unit)


def _correlated(
    posterior: xr.Dataset,
    model: ResolvedModel,
    level: Level,
    name: str,
    labels: Sequence[Group],
    seed: int,
) -> np.ndarray:
    """Standard effect of a new group on one parameter, correlated with those on others, shape (chain, draw)."""
    names = model.pooled_parameters(level)
    like = posterior[name]
    unit = [
        keyed_generator(seed, f"{level}|{n}", labels).standard_normal(like.shape) for n in names
    ]
    row = level_factor(posterior, model, level)[..., names.index(name), :]
    return np.einsum("cdj,jcd->cd", row, np.stack(unit))


def level_factor(posterior: xr.Dataset, model: ResolvedModel, level: Level) -> np.ndarray:
    """Cholesky factor of the correlation of a level's effects across parameters, shape (chain, draw, K, K)."""
    partial = posterior[f"partial_correlation_{level}"].transpose("chain", "draw", ...)
    return np.asarray(
        cholesky(partial.to_numpy(), len(model.pooled_parameters(level)), numpy_namespace)
    )


def keyed_generator(seed: int, purpose: str, labels: Sequence[Group]) -> np.random.Generator:
    """A generator that depends on a seed, a purpose and group labels alone, not on what was drawn before."""
    spelled = "|".join(
        ("new:" if isinstance(g, New) else "old:") + (g.label if isinstance(g, New) else g)
        for g in labels
    )
    digest = hashlib.sha256(f"{purpose}|{spelled}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
