"""Modifiers: what a run gains or loses besides its scale, as factors on the reducible loss or terms added to it.

A model file names any of :data:`MODIFIERS`; they apply after the core, in that order, and read further inputs of a run
(:data:`bayescale.given.GIVEN`). A run of which these are missing is as the core says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayescale.given import GIVEN, Given
from bayescale.laws import batches, schedules
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter


@dataclass(frozen=True)
class Modifier:
    """One way from the reducible loss of a core to that of a run.

    Attributes
    ----------
    name, title : str
        Key in :data:`MODIFIERS`, and a few words.
    given : tuple of Given
        Further inputs that it reads.
    parameters : tuple of Parameter
    apply : callable
        ``(xp, log_r, beside, theta) -> log_r``: from log R of the core, the centred logs of the law's inputs as the
        table states them (before effective inputs and drift) and of the given ones, and the completed parameters.
    latex, source : str
        ``latex`` says what R becomes, ``R'``.
    """

    name: str
    title: str
    given: tuple[Given, ...]
    parameters: tuple[Parameter, ...]
    apply: Callable[[Namespace, Array, Mapping[str, Array], Mapping[str, Array]], Array]
    latex: str
    source: str


MODIFIERS: dict[str, Modifier] = {
    modifier.name: modifier
    for modifier in (
        Modifier(
            "annealing",
            "loss that a learning rate which has not fallen holds up",
            (GIVEN["end_rate"],),
            (schedules.HILL,),
            schedules.held_up,
            r"R' = R + H\,\tilde{\eta}/\eta_{peak}",
            "Tissue et al. 2024, eq. 1, S_2",
        ),
        Modifier(
            "steps",
            "loss to too few steps",
            (GIVEN["steps"],),
            (batches.STEP_SHARE, batches.STEP_EXPONENT),
            batches.with_steps,
            r"R' = R + s R_0 (S/S_0)^{-\alpha_S}",
            "Kaplan et al. 2020, eq. 1.6",
        ),
    )
}
