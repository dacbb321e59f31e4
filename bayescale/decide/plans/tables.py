"""TOML files of decisions, strictly read: the tables that plans and pilots share, and errors that name the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.constraints import Constraints
from bayescale.decide.plans.given import is_distribution
from bayescale.errors import DataError, PlanError, unknown
from bayescale.given import GIVEN
from bayescale.posterior import Group, New
from bayescale.posterior.uncertain import Uncertain
from bayescale.runs import parse_quantity

Count = float | str  # 3e9, or "3B"


class Table(BaseModel):
    """A table whose keys and types are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BudgetTable(Table):
    """The table ``[budget]``: arguments of :class:`bayescale.decide.Budget`; prices and shares may be uncertain."""

    compute: Count | None = None
    dollars: Count | None = None
    price_per_hour: float | str | None = None
    mfu: float | str | None = None
    hardware: str | None = None
    restarts: float | str | None = None
    failed: float | str | None = None
    context: float | None = None
    vocabulary: float | None = None

    def amount(self, name: str) -> float | None:
        """FLOP (``compute``) or money (``dollars``), if stated."""
        value: Count | None = getattr(self, name)
        return None if value is None else count(value, "compute", f"budget.{name}")

    def get_budget(self) -> Budget:
        """The budget, checked."""
        return Budget(
            compute=self.amount("compute"),
            dollars=self.amount("dollars"),
            price_per_hour=self.price_per_hour,
            mfu=self.mfu,
            hardware=self.hardware,
            restarts=self.restarts,
            failed=self.failed,
            context=self.context,
            vocabulary=self.vocabulary,
        )


class GroupTable(Table):
    """Keys that name a group, fitted or (for architectures) new."""

    architecture: str | None = None
    new_architecture: str | None = None
    task: str | None = None

    def group(self) -> Group | None:
        """The architecture."""
        if self.architecture is not None and self.new_architecture is not None:
            raise PlanError("one group is meant: architecture or new_architecture, not both")
        return New(self.new_architecture) if self.new_architecture else self.architecture


class GivenTable(GroupTable):
    """Keys that state further inputs of the law, each by its name in :data:`bayescale.given.GIVEN`."""

    further: dict[str, Count] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _by_their_names(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "further" in content:
            return content
        own = {key: value for key, value in content.items() if key in GIVEN}
        return {key: v for key, v in content.items() if key not in own} | {"further": own}

    def given(self, place: str = "") -> dict[str, Uncertain]:
        """Further inputs of the law, numbers or distributions, whose range is not looked at yet."""
        said = {name: f"{place}: {name}" if place else name for name in self.further}
        return {
            name: value if is_distribution(value) else count(value, name, said[name])
            for name, value in self.further.items()
        }


class ConstraintsTable(Table):
    """The table ``[constraints]``: arguments of :class:`bayescale.decide.Constraints`."""

    tokens: Count | None = None
    tokens_per_byte: float | None = None
    days: float | None = None
    dollars: Count | None = None
    bytes_per_param: float | None = None
    accelerators: float | None = None
    latency: float | None = None
    bytes_per_weight: float | None = None
    serving_accelerators: float | None = None

    def get_constraints(self) -> Constraints:
        """The constraints, checked."""
        tokens, dollars = self.tokens, self.dollars
        return Constraints(
            tokens=None
            if tokens is None
            else count(tokens, "tokens", "constraints.tokens", self.tokens_per_byte),
            days=self.days,
            dollars=None if dollars is None else count(dollars, "params", "constraints.dollars"),
            bytes_per_param=self.bytes_per_param,
            accelerators=self.accelerators,
            latency=self.latency,
            bytes_per_weight=self.bytes_per_weight,
            serving_accelerators=self.serving_accelerators,
        )


class CandidateTable(Table):
    """An entry of ``candidates``: one action."""

    params: Count
    tokens: Count

    def pair(self) -> tuple[float, float]:
        """N and D."""
        return (
            count(self.params, "params", "candidates.params"),
            count(self.tokens, "tokens", "candidates.tokens"),
        )


def count(value: Count, kind: str, place: str, tokens_per_byte: float | None = None) -> float:
    """A number of parameters, tokens or FLOP, given as one or as text with a unit."""
    if not isinstance(value, str):
        return float(value)
    try:
        return parse_quantity(value, kind, tokens_per_byte)
    except DataError as error:
        raise PlanError(f"{place}: {error}; expected a number such as 70B or 1e24") from None


def read[T: Table](path: str | Path, schema: type[T]) -> T:
    """Read and validate a file.

    Raises
    ------
    PlanError
        If the file is missing or no TOML, or a value is none; the message names the key.
    UnknownNameError
        For a key that does not exist, with the nearest one that does.
    """
    source = Path(path)
    try:
        content = tomllib.loads(source.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"cannot read {source}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{source}: not a TOML file: {error}") from None
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        # A key that is unknown is often why another is missing.
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise _explained(source, schema, dict(first)) from None


def _explained(source: Path, schema: type[Table], problem: dict[str, Any]) -> Exception:
    steps: list[str] = []
    table = schema
    for part in problem["loc"]:
        if isinstance(part, int):
            steps.append(str(part + 1))
        elif part in table.model_fields:  # else it is a member of a union, no place in the file
            steps.append(part)
            table = _table_in(table.model_fields[part].annotation) or table
    place = ".".join(steps)
    if problem["type"] == "extra_forbidden":
        where = f"{source}, [{place}]" if place else str(source)
        return unknown("key", str(problem["loc"][-1]), _keys(table), where)
    if problem["type"] == "missing":
        return PlanError(f"{source}: {place}: {problem['msg']}")
    return PlanError(f"{source}: {place} = {problem['input']!r} ({problem['msg']})")


def _keys(table: type[Table]) -> list[str]:
    """What a file may state in a table."""
    if not issubclass(table, GivenTable):
        return list(table.model_fields)
    return [name for name in table.model_fields if name != "further"] + list(GIVEN)


def _table_in(annotation: Any) -> type[Table] | None:
    """The table that a field holds, by itself or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    inner = (_table_in(part) for part in get_args(annotation))
    return next((table for table in inner if table is not None), None)
