"""`bayescale plan`: what to train with a budget, at what risk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bayescale.cli.deciding import Drawing, Further, Subject
from bayescale.cli.new_files import check_output
from bayescale.cli.options import Flag, Several, choose_architectures, choose_task, open_posterior
from bayescale.cli.output import emit_json, say, say_written, working
from bayescale.cli.spending import Spending
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Plan, Problem


def plan(
    fit: Path,
    problem: Path | None = None,
    /,
    *,
    spending: Spending = Spending(),
    risk: Several = (),
    target_loss: float | None = None,
    further: Further = Further(),
    subject: Subject = Subject(),
    backtest: Path | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """Choose parameters and tokens for a training budget.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    problem
        A TOML file that states the problem, instead of the options: risk, target_loss, unique_tokens, experts
        and what else the model reads, architecture or new_architecture, task, study, and a table [budget] with
        compute, or dollars, price_per_hour, mfu, hardware, restarts, failed; candidates, a list of { params, tokens }
        instead of all sizes along the budget; and a table [constraints] with tokens, days, dollars, bytes_per_param
        (for the memory), accelerators,
        and of serving latency (seconds per token, bound by reading the weights), bytes_per_weight,
        serving_accelerators.
    spending
        What the run may cost.
    risk
        waste, by default: the expected share of the budget wasted against the best use of it; waste(cvar:0.1) and the
        like are other risks of that share. Of the loss: expectation, cvar:0.1, quantile:0.9, p_miss:2.3,
        expected_regret, minimax_regret, entropic:1 (for a bounded loss). worst_case(cvar:0.1) is over the laws of a
        stack. Repeated: one recommendation each.
    target_loss
        For the probability of reaching it.
    further
        What the law reads besides N and D.
    subject
        Whose curve.
    backtest
        A back-test of the model on the fitted table, written by bayescale backtest -o: how such forecasts held.
    output
        Also write the plan (JSON).
    drawing
        Whether the valleys, the regret set and the frontier are drawn too.
    json
        Print one JSON document and nothing else on standard output.
    """
    if output is not None:
        check_output(output, drawing.force, fit, *([problem] if problem else []))
    drawing.check(output, problem)
    options = {
        "budget": spending,
        "risk": list(risk),
        "target_loss": target_loss,
        "further": further.stated(),
        "architecture": subject.architecture,
        "new_architecture": subject.new_architecture,
        "task": subject.task,
    }
    asked = problem_from_options(options) if problem is None else _from_file(problem, options)
    with working("planning"):
        made = make_plan(
            fit, asked, subject.allow_unconverged, subject.allow_experimental, backtest
        )
        if output is not None:
            made.save(output, overwrite=drawing.force)
        written = drawing.save("frontier", made)
    if json:
        emit_json(made.to_dict())
        return
    say(str(made))
    say_written(written)
    if output is not None:
        say(f"written: {output} (hash {made.hash})")


def _from_file(path: Path, options: Mapping[str, Any]) -> Problem:
    """The problem of a file, which then says all of it."""
    from bayescale.decide import load_problem

    given = [name for name, value in options.items() if value not in (None, [], {}, Spending())]
    if given:
        raise PlanError(
            f"{path} states the problem: move {', '.join(given)} from the options into it"
        )
    return load_problem(path)


def problem_from_options(options: Mapping[str, Any]) -> Problem:
    """The problem that options state; read before the fit is."""
    from bayescale.decide import Problem

    budget = options["budget"].table("; or name a file, plan.toml")
    if options["architecture"] is not None and options["new_architecture"] is not None:
        raise PlanError("a plan is for one group: --architecture or --new-architecture, not both")
    return Problem(**{**options, "budget": budget})


def make_plan(
    fit: Path,
    problem: Problem,
    allow_unconverged: bool,
    allow_experimental: bool,
    backtest: Path | None = None,
) -> Plan:
    """Plan for a problem; its budget and risks are checked before the fit is read."""
    from bayescale.decide import plan as run_plan
    from bayescale.predict import load_backtest

    budget, risks = problem.get_budget(), problem.risks()
    tested = None if backtest is None else load_backtest(backtest)
    known, new = problem.architecture, problem.new_architecture
    fitted = open_posterior(fit, allow_unconverged)
    groups = choose_architectures(
        fitted, [] if known is None else [known], [] if new is None else [new]
    )
    return run_plan(
        fitted,
        budget,
        risks,
        problem.target_loss,
        candidates=problem.pairs(),
        constraints=problem.get_constraints(),
        backtest=tested,
        architecture=groups[0],
        task=choose_task(fitted, problem.task),
        study=problem.study,
        allow_unconverged=allow_unconverged,
        allow_experimental=allow_experimental,
        **problem.given(),
    )
