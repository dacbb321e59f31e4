"""`bayescale pareto`: actions that no other one beats in loss, money, emissions, cost and latency of serving."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bayescale.cli.deciding import Drawing, Further, Subject
from bayescale.cli.options import Flag
from bayescale.cli.output import emit_json, notes, number, say_written, table, working
from bayescale.errors import PlanError

SHOWN = 20  # rows of the table; all are in the JSON


def pareto(
    fit: Path,
    /,
    *,
    low: float,
    high: float,
    hardware: tuple[str, ...],
    mfu: str,
    price: Annotated[tuple[str, ...], Parameter(name=["--price", "--price-per-hour"])] = (),
    grid: str = "world",
    risk: str = "expectation",
    subject: Subject = Subject(),
    further: Further = Further(),
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """List the actions that no other one beats in loss, money, emissions, cost and latency of serving.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    low
        Smallest budget, in FLOP.
    high
        Largest budget, in FLOP.
    hardware
        What it may be trained on. Repeated.
    mfu
        Model FLOP utilisation, in (0, 1]; a number or a distribution.
    price
        Dollars per accelerator-hour, one for each hardware; the table's by default. Repeated.
    grid
        A region, or kg CO2e per kWh.
    risk
        Of the loss, as in bayescale plan: one of the share wasted is of one budget, and refused.
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
    if price and len(price) != len(hardware):
        raise PlanError(f"{len(price)} prices for {len(hardware)} kinds: one for each --hardware")
    from bayescale import decide

    with working("comparing actions"):
        fleets = [
            decide.Fleet(hardware=name, mfu=mfu, price_per_hour=each, grid=grid)
            for name, each in zip(hardware, price or (None,) * len(hardware), strict=True)
        ]
        fitted, whose = subject.open(fit)
        found = decide.pareto(
            fitted,
            fleets,
            low,
            high,
            risk=risk,
            **given,
            **whose,
        )
        written = drawing.save("pareto", found)
    if json:
        actions = {str(k): v.to_numpy() for k, v in found.data_vars.items()}
        emit_json({**found.attrs, "actions": actions, "written": written})
        return
    best = found.isel(action=found["efficient"].to_numpy()).sortby("risk")
    columns = ["params", "tokens", *best.attrs["objectives"]]
    step = max(1, -(-best.sizes["action"] // SHOWN))
    rows: list[Any] = [
        [best.attrs["fleets"][int(one["fleet"])], *(number(float(one[c])) for c in columns)]
        for one in (best.isel(action=i) for i in range(0, best.sizes["action"], step))
    ]
    table(["hardware", "N", "D", *best.attrs["objectives"]], rows)
    notes(
        [
            f"{best.sizes['action']} of {found.sizes['action']} actions are not beaten by another one; "
            f"every {step}th is shown, all with --json"
        ]
    )
    say_written(written)
