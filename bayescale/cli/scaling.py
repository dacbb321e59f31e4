"""`bayescale scale-up`: how to scale a base network up in depth, width and resolution, and where it stops paying."""

from __future__ import annotations

from pathlib import Path

from bayescale.cli.deciding import Drawing, Subject
from bayescale.cli.options import Flag
from bayescale.cli.output import emit_json, say, say_written, working
from bayescale.errors import PlanError


def scale_up(
    fit: Path,
    /,
    *,
    base_flops: float | None = None,
    multiple: float = 2.0,
    steps: int = 7,
    least_gain: float = 0.005,
    pointwise: float = 1.0,
    backtest: Path | None = None,
    subject: Subject = Subject(),
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """Scale a base network up by its best mix of depth, width and resolution.

    Parameters
    ----------
    fit
        A fit of model compound, written by bayescale fit.
    base_flops
        FLOP of one input of the base network; by default the least of the fitted ones.
    multiple
        FLOP multiple of a step.
    steps
        How many to show.
    least_gain
        Of the error by a further step, below which scaling is said to stop paying.
    pointwise
        Share of the base's FLOP that grow as width squared; the others, of depthwise convolutions, grow as width.
    backtest
        A file written by bayescale backtest: says how such forecasts held at that distance.
    subject
        Whose curve.
    drawing
        Whether it is drawn too.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    from bayescale import decide
    from bayescale.posterior import Fit
    from bayescale.predict import load_backtest

    with working("scaling up"):
        fitted, whose = subject.open(fit)
        if not isinstance(fitted, Fit):
            raise PlanError("scale-up takes a fit, not a stack: a, b and c are one law's")
        found = decide.scale_up(
            fitted,
            base_flops=base_flops,
            multiple=multiple,
            steps=steps,
            least_gain=least_gain,
            pointwise=pointwise,
            backtest=None if backtest is None else load_backtest(backtest),
            **whose,
        )
        written = drawing.save("scaled", found)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    say_written(written)
