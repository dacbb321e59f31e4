"""`bayescale suggest`: which laws a table can support, and why."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace

from bayescale.cli.options import Flag, Loading
from bayescale.cli.output import emit_json, say, working
from bayescale.cli.wording import for_the_shell


def suggest(
    runs: str,
    /,
    *,
    loading: Loading = Loading(),
    json: Flag = False,
) -> None:
    """Say which of the models that come with the package a table can support, and why, from its design.

    Nothing is fitted. For each model: supported, supported in part (some parameters
    stay at their priors, and are named), or not supported. The last line is the
    command to type next; whether the law holds is for bayescale backtest to say.

    Parameters
    ----------
    runs
        A CSV, TSV, JSON Lines or Parquet file, or the name of a published set (bayescale data).
    loading
        How the table is read.
    json
        Print one JSON document and nothing else on standard output.
    """
    with working("reading the table"):
        loaded = loading.load(runs)
        from bayescale.zoo import suggest as judged

        made = replace(judged(loaded), source=shlex.join([runs, *typed(loading)]))
    if json:
        emit_json(made.to_dict())
        return
    say(for_the_shell(str(made)))


def typed(loading: Loading) -> list[str]:
    """The options as they would be typed, those at their defaults left out."""
    out: list[str] = []
    for entry in fields(loading):
        value, option = getattr(loading, entry.name), f"--{entry.name.replace('_', '-')}"
        if value is True:
            out.append(option)
        elif value != entry.default:
            several = value if isinstance(value, tuple) else (value,)
            out += [word for one in several for word in (option, str(one))]
    return out
