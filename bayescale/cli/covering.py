"""`bayescale coverage` and `bayescale sampling`: pass@k from counts, and one budget for training and sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.cli.new_files import check_figure, check_output
from bayescale.cli.options import Flag, Several, check_seed, open_posterior, pairs, quantity
from bayescale.cli.output import emit_json, notes, number, say, table, working

_SHOWN = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def coverage(
    counts: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    k: Several = (),
    where: Several = (),
    draws: Whole = 2000,
    chains: Whole = 4,
    seed: Whole = 0,
    plot: Path | None = None,
    force: Flag = False,
    allow_unconverged: Flag = False,
    json: Flag = False,
) -> None:
    """Fit pass@k to counts of solved problems: how many samples solve what share, and what share never is.

    Parameters
    ----------
    counts
        Table (CSV, …) with columns samples and correct, one row a problem.
    output
        Where to write the posterior (JSON).
    k
        Numbers of samples to forecast. May be repeated.
    where
        COLUMN=VALUE: only such rows. May be repeated.
    draws
        Per chain.
    chains
        Chains.
    seed
        Of the sampler.
    plot
        Also draw pass@k and a majority vote, as PDF and PNG.
    force
        Replace an output file that exists.
    allow_unconverged
        Keep a posterior that missed the convergence gate.
    json
        Print one JSON document and nothing else on standard output.
    """
    check_seed(seed)
    check_output(output, force, counts)
    check_figure(plot, force)
    wanted = [quantity("--k", text, "step") for text in k] or list(_SHOWN)
    with working("fitting"):
        from bayescale.workflow import fit_coverage

        found = fit_coverage(
            counts,
            where=pairs("--where", where, "model=base"),
            draws=draws,
            chains=chains,
            seed=seed,
            progress=False,
            allow_unconverged=allow_unconverged,
        )
        found.save(output, overwrite=force)
        rows = found.table(wanted)
        if plot is not None:
            from bayescale import plots

            plots.save(plots.coverage(found, most=max(*wanted, 2.0)), plot)
    if json:
        emit_json({"written": output, "verdict": found.verdict, "table": rows.to_dict("records")})
        return
    say(str(found))
    head = ["k", "pass@k", "50 % from", "to", "90 % from", "to", "majority"]
    table(
        head, [[number(v) for v in row] for row in rows.to_numpy()], "share of new problems solved"
    )
    say(f"written: {output}")


def sampling(
    fit: Path,
    coverage: Path,
    /,
    *,
    target: float,
    queries: str,
    tokens_per_sample: str,
    samples: Several = (),
    task: str | None = None,
    architecture: str | None = None,
    allow_unconverged: Flag = False,
    allow_experimental: Flag = False,
    json: Flag = False,
) -> None:
    """Divide one budget between training and sampling: N, D and the samples a query gets, for a share solved.

    Parameters
    ----------
    fit
        A chain (bayescale chain) that forecasts the error of a single sample from N and D.
    coverage
        Written by bayescale coverage.
    target
        Share of problems that any of the samples is to solve.
    queries
        Over the model's life, e.g. 1e9.
    tokens_per_sample
        Tokens that one sample takes.
    samples
        Numbers of samples to compare. May be repeated.
    task
        Needed where several errors were fitted.
    architecture
        Needed where several were fitted.
    allow_unconverged
        Use posteriors that missed the convergence gate.
    allow_experimental
        Use models whose status is experimental.
    json
        Print one JSON document and nothing else on standard output.
    """
    with working("searching"):
        from bayescale.decide import sampling_optimum
        from bayescale.posterior import load_coverage

        found = sampling_optimum(
            open_posterior(fit, allow_unconverged),
            load_coverage(coverage),
            target=target,
            queries=_amount("--queries", queries),
            tokens_per_sample=_amount("--tokens-per-sample", tokens_per_sample),
            task=task,
            architecture=architecture,
            allow_unconverged=allow_unconverged,
            allow_experimental=allow_experimental,
            samples=[int(quantity("--samples", s, "step")) for s in samples] or None,
        )
    frame = found.sel(prob=0.5).drop_vars("prob").to_dataframe().reset_index()
    if json:
        emit_json({**found.attrs, "table": frame.to_dict("records")})
        return
    head = [
        "samples",
        "FLOP",
        "training",
        "sampling",
        "N",
        "D",
        "single error",
        "P(reached)",
        "P(best)",
    ]
    table(head, [[number(v) for v in row] for row in frame.to_numpy()], "medians over draws")
    say(f"cheapest: {found.attrs['best']} samples a query")
    notes(found.attrs["caveats"])


def _amount(option: str, text: str) -> float | str:
    if "(" in text:
        return text
    return quantity(option, text, "tokens")
