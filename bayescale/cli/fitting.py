"""`bayescale fit`: make a posterior and save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole, check_counts
from bayescale.cli.new_files import check_output
from bayescale.cli.options import Flag, Loading, Sampling, Several, pairs
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.files import free_name
from bayescale.wording import counted

if TYPE_CHECKING:
    from bayescale.posterior import Fit, Summary

_COLUMNS = ("median", "lo50", "hi50", "lo90", "hi90")


def fit(
    runs: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    model: Annotated[str, Parameter(name=["--model", "-m"])] = "parameter-data",
    prior: Several = (),
    cores: Whole | None = None,
    target_accept: float = 0.9,
    sampling: Sampling = Sampling(),
    loading: Loading = Loading(),
    force: Flag = False,
    allow_unconverged: Flag = False,
    json: Flag = False,
) -> None:
    """Fit a scaling law to a table of runs and save the posterior.

    Chains that agree but are too short for the convergence gate are joined by
    as many more. A fit that misses it otherwise, or still, is sampled again,
    twice (unless that is known to be too short) and then four times as long,
    with smaller steps; if it misses it even so, nothing is written and the exit
    code is 3.

    Parameters
    ----------
    runs
        A CSV, TSV, JSON Lines or Parquet file, or the name of a published set (bayescale data).
    output
        File to write (NetCDF).
    model
        A name (bayescale models) or a TOML file.
    prior
        NAME=DISTRIBUTION instead of the model's: 'beta=LogNormal(mu=-1.2, sigma=0.3)'. May be repeated.
    cores
        Chains run at once; by default all that there are.
    target_accept
        Target acceptance of the sampler's steps, at the first attempt; its distance from 1 shrinks as runs lengthen.
    sampling
        What is fitted, and how long.
    loading
        How the table is read.
    force
        Replace an output file that exists.
    allow_unconverged
        Keep a fit that missed the convergence gate, marked as such.
    json
        Print one JSON document and nothing else on standard output, also where the fit did not converge.
    """
    check_output(output, force, runs)
    settings = sampling.settings()
    check_counts(cores=cores)
    priors = pairs("--prior", prior, "'beta=LogNormal(mu=-1.2, sigma=0.3)'")
    with working("reading the table"):
        loaded = loading.load(runs)
        from bayescale.workflow import fit as run_fit
    fitted = run_fit(
        loaded,
        model,
        prior=priors or None,
        **settings,
        cores=cores,
        target_accept=target_accept,
        allow_unconverged=allow_unconverged,
    )
    output = free_name(output, force)
    fitted.save(output, overwrite=force)
    summary = fitted.summary()
    if json:
        emit_json({"written": output, **as_data(fitted, summary)})
        return
    print_summary(fitted, summary, population_only=True)
    say(f"written: {output}")


def as_data(fitted: Fit, summary: Summary) -> dict[str, object]:
    """What is said of a fit, as plain data."""
    from bayescale.predict import assumption

    said = summary.to_dict()
    return {
        "model": fitted.model.spec.name,
        "model_hash": fitted.model.hash,
        "data_hash": fitted.data_hash,
        "rows": fitted.runs.sizes["run"],
        "seed": fitted.seed,
        "versions": fitted.versions,
        "convergence": fitted.convergence.to_dict(),
        "summary": {**said, "notes": [*said["notes"], assumption(fitted)]},
        "notes": fitted.notes,
    }


def print_summary(fitted: Fit, summary: Summary, population_only: bool) -> None:
    """Print what is said of a fit."""
    from bayescale.posterior.summary import DIAGNOSED, FORMATS
    from bayescale.predict import assumption

    frame = summary.parameters
    if population_only and "population" in set(frame["group"]):
        frame = frame[frame["group"] == "population"]
    rows = [
        [str(r["parameter"]), str(r["group"]), *(number(r[c]) for c in _COLUMNS)]
        for r in frame.to_dict("records")
    ]
    head = ["parameter", "group", "median", "50 % from", "to", "90 % from", "to"]
    table(head, rows, f"{fitted.model.spec.name} on {counted(fitted.runs.sizes['run'], 'row')}")
    if len(summary.scales) and not population_only:
        columns = [str(c) for c in summary.scales]
        cells = [
            [v if isinstance(v, str) else number(v) for v in r.values()]
            for r in summary.scales.to_dict("records")
        ]
        say("")
        table(columns, cells, "scales of group effects, posterior against prior")
    if len(summary.diagnostics) and not population_only:
        cells = [
            [FORMATS[str(k)](v) if k in FORMATS else str(v) for k, v in r.items()]
            for r in summary.diagnostics.to_dict("records")
        ]
        say("")
        table([str(c) for c in summary.diagnostics], cells, DIAGNOSED)
    if len(summary.correlations) and not population_only:
        cells = [
            [v if isinstance(v, str) else number(v) for v in r.values()]
            for r in summary.correlations.to_dict("records")
        ]
        say("")
        table([str(c) for c in summary.correlations], cells, "correlation of group effects")
    say("")
    say(summary.verdict)
    notes([*fitted.notes, *summary.notes, assumption(fitted)])
