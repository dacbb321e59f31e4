"""`bayescale needed`: how many labelled examples, tokens, parameters or FLOP a target loss needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from bayescale.cli.deciding import Drawing, Further, Subject
from bayescale.cli.options import Flag, quantity
from bayescale.cli.output import emit_json, say, say_written, working


def needed(
    fit: Path,
    /,
    *,
    target_loss: float,
    probability: float = 0.8,
    axis: Literal["params", "tokens", "compute"] | None = None,
    params: str | None = None,
    tokens: str | None = None,
    kind: Literal["run", "campaign", "expected"] = "campaign",
    price: str | None = None,
    backtest: Path | None = None,
    subject: Subject = Subject(),
    further: Further = Further(),
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """Find how much of one input a target loss needs: labelled images for an error, say, with its interval.

    Parameters
    ----------
    fit
        A fit written by bayescale fit, or a stack written by bayescale compare.
    target_loss
        In the unit of the fit; for a target accuracy or mAP, one minus it.
    probability
        P(loss ≤ target) asked for.
    axis
        The input asked for, of a law that reads several; labelled examples are tokens.
    params
        At this N, e.g. 7B, of a joint law.
    tokens
        At this D, e.g. 100B, of a joint law.
    kind
        run: with the noise of one run; campaign: with what the runs of one campaign share; expected: the curve alone.
    price
        Dollars for one of them, a number or a distribution.
    backtest
        A file written by bayescale backtest: says how such forecasts held at that distance.
    subject
        Whose curve.
    further
        What the law reads besides.
    drawing
        Whether it is drawn too.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    given: dict[str, Any] = further.inputs()
    from bayescale import decide
    from bayescale.predict import load_backtest

    with working("searching"):
        fitted, whose = subject.open(fit)
        found = decide.needed(
            fitted,
            target_loss=target_loss,
            probability=probability,
            axis=axis,
            params=None if params is None else quantity("--params", params, "params"),
            tokens=None if tokens is None else quantity("--tokens", tokens, "tokens"),
            kind=kind,
            price=price,
            backtest=None if backtest is None else load_backtest(backtest),
            **given,
            **whose,
        )
        written = drawing.save("needed", found)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    say_written(written)
