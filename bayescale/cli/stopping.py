"""`bayescale stopping`: the budget beyond which a dollar of training brings less than a dollar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayescale.cli.deciding import Drawing, Further, Subject
from bayescale.cli.options import Flag, pairs, quantity
from bayescale.cli.output import emit_json, say, say_written, working
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Value

_ACCURACY = ("chance", "best", "midpoint", "slope")


def stopping(
    fit: Path,
    /,
    *,
    price_per_hour: str,
    mfu: str,
    hardware: str,
    restarts: str | None = None,
    failed: str | None = None,
    per_nat: str | None = None,
    worth: str | None = None,
    target_loss: float | None = None,
    accuracy: str | None = None,
    low: float | None = None,
    high: float | None = None,
    kind: Literal["campaign", "expected"] = "campaign",
    subject: Subject = Subject(),
    further: Further = Further(),
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """Find the budget beyond which one more dollar of training brings less than a dollar.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    price_per_hour
        Dollars per accelerator-hour; a number, or a distribution: 'LogNormal(median=2.7, sigma=0.35)'.
    mfu
        Model FLOP utilisation, in (0, 1]; likewise.
    hardware
        Accelerator, e.g. H100-SXM.
    restarts
        Work repeated after restarts, as a share of the run; a number, or a distribution.
    failed
        Runs lost for one that succeeds; likewise.
    per_nat
        Dollars that a unit of loss saved is worth.
    worth
        Dollars, instead: of reaching the target loss, or of all accuracy.
    target_loss
        What must be reached for the worth.
    accuracy
        How loss becomes accuracy: 'chance=0.25,best=0.9,midpoint=2.2,slope=5', a sigmoid.
    low
        Smallest budget searched, in FLOP.
    high
        Largest, in FLOP.
    kind
        campaign: with the offset that a new campaign shares; expected: the curve alone.
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
    value = _value(per_nat, worth, target_loss, accuracy)
    from bayescale import decide

    with working("weighing budgets"):
        fitted, whose = subject.open(fit)
        found = decide.stopping(
            fitted,
            value,
            price_per_hour=price_per_hour,
            mfu=mfu,
            hardware=hardware,
            restarts=restarts,
            failed=failed,
            low=low,
            high=high,
            kind=kind,
            **given,
            **whose,
        )
        written = drawing.save("stopping", found)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    say_written(written)


def _value(
    per_nat: str | None, worth: str | None, target_loss: float | None, accuracy: str | None
) -> Value:
    from bayescale.decide import ByAccuracy, IfReached, PerNat

    if (per_nat is None) == (worth is None):
        raise PlanError("what a loss is worth is one of --per-nat DOLLARS and --worth DOLLARS")
    if per_nat is not None:
        return PerNat(quantity("--per-nat", per_nat, "params"))
    dollars = quantity("--worth", str(worth), "params")
    if (target_loss is None) == (accuracy is None):
        raise PlanError("--worth is of one of the two: --target-loss or --accuracy")
    if target_loss is not None:
        return IfReached(dollars, target_loss)
    given = pairs("--accuracy", str(accuracy).split(","), "chance=0.25")
    missing = [name for name in _ACCURACY if name not in given]
    if missing or len(given) > len(_ACCURACY):
        raise PlanError(f"--accuracy takes {', '.join(_ACCURACY)}; missing: {', '.join(missing)}")
    numbers = {name: quantity(f"--accuracy {name}", given[name], "params") for name in _ACCURACY}
    return ByAccuracy(dollars, **numbers)
