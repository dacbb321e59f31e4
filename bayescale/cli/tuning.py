"""`bayescale tuning`: the learning rate and the batch for a run that is planned."""

from __future__ import annotations

from pathlib import Path

from bayescale.cli.deciding import Subject
from bayescale.cli.options import Flag, quantity
from bayescale.cli.output import emit_json, notes, number, say, table, working
from bayescale.errors import PlanError

_NAMES = {
    "learning_rate": "best learning rate",
    "batch_size": "best batch, tokens",
    "lost": "share of tokens lost with the recommended pair",
}


def tuning(
    fit: Path,
    /,
    *,
    params: str,
    tokens: str,
    batch_size: str | None = None,
    subject: Subject = Subject(),
    json: Flag = False,
) -> None:
    """Recommend a learning rate and a batch for a run, with the posterior of the best ones.

    Parameters
    ----------
    fit
        A fit of a model whose runs may be mistuned, written by bayescale fit.
    params
        N of the run, e.g. 7B.
    tokens
        D of the run, e.g. 1.4T.
    batch_size
        Tokens in a batch, where that is not free, e.g. 4M.
    subject
        Whose curve.
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.decide import tuning as recommend
    from bayescale.posterior import Fit

    n, d = quantity("--params", params, "params"), quantity("--tokens", tokens, "tokens")
    batch = None if batch_size is None else quantity("--batch-size", batch_size, "batch_size")
    with working("searching"):
        fitted, whose = subject.open(fit)
        if not isinstance(fitted, Fit):
            raise PlanError("tuning takes one fit, not a stack: name a file of bayescale fit -o")
        found = recommend(fitted, params=n, tokens=d, batch_size=batch, **whose)
    if json:
        emit_json(found.to_dict())
        return
    pair = found.recommended()
    said = f"recommended: learning rate {pair['learning_rate']:.3g}"
    say(said + (f", batch {pair['batch_size']:.3g} tokens" if "batch_size" in pair else ""))
    rows = [
        [_NAMES[name], *(number(q[k]) for k in ("median", "lo90", "hi90"))]
        for name, q in found.quantiles().items()
    ]
    table(["", "median", "5 %", "95 %"], rows)
    notes(found.caveats)
