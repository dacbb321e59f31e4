"""The curve of a group of a fit: its parameters, what it is given, and the paths along which its exponents drift."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bayescale.errors import ForecastError
from bayescale.given import Given
from bayescale.laws import STEP, Axis, Walk
from bayescale.posterior.curve import Curve
from bayescale.posterior.groups import Group, Side, keyed_generator
from bayescale.posterior.uncertain import Uncertain, bounds_of, draws_of
from bayescale.spec import curve_label

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit


def group_curve(
    fit: Fit,
    where: Mapping[Side, Group],
    drift: bool = True,
    given: Mapping[str, Uncertain] | None = None,
) -> Curve:
    """The curve of a group, fitted or new; ``drift=False`` leaves its path out (the law itself).

    ``given`` states further inputs of the law, as people state them and maybe uncertain; those that it does not read
    are left out.
    """
    model = fit.model
    theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(where).items()}
    upper = model.upper.get(str(where["task"])) if model.upper else None
    if model.upper and upper is None:
        raise ForecastError(
            "a new task of a bounded law has no random-guess level; name a fitted task"
        )
    walks = {str(axis): _walk(fit, where, axis, theta["drift"]) for axis in model.drift if drift}
    law = model.get_law()
    known = {
        g.name: _known(g, given[g.name], len(theta[law.floor.name]), fit.seed)
        for g in law.given
        if given and g.name in given
    }
    return Curve(law, theta, model.pivots, upper, walks, known)


def _known(given: Given, value: Uncertain, draws: int, seed: int) -> float | np.ndarray:
    """A further input as the law reads it: a number, or draws of it."""
    if isinstance(value, float | int):
        return float(given.scaled(value))
    return np.asarray(given.scaled(draws_of(value, given.name, bounds_of(given), draws, seed)))


def _walk(fit: Fit, where: Mapping[Side, Group], axis: Axis, amplitude: np.ndarray) -> Walk:
    """The path of one axis: as sampled where the group has runs; beyond, and for new groups, drawn."""
    labels = [where["architecture"], where["task"]]
    held = fit.posterior[f"walk_{axis}"]

    @cache  # a walk is extended again and again by those who look far
    def normal(interval: int) -> np.ndarray:
        rng = keyed_generator(fit.seed, f"walk|{axis}|{interval}", labels)
        return rng.standard_normal(len(amplitude))

    pair = tuple(labels)
    if pair in fit.model.curves:
        chosen = held.sel(curve=curve_label(*map(str, pair))).transpose("chain", "draw", ...)
        first, _ = fit.model.drift[axis]
        return Walk(first, chosen.to_numpy().reshape(len(amplitude), -1), amplitude, normal)
    # Nothing is held but the pivot: half a step to the midpoint of the interval on either side of it.
    start = np.stack([normal(-1), normal(0)], axis=1) * np.sqrt(STEP / 2) * amplitude[:, None]
    return Walk(-1, start, amplitude, normal)
