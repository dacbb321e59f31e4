"""A decision problem as a TOML file: the budget, the risks, the target and the group, each key checked."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bayescale.decide.costs.budget import Budget
from bayescale.decide.plans.constraints import Constraints
from bayescale.decide.plans.given import read_given
from bayescale.decide.plans.reach import require_target
from bayescale.decide.plans.tables import (
    BudgetTable,
    CandidateTable,
    ConstraintsTable,
    GivenTable,
    read,
)
from bayescale.decide.risks.parsing import parse_risk
from bayescale.decide.risks.risk import Risk


class Problem(GivenTable):
    """What :func:`bayescale.plan` is asked.

    Attributes
    ----------
    budget : BudgetTable
    risk : str or list of str
        As text, ``"cvar:0.1"``; empty for the expected waste.
    target_loss : float or None
    further : dict
        Further inputs of the law by name, as numbers, or as ``"100B"``; in a file each is a key of its own.
    architecture, task, study : str or None
        Fitted labels.
    candidates : list of CandidateTable or None
        The actions, where they are not all N along the budget.
    constraints : ConstraintsTable or None
        What they may not exceed.
    new_architecture : str or None
        A label of one that was not fitted, instead.
    """

    budget: BudgetTable
    risk: str | list[str] = Field(default_factory=list)
    target_loss: float | None = None
    study: str | None = None
    candidates: list[CandidateTable] | None = None
    constraints: ConstraintsTable | None = None

    def get_budget(self) -> Budget:
        """The budget, checked."""
        return self.budget.get_budget()

    def get_constraints(self) -> Constraints | None:
        """The constraints, checked."""
        return None if self.constraints is None else self.constraints.get_constraints()

    def pairs(self) -> list[tuple[float, float]] | None:
        """The candidates as N and D; None for all along the budget."""
        return None if self.candidates is None else [one.pair() for one in self.candidates]

    def risks(self) -> list[Risk] | None:
        """The risk measures; None for the default."""
        asked = [self.risk] if isinstance(self.risk, str) else self.risk
        return [parse_risk(text) for text in asked] or None


def load_problem(path: str | Path) -> Problem:
    """Read a problem, and check all that can be checked without a fit.

    Raises
    ------
    PlanError
        If the file is missing or no TOML, or a value is none; the message names the key.
    UnknownNameError
        For a key, risk or accelerator that does not exist, with the nearest one that does.
    """
    problem = read(path, Problem)
    problem.get_budget()
    problem.risks()
    read_given(problem.given())
    problem.get_constraints()
    problem.pairs()
    problem.group()
    if problem.target_loss is not None:
        require_target(problem.target_loss)
    return problem
