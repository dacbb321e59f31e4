"""What a choice is between: groups by their labels, or values of a further input of the law; each has its own curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayescale.decide.plans.given import read_given, said
from bayescale.errors import PlanError, unknown
from bayescale.given import GIVEN
from bayescale.posterior import Fit, Group, Side

# A side of the groups, or a name in bayescale.given.GIVEN.
By = str
_SIDES: dict[str, Side] = {"architecture": "architecture", "study": "study"}


@dataclass(frozen=True)
class Alternative:
    """One of what is compared: whose curve, with what further inputs of the law."""

    where: dict[Side, Group]
    given: dict[str, float]


def alternatives(
    fit: Fit,
    by: By,
    among: Sequence[Group | float] | None,
    fixed: dict[Side, Group | None],
    given: Mapping[str, float],
) -> dict[str, Alternative]:
    """What is compared, by its name.

    Raises
    ------
    PlanError, ForecastError, UnknownNameError
        For fewer than two, one named twice, or one that is also held fixed.
    """
    if by not in _SIDES and by not in GIVEN:
        raise unknown("side to choose", str(by), [*_SIDES, *GIVEN])
    stated: Group | float | None
    if by not in _SIDES:
        kind, stated = "values", given.get(by)
        named = _values(by, among, fit.groups(**fixed), given)
    else:
        side = _SIDES[by]
        kind, stated = "groups", fixed[side]
        named = _groups(fit, side, among, {**fixed, side: None}, given)
    if stated is not None:
        raise PlanError(f"{by} is what is chosen: name the candidates in among, not in {by}")
    names = [name for name, _ in named]
    if len(names) < 2:
        raise PlanError(f"a choice needs two {kind} or more; {by}: {', '.join(names) or 'none'}")
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{by} {name!r} is in the list more than once")
    return dict(named)


def _groups(
    fit: Fit,
    by: Side,
    among: Sequence[Any] | None,
    fixed: dict[Side, Group | None],
    given: Mapping[str, float],
) -> list[tuple[str, Alternative]]:
    """Groups, by their labels."""
    labels: list[Any] = list(fit.model.groups[by]) if among is None else list(among)
    named = []
    for label in labels:
        fixed[by] = label
        named.append((str(label), Alternative(fit.groups(**fixed), dict(given))))
    return named


def _values(
    by: str, among: Sequence[Any] | None, where: dict[Side, Group], given: Mapping[str, float]
) -> list[tuple[str, Alternative]]:
    """Values of a further input, named as people write them."""
    if among is None:
        raise PlanError(f"name the {by.replace('_', ' ')} to choose from in among, [1, 64]")
    found = []
    for value in among:
        one = read_given({by: value})
        found.append((said(by, one[by]), Alternative(where, {**given, **one})))
    return found
