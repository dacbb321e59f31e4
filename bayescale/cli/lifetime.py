"""`bayescale lifetime`: the model that reaches a loss with the least FLOP over training and serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bayescale.cli.deciding import Further, Subject
from bayescale.cli.options import Flag, quantity
from bayescale.cli.output import emit_json, notes, number, say, table, working

_NAMES = {
    "params": "N",
    "tokens": "D",
    "tokens_per_param": "D/N",
    "training_flop": "training FLOP, 6ND",
    "serving_flop": "serving FLOP, 2N a token",
    "flop": "FLOP in all",
}


def lifetime(
    fit: Path,
    /,
    *,
    target_loss: float,
    served_tokens: str = "0",
    subject: Subject = Subject(),
    further: Further = Further(),
    json: Flag = False,
) -> None:
    """Find the N and D that reach a loss with the least FLOP over training and serving, draw by draw.

    Parameters
    ----------
    fit
        A fit of a joint law, written by bayescale fit, or a stack written by bayescale compare.
    target_loss
        In the unit of the fit.
    served_tokens
        Tokens read and written over the model's life, e.g. 2T; a number, or a distribution:
        'LogNormal(median=2e12, sigma=1)'.
    subject
        Whose curve.
    further
        What the law reads besides N and D.
    json
        Print one JSON document and nothing else on standard output.
    """
    given: dict[str, Any] = further.inputs()
    from bayescale.decide import lifetime_optimum

    demand = served_tokens
    served = demand if "(" in demand else quantity("--served-tokens", demand, "tokens")
    with working("searching"):
        fitted, whose = subject.open(fit)
        found = lifetime_optimum(
            fitted, target_loss=target_loss, served_tokens=served, **given, **whose
        )
    if json:
        emit_json(found.to_dict())
        return
    say(f"P(loss {target_loss:g} is reached at all): {found.p_reached:.2f}")
    rows = [
        [_NAMES[name], *(number(q[k]) for k in ("median", "lo90", "hi90"))]
        for name, q in found.quantiles().items()
    ]
    if rows:
        table(["least FLOP, draw by draw", "median", "5 %", "95 %"], rows)
    edge = float(found.on_edge.mean())
    beyond = [f"in {100 * edge:.0f} % of the draws the best N is where no model can be"]
    notes([*(beyond if edge > 0 else []), *found.caveats])
