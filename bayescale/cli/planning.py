"""`bayescale plan`: what to train with a budget, at what risk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bayescale.cli.options import (
    Flag,
    Several,
    check_output,
    choose_architectures,
    choose_task,
    open_posterior,
    quantity,
)
from bayescale.cli.output import emit_json, say, working
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Plan


def plan(
    fit: Path,
    /,
    *,
    compute: str | None = None,
    dollars: str | None = None,
    price_per_hour: float | None = None,
    mfu: float | None = None,
    hardware: str | None = None,
    risk: Several = (),
    target_loss: float | None = None,
    architecture: str | None = None,
    new_architecture: str | None = None,
    task: str | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """Choose parameters and tokens for a training budget.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    compute
        Budget in FLOP, e.g. 1e24.
    dollars
        Budget in money, e.g. 5e6; needs the price, the utilisation and the hardware.
    price_per_hour
        Dollars per accelerator-hour.
    mfu
        Model FLOP utilisation, in (0, 1].
    hardware
        Accelerator, e.g. H100-SXM.
    risk
        expectation, cvar:0.1 or quantile:0.9. Repeated: one recommendation each.
    target_loss
        For the probability of reaching it.
    architecture
        A fitted one.
    new_architecture
        A label for one that was not fitted.
    task
        Needed where several were fitted.
    output
        Also write the plan (JSON).
    allow_experimental
        Plan on a model whose status is experimental.
    force
        Replace an output file that exists.
    allow_unconverged
        Use a fit that missed the convergence gate.
    json
        Print one JSON document and nothing else on standard output.
    """
    if output is not None:
        check_output(output, force)
    if (compute is None) == (dollars is None):
        raise PlanError("a budget is --compute FLOP or --dollars …, one of the two")
    if dollars is not None and None in (price_per_hour, mfu, hardware):
        raise PlanError("--dollars needs --price-per-hour, --mfu and --hardware to become FLOP")
    from_compute = None if compute is None else quantity("--compute", compute, "compute")
    from_dollars = None if dollars is None else quantity("--dollars", dollars, "params")
    with working("planning"):
        made = make_plan(
            fit,
            from_compute,
            from_dollars,
            (price_per_hour, mfu, hardware),
            risk,
            target_loss,
            (architecture, new_architecture, task),
            allow_unconverged,
            allow_experimental,
        )
    if output is not None:
        made.save(output)
    if json:
        emit_json(made.to_dict())
        return
    say(str(made))
    if output is not None:
        say(f"written: {output}")


def make_plan(
    fit: Path,
    compute: float | None,
    dollars: float | None,
    price: tuple[float | None, float | None, str | None],
    risk: tuple[str, ...],
    target_loss: float | None,
    group: tuple[str | None, str | None, str | None],
    allow_unconverged: bool,
    allow_experimental: bool,
) -> Plan:
    """Plan from options; the budget and the risks are read before the file is."""
    from bayescale.decide import Budget, parse_risk
    from bayescale.decide import plan as run_plan

    budget = Budget(
        compute=compute,
        dollars=dollars,
        price_per_hour=price[0],
        mfu=price[1],
        hardware=price[2],
    )
    risks = [parse_risk(text) for text in risk] or None
    known, new, task = group
    if known is not None and new is not None:
        raise PlanError("a plan is for one group: --architecture or --new-architecture, not both")
    fitted = open_posterior(fit, allow_unconverged)
    groups = choose_architectures(
        fitted, [] if known is None else [known], [] if new is None else [new]
    )
    return run_plan(
        fitted,
        budget,
        risks,
        target_loss,
        architecture=groups[0],
        task=choose_task(fitted, task),
        allow_unconverged=allow_unconverged,
        allow_experimental=allow_experimental,
    )
