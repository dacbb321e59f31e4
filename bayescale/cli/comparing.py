"""`bayescale compare`: which law the held-out runs speak for, and a stack of several to forecast and plan with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.cli.new_files import check_figure, check_output
from bayescale.cli.options import Flag, check_seed, open_fit
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.errors import BayescaleError

if TYPE_CHECKING:
    from bayescale.predict import Comparison

_COLUMNS = {
    "model": "model",
    "weight": "weight",
    "equal_weight": "equal",
    "log_density": "log density",
    "difference": "difference",
    "se": "se",
    "elpd_loo": "LOO",
    "se_loo": "se",
    "p_loo": "p",
    "k_max": "largest k̂",
    "k_over": "k̂ > .7",
}


def compare(
    *fits: Path,
    backtest: Path | None = None,
    strength: float = 1.0,
    seed: Whole = 0,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    figure: Path | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    json: Flag = False,
) -> None:
    """Weigh models by what they said of held-out runs, and show leave-one-out beside it.

    Parameters
    ----------
    fits
        Fits written by bayescale fit, of one table, each of another model.
    backtest
        A back-test of these models, written by bayescale backtest; without one there are no weights.
    strength
        Of the prior that draws weights to equal ones, in held-out groups.
    seed
        Of the stack: chooses which draws of a fit stand for it.
    output
        Also write the stack (JSON), which predict and plan take in the place of a fit; it names the fits' files.
    figure
        Also draw weights and differences by held-out group, as PDF and PNG.
    force
        Replace an output file that exists.
    allow_unconverged
        Use fits that missed the convergence gate.
    json
        Print one JSON document and nothing else on standard output.
    """
    if not fits and backtest is None:
        raise BayescaleError("nothing to compare: name fits, or --backtest FILE, or both")
    if output is not None and (not fits or backtest is None):
        raise BayescaleError("a stack needs its fits and --backtest FILE, which its weights are of")
    if figure is not None and backtest is None:
        raise BayescaleError("--figure draws weights: add --backtest FILE")
    check_seed(seed)
    if output is not None:
        check_output(output, force, *fits, *([] if backtest is None else [backtest]))
    check_figure(figure, force)
    with working("comparing"):
        from bayescale.predict import compare as run_compare
        from bayescale.predict import load_backtest, stack

        opened = [open_fit(path, allow_unconverged) for path in fits]
        tests = [] if backtest is None else [load_backtest(backtest)]
        found = run_compare(*opened, *tests, strength=strength)
        if output is not None:
            from bayescale.posterior import save_stack

            made = stack(opened, found, seed)
            weights = dict(zip(fits, made.weights, strict=True))
            save_stack(output, weights, made.data_hash, made.seed, overwrite=force)
        if figure is not None:
            from bayescale.plots import save, stacking

            save(stacking(found), figure)
    if json:
        emit_json({"written": output, **found.to_dict()})
        return
    _print(found)
    if output is not None:
        say(f"written: {output}")


def _print(found: Comparison) -> None:
    columns = [c for c in _COLUMNS if c in found.table]
    rows = [
        [v if isinstance(v, str) else number(v) for v in (r[c] for c in columns)]
        for r in found.table.to_dict("records")
    ]
    table([_COLUMNS[c] for c in columns], rows, "models compared")
    notes(found.notes)
