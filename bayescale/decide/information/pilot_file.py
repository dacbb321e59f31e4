"""Reading `pilots.toml`: the final budget, what pilots may cost together, the candidates; strictly validated."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bayescale.decide.costs.budget import Budget
from bayescale.decide.information.pilots import Pilot
from bayescale.decide.information.stakes import UncertainBudget
from bayescale.errors import DataError, PlanError, unknown
from bayescale.posterior import Group, New
from bayescale.runs import parse_quantity

Count = float | str  # 3e9, or "3B"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Budget(_Strict):
    compute: Count | None = None
    dollars: Count | None = None
    price_per_hour: float | str | None = None
    mfu: float | str | None = None
    hardware: str | None = None


class _Run(_Strict):
    architecture: str | None = None
    new_architecture: str | None = None
    task: str | None = None


class _Pilot(_Run):
    name: str
    params: Count | list[Count]
    tokens: Count | list[Count]
    repeats: int = 1
    failure: float = 0.0
    sweep: str | None = None
    cost: float | None = None


class _File(_Strict):
    budget: _Budget
    pilot_budget: Count | None = None
    run: _Run = _Run()
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
    where = Path(path).name
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{where}: not a TOML file: {error}") from None
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        raise _explained(dict(error.errors()[0]), where) from None
    if not file.pilot:
        raise PlanError(f"{where}: no pilots; add one: [[pilot]] with name, params and tokens")
    limit = file.pilot_budget
    return PilotFile(
        budget=_budget(file.budget, where),
        pilots=tuple(_pilot(entry, where) for entry in file.pilot),
        pilot_budget=None if limit is None else _count(limit, "compute", f"{where}: pilot_budget"),
        architecture=_group(file.run, f"{where}, run"),
        task=file.run.task,
    )


def _explained(problem: dict[str, Any], where: str) -> Exception:
    loc = problem["loc"]
    # Members of a union are no place in the file.
    steps = [p for p in loc if isinstance(p, int) or p.islower()]
    place = ".".join(str(p + 1) if isinstance(p, int) else str(p) for p in steps)
    if problem["type"] == "extra_forbidden":
        parts: dict[str, type[_Strict]] = {"budget": _Budget, "run": _Run, "pilot": _Pilot}
        schema = parts[str(loc[0])] if loc[1:] else _File
        return unknown("key", str(loc[-1]), schema.model_fields, f"{where}, {place}")
    return PlanError(f"{where}: {place}: {problem['msg']}")


def _budget(entry: _Budget, where: str) -> Budget | UncertainBudget:
    compute, dollars = (
        None if value is None else _count(value, "compute", f"{where}: budget.{name}")
        for name, value in (("compute", entry.compute), ("dollars", entry.dollars))
    )
    price, mfu = entry.price_per_hour, entry.mfu
    if not (isinstance(price, str) or isinstance(mfu, str)):
        return Budget(
            compute=compute, dollars=dollars, price_per_hour=price, mfu=mfu, hardware=entry.hardware
        )
    if compute is not None or dollars is None or price is None or mfu is None or not entry.hardware:
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
        architecture=_group(entry, place),
        task=entry.task,
        sweep=entry.sweep,
        cost=entry.cost,
    )


def _group(entry: _Run, place: str) -> Group | None:
    if entry.architecture is not None and entry.new_architecture is not None:
        raise PlanError(f"{place}: architecture or new_architecture, not both")
    return entry.architecture if entry.new_architecture is None else New(entry.new_architecture)


def _counts(value: Count | list[Count], kind: str, place: str) -> float | list[float]:
    if isinstance(value, list):
        return [_count(v, kind, f"{place}: {kind}") for v in value]
    return _count(value, kind, f"{place}: {kind}")


def _count(value: Count, kind: str, place: str) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return parse_quantity(value, kind)
    except DataError as error:
        raise PlanError(f"{place}: {error}; expected a number such as 70B or 1e24") from None
