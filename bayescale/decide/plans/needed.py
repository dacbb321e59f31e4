"""`Needed`: how much of one input a target loss needs, frozen, with what is not known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayescale.decide.plans.plan import si
from bayescale.laws import Axis

_NOUN: dict[Axis, str] = {
    "params": "parameters",
    "tokens": "tokens or examples",
    "compute": "FLOP",
}


@dataclass(frozen=True, eq=False)
class Needed:
    """What a target loss needs of one input.

    Attributes
    ----------
    problem : dict
        Target, probability, kind, axis, other inputs, unit, groups.
    amount : float
        The least with P(loss ≤ target) ≥ p.
    amount_lo, amount_hi : float, float or None
        What the finite number of draws leaves open: a 90 % interval. None where it reaches what no amount gives.
    p_hit, p_error : float
        P(loss ≤ target) there, and its Monte-Carlo standard error.
    quantiles : dict
        Of the amount over draws, ``q05, q25, q50, q75, q95``; None where so many draws never get there.
    p_never : float
        Share of the draws that no amount brings to the target.
    dollars : dict or None
        Quantiles of the price of the amount.
    caveats : tuple of str
    provenance : dict
    draws : ndarray, shape (draw,)
        The amount that each draw needs, infinite where none is enough. Not in :meth:`to_dict`.
    fitted : (float, float)
        Least and most of the input among the fitted runs.
    """

    problem: dict[str, Any]
    amount: float
    amount_lo: float
    amount_hi: float | None
    p_hit: float
    p_error: float
    quantiles: dict[str, float | None]
    p_never: float
    dollars: dict[str, float] | None
    caveats: tuple[str, ...]
    provenance: dict[str, Any]
    fitted: tuple[float, float]
    draws: np.ndarray = field(repr=False)

    def chance(self, amount: np.ndarray | float) -> np.ndarray:
        """P(loss ≤ target) with these amounts of the input, of their shape."""
        at = np.asarray(amount, float)
        return (self.draws <= at[..., None] * (1.0 + 1e-9)).mean(axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; without the draws."""
        return {k: v for k, v in vars(self).items() if k != "draws"}

    def __str__(self) -> str:
        p = self.problem
        money = ""
        if self.dollars is not None:
            low, middle, high = (self.dollars[q] for q in ("lo90", "median", "hi90"))
            money = f", ${middle:,.0f}" + (
                "" if low == high else f" [90 %: ${low:,.0f} to ${high:,.0f}]"
            )
        least, most = (_or_never(self.quantiles[q]) for q in ("q05", "q95"))
        held = "".join(f", at {axis} = {si(value)}" for axis, value in p["held"].items())
        edge = "out of reach" if self.amount_hi is None else si(self.amount_hi)
        said = [
            f"Needed for P(loss ≤ {p['target_loss']:g}) ≥ {p['probability']:g}{held}: "
            f"{si(self.amount)} {_NOUN[p['axis']]}{money}",
            f"  over draws {_or_never(self.quantiles['q50'])} [90 %: {least} to {most}]; "
            f"P(no amount is enough) {self.p_never:.2f}",
            f"  Monte-Carlo error: P {self.p_hit:.3f} ± {self.p_error:.3f}; amount [90 %: {si(self.amount_lo)}–{edge}]",
            f"  fitted runs: {si(self.fitted[0])} to {si(self.fitted[1])}",
        ]
        return "\n".join([*said, *(f"  note: {c}" for c in self.caveats)])


def _or_never(amount: float | None) -> str:
    return "never" if amount is None else si(amount)
