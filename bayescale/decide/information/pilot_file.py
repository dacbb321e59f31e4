"""Reading `pilots.toml`: the final budget, what pilots may cost together, the candidates; strictly validated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from bayescale.decide.costs.budget import Budget
from bayescale.decide.information.pilots import Pilot
from bayescale.decide.plans.constraints import Constraints
from bayescale.decide.plans.tables import (
    BudgetTable,
    ConstraintsTable,
    Count,
    GivenTable,
    Table,
    count,
    read,
)
from bayescale.errors import PlanError
from bayescale.posterior import Group
from bayescale.posterior.uncertain import Uncertain


class _Pilot(GivenTable):
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
    constraints: ConstraintsTable | None = None
    run: GivenTable = GivenTable()
    pilot: list[_Pilot] = Field(default_factory=list)


@dataclass(frozen=True, eq=False)
class PilotFile:
    """What a file of pilots states: the arguments of :func:`bayescale.design` but for the fit; ``given`` by name."""

    budget: Budget
    pilots: tuple[Pilot, ...]
    pilot_budget: float | None
    architecture: Group | None
    task: str | None
    given: dict[str, Uncertain]
    constraints: Constraints | None = None


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
        budget=file.budget.get_budget(),
        pilots=tuple(_pilot(entry, where) for entry in file.pilot),
        pilot_budget=None if limit is None else count(limit, "compute", f"{where}: pilot_budget"),
        architecture=file.run.group(),
        task=file.run.task,
        given=file.run.given(f"{where}: run"),
        constraints=None if file.constraints is None else file.constraints.get_constraints(),
    )


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
        further=entry.given(place),
    )


def _counts(value: Count | list[Count], kind: str, place: str) -> float | list[float]:
    if isinstance(value, list):
        return [count(v, kind, f"{place}: {kind}") for v in value]
    return count(value, kind, f"{place}: {kind}")
