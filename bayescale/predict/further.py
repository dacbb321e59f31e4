"""Further inputs of a forecast, such as unique tokens: each must be read by the law, or by one of a stack's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from bayescale.errors import ForecastError
from bayescale.given import get_given
from bayescale.laws import Law
from bayescale.posterior import Stacked
from bayescale.predict.points import AXES, Values


def stated_inputs(further: Mapping[str, Values | None]) -> dict[str, Values]:
    """Those of the further inputs that are not None; a name that is none is refused."""
    for name in further:
        get_given(name, "a forecast")
    return {name: value for name, value in further.items() if value is not None}


def given_to_members(stack: Stacked, given: Mapping[str, Values]) -> list[dict[str, Any]]:
    """What each member of a stack reads of the further inputs; one that none reads is refused."""
    read = [[g.name for g in member.model.get_law().given] for member, _ in stack.parts]
    for name in given:
        if not any(name in names for names in read):
            raise ForecastError(f"no law of the stack reads {name}")
    return [{name: given[name] for name in names if name in given} for names in read]


def check_given(law: Law, points: Mapping[str, xr.DataArray], fitted: xr.Dataset) -> None:
    """Raise for a further input that the law does not read, that nothing places, and that it needs of every run."""
    known = [g.name for g in law.given]
    for name in points:
        if name not in AXES and name not in known:
            raise ForecastError(
                f"law {law.name!r} does not read {name}; fit a model that does (bayescale models)"
            )
    for given in law.given:
        if given.missing is None and given.name not in points:
            raise ForecastError(f"law {law.name!r} reads {given.name} ({given.text}); state it")
        if given.pivot == "own" and given.name in points and not states(fitted, given.name):
            raise ForecastError(
                f"no fitted run states {given.name}, so nothing says which {given.text} is high: leave it out"
            )


def states(fitted: xr.Dataset, name: str) -> bool:
    """Whether some fitted row states a further input."""
    return name in fitted and bool(fitted[name].astype(float).notnull().any())
