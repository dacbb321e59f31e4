"""`Selection`: what to scale at a budget (an architecture, a recipe), frozen: table, crossings, contrasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayescale.decide.plans.numbers import si


@dataclass(frozen=True, eq=False)
class Selection:
    """Groups compared at one budget, draw by draw on the same draws.

    Attributes
    ----------
    problem : dict
        Budget, what is compared (``by``), risk, range of budgets searched for crossings, groups.
    table : Dataset
        Dim ``group``: ``params, tokens`` (the N of least expected waste at the budget, and its D), ``loss`` (mean),
        ``lo90, median, hi90`` of the loss, ``risk``, ``p_best`` (share of draws in which its frontier is the lowest),
        ``regret`` (mean share of the budget wasted against the best group and N of each draw), ``p_regret``
        (P(wasted share ≤ 5 %)) and, where the budget is priced, ``regret_dollars``.
    crossings : Dataset
        Dim ``pair``, with ``first`` and ``second``: quantiles in FLOP of the compute at which the frontiers cross for
        the last time within the range, over the draws in which they do (``compute``; dims pair, prob), and the shares
        ``p_never, p_first, p_second, p_first_beyond, p_second_beyond, p_several`` (:meth:`Crossing.shares`).
    contrasts : Dataset
        Dims ``pair, parameter``: quantiles of the first group's parameter less the second's (``difference``, with
        ``prob``), and ``p_positive``.
    frontier : Dataset
        ``loss`` (group, step, prob) on the frontier against ``compute`` (step), over the range.
    best : str
        The group of least risk.
    caveats : tuple of str
    provenance : dict
    """

    problem: dict[str, Any]
    table: xr.Dataset
    crossings: xr.Dataset
    contrasts: xr.Dataset
    frontier: xr.Dataset
    best: str
    caveats: tuple[str, ...]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "problem": self.problem,
            "best": self.best,
            **{
                name: {
                    str(k): {"dims": list(v.dims), "values": v.to_numpy().tolist()}
                    for k, v in held.variables.items()
                }
                for name, held in (
                    ("table", self.table),
                    ("crossings", self.crossings),
                    ("contrasts", self.contrasts),
                    ("frontier", self.frontier),
                )
            },
            "caveats": list(self.caveats),
            "provenance": self.provenance,
        }

    def headline(self) -> str:
        """What was asked, and the answer."""
        by = str(self.problem["by"]).replace("_", " ")
        asked = by if by.endswith("s") else f"{by} to scale"
        return (
            f"Which {asked} at {self.problem['compute']:.3g} FLOP: {self.best} "
            f"(least {self.problem['risk']})"
        )

    def range_note(self) -> str:
        """Over which budgets a crossing is one."""
        low, high = self.problem["low"], self.problem["high"]
        return (
            f"crossings are those from {low:.2g} to {high:.2g} FLOP, their intervals over the draws that have one; "
            "exponents are those at the pivot"
        )

    def rows(self) -> list[list[str]]:
        """The groups as text, by risk: group, P(best), wasted share, N, D, loss with its 90 % interval."""
        out = []
        for name in self.table["group"].to_numpy()[np.argsort(self.table["risk"].to_numpy())]:
            one = {str(k): float(v) for k, v in self.table.sel(group=name).data_vars.items()}
            out.append(
                [
                    str(name),
                    f"{one['p_best']:.2f}",
                    f"{100 * one['regret']:.1f} %",
                    si(one["params"]),
                    si(one["tokens"]),
                    f"{one['loss']:.3f} [{one['lo90']:.3f}–{one['hi90']:.3f}]",
                ]
            )
        return out

    def pair_rows(self) -> list[list[str]]:
        """The pairs as text: who, where the frontiers cross with the 90 % interval, share that never cross, β and α."""
        out = []
        for i, pair in enumerate(self.crossings["pair"].to_numpy().tolist()):
            one = self.crossings.isel(pair=i)
            lo, mid, hi = (float(one["compute"].sel(prob=p)) for p in (0.05, 0.5, 0.95))
            never = float(one["p_never"])
            where = "never" if never == 1.0 else f"{mid:.2g} [{lo:.2g}–{hi:.2g}]"
            out.append(
                [pair, where, f"{never:.2f}", *(self._contrast(i, p) for p in ("beta", "alpha"))]
            )
        return out

    def _contrast(self, pair: int, parameter: str) -> str:
        q = self.contrasts["difference"].isel(pair=pair).sel(parameter=parameter)
        lo, mid, hi = (float(q.sel(prob=p)) for p in (0.05, 0.5, 0.95))
        return f"{mid:+.3f} [{lo:+.3f}, {hi:+.3f}]"
