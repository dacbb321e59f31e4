"""`Design`: what information is worth before the final run, frozen: perfect, of each pilot, of the best set of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import xarray as xr

from bayescale.decide.information.perfect import Worth
from bayescale.decide.plans.numbers import si

LEVEL = 1.64  # Monte-Carlo errors to either side: 90 %


@dataclass(frozen=True)
class Choice:
    """Pilots to run together.

    Attributes
    ----------
    pilots : tuple of str
        In the order in which they add most.
    evsi, error, cost, net : float
        Of all of them together, in the unit of the budget.
    unsupported : float
        Share of the simulated outcomes with k̂ > 0.7.
    path : tuple of (float, float)
        Cost and EVSI after each.
    """

    pilots: tuple[str, ...]
    evsi: float
    error: float
    cost: float
    net: float
    unsupported: float
    path: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Design:
    """The value of information for one final run. All values are in ``problem["unit"]``, dollars or FLOP.

    Attributes
    ----------
    problem : dict
        Final budget, unit, groups, pilot budget, utility, best N and D of today, numbers of draws and outcomes;
        ``by_utility`` as in :class:`bayescale.decide.Plan`.
    evpi : Worth
        Of perfect information: what is expected to be wasted today.
    evppi : dict of str to Worth
        Of each group of parameters known exactly.
    table : Dataset
        Dim ``pilot``: ``flop, cost, failure, evsi, error`` (Monte-Carlo standard error), ``net`` (EVSI − cost) and
        ``unsupported`` (share of simulated outcomes with k̂ > 0.7).
    portfolio : Choice
        The best set within the pilot budget; empty where no pilot pays.
    enough : Choice
        The best set if the pilot budget had no end: beyond its cost, pilots stop paying.
    caveats : tuple of str
    provenance : dict
    """

    problem: dict[str, Any]
    evpi: Worth
    evppi: dict[str, Worth]
    table: xr.Dataset
    portfolio: Choice
    enough: Choice
    caveats: tuple[str, ...]
    provenance: dict[str, Any]

    def verdict(self, pilot: str) -> str:
        """``run`` or ``do not run``, with a word where the number of draws leaves it open."""
        row = self.table.sel(pilot=pilot)
        said = "do not run" if float(row["net"]) < 0 else "run"
        close = abs(float(row["net"])) < LEVEL * float(row["error"])
        return f"{said} (within Monte-Carlo error)" if close else said

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        names = self.table["pilot"].to_numpy().tolist()
        columns = {str(k): v.to_numpy().tolist() for k, v in self.table.data_vars.items()}
        rows = [
            {"name": name, "verdict": self.verdict(name)} | {k: v[i] for k, v in columns.items()}
            for i, name in enumerate(names)
        ]
        return {
            "problem": self.problem,
            "evpi": asdict(self.evpi),
            "evppi": {name: asdict(worth) for name, worth in self.evppi.items()},
            "pilots": rows,
            "portfolio": asdict(self.portfolio),
            "enough": asdict(self.enough),
            "caveats": list(self.caveats),
            "provenance": self.provenance,
        }

    def rows(self) -> list[list[str]]:
        """The pilots as text, best net benefit first: name, cost, EVSI, net benefit, verdict."""
        order = self.table["net"].argsort()[::-1].to_numpy()
        out = []
        for name in self.table["pilot"].to_numpy()[order].tolist():
            row = {k: float(v) for k, v in self.table.sel(pilot=name).data_vars.items()}
            evsi = f"{self._amount(row['evsi'])} ± {self._amount(row['error'])}"
            net = self._amount(row["net"])
            out.append([name, self._amount(row["cost"]), evsi, net, self.verdict(name)])
        return out

    def headline(self) -> list[str]:
        """What is at stake, and what knowing it would be worth."""
        p = self.problem
        share = self.evpi.value / p["total"]
        by_loss = p["by_utility"]["loss"]
        more = max(by_loss["regret"] - p["by_utility"]["waste"]["regret"], 0.0)
        said = [
            f"Value of information for {self._amount(p['total'])}: today N = {si(p['params'])}, "
            f"D = {si(p['tokens'])}, of least expected waste",
            f"  least mean loss instead: N = {si(by_loss['params'])}, {100 * more:.2g} % of the budget more wasted",
            f"  perfect information: {self._worth(self.evpi)}, {100 * share:.2g} % of the budget",
        ]
        known = ", ".join(f"{name} {self._worth(worth)}" for name, worth in self.evppi.items())
        return [*said, f"  of one group alone: {known}"] if known else said

    def conclusion(self) -> list[str]:
        """The best set of pilots, and where pilots stop paying."""
        said = []
        if self.problem["pilot_budget"] is not None:
            within = self._amount(self.problem["pilot_budget"])
            said.append(f"  within {within}: {self._set(self.portfolio)}")
        said.append(f"  without a limit: {self._set(self.enough)}")
        if self.enough.pilots:
            said.append(f"  pilots stop paying at {self._amount(self.enough.cost)}")
        return said

    def __str__(self) -> str:
        table = [["pilot", "cost", "EVSI", "net benefit", ""], *self.rows()]
        wide = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in table]
        return "\n".join(
            [
                *self.headline(),
                *(f"  {line.rstrip()}" for line in lines),
                *self.conclusion(),
                *(f"  note: {c}" for c in self.caveats),
            ]
        )

    def _set(self, choice: Choice) -> str:
        if not choice.pilots:
            return "no pilot pays: do not run"
        return (
            f"{', '.join(choice.pilots)}: EVSI {self._amount(choice.evsi)} ± "
            f"{self._amount(choice.error)}, cost {self._amount(choice.cost)}, "
            f"net benefit {self._amount(choice.net)}"
        )

    def _worth(self, worth: Worth) -> str:
        return f"{self._amount(worth.value)} ± {self._amount(worth.error)}"

    def _amount(self, value: float) -> str:
        if self.problem["unit"] == "FLOP":
            return f"{value:.2e} FLOP"
        sign = "-" if value < 0 else ""
        return f"{sign}${abs(value):,.0f}" if abs(value) >= 10 else f"{sign}${abs(value):.2g}"
