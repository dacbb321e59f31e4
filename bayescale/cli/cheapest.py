"""`bayescale cheapest`: the least compute that reaches a target loss with a given probability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bayescale.cli.options import (
    Flag,
    check_figure,
    choose_architectures,
    choose_task,
    open_posterior,
)
from bayescale.cli.output import emit_json, say, working
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Cheapest
    from bayescale.posterior import Group, Posterior

DECADES = 2.0  # of compute that the figure shows to each side of the answer


def cheapest(
    fit: Path,
    /,
    *,
    target_loss: float,
    probability: float = 0.8,
    kind: Literal["campaign", "expected"] = "campaign",
    price_per_hour: str | None = None,
    mfu: str | None = None,
    hardware: str | None = None,
    architecture: str | None = None,
    new_architecture: str | None = None,
    task: str | None = None,
    plot: Path | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """Find the cheapest budget that reaches a target loss with a given probability.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    target_loss
        In the unit of the fit.
    probability
        P(loss ≤ target) asked for.
    kind
        campaign: with the offset that a new campaign shares; expected: the curve alone.
    price_per_hour
        Dollars per accelerator-hour, a number or a distribution; with the utilisation and the hardware, the budget is
        priced.
    mfu
        Model FLOP utilisation, in (0, 1].
    hardware
        Accelerator, e.g. H100-SXM.
    architecture
        A fitted one.
    new_architecture
        A label for one that was not fitted.
    task
        Needed where several were fitted.
    plot
        Also draw risk against budget, as figure.pdf and figure.png.
    force
        Replace a figure that exists.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    if architecture is not None and new_architecture is not None:
        raise PlanError("a budget is for one group: --architecture or --new-architecture, not both")
    check_figure(plot, force)
    from bayescale import decide

    with working("searching"):
        fitted = open_posterior(fit, allow_unconverged)
        (group,) = choose_architectures(
            fitted,
            [] if architecture is None else [architecture],
            [] if new_architecture is None else [new_architecture],
        )
        chosen_task = choose_task(fitted, task)
        found = decide.cheapest(
            fitted,
            target_loss=target_loss,
            probability=probability,
            kind=kind,
            price_per_hour=price_per_hour,
            mfu=mfu,
            hardware=hardware,
            architecture=group,
            task=chosen_task,
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
        )
        written = [] if plot is None else _draw(fitted, found, group, chosen_task, plot)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    if written:
        say(f"written: {', '.join(str(path) for path in written)}")


def _draw(fit: Posterior, found: Cheapest, group: Group, task: str, path: Path) -> list[Path]:
    from bayescale import decide, plots

    ends = (found.compute / 10.0**DECADES, found.compute * 10.0**DECADES)
    numbers = decide.budget_frontier(
        fit,
        found.problem["target_loss"],
        max(ends[0], decide.LEAST_FLOP),
        min(ends[1], decide.MOST_FLOP),
        kind=found.problem["kind"],
        architecture=group,
        task=task,
        # The search has let this fit and model in.
        allow_unconverged=True,
        allow_experimental=True,
    )
    return plots.save(plots.budget(numbers, found), path)
