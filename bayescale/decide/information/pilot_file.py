"""Reading `pilots.toml`: the final budget, what pilots may cost together, the candidates; strictly validated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from bayescale.decide.costs.budget import Budget
from bayescale.decide.information.pilots import Pilot
from bayescale.decide.information.stakes import UncertainBudget
from bayescale.decide.plans.tables import BudgetTable, Count, GroupTable, Table, count, read
from bayescale.errors import PlanError
from bayescale.posterior import Group


class _Pilot(GroupTable):
    name: str
    params: Count | list[Count]
    tokens: Count | list[Count]
    repeats: int = 1
    failure: float = 0.0
    sweep: str | None = None
    cost: float | None = None


class _File(Table):
    budget: BudgetTable
    pilot_budget: Count | None = None
    run: GroupTable = GroupTable()
    pilot: list[_Pilot] = Field(default_factory=list)


@dataclass(frozen=True, eq=False)
class PilotFile:
    """What a file of pilots states: the arguments of :func:`bayescale.design` but for the fit."""

    budget: Budget | UncertainBudget
    pilots: tuple[Pilot, ...]
    pilot_budget: float | None
    architecture: Group | None
    task: str | None


def load_pilots(path: str | Path) -> PilotFile:
    """Read and validate a file of pilots.

    Raises
    ------
    PlanError, UnknownNameError
        Naming the file, the place in it, the value and what was expected; for an unknown key the nearest known one.
    """
    where, file = Path(path).name, read(path, _File)
    if not file.pilot:
        raise PlanError(f"{where}: no pilots; add one: [[pilot]] with name, params and tokens")
    limit = file.pilot_budget
    return PilotFile(
        budget=_budget(file.budget, where),
        pilots=tuple(_pilot(entry, where) for entry in file.pilot),
        pilot_budget=None if limit is None else count(limit, "compute", f"{where}: pilot_budget"),
        architecture=file.run.group(),
        task=file.run.task,
    )


def _budget(entry: BudgetTable, where: str) -> Budget | UncertainBudget:
    if not entry.uncertain:
        return entry.get_budget()
    dollars, price, mfu = entry.amount("dollars"), entry.price_per_hour, entry.mfu
    if entry.compute is not None or not (dollars and price and mfu and entry.hardware):
        raise PlanError(
            f"{where}: budget: an uncertain price or mfu is of a budget in dollars, "
            "with price_per_hour, mfu and hardware"
        )
    return UncertainBudget(dollars=dollars, price_per_hour=price, mfu=mfu, hardware=entry.hardware)


def _pilot(entry: _Pilot, where: str) -> Pilot:
    place = f"{where}: pilot {entry.name!r}"
    return Pilot(
        name=entry.name,
        params=_counts(entry.params, "params", place),
        tokens=_counts(entry.tokens, "tokens", place),
        repeats=entry.repeats,
        failure=entry.failure,
        architecture=entry.group(),
        task=entry.task,
        sweep=entry.sweep,
        cost=entry.cost,
    )


def _counts(value: Count | list[Count], kind: str, place: str) -> float | list[float]:
    if isinstance(value, list):
        return [count(v, kind, f"{place}: {kind}") for v in value]
    return count(value, kind, f"{place}: {kind}")
