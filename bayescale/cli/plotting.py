"""`bayescale plot`: the three figures, as PDF and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from bayescale.cli.new_files import check_figure
from bayescale.cli.options import Flag, open_fit
from bayescale.cli.output import emit_json, say_written, working
from bayescale.cli.planning import make_plan, problem_from_options
from bayescale.cli.spending import Spending
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["posterior", "curve", "frontier"]
Width = Literal["column", "text"]


def plot(
    fit: Path,
    kind: Kind,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    width: Width = "text",
    compute: str | None = None,
    architecture: str | None = None,
    new_architecture: str | None = None,
    task: str | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    json: Flag = False,
) -> None:
    """Draw a figure of a fit, as a vector PDF and a PNG.

    Parameters
    ----------
    fit
        A fit written by bayescale fit.
    kind
        posterior: parameters by group; curve: data and forecast; frontier: the optimum at a budget.
    output
        File to write; both figure.pdf and figure.png are made.
    width
        One column of a two-column page (3.3 in), or its text width (6.8 in).
    compute
        Budget in FLOP of a frontier, e.g. 1e24.
    architecture
        A fitted one, for the frontier.
    new_architecture
        A label for one that was not fitted, for the frontier.
    task
        Needed for the frontier where several were fitted.
    force
        Replace an output file that exists.
    allow_unconverged
        Use a fit that missed the convergence gate.
    json
        Print one JSON document and nothing else on standard output.
    """
    if kind == "frontier" and compute is None:
        raise PlanError("a frontier is drawn for a budget: add --compute 1e24")
    if kind != "frontier":
        _refuse(kind, {"--compute": compute, "--architecture": architecture, "--task": task})
        _refuse(kind, {"--new-architecture": new_architecture})
    check_figure(output, force)
    with working("drawing"):
        group = (architecture, new_architecture, task)
        figure = _draw(fit, kind, width, compute, group, allow_unconverged)
        from bayescale.plots import save

        written = save(figure, output)
    if json:
        emit_json({"kind": kind, "width": width, "written": written})
        return
    say_written(written)


def _refuse(kind: str, options: dict[str, str | None]) -> None:
    for option, value in options.items():
        if value is not None:
            raise PlanError(f"{option} belongs to a frontier, not to a {kind}")


def _draw(
    fit: Path,
    kind: Kind,
    width: Width,
    compute: str | None,
    group: tuple[str | None, str | None, str | None],
    allow_unconverged: bool,
) -> Figure:
    from bayescale import plots

    if kind == "frontier" and compute is not None:
        named = dict(zip(("architecture", "new_architecture", "task"), group, strict=True))
        spending = Spending(compute=compute)
        asked = problem_from_options({"budget": spending, "risk": [], "target_loss": None, **named})
        made = make_plan(fit, asked, allow_unconverged, True)
        return plots.frontier(made, width=width)
    fitted = open_fit(fit, allow_unconverged)
    if kind == "posterior":
        return plots.posterior(fitted, width=width)
    return plots.curve(fitted, width=width, allow_unconverged=allow_unconverged)
