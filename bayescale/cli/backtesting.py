"""`bayescale backtest`: hold the largest runs of a table out, fit the rest, and score what was forecast."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bayescale.cli.counts import Whole, check_counts
from bayescale.cli.new_files import check_figure, check_output
from bayescale.cli.options import Flag, Loading, Sampling, Several, quantity
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.files import free_name

if TYPE_CHECKING:
    import pandas as pd

    from bayescale.predict import Backtest

By = Literal["compute", "params", "tokens", "step", "architecture", "task", "held_out"]
_SCORES = {
    "model": "model",
    "fold": "held out",
    "runs": "runs",
    "groups": "groups",
    "rmsle": "RMSLE",
    "bias": "bias",
    "crps": "CRPS",
    "log_score": "log score",
}
_INTERVALS = {
    "model": "model",
    "fold": "held out",
    "level": "interval, %",
    "cover": "holds",
    "se": "s.e.",
    "group_cover": "by group",
    "group_se": "s.e.",
    "expected_lo": "expected from",
    "expected_hi": "to",
    "rank": "rank",
    "width": "width",
}
_DISTANCES = {
    "model": "model",
    "distance": "decades beyond",
    "runs": "runs",
    "groups": "groups",
    "cover50": "50 % holds",
    "cover80": "80 %",
    "cover90": "90 %",
    "se90": "s.e.",
    "cover95": "95 %",
    "width90": "90 % width",
    "rmsle": "RMSLE",
    "bias": "bias",
}
_MEANING = (
    "s.e. are clustered by group; by group every held-out group counts once; expected is the central 90 % of the share "
    "that a right forecast would hold of such a held-out set, and rank where the share that it held lies in it (0 to 1)"
)


def backtest(
    runs: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    model: Annotated[Several, Parameter(name=["--model", "-m"])] = (),
    exact: Several = (),
    by: By = "compute",
    cut: Several = (),
    folder: Path | None = None,
    figure: Path | None = None,
    jobs: Whole = 1,
    cores: Whole | None = None,
    sampling: Sampling = Sampling(),
    loading: Loading = Loading(),
    force: Flag = False,
    json: Flag = False,
) -> None:
    """Without your largest runs we would have said …; you got …: coverage, width and error of held-out forecasts.

    Parameters
    ----------
    runs
        A CSV, TSV, JSON Lines or Parquet file, or the name of a published set (bayescale data).
    output
        File to write (JSON): every held-out run, its forecast and its scores.
    model
        A model or a baseline (bayescale models), or a TOML file. May be repeated: all see the same folds. By default
        parameter-data.
    exact
        A model to be taken as exact, without its drift, beside the others. May be repeated.
    by
        Hold out the largest scale along an axis (compute is 6·N·D), one architecture or task at a time, or the rows
        that a column held_out marks.
    cut
        Where the held-out scale begins: 1e20, 1B. May be repeated; by default the 50, 65 and 80 % quantiles,
        of a small table those that leave five runs to fit.
    folder
        Where finished folds are kept; a back-test that was stopped goes on from there.
    figure
        Also draw the calibration, as PDF and PNG.
    jobs
        Folds fitted at once, each in a process of its own; results do not depend on it.
    cores
        Chains run at once in each fit; by default all cores there are, shared out among the jobs.
    sampling
        What is fitted, and how long.
    loading
        How the table is read.
    force
        Replace an output file that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_output(output, force, runs)
    settings = sampling.settings()
    check_counts(jobs=jobs, cores=cores)
    check_figure(figure, force, output)
    cuts = [
        quantity("--cut", text, by if by in ("params", "tokens") else "compute") for text in cut
    ]
    with working("reading the table"):
        loaded = loading.load(runs)
        from bayescale.workflow import backtest as run_backtest
        from bayescale.zoo import load_model
    plain = [load_model(name).exact() for name in exact]
    result = run_backtest(
        loaded,
        [*model, *plain] or "parameter-data",
        by=by,
        cuts=cuts or None,
        **settings,
        jobs=jobs,
        cores=cores,
        folder=folder,
    )
    output = free_name(output, force)
    result.save(output, overwrite=force)
    if figure is not None:
        from bayescale.plots import calibration, save

        save(calibration(result), figure)
    if json:
        emit_json({"written": output, **result.to_dict()})
        return
    _print(result)
    say(f"written: {output}")


def _print(result: Backtest) -> None:
    from bayescale.predict import sentences

    data = result.problem["data"]
    _table(result.summary(), _SCORES, f"back-test of {data}: errors of the median, in log loss")
    say("")
    _table(result.intervals(), _INTERVALS, "how often intervals held, and their mean width in loss")
    say("")
    _table(result.by_distance(), _DISTANCES, "by distance beyond the fitted runs")
    for line in ["", *sentences(result.replay), ""]:
        say(line)
    notes([_MEANING, *result.notes])


def _table(frame: pd.DataFrame, columns: Mapping[str, str], title: str) -> None:
    rows = [[_cell(row[c]) for c in columns] for row in frame.to_dict("records")]
    table(list(columns.values()), rows, title)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "–" if value != value else number(value)  # of one group there is no s.e.
