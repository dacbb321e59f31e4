"""`bayescale select`: which architecture or recipe to scale at a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.cli.deciding import Drawing, Further
from bayescale.cli.options import Flag, Several, choose_task, open_posterior, quantity
from bayescale.cli.output import emit_json, notes, say, say_written, table, working
from bayescale.cli.spending import Spending
from bayescale.errors import PlanError
from bayescale.given import GIVEN

if TYPE_CHECKING:
    from bayescale.posterior import Group


def select(
    fit: Path,
    /,
    *,
    spending: Spending = Spending(),
    by: str = "architecture",
    among: Several = (),
    new: Several = (),
    risk: str = "waste",
    low: float | None = None,
    high: float | None = None,
    architecture: str | None = None,
    task: str | None = None,
    further: Further = Further(),
    drawing: Drawing = Drawing(),
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """Choose which architecture, or which recipe, to scale: P(best), regret, and where frontiers cross.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    spending
        What the run may cost.
    by
        architecture, or study: a source, or a recipe; or an input that the model reads, such as experts.
    among
        A fitted one to compare, all of them by default; or a value of the input, 64 or 100B. Repeated.
    new
        A label for one that was not fitted, to be compared too. Repeated.
    risk
        By which the best is chosen: as in bayescale plan.
    low
        Smallest budget at which frontiers are compared, in FLOP.
    high
        Largest budget, in FLOP.
    architecture
        Where studies or inputs are compared: of which architecture.
    task
        Needed where several were fitted.
    further
        What the law reads besides N and D.
    drawing
        Whether frontiers and P(best) are drawn too.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    given: dict[str, Any] = further.inputs()
    from bayescale import decide
    from bayescale.posterior import New

    with working("comparing groups"):
        budget = spending.table().get_budget()
        fitted = open_posterior(fit, allow_unconverged)
        groups: list[Group | float]
        if by in GIVEN:
            if new:
                raise PlanError(f"--new names a group, not a number of {by}: use --among")
            groups = [quantity("--among", value, by) for value in among]
        else:
            fitted_labels = {str(k): v for k, v in fitted.members[0].model.groups.items()}
            groups = [*(among or fitted_labels.get(by, ())), *map(New, new)]
        found = decide.select(
            fitted,
            budget,
            by=by,
            among=groups,
            risk=risk,
            low=low,
            high=high,
            architecture=architecture,
            task=choose_task(fitted, task),
            **given,
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
        )
        written = drawing.save("selection", found)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(found.headline())
    table([by, "P(best)", "wasted", "N", "D", "loss [90 %]"], found.rows())
    columns = ["pair", "frontiers cross at FLOP [90 %]", "P(never)", "difference of β", "of α"]
    table(columns, found.pair_rows())
    notes([found.range_note(), *found.caveats])
    say_written(written)
