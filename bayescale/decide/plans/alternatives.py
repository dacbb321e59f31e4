"""What a choice is between: groups by their labels, or values of a further input of the law; each has its own curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayescale.decide.plans.given import read_given, said
from bayescale.errors import PlanError, unknown
from bayescale.given import GIVEN
from bayescale.posterior import Fit, Group, Side
from bayescale.posterior.uncertain import Uncertain

# A side of the groups, a name in bayescale.given.GIVEN, or several of these names.
By = str | Sequence[str]
_SIDES: dict[str, Side] = {"architecture": "architecture", "study": "study"}


@dataclass(frozen=True)
class Alternative:
    """One of what is compared: whose curve, with what further inputs of the law."""

    where: dict[Side, Group]
    given: dict[str, Uncertain]


def alternatives(
    fit: Fit,
    by: By,
    among: Sequence[Any] | None,
    fixed: dict[Side, Group | None],
    given: Mapping[str, Uncertain],
) -> dict[str, Alternative]:
    """What is compared, by its name.

    Raises
    ------
    PlanError, ForecastError, UnknownNameError
        For fewer than two, one named twice, or one that is also held fixed.
    """
    inputs = [by] if isinstance(by, str) else list(by)
    known = [*_SIDES, *GIVEN] if len(inputs) == 1 else list(GIVEN)
    for name in inputs:
        if name not in known:
            raise unknown("side to choose", str(name), known)
    if inputs[0] in _SIDES:
        side = _SIDES[inputs[0]]
        kind, held = "groups", {str(side)} if fixed[side] is not None else set()
        named = _groups(fit, side, among, {**fixed, side: None}, given)
    else:
        kind, held = "values", set(inputs) & set(given)
        named = _values(inputs, among, fit.groups(**fixed), given)
    by = chosen(by)
    if held:
        where = ", ".join(sorted(held))
        raise PlanError(f"{by} is what is chosen: name the candidates in among, not in {where}")
    names = [name for name, _ in named]
    if len(names) < 2:
        raise PlanError(f"a choice needs two {kind} or more; {by}: {', '.join(names) or 'none'}")
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{by} {name!r} is in the list more than once")
    return dict(named)


def chosen(by: By) -> str:
    """What is chosen, as text."""
    return by if isinstance(by, str) else ", ".join(by)


def _groups(
    fit: Fit,
    by: Side,
    among: Sequence[Any] | None,
    fixed: dict[Side, Group | None],
    given: Mapping[str, Uncertain],
) -> list[tuple[str, Alternative]]:
    """Groups, by their labels."""
    labels: list[Any] = list(fit.model.groups[by]) if among is None else list(among)
    named = []
    for label in labels:
        fixed[by] = label
        named.append((str(label), Alternative(fit.groups(**fixed), dict(given))))
    return named


def _values(
    inputs: Sequence[str],
    among: Sequence[Any] | None,
    where: dict[Side, Group],
    given: Mapping[str, Uncertain],
) -> list[tuple[str, Alternative]]:
    """Values of a further input, or of several, named as people write them."""
    if among is None:
        raise PlanError(
            f"name the {chosen(inputs).replace('_', ' ')} to choose from in among, [1, 64]"
        )
    found = []
    for entry in among:
        values = [entry] if len(inputs) == 1 else entry
        if not isinstance(values, Sequence) or len(values) != len(inputs):
            raise PlanError(f"{entry!r} in among (expected a value of each of {chosen(inputs)})")
        one = read_given(dict(zip(inputs, values, strict=True)))
        name = ", ".join(said(key, value) for key, value in one.items())
        found.append((name, Alternative(where, {**given, **one})))
    return found
