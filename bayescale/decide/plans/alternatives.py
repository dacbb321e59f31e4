"""What a choice is between: groups by their labels, or values of a further input of the law; each has its own curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bayescale.decide.plans.given import read_given
from bayescale.decide.plans.plan import si
from bayescale.errors import PlanError, unknown
from bayescale.posterior import Fit, Group, Side

By = Literal["architecture", "study", "experts", "unique_tokens"]


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
    if by not in get_args(By):
        raise unknown("side to choose", str(by), get_args(By))
    stated: Group | float | None
    if by == "experts" or by == "unique_tokens":
        kind, stated = "values", given.get(by)
        named = _values(by, among, fit.groups(**fixed), given)
    else:
        kind, stated = "groups", fixed[by]
        named = _groups(fit, by, among, {**fixed, by: None}, given)
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
        one = read_given(**{by: value})
        name = f"{one[by]:g} experts" if by == "experts" else f"{si(one[by])} unique tokens"
        found.append((name, Alternative(where, {**given, **one})))
    return found
