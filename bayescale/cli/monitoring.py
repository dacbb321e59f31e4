"""`bayescale monitor`: go on with a run, or stop it."""

from __future__ import annotations

from pathlib import Path

from bayescale.cli.deciding import Drawing
from bayescale.cli.options import Flag
from bayescale.cli.output import emit_json, notes, number, say_written, table, working

GO_ON, STOP = 0, 10


def monitor(
    plan: Path,
    curve: Path,
    /,
    *,
    reference: Path | None = None,
    target_loss: float | None = None,
    total_steps: float | None = None,
    risk: float = 0.05,
    worth: float | None = None,
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> int:
    """Say how likely runs in training are to reach the target; exits 10 if one is to be stopped.

    Parameters
    ----------
    plan
        A plan, written by bayescale plan -o.
    curve
        A table of checkpoints: tokens or steps, loss, and run ids where there are several runs.
    reference
        Complete curves of earlier runs with the same schedule, three or more, with run ids. Without them there is no
        probability.
    target_loss
        The plan's own by default.
    total_steps
        Of the whole run, where the curve counts steps.
    risk
        A run is to be stopped where its P(final loss ≤ target) is below.
    worth
        Dollars that reaching the target is worth; needs a plan with a price.
    drawing
        Whether the curves and the ways ahead are drawn too.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    from bayescale import decide

    with working("monitoring"):
        found = decide.monitor(
            decide.load_plan(plan),
            curve,
            reference,
            target_loss=target_loss,
            total_steps=total_steps,
            risk=risk,
            worth=worth,
        )
        written = drawing.save("monitor", found)
    code = STOP if found.stop else GO_ON
    if json:
        emit_json(found.to_dict() | {"written": written})
        return code
    frame = found.table()
    words = {True: "stop", False: "go on"}
    table(
        [str(c) for c in frame.columns],
        [
            [
                words[v] if isinstance(v, bool) else v if isinstance(v, str) else number(v)
                for v in row
            ]
            for row in frame.itertuples(index=False)
        ],
    )
    notes(found.notes)
    say_written(written)
    return code
