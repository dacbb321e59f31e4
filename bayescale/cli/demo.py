"""`bayescale demo`: the whole main job on an embedded published table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.cli.options import Flag, check_seed
from bayescale.cli.output import emit_json, say


def demo(
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    seed: Whole = 0,
    json: Flag = False,
) -> None:
    """Run the whole job on an embedded table of six model families, into a new folder.

    Parameters
    ----------
    out
        Existing folder in which the new one is made; by default the current one.
    seed
        Of the sampler and of every draw after it.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_seed(seed)
    from bayescale.workflow.demo import demo as run_demo
    from bayescale.workflow.progress import Bar

    with Bar(shown=True) as report:
        result = run_demo(out, seed, report)
    if json:
        emit_json(
            {
                "folder": result.folder,
                "files": [file.name for file in result.files],
                "convergence": result.fit.convergence.to_dict(),
                "posterior": result.posterior.to_dict("records"),
                "forecasts": result.forecast.table().to_dict("records"),
                "plan": result.plan.to_dict(),
                "notes": [*result.fit.notes, *result.forecast.notes],
            }
        )
        return
    say(result.text)
    say(f"\nwritten: {result.folder} ({', '.join(file.name for file in result.files)})")
