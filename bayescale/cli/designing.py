"""`bayescale design`: what candidate pilots are worth before the final run, and which to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bayescale.cli.deciding import Drawing
from bayescale.cli.options import Flag, open_posterior
from bayescale.cli.output import emit_json, notes, say, say_written, table, working


def design(
    fit: Path,
    pilots: Path,
    /,
    *,
    drawing: Drawing = Drawing(),
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """Value of information: what pilots are worth before the final run, and which of them to run.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    pilots
        A TOML file: [budget] of the final run (compute, or dollars with price_per_hour, mfu and hardware; restarts,
        failed), pilot_budget, [constraints] as in a plan, [run] (architecture or new_architecture, task, and what else
        the model reads: unique_tokens, experts, …), and [[pilot]] (name, params, tokens, repeats, failure,
        architecture, task, what else the model reads, sweep, cost).
    drawing
        Whether the pilots are drawn too, by net benefit.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    drawing.check()
    from bayescale import decide

    with working("weighing pilots"):
        stated = decide.load_pilots(pilots)
        fitted = open_posterior(fit, allow_unconverged)
        given: dict[str, Any] = {**stated.given}
        found = decide.design(
            fitted,
            stated.budget,
            stated.pilots,
            pilot_budget=stated.pilot_budget,
            constraints=stated.constraints,
            architecture=stated.architecture,
            task=stated.task,
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
            **given,
        )
        written = drawing.save("pilots", found)
    if json:
        emit_json(found.to_dict() | {"written": written})
        return
    say("\n".join(found.headline()))
    table(["pilot", "cost", "EVSI", "net benefit", ""], found.rows())
    say("\n".join(found.conclusion()))
    notes(found.caveats)
    say_written(written)
