"""`bayescale check` and `bayescale sbc`: may this fit be used, and does this model know what it says it knows?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bayescale.cli.fitting import as_data, print_summary
from bayescale.cli.options import (
    Flag,
    Loading,
    Several,
    check_output,
    check_seed,
    open_fit,
    pairs,
    quantity,
)
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.errors import ConvergenceError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.checks import SBC, Predictive, Sensitivity

_AXES = ("params", "tokens", "compute")
_SHOWN = 8  # components of the prior in the table for people; --json has them all


def check(
    file: Path,
    /,
    *,
    at: Several = (),
    architecture: str | None = None,
    task: str | None = None,
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
        compute beyond the data.
    architecture
        Of that forecast; by default, where the scale is left to the default too, the one of the largest run.
    task
        Of that forecast, likewise.
    plot
        Also draw the predictive checks, as PDF and PNG.
    force
        Replace a figure that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    if plot is not None:
        check_output(plot, force)
    point: dict[str, Any] = {}
    for axis, text in pairs("--at", at, "params=70B").items():
        if axis not in _AXES:
            raise unknown("axis", axis, _AXES, "--at")
        point[axis] = quantity("--at", text, axis)
    with working("reading the fit"):
        fitted = open_fit(file, allow_unconverged=True)
        summary = fitted.summary()
    with working("checking"):
        from bayescale.checks import predictive, sensitivity
        from bayescale.posterior import contraction

        shrunk = contraction(fitted)
        rows = predictive(fitted)
        moved = sensitivity(
            fitted, **point, architecture=architecture, task=task, allow_unconverged=True
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
            "figure": written,
        }
        emit_json({"file": file, **as_data(fitted, summary), **found})
    else:
        print_summary(fitted, summary, population_only=False)
        _print_contraction(shrunk)
        _print_predictive(rows)
        _print_sensitivity(moved)
        if written:
            say(f"written: {', '.join(map(str, written))}")
    if not fitted.convergence.passed:
        raise ConvergenceError(f"{file} {fitted.convergence}; {fitted.convergence.advice}")


def sbc(
    model: str,
    /,
    *,
    design: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    simulations: int = 200,
    prior: Several = (),
    exclude: Several = (),
    no_pool: Flag = False,
    no_drift: Flag = False,
    no_sweep: Flag = False,
    draws: int = 800,
    tune: int = 600,
    chains: int = 2,
    cores: int | None = None,
    seed: int = 0,
    figure: Path | None = None,
    loading: Loading = Loading(),  # noqa: B008  (frozen, so the one instance is safe to share)
    force: Flag = False,
    json: Flag = False,
) -> None:
    """Draw truths from a model's prior, simulate a table, refit: do posteriors hold the truths as they say?

    Exits with 0 whatever the verdict: it is in the table, and in the JSON as "passed".

    Parameters
    ----------
    model
        A name (bayescale models) or a TOML file.
    design
        A table, or the name of a published set: its scales and groups are simulated, its losses only scale those
        priors that are relative to them.
    output
        Folder for sbc.json; a study that was stopped goes on from there.
    simulations
        In all, with those already in the folder.
    prior
        NAME=DISTRIBUTION instead of the model's. May be repeated.
    exclude
        Study whose evidence must not enter the priors. May be repeated.
    no_pool
        One independent curve per architecture and task.
    no_drift
        Take the law as exact: no drift of the local exponents.
    no_sweep
        Give the runs of one sweep no offset of their own.
    draws
        Iterations kept per chain.
    tune
        Iterations spent on adaptation per chain.
    chains
        Number of chains.
    cores
        Chains run at once; by default all that there are.
    seed
        Of truths, data and chains.
    figure
        Also draw the ranks, as PDF and PNG.
    loading
        How the table is read.
    force
        Replace a figure that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_seed(seed)
    if figure is not None:
        check_output(figure, force)
    priors = pairs("--prior", prior, "'beta=LogNormal(mu=-1.2, sigma=0.3)'")
    with working("reading the table"):
        loaded = loading.load(design)
        from bayescale.workflow import sbc as run_sbc
    result = run_sbc(
        model,
        loaded,
        simulations,
        prior=priors or None,
        exclude=exclude,
        pool=not no_pool,
        drift=not no_drift,
        sweep=not no_sweep,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        seed=seed,
        folder=output,
    )
    if figure is not None:
        from bayescale import plots

        plots.save(plots.ranks(result), figure)
    if json:
        emit_json({"folder": output, **result.to_dict()})
        return
    _print_verdicts(result)


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


def _print_verdicts(result: SBC) -> None:
    cells = [
        [
            r["quantity"],
            *(number(r[c]) for c in ("p", "adjusted", "cover50", "cover90")),
            "passes" if r["passed"] else f"fails: {r['why']}",
        ]
        for r in result.verdicts().to_dict("records")
    ]
    head = ["quantity", "p", "adjusted p", "50 % holds", "90 % holds", "verdict"]
    table(head, cells, f"{result.problem['model']}, {len(result.records)} simulations")
    notes(result.notes)
