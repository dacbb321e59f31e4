"""`bayescale score`: what came true against what a plan said, kept in a ledger that only grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.cli.new_files import check_figure
from bayescale.cli.options import Flag, Loading
from bayescale.cli.output import emit_json, notes, number, say, say_written, table, working
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import Score

LEDGER = "ledger.jsonl"
_SHOWN = ("loss", "median", "lo90", "hi90", "log_score", "crps", "pit")


def score(
    plan: Path | None = None,
    outcome: str | None = None,
    /,
    *,
    ledger: Path | None = None,
    tolerance: float = 0.05,
    plot: Path | None = None,
    loading: Loading = Loading(),
    force: Flag = False,
    json: Flag = False,
) -> None:
    """Score the outcome of a plan and add it to a ledger; without a plan, sum up a ledger.

    Parameters
    ----------
    plan
        A plan, written by bayescale plan -o.
    outcome
        A table of finished runs: params, tokens, loss.
    ledger
        Where scores are kept (JSON Lines, only ever added to); ledger.jsonl beside the plan by default.
    tolerance
        How far N and D may each lie from the recommendation, as a share of it.
    plot
        Also draw the calibration of all that the ledger holds, as figure.pdf and figure.png.
    loading
        How the outcome is read.
    force
        Replace a figure that exists.
    json
        Print one JSON document and nothing else on standard output.
    """
    if (plan is None) != (outcome is None):
        raise PlanError("a plan is scored by an outcome: bayescale score plan.json outcome.csv")
    if plan is None and ledger is None:
        raise PlanError("nothing to score: name a plan and its outcome, or a --ledger to sum up")
    check_figure(plot, force, ledger, plan)
    from bayescale import decide

    added: Sequence[Score] = ()
    if plan is not None and outcome is not None:
        ledger = plan.parent / LEDGER if ledger is None else ledger
        with working("scoring"):
            made = decide.load_plan(plan)
            added = decide.score_plan(
                made, loading.load(outcome), tolerance=tolerance, ledger=ledger
            )
    assert ledger is not None
    held = decide.load_ledger(ledger)
    written = [] if plot is None else _draw(held, plot)
    summary = _summary(held)
    if json:
        scores = [s.model_dump() for s in added or held]
        emit_json({"scores": scores, "ledger": ledger, "summary": summary, "written": written})
        return
    _show(added or held, summary)
    if added:
        say(f"added to {ledger}: {len(added)}; it holds {len(held)}")
    say_written(written)


def _summary(scores: Sequence[Score]) -> dict[str, Any]:
    """How a ledger's forecasts did, all together."""
    count = len(scores)
    if not count:
        return {"outcomes": 0}
    return {
        "outcomes": count,
        "plans": len({s.plan for s in scores}),
        "log_score": sum(s.log_score for s in scores) / count,
        "crps": sum(s.crps for s in scores) / count,
        "cover50": sum(s.lo50 <= s.loss <= s.hi50 for s in scores) / count,
        "cover90": sum(s.lo90 <= s.loss <= s.hi90 for s in scores) / count,
    }


def _show(scores: Sequence[Score], summary: dict[str, Any]) -> None:
    rows = [
        [s.run_id, s.plan[:12], s.risk, *(number(getattr(s, name)) for name in _SHOWN)]
        for s in scores
    ]
    table(["run", "plan", "risk", *_SHOWN], rows)
    said = ", ".join(f"{k} {number(v)}" for k, v in summary.items())
    notes([f"the ledger: {said}", "log score and CRPS are of the log loss"])


def _draw(scores: Sequence[Score], path: Path) -> list[Path]:
    from bayescale import plots

    return plots.save(plots.ledger(scores), path)
