"""`bayescale chain`: a fit of a loss and a fit of errors that read it, as one file to forecast and plan with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayescale.cli.new_files import check_output
from bayescale.cli.options import Flag
from bayescale.cli.output import emit_json, say, working


def chain(
    loss_fit: Path,
    error_fit: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    upstream_task: str | None = None,
    force: Flag = False,
    json: Flag = False,
) -> None:
    """Chain two steps: the loss from N and D, and the error from the loss, with the uncertainty of both.

    Parameters
    ----------
    loss_fit
        A fit of the loss, or a stack of such.
    error_fit
        A fit of a model that reads upstream_loss (error-loss).
    output
        Where to write the chain (JSON), which predict and plan take in the place of a fit; it names both files.
    upstream_task
        Task of the first whose loss it is, where it has several and none has the name of the error's.
    force
        Replace an output file that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_output(output, force, loss_fit, error_fit)
    with working("chaining"):
        from bayescale.posterior import load_chain, save_chain

        save_chain(output, loss_fit, error_fit, upstream_task=upstream_task, overwrite=force)
        made = load_chain(output)
    if json:
        emit_json({"written": output, **made.to_dict()})
        return
    say(f"{made}; errors in {made.unit}")
    say(f"written: {output}")
