"""`bayescale cost` and `bayescale hardware`: what a model costs, and the accelerators that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.cli.options import Flag, check_seed, quantity
from bayescale.cli.output import emit_json, notes, number, table

if TYPE_CHECKING:
    from bayescale.decide import Costing


def list_hardware(*, json: Flag = False) -> None:
    """List the accelerators that are known by name, with the sources of their numbers.

    Parameters
    ----------
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.decide import grid_table, hardware_table

    chips = hardware_table()
    if json:
        grids = {name: grid.model_dump() for name, grid in grid_table().items()}
        emit_json({"hardware": [chip.model_dump() for chip in chips.values()], "grids": grids})
        return
    rows = [
        [
            chip.name,
            *(_tera(chip.peak.get(p)) for p in ("bf16", "fp16", "fp8")),
            number(chip.memory_gb),
            _tera(chip.bandwidth),
            _or_dash(chip.watts),
            _or_dash(chip.price_per_hour),
            chip.source,
        ]
        for chip in chips.values()
    ]
    table(["hardware", "bf16", "fp16", "fp8", "GB", "TB/s", "W", "$/hour", "source"], rows)
    notes(["peaks are dense, in TFLOP/s", f"grids: {', '.join(grid_table())}"])


def _tera(per_second: float | None) -> str:
    return _or_dash(None if per_second is None else per_second / 1e12)


def _or_dash(value: float | None) -> str:
    return "–" if value is None else number(value)


def cost(
    *,
    params: str,
    tokens: str,
    hardware: str,
    mfu: str,
    tokens_per_byte: float | None = None,
    mfu_at: str | None = None,
    mfu_falls: str = "0",
    price: Annotated[str | None, Parameter(name=["--price", "--price-per-hour"])] = None,
    accelerators: str = "1",
    precision: str | None = None,
    watts: str | None = None,
    pue: str = "1.1",
    grid: str = "world",
    restarts: str = "0",
    failed: str = "0",
    served_tokens: str | None = None,
    serving_mfu: str | None = None,
    context: float | None = None,
    vocabulary: float | None = None,
    layers: float | None = None,
    width: float | None = None,
    draws: Whole = 4000,
    seed: Whole = 0,
    json: Flag = False,
) -> None:
    """Cost of a model in FLOP, accelerator-hours, days, money, kWh and kgCO2e.

    Numbers may be distributions: 'LogNormal(median=2.7, sigma=0.35)', 'Beta(alpha=16, beta=24)'.

    Parameters
    ----------
    params
        Parameters, e.g. 70B.
    tokens
        Training tokens, e.g. 1.4T; or an amount of data, 6TB, with how many tokens a byte is.
    tokens_per_byte
        About .25 for English and a vocabulary of 50k.
    hardware
        An accelerator that bayescale hardware lists.
    mfu
        Model FLOP utilisation, in (0, 1].
    mfu_at
        How many accelerators that was measured on; with more of them it falls.
    mfu_falls
        Share of it that is lost with each doubling beyond.
    price
        Dollars per accelerator-hour; the table's by default.
    accelerators
        How many run side by side.
    precision
        bf16, fp16 or fp8: whose peak.
    watts
        Power per accelerator; the table's by default.
    pue
        Power of the building over that of its machines.
    grid
        A region, or kg CO2e per kWh.
    restarts
        Work repeated after restarts, as a share of the run.
    failed
        Runs lost for one that succeeds.
    served_tokens
        Tokens served over the model's life; needs the utilisation while serving.
    serving_mfu
        Utilisation while serving.
    context
        Adds attention over that many tokens.
    vocabulary
        Adds the output head, for parameters counted without it.
    layers
        Of the architecture, for attention; by default a decoder of that size with width = 100 × layers.
    width
        Of the architecture, for attention and the output head; likewise.
    draws
        How many draws of the uncertain inputs.
    seed
        Of these draws.
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.decide import Fleet
    from bayescale.decide import cost as run_cost

    check_seed(seed)
    fleet = Fleet(
        hardware=hardware,
        mfu=mfu,
        mfu_at=mfu_at,
        mfu_falls=mfu_falls,
        precision=precision,
        price_per_hour=price,
        accelerators=accelerators,
        watts=watts,
        pue=pue,
        grid=grid,
        restarts=restarts,
        failed=failed,
    )
    made = run_cost(
        fleet,
        params=_count("--params", params, "params"),
        tokens=_count("--tokens", tokens, "tokens", tokens_per_byte),
        served_tokens=None
        if served_tokens is None
        else _count("--served-tokens", served_tokens, "tokens"),
        serving_mfu=serving_mfu,
        context=context,
        vocabulary=vocabulary,
        layers=layers,
        width=width,
        draws=draws,
        seed=seed,
    )
    if json:
        emit_json(made.to_dict())
        return
    _show(made, accelerators)


def _count(option: str, text: str, kind: str, tokens_per_byte: float | None = None) -> float | str:
    """A count such as 70B; a distribution stays text."""
    return text if "(" in text else quantity(option, text, kind, tokens_per_byte)


def _show(made: Costing, accelerators: str) -> None:
    rows = []
    parts = {"training": made.training, "serving": made.serving, "total": made.total}
    for part, spent in parts.items():
        if spent is None or (part == "total" and made.serving is None):
            continue
        for key, amount in spent.amounts().items():
            q = amount.quantiles()
            unit = f"days on {accelerators}" if key == "days" else amount.unit
            rows.append([part, unit, *(number(q[k]) for k in ("median", "lo90", "hi90"))])
    table(["of", "in", "median", "5 %", "95 %"], rows)
    notes(made.notes)
