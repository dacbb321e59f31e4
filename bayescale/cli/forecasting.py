"""`bayescale predict`: the loss at scales that were not run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayescale.cli.options import (
    Flag,
    Several,
    choose_architectures,
    choose_task,
    open_posterior,
    pairs,
    quantities,
)
from bayescale.cli.output import emit_json, notes, number, table, working
from bayescale.errors import BayescaleError, ForecastError
from bayescale.given import GIVEN, get_given

if TYPE_CHECKING:
    from bayescale.posterior import Posterior
    from bayescale.predict import Forecast

_AXES = ("params", "tokens", "compute", "upstream_loss", *GIVEN)
_UNIT_DECADES = 4.0  # so far below the fitted runs nobody forecasts
_LOSSES = ("median", "lo50", "hi50", "lo90", "hi90")


def predict(
    fit: Path,
    /,
    *,
    at: Path | None = None,
    params: Several = (),
    tokens: Several = (),
    compute: Several = (),
    upstream_loss: Several = (),
    unique_tokens: Several = (),
    experts: Several = (),
    given: Several = (),
    tokens_per_byte: float | None = None,
    architecture: Several = (),
    new_architecture: Several = (),
    task: str | None = None,
    kind: Literal["law", "expected", "campaign", "run"] = "run",
    allow_unconverged: Flag = False,
    json: Flag = False,
) -> None:
    """Forecast the loss at points, with 50 % and 90 % intervals.

    Parameters
    ----------
    fit
        A fit written by bayescale fit, a stack by bayescale compare, or a chain by bayescale chain.
    at
        Table of points (CSV, …) with columns params, tokens, compute, and what else the model reads (unique_tokens,
        experts, …); any other is left out.
    params
        N, e.g. 70B. Repeated: one point each, of equal number with --tokens.
    tokens
        D, e.g. 1.4T; or an amount of data, 6TB, with how many tokens a byte is.
    compute
        C in FLOP; alone, of a law in N and D, it means the compute-optimal frontier.
    upstream_loss
        Loss of a first step, e.g. 2.4, for a model of errors that reads it.
    unique_tokens
        How many of the tokens differ, e.g. 100B, for a model of repeated data.
    experts
        Experts of a routed layer, for a model of routed networks.
    given
        Another input that the model reads, NAME=VALUE or NAME=VALUE,VALUE,… for several points. Repeated.
    tokens_per_byte
        Turns amounts of data into tokens: about .25 for English and a vocabulary of 50k.
    architecture
        A fitted one. May be repeated.
    new_architecture
        A label for one that was not fitted. May be repeated.
    task
        Needed where several were fitted.
    kind
        The curve (law), with drift (expected), with a sweep's offset (campaign), with the noise of a run (run).
    allow_unconverged
        Use a fit that missed the convergence gate.
    json
        Print one JSON document and nothing else on standard output.
    """
    stated = {
        "params": params,
        "tokens": tokens,
        "compute": compute,
        "upstream_loss": upstream_loss,
        "unique_tokens": unique_tokens,
        "experts": experts,
    }
    for name, text in pairs("--given", given, "experts=64").items():
        get_given(name, "--given")
        if stated.get(name):
            raise ForecastError(f"--given {name} is stated by --{name.replace('_', '-')} already")
        stated[name] = tuple(text.split(","))
    if at is not None and any(stated.values()):
        raise ForecastError(
            "give points with --at, or with --params, --tokens, --compute, not both"
        )
    if at is None and not any(stated.values()):
        raise ForecastError(
            "say where to forecast: --params 70B --tokens 1.4T, --compute 1e24, or --at points.csv"
        )
    with working("reading the fit"):
        fitted = open_posterior(fit, allow_unconverged)
        from bayescale.predict import predict as run_predict

        groups = choose_architectures(fitted, architecture, new_architecture)
        chosen_task = choose_task(fitted, task)
        if at is not None:
            points, left_out = _read_points(at)
        else:
            points = {a: quantities(f"--{a}", v, a, tokens_per_byte) for a, v in stated.items()}
            left_out = []
        _check_units(fitted, points)
        asked: dict[str, Any] = points
        forecast = run_predict(
            fitted,
            architecture=groups,
            task=chosen_task,
            kind=kind,
            allow_unconverged=allow_unconverged,
            **asked,
        )
    said = [*left_out, *forecast.notes]
    if json:
        emit_json(_as_data(forecast, said))
    else:
        _print(forecast, said)


def _check_units(fitted: Posterior, points: Mapping[str, list[float] | None]) -> None:
    """Refuse N or D so far below every fitted run that its unit must be missing: 70 for 70B."""
    for axis in ("params", "tokens"):
        smallest = min(
            (float(m.runs[axis].min()) for m in fitted.members if axis in m.runs), default=0.0
        )
        for value in points.get(axis) or []:
            if 0.0 < value < smallest / 10**_UNIT_DECADES:
                decades = math.log10(smallest / value)
                raise ForecastError(
                    f"{axis} {value:g} lies {decades:.1f} decades below every fitted run: a unit is missing, as in "
                    f"--{axis} {value:g}B (in a table, in the header: {axis} (B))"
                )


def _as_data(forecast: Forecast, said: list[str]) -> dict[str, object]:
    return {
        "kind": forecast.kind,
        "unit": forecast.unit,
        "interval": "equal-tailed",
        "forecasts": forecast.table().to_dict("records"),
        "notes": said,
    }


def _print(forecast: Forecast, said: list[str]) -> None:
    from bayescale.runs import format_quantity

    frame = forecast.table()
    axes = [a for a in _AXES if a in frame]
    rows = []
    for r in frame.to_dict("records"):
        where = [
            f"{r[a]:.4g}" if a in ("compute", "upstream_loss") else format_quantity(r[a])
            for a in axes
        ]
        losses = [number(r[c]) for c in _LOSSES]
        rows.append([str(r["architecture"]), *where, *losses, f"{r['decades']:.2f}"])
    head = ["architecture", *axes, "median", "50 % from", "to", "90 % from", "to", "decades beyond"]
    table(head, rows, f"forecast of {forecast.kind!r} in {forecast.unit}, equal-tailed intervals")
    notes(said)


def _read_points(path: Path) -> tuple[dict[str, list[float] | None], list[str]]:
    """Points from a table, read with the headers and units that a table of runs may have."""
    from bayescale.runs.columns import match_columns
    from bayescale.runs.quantities import decimal_point, note_own_units, read_numbers
    from bayescale.runs.read import read_file

    if not path.is_file():
        raise BayescaleError(f"no file {path} to read points from")
    raw = read_file(path)
    headers = [str(h) for h in raw.frame]
    match = match_columns(headers, None)
    points: dict[str, list[float] | None] = {}
    own: list[str] = []
    for axis in _AXES:
        if axis not in match.found:
            continue
        column = match.found[axis]
        cells = raw.frame[column.header]
        values, blank, bad, in_bytes = read_numbers(cells, axis, column.unit)
        for i in (blank | bad | in_bytes | ~(values > 0)).nonzero()[0][:1]:
            raise ForecastError(
                f"{path}, row {raw.rows[i]}, column {column.header!r}: {cells.iloc[i]!r} "
                f"(expected a positive number such as 70B or 1e24{decimal_point(str(cells.iloc[i]))})"
            )
        points[axis] = values.tolist()
        own += note_own_units(cells, axis, column.header, column.unit)
    if not points:
        raise ForecastError(
            f"{path}: no column params, tokens or compute (columns: {', '.join(headers)})"
        )
    used = {match.found[a].header for a in points}
    others = [h for h in headers if h not in used]
    said = [f"columns of {path.name} left out: {', '.join(others)}"] if others else []
    return points, [*match.notes, *own, *said]
