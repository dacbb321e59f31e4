"""A decision problem as a TOML file: the budget, the risks, the target and the group, each key checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.reach import require_target
from bayescale.decide.risks.risk import Risk, parse_risk
from bayescale.errors import PlanError, unknown
from bayescale.posterior import New


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BudgetTable(_Strict):
    """The table ``[budget]``: arguments of :class:`bayescale.decide.Budget`."""

    compute: float | None = None
    dollars: float | None = None
    price_per_hour: float | None = None
    mfu: float | None = None
    hardware: str | None = None


class Problem(_Strict):
    """What :func:`bayescale.plan` is asked.

    Attributes
    ----------
    budget : BudgetTable
    risk : list of str
        As text, ``"cvar:0.1"``; empty for the expectation.
    target_loss : float or None
    architecture, task, study : str or None
        Fitted labels.
    new_architecture : str or None
        A label of one that was not fitted, instead.
    """

    budget: BudgetTable
    risk: list[str] = []
    target_loss: float | None = None
    architecture: str | None = None
    new_architecture: str | None = None
    task: str | None = None
    study: str | None = None

    def get_budget(self) -> Budget:
        """The budget, checked."""
        return Budget(**self.budget.model_dump())

    def risks(self) -> list[Risk] | None:
        """The risk measures; None for the default."""
        return [parse_risk(text) for text in self.risk] or None

    def group(self) -> str | New | None:
        """The architecture, fitted or new."""
        if self.architecture is not None and self.new_architecture is not None:
            raise PlanError("a plan is for one group: architecture or new_architecture, not both")
        return New(self.new_architecture) if self.new_architecture else self.architecture


def load_problem(path: str | Path) -> Problem:
    """Read a problem, and check all that can be checked without a fit.

    Raises
    ------
    PlanError
        If the file is missing or no TOML, or a value is none; the message names the key.
    UnknownNameError
        For a key, risk or accelerator that does not exist, with the nearest one that does.
    """
    source = Path(path)
    try:
        content = tomllib.loads(source.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"cannot read {source}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{source}: not a TOML file: {error}") from None
    try:
        problem = Problem.model_validate(content)
    except ValidationError as error:
        raise _explained(source, dict(error.errors()[0])) from None
    problem.get_budget()
    problem.risks()
    problem.group()
    if problem.target_loss is not None:
        require_target(problem.target_loss)
    return problem


def _explained(source: Path, problem: dict[str, Any]) -> Exception:
    *table, key = (str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        schema = BudgetTable if table else Problem
        place = f"{source}, [{table[0]}]" if table else str(source)
        return unknown("key", key, schema.model_fields, place)
    place = ".".join([*table, key])
    if problem["type"] == "missing":
        return PlanError(f"{source}: no {place}; it needs a table [budget] with compute = 1e24")
    return PlanError(f"{source}: {place} = {problem['input']!r} ({problem['msg']})")
