"""`Scaled`: a family that is scaled up from a base network, step by step: the best mix, its error, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr


@dataclass(frozen=True, eq=False)
class Scaled:
    """What a law of compound scaling says of a base network.

    Attributes
    ----------
    problem : dict
        FLOP of the base, FLOP multiple of a step, steps, share of pointwise FLOP, least gain, groups.
    step : dict
        Quantiles of a, b, c: the multiples of depth, width and resolution of the first step, and of the shares
        ``share_depth, share_width, share_resolution`` of the log of the FLOP multiple.
    steps : Dataset
        Dims ``phi`` and ``quantile``: ``depth, width, resolution`` of the best mix at φ steps, the expected ``loss`` of
        it and, all FLOP in one dimension, ``loss_depth, loss_width, loss_resolution``; ``flops`` (phi).
    stop : dict
        Quantiles of φ* at which accuracy per FLOP (``per_flop``) and per parameter (``per_parameter``) are highest, to
        fall from there, and at which a further step gains less than ``least_gain`` (``gain``); infinite where a step
        always gains more, as far as is looked.
    p_past : dict
        P(φ* ≤ 0): the share of the draws in which each already falls at the base.
    caveats : tuple of str
    provenance : dict
    """

    problem: dict[str, Any]
    step: dict[str, dict[str, float]]
    steps: xr.Dataset
    stop: dict[str, dict[str, float]]
    p_past: dict[str, float]
    caveats: tuple[str, ...]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**vars(self), "steps": self.rows(), "stop": _finite(self.stop)}

    def rows(self) -> list[dict[str, float]]:
        """One row a step: FLOP, median multiples, loss with its 90 % interval."""
        found = []
        for phi in self.steps["phi"].to_numpy():
            here = self.steps.sel(phi=phi)
            row = {"phi": float(phi), "flops": float(here["flops"])}
            row |= {
                name: float(here[name].sel(quantile="median"))
                for name in ("depth", "width", "resolution")
            }
            row |= {
                f"loss_{q}": float(here["loss"].sel(quantile=q)) for q in ("lo90", "median", "hi90")
            }
            found.append(row)
        return found

    def __str__(self) -> str:
        p = self.problem
        mix = ", ".join(
            f"{letter} = {at['median']:.2f} [{at['lo90']:.2f}–{at['hi90']:.2f}]"
            for letter, at in ((letter, self.step[letter]) for letter in "abc")
        )
        said = [f"Best {p['multiple']:g} × FLOP, depth, width, resolution [90 %]: {mix}"]
        for row in self.rows():
            said.append(
                f"  φ = {row['phi']:g}: {row['flops']:.3g} FLOP, {row['depth']:.2f} × {row['width']:.2f} × "
                f"{row['resolution']:.2f}, loss {row['loss_median']:.4f} "
                f"[{row['loss_lo90']:.4f}–{row['loss_hi90']:.4f}]"
            )
        words = {
            "per_flop": "accuracy per FLOP is highest at",
            "per_parameter": "accuracy per parameter is highest at",
            "gain": f"a step gains less than {p['least_gain']:g} from",
        }
        for name, text in words.items():
            at = self.stop[name]
            said.append(
                f"  {text} φ* = {at['median']:.1f} [{at['lo90']:.1f} to {at['hi90']:.1f}]; "
                f"P(at the base or before) {self.p_past[name]:.2f}"
            )
        return "\n".join([*said, *(f"  note: {c}" for c in self.caveats)])


def _finite(stop: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {q: v if abs(v) < float("inf") else None for q, v in at.items()}
        for name, at in stop.items()
    }
