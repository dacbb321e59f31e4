"""What a decision takes as given besides N and D: the further inputs that some laws read, the same for every action."""

from __future__ import annotations

from numbers import Real

from bayescale.errors import PlanError

MOST_COUNT = 1e30


def read_given(
    unique_tokens: float | None = None, experts: float | None = None
) -> dict[str, float]:
    """The further inputs that are stated, each checked; a law that reads none of them refuses them later.

    Raises
    ------
    PlanError
        For what is no number from 1 to 1e30.
    """
    stated = {"unique_tokens": unique_tokens, "experts": experts}
    return {name: _count(name, value) for name, value in stated.items() if value is not None}


def _count(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PlanError(f"{name} = {value!r} (expected a number, e.g. 1e11)")
    count = float(value)
    if not 1.0 <= count <= MOST_COUNT:
        raise PlanError(f"{name} = {count:g} (expected from 1 to {MOST_COUNT:g})")
    return count
