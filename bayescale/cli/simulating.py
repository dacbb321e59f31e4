"""`bayescale sbc`: does this model know what it says it knows, on a design like this one?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.cli.new_files import check_figure
from bayescale.cli.options import Flag, Loading, Several, Structure, check_seed, pairs
from bayescale.cli.output import emit_json, notes, number, table, working
from bayescale.wording import counted

if TYPE_CHECKING:
    from bayescale.checks import SBC


def sbc(
    model: str,
    /,
    *,
    design: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    simulations: Whole = 200,
    prior: Several = (),
    structure: Structure = Structure(),
    draws: Whole = 800,
    tune: Whole = 600,
    chains: Whole = 2,
    cores: Whole | None = None,
    jobs: Whole = 1,
    seed: Whole = 0,
    figure: Path | None = None,
    loading: Loading = Loading(),
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
    structure
        What of the model is used.
    draws
        Iterations kept per chain.
    tune
        Iterations spent on adaptation per chain.
    chains
        Number of chains.
    cores
        Chains run at once; by default all that there are.
    jobs
        Simulations at once; with several take --cores 1.
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
    check_figure(figure, force)
    priors = pairs("--prior", prior, "'beta=LogNormal(mu=-1.2, sigma=0.3)'")
    with working("reading the table"):
        loaded = loading.load(design)
        from bayescale.workflow import sbc as run_sbc
    result = run_sbc(
        model,
        loaded,
        simulations,
        prior=priors or None,
        **structure.settings(),
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        jobs=jobs,
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
    table(head, cells, f"{result.problem['model']}, {counted(len(result.records), 'simulation')}")
    notes(result.notes)
