"""Which headers look like losses, and the error for a table in which none is one: with the exact call to type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bayescale.errors import DataError
from bayescale.runs.columns import normalise

_LOSS_WORDS = {"loss", "losses", "xent", "nll", "ppl", "perplexity", "bpb", "bpt", "error", "err",
               "acc", "accuracy", "top1", "acc1", "entropy"}  # fmt: skip
_SHARE_WORDS = {"map", "map50", "f1", "auc", "auroc", "em", "bleu", "rouge", "miou", "iou", "pass", "recall",
                "precision", "top1", "top5"}  # fmt: skip
# Of what, and which way, another column or nobody says.
_UNSAID = {"value", "score", "scores", "metric_value"}
_COUNTING = {"loss", "top", "rate", "train"}
_PROPOSED = 12
_STAGE_WORDS = {"eval", "val", "valid", "validation", "test", "final", "mean", "avg", "summary", "metrics",
                "cross"}  # fmt: skip


def loss_like(headers: Sequence[str]) -> dict[str, str]:
    """Headers that look like losses, each with a task name made from its other words."""
    likely: dict[str, str] = {}
    for header in headers:
        words = normalise(header).split("_")
        if _LOSS_WORDS.isdisjoint(words) or {"se", "stderr", "std", "lo", "hi"} & set(words):
            continue
        rest = [w for w in words if w not in _LOSS_WORDS | _STAGE_WORDS]
        task = "_".join(rest) or "loss"
        likely[task if task not in likely else normalise(header)] = header
    return likely


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names_a_task(label: str) -> bool:
    """Whether what is left of a header says what the loss is of, rather than how it was counted (`top_1_%`)."""
    return any(re.fullmatch(r"[a-z]\w*", w) for w in set(label.split("_")) - _COUNTING)


def missing_loss(label: str, source: str, headers: Sequence[str]) -> DataError:
    """Make the error for a table without a `loss` column, with the exact call to type.

    `source` is what the caller would type as the first argument of `load_runs`.
    """
    likely = loss_like(headers)
    if not likely and all(_is_number(h) for h in headers):
        return DataError(f"{label}: the first line holds numbers (expected the headers)")
    if not likely:
        shares = [h for h in headers if _SHARE_WORDS & set(normalise(h).split("_"))]
        unsaid = [h for h in headers if normalise(h) in _UNSAID]
        header = [*shares, *unsaid, "<header>"][0]
        means = ", and what it measures: task_info={'*': {'metric': 'accuracy'}}" if shares else ""
        return DataError(
            f"{label}: no column 'loss' and none that looks like one "
            f"(columns: {', '.join(map(repr, headers))}); "
            f"say which: load_runs({source}, columns={{'loss': {header!r}}}){means}"
        )
    if len(likely) == 1 and not _names_a_task(next(iter(likely))):
        (header,) = likely.values()
        return DataError(
            f"{label}: no column 'loss'; {header!r} looks like one; "
            f"type: load_runs({source}, columns={{'loss': {header!r}}})"
        )
    listed = ", ".join(repr(h) for h in list(likely.values())[:_PROPOSED])
    if len(likely) > _PROPOSED:
        listed += f" and {len(likely) - _PROPOSED} more"
    first = list(likely.items())[:_PROPOSED]
    call = ", ".join(f"{task!r}: {header!r}" for task, header in first)
    return DataError(
        f"{label}: no column 'loss'; these look like losses: {listed}; "
        f"type: load_runs({source}, tasks={{{call}}})"
    )
