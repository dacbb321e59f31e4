"""`bayescale stopping` and `bayescale pareto`: when to stop spending, and what cannot be had together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bayescale.cli.options import (
    Flag,
    check_figure,
    choose_architectures,
    choose_task,
    open_posterior,
    pairs,
    quantity,
)
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Value

_ACCURACY = ("chance", "best", "midpoint", "slope")
SHOWN = 20  # rows of the table; all are in the JSON


def stopping(
    fit: Path,
    /,
    *,
    price_per_hour: str,
    mfu: str,
    hardware: str,
    per_nat: str | None = None,
    worth: str | None = None,
    target_loss: float | None = None,
    accuracy: str | None = None,
    low: float | None = None,
    high: float | None = None,
    kind: Literal["campaign", "expected"] = "campaign",
    architecture: str | None = None,
    new_architecture: str | None = None,
    task: str | None = None,
    plot: Path | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
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
    architecture
        A fitted one.
    new_architecture
        A label for one that was not fitted.
    task
        Needed where several were fitted.
    plot
        Also draw marginal and net value against the budget, as figure.pdf and figure.png.
    force
        Replace a figure that exists.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_figure(plot, force)
    value = _value(per_nat, worth, target_loss, accuracy)
    from bayescale import decide

    with working("weighing budgets"):
        fitted = open_posterior(fit, allow_unconverged)
        (group,) = choose_architectures(fitted, _some(architecture), _some(new_architecture))
        found = decide.stopping(
            fitted,
            value,
            price_per_hour=price_per_hour,
            mfu=mfu,
            hardware=hardware,
            low=low,
            high=high,
            kind=kind,
            architecture=group,
            task=choose_task(fitted, task),
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
        )
        written: list[Path] = []
        if plot is not None:
            from bayescale import plots

            written = plots.save(plots.stopping(found), plot)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say(str(found))
    _say_written(written)


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
    architecture: str | None = None,
    new_architecture: str | None = None,
    task: str | None = None,
    plot: Path | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """List the actions that no other one beats in loss, money, emissions and cost of serving.

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
        Of the loss, as in bayescale plan.
    architecture
        A fitted one.
    new_architecture
        A label for one that was not fitted.
    task
        Needed where several were fitted.
    plot
        Also draw loss against money, as figure.pdf and figure.png.
    force
        Replace a figure that exists.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_figure(plot, force)
    if price and len(price) != len(hardware):
        raise PlanError(f"{len(price)} prices for {len(hardware)} kinds: one for each --hardware")
    from bayescale import decide

    with working("comparing actions"):
        fleets = [
            decide.Fleet(hardware=name, mfu=mfu, price_per_hour=each, grid=grid)
            for name, each in zip(hardware, price or (None,) * len(hardware), strict=True)
        ]
        fitted = open_posterior(fit, allow_unconverged)
        (group,) = choose_architectures(fitted, _some(architecture), _some(new_architecture))
        found = decide.pareto(
            fitted,
            fleets,
            low,
            high,
            risk=risk,
            architecture=group,
            task=choose_task(fitted, task),
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
        )
        written: list[Path] = []
        if plot is not None:
            from bayescale import plots

            written = plots.save(plots.pareto(found), plot)
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
    _say_written(written)


def _some(name: str | None) -> list[str]:
    return [] if name is None else [name]


def _say_written(written: list[Path]) -> None:
    if written:
        say(f"written: {', '.join(str(path) for path in written)}")
