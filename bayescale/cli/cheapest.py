"""`bayescale cheapest`: the least compute that reaches a target loss with a given probability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayescale.cli.deciding import Drawing, Further, Subject
from bayescale.cli.options import Flag
from bayescale.cli.output import emit_json, say, say_written, working

if TYPE_CHECKING:
    from bayescale.decide import Cheapest
    from bayescale.posterior import Posterior

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
    restarts: str | None = None,
    failed: str | None = None,
    subject: Subject = Subject(),
    further: Further = Further(),
    drawing: Drawing = Drawing(),
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
    restarts
        Work repeated after restarts, as a share of the run; a number, or a distribution.
    failed
        Runs lost for one that succeeds; likewise.
    subject
        Whose curve.
    further
        What the law reads besides N and D.
    drawing
        Whether it is drawn too.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    given: dict[str, Any] = further.inputs()
    from bayescale import decide

    with working("searching"):
        fitted, whose = subject.open(fit)
        found = decide.cheapest(
            fitted,
            target_loss=target_loss,
            probability=probability,
            kind=kind,
            price_per_hour=price_per_hour,
            mfu=mfu,
            hardware=hardware,
            restarts=restarts,
            failed=failed,
            **given,
            **whose,
        )
        written = [] if drawing.plot is None else _draw(fitted, found, whose | given, drawing)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    say_written(written)


def _draw(fit: Posterior, found: Cheapest, whose: dict[str, Any], drawing: Drawing) -> list[Path]:
    from bayescale import decide

    ends = (found.compute / 10.0**DECADES, found.compute * 10.0**DECADES)
    numbers = decide.budget_frontier(
        fit,
        found.problem["target_loss"],
        max(ends[0], decide.LEAST_FLOP),
        min(ends[1], decide.MOST_FLOP),
        kind=found.problem["kind"],
        **whose,
    )
    return drawing.save("budget", numbers, found)
