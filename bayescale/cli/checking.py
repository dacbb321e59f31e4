"""`bayescale check`: may this fit be used, what did the data tell it, and what does its forecast hang on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.cli.fitting import as_data, print_summary
from bayescale.cli.new_files import check_figure
from bayescale.cli.options import Flag, Several, open_fit, pairs, quantity
from bayescale.cli.output import emit_json, notes, number, say, say_written, table, working
from bayescale.errors import ConvergenceError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.checks import Predictive, Sensitivity
    from bayescale.decide import Extrapolation
    from bayescale.posterior import Fit

_AXES = ("params", "tokens", "compute")
_SHOWN = 8  # components of the prior in the table for people; --json has them all


def check(
    file: Path,
    /,
    *,
    at: Several = (),
    architecture: str | None = None,
    task: str | None = None,
    extrapolation: Flag = False,
    plot: Path | None = None,
    force: Flag = False,
    json: Flag = False,
) -> None:
    """Say whether a fit converged, what the data told it, and what its forecast hangs on.

    Exits with 3 if the fit did not converge. The summary is followed by the contraction of each parameter from prior to
    posterior, by the fitted rows against the predictive bands of prior and posterior, and by what power-scaling each
    prior, and the likelihood, by .8 and 1.25 does to the forecast: changes of its median and of its 90 % width, in
    posterior standard deviations.

    Parameters
    ----------
    file
        A fit written by bayescale fit.
    at
        Where the forecast is: params=70B, tokens=1.4T, compute=1e24. May be repeated; by default one decade of
        compute beyond the data. The summary then gives the local exponents there too.
    architecture
        Of that forecast; by default, where the scale is left to the default too, the one of the largest run.
    task
        Of that forecast, likewise.
    extrapolation
        Also follow the curves 1, 2 and 3 decades beyond the data: how wide they become, whether any draw rises with
        scale or falls below its own floor, where N* lies, and what the best action wastes.
    plot
        Also draw the predictive checks, as PDF and PNG.
    force
        Replace a figure that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_figure(plot, force)
    point: dict[str, Any] = {}
    for axis, text in pairs("--at", at, "params=70B").items():
        if axis not in _AXES:
            raise unknown("axis", axis, _AXES, "--at")
        point[axis] = quantity("--at", text, axis)
    with working("reading the fit"):
        fitted = open_fit(file, allow_unconverged=True)
        summary = fitted.summary(_place(fitted, point))
    with working("checking"):
        from bayescale.checks import predictive, sensitivity
        from bayescale.posterior import contraction

        shrunk = contraction(fitted)
        rows = predictive(fitted)
        moved = sensitivity(
            fitted, **point, architecture=architecture, task=task, allow_unconverged=True
        )
    reached = None
    if extrapolation:
        from bayescale.decide import extrapolation as extrapolate

        with working("following the curves beyond the data"):
            reached = extrapolate(
                fitted, architecture=architecture, task=task, allow_unconverged=True
            )
    written: list[Path] = []
    if plot is not None:
        from bayescale import plots

        with working("drawing"):
            written = plots.save(plots.check(fitted, checked=rows), plot)
    if json:
        found = {
            "contraction": shrunk.to_dict(),
            "predictive": rows.to_dict(),
            "sensitivity": moved.to_dict(),
            "extrapolation": None if reached is None else reached.to_dict(),
            "figure": written,
        }
        emit_json({"file": file, **as_data(fitted, summary), **found})
    else:
        print_summary(fitted, summary, population_only=False)
        _print_contraction(shrunk)
        _print_predictive(rows)
        _print_sensitivity(moved)
        if reached is not None:
            _print_extrapolation(reached)
        say_written(written)
    if not fitted.convergence.passed:
        raise ConvergenceError(f"{file} {fitted.convergence}; {fitted.convergence.advice}")


def _place(fitted: Fit, point: dict[str, float]) -> dict[str, float] | None:
    """Where the summary gives local exponents: what the law reads of the point, two of N, D and C giving the third."""
    if not point:
        return None
    from bayescale.predict import complete, locate

    located, inputs = complete(locate(point, None)), fitted.model.get_law().inputs
    if set(inputs) <= set(located):
        return {axis: float(located[axis].item()) for axis in inputs}
    # A point that is none on the law's axes is refused with the forecast there.
    return point if set(point) == {"compute"} and len(inputs) > 1 else None


def _print_contraction(shrunk: pd.Series) -> None:
    say("")
    table(
        ["parameter", "contraction"],
        [[str(name), number(value)] for name, value in shrunk.items()],
        "prior to posterior: share of the prior variance that the data took away",
    )


def _print_predictive(rows: Predictive) -> None:
    inside = rows.inside
    cells = [
        [label, number(100 * inside[f"{prefix}50"]), number(100 * inside[f"{prefix}90"])]
        for label, prefix in (("prior", "prior_"), ("posterior", ""))
    ]
    say("")
    table(["band of", "50 % holds", "90 % holds"], cells, "the fitted rows, in %")
    say(f"PIT of the rows, each left out: p = {number(rows.uniformity.p)} of being uniform")
    notes(rows.notes)


def _print_sensitivity(moved: Sensitivity) -> None:
    frame = moved.by_component()
    shown = frame[(frame.index < _SHOWN) | (frame["component"] == "likelihood")]
    cells = [
        [str(r["component"]), *(number(r[c]) for c in ("median_shift", "width_change", "khat"))]
        for r in shown.to_dict("records")
    ]
    where = ", ".join(
        f"{k} {number(v) if isinstance(v, float) else v}" for k, v in moved.target.items()
    )
    say("")
    head = ["component", "median moves by", "90 % width by", "Pareto k̂"]
    table(
        head,
        cells,
        f"forecast at {where}: largest change under powers .8 and 1.25, in posterior sd",
    )
    if len(frame) > len(shown):
        say(f"{len(frame) - len(shown)} components that matter less are left out")
    said = ", ".join(moved.sensitive) or "none"
    say(f"priors that the forecast hangs on: {said}")
    notes(moved.notes)


def _print_extrapolation(reached: Extrapolation) -> None:
    joint = "regret" in reached.table
    rows = reached.table.to_dict("records")
    columns = ["decades", reached.axis, "median", "lo90", "hi90", "width90"]
    head = ["decades", reached.axis, "loss", "90 % from", "to", "width"]
    if joint:
        columns += ["params_median", "params_lo90", "params_hi90", "regret"]
        head += ["N*", "90 % from", "to", "waste"]
    broken = [str(c) for c in reached.table if str(c).startswith("p_")]
    head += [f"P({c.removeprefix('p_').replace('_', ' ')})" for c in broken]
    group = f"{rows[0]['architecture']}, {rows[0]['task']}"
    say("")
    table(
        head,
        [[number(r[c]) for c in (*columns, *broken)] for r in rows],
        f"beyond the data, {group}: every P must be 0",
    )
    notes(reached.notes)
