"""What a decision takes as given besides N and D: the further inputs that some laws read, the same for every action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescale.decide.plans.numbers import si
from bayescale.errors import PlanError
from bayescale.given import get_given
from bayescale.posterior.uncertain import Uncertain, bounds_of, draws_of


def read_given(stated: Mapping[str, Any]) -> dict[str, Uncertain]:
    """The further inputs that are stated, numbers or distributions, each checked.

    A law that reads none of them refuses them later.

    Raises
    ------
    PlanError, ModelError, UnknownNameError
        For what is neither or reaches out of the input's range, and for a name that is no further input.
    """
    found: dict[str, Uncertain] = {}
    for name, value in stated.items():
        given = get_given(name, "a decision")
        if value is None:
            continue
        if isinstance(value, np.ndarray):
            draws_of(value, name, bounds_of(given), value.size)
            found[name] = value
            continue
        if not is_distribution(value):
            if fault := given.fault(value):
                raise PlanError(fault)
            found[name] = float(value)
            continue
        draws_of(value, name, bounds_of(given), 1)
        found[name] = value
    return found


def is_distribution(value: object) -> bool:
    """Whether an input is stated as a distribution, not as a number."""
    return not isinstance(value, float | int) and "(" in str(value)


def stated(given: Mapping[str, Uncertain]) -> dict[str, float | str]:
    """The further inputs as a file keeps them: numbers, and distributions as text."""
    return {
        name: float(value) if isinstance(value, float | int) else _as_text(value)
        for name, value in given.items()
    }


def said(name: str, value: Uncertain) -> str:
    """A further input as people write it: 64 experts, 5B unique tokens."""
    number = si(float(value)) if isinstance(value, float | int) else _as_text(value)
    return f"{number} {name.replace('_', ' ')}"


def _as_text(value: Uncertain) -> str:
    if isinstance(value, np.ndarray):
        return f"draws around {np.median(value):.3g}"
    return str(value)
