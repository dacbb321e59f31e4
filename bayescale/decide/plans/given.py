"""What a decision takes as given besides N and D: the further inputs that some laws read, the same for every action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescale.decide.plans.numbers import si
from bayescale.errors import PlanError
from bayescale.given import get_given


def read_given(stated: Mapping[str, Any]) -> dict[str, float]:
    """The further inputs that are stated, each checked; a law that reads none of them refuses them later.

    Raises
    ------
    PlanError, UnknownNameError
        For what is no number in its range, and for a name that is no further input.
    """
    found = {}
    for name, value in stated.items():
        given = get_given(name, "a decision")
        if value is None:
            continue
        if fault := given.fault(value):
            raise PlanError(fault)
        found[name] = float(value)
    return found


def said(name: str, value: float) -> str:
    """A further input as people write it: 64 experts, 5B unique tokens."""
    return f"{si(value)} {name.replace('_', ' ')}"
