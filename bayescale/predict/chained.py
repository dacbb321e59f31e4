"""Forecasts of a chain: draws of the loss, as the first step forecasts it, put through the second step's curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import ForecastError
from bayescale.posterior import Chained, Group, Linked, New, Side, group_curve
from bayescale.predict.noise import Noise, campaign_offset, run_centre, run_log_loss

if TYPE_CHECKING:
    from bayescale.predict.forecast import Forecast, Kind

_SAID = 0.05  # share of the draws beyond the losses of the second step, from which a note says so


def as_groups(architecture: Group | Sequence[Group] | None) -> Sequence[Group | None]:
    """One architecture, or several that differ, as a list."""
    if architecture is None or isinstance(architecture, str | New):
        return [architecture]
    wanted = list(architecture)
    if not wanted:
        raise ForecastError("architecture is an empty list")
    for group in wanted:
        if wanted.count(group) > 1:
            raise ForecastError(f"architecture {str(group)!r} is in the list more than once")
    return wanted


def chained(
    chain: Chained,
    first_step: Callable[[Group, dict[Side, Group]], Forecast],
    architecture: Group | Sequence[Group] | None,
    task: Group | None,
    study: Group | None,
    kind: Kind,
) -> Forecast:
    """Forecast errors by two steps.

    Parameters
    ----------
    chain : Chained
        Both steps.
    first_step : callable
        ``(architecture, where) -> Forecast`` of the loss, of the same kind.
    architecture, task, study
        As in :func:`bayescale.predict`; the task is one of errors.
    kind : str
        Of both steps: a run's error follows from the run's own loss, and has noise of its own.

    Returns
    -------
    Forecast
        Its points and distances are those of the first step.
    """
    found, losses, families = [], [], []
    for group in as_groups(architecture):
        where = chain.groups(group, task, study)
        loss = first_step(where["architecture"], chain.first_groups(where))
        found.append(replace(loss, draws=_errors(chain, where, loss.draws, kind)))
        losses.append(loss.draws)
        families.append(str(where["architecture"]))
    draws, points = found[0].draws, found[0].points
    if isinstance(architecture, list | tuple):
        labels = pd.Index(families, dtype=object, name="architecture")
        draws = xr.concat([f.draws for f in found], labels)
        points = points.assign(decades=xr.concat([f.points["decades"] for f in found], labels))
    notes = dict.fromkeys(note for f in found for note in f.notes)
    return replace(
        found[0],
        draws=draws.transpose("chain", "draw", ...),
        points=points,
        unit=chain.unit,
        notes=(
            str(chain),
            *notes,
            *upstream_notes(chain, np.concatenate([v.to_numpy().ravel() for v in losses])),
        ),
    )


def upstream_notes(chain: Chained, losses: np.ndarray) -> list[str]:
    """What share of the draws of a loss the second step was not fitted to."""
    seen = chain.second.runs["upstream_loss"]
    said = []
    for outside, where, edge in (
        (losses < float(seen.min()), "below the lowest one", float(seen.min())),
        (losses > float(seen.max()), "above the highest one", float(seen.max())),
    ):
        if (share := float(np.mean(outside))) > _SAID:
            said.append(
                f"{100 * share:.0f} % of the draws of the upstream loss lie {where} of the second step, {edge:.3g}"
            )
    return said


def _errors(
    chain: Chained, where: dict[Side, Group], loss: xr.DataArray, kind: Kind
) -> xr.DataArray:
    """Errors that follow from draws of the loss, of the same dims."""
    onto, own = chain.onto, chain.second_groups(where)
    beside = np.concatenate(chain.partners)
    curve = group_curve(onto, own, drift=kind != "law").take(beside)
    ordered = loss.transpose("chain", "draw", ...)
    log_loss = np.log(ordered.to_numpy()).reshape(len(beside), -1)
    error = curve.loss(curve.log_reducible({"upstream_loss": log_loss}))
    if kind in ("campaign", "run"):
        error = error * np.exp(second_offset(chain, where))[:, None]
    if kind == "run":
        noise = Noise.of(onto, curve.theta)
        error = np.exp(run_log_loss(onto, own, noise, np.log(error)))
    return ordered.copy(data=error.reshape(ordered.shape))


def second_offset(chain: Chained, where: dict[Side, Group]) -> np.ndarray:
    """Offset of the log error of a new campaign, beside every draw of the first step, shape (draw,)."""
    own = chain.second_groups(where)
    theta = {k: v.to_numpy().ravel() for k, v in chain.onto.parameters(own).items()}
    return campaign_offset(chain.onto, own, theta)[np.concatenate(chain.partners)]


def first_offset(chain: Chained, where: dict[Side, Group]) -> np.ndarray:
    """Offset of the log loss of a new campaign, shape (draw,)."""
    first, out = chain.first_groups(where), []
    for member, draws in chain.parts:
        theta = {k: v.to_numpy().ravel() for k, v in member.parameters(first).items()}
        out.append(campaign_offset(member, first, theta)[draws])
    return np.concatenate(out)


def error_of_run(
    chain: Chained, where: dict[Side, Group], curve: Linked, part: int, log_upstream: np.ndarray
) -> tuple[Noise, np.ndarray]:
    """Noise of a run's error and its centre, log of the error that follows from the run's own loss.

    Parameters
    ----------
    chain : Chained
        Both steps.
    where : dict
        Groups, as the chain completes them.
    curve : Linked
        Of one of the chain's parts.
    part : int
        Which.
    log_upstream : ndarray, shape (draw, …)
        Log of the expected loss of that part's draws.

    Returns
    -------
    Noise, ndarray
        Of as many draws; an offset that a run has of its own is in the centre.
    """
    (member, draws), beside = chain.parts[part], chain.partners[part]
    first, own = chain.first_groups(where), chain.second_groups(where)
    shape = (-1, *[1] * (log_upstream.ndim - 1))
    theta = {k: v.to_numpy().ravel() for k, v in member.parameters(first).items()}
    offset = campaign_offset(member, first, theta)[draws].reshape(shape)
    noise = Noise.of(member, theta).at(draws)
    loss = run_log_loss(member, first, noise, log_upstream + offset)
    onto = chain.onto
    theta = {k: v.to_numpy().ravel() for k, v in onto.parameters(own).items()}
    centre = np.log(curve.error(loss)) + campaign_offset(onto, own, theta)[beside].reshape(shape)
    own_noise = Noise.of(onto, theta).at(beside)
    return replace(own_noise, run_effect=None), run_centre(onto, own, own_noise, centre)
