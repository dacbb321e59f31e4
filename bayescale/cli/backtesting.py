"""`bayescale backtest`: hold the largest runs of a table out, fit the rest, and score what was forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bayescale.cli.options import (
    Flag,
    Loading,
    Sampling,
    Several,
    check_figure,
    check_output,
    quantity,
)
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.files import free_name

By = Literal["compute", "params", "tokens", "step", "architecture", "task", "held_out"]
_COLUMNS = {
    "model": "model",
    "fold": "held out",
    "runs": "runs",
    "groups": "groups",
    "cover50": "50 % holds",
    "cover90": "90 % holds",
    "width90": "90 % width",
    "rmsle": "RMSLE",
    "bias": "bias",
    "log_score": "log score",
}


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
        Where the held-out scale begins: 1e20, 1B. May be repeated; by default the 50, 65 and 80 % quantiles.
    folder
        Where finished folds are kept; a back-test that was stopped goes on from there.
    figure
        Also draw the calibration, as PDF and PNG.
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


def _print(result: Any) -> None:
    rows = [
        [v if isinstance(v, str) else number(v) for v in (r[c] for c in _COLUMNS)]
        for r in result.summary().to_dict("records")
    ]
    table(list(_COLUMNS.values()), rows, f"back-test of {result.problem['data']}")
    notes(result.notes)
