"""How the description of a table prints, architectures of one verdict together where there are many."""

from __future__ import annotations

from collections.abc import Iterator

from bayescale.runs.columns import UNNAMED
from bayescale.runs.describe import Description, Design
from bayescale.runs.quantities import format_quantity
from bayescale.wording import counted

_MOST_ALONE = 12  # architectures with a line each
_MOST_NAMED = 8


def lines(d: Description) -> list[str]:
    """The lines of the text, in the order in which a reader asks."""
    said = [
        f"{d.name}: {counted(d.rows, 'row')}, {counted(d.runs, 'run')}, "
        f"{counted(len(d.architectures), 'architecture')}, {counted(len(d.tasks), 'task')}, "
        f"hash {d.hash[:12]}",
        f"  N: {d.param_count or 'count not stated'}; C: {d.compute_source or 'none'}",
    ]
    if d.citation:
        said.append(f"  {d.citation}")
    said += [
        f"  {axis}  {format_quantity(low) if axis != 'C' else f'{low:.3g} FLOP'} – "
        f"{format_quantity(high) if axis != 'C' else f'{high:.3g} FLOP'}  "
        f"({d.design.decades[axis]:.2f} decades)"
        for axis, (low, high) in d.design.ranges.items()
    ]
    said += [
        f"  loss{'' if task == UNNAMED['task'] else f' of {task}'} [{d.tasks[task]}]  {low:.4g} – {high:.4g}  "
        f"(reducible loss × {d.loss_ratio[task]:.1f}, rough)"
        for task, (low, high) in d.loss_range.items()
    ]
    if d.by_architecture:
        said.append("architectures, each alone:")
        few = len(d.by_architecture) <= _MOST_ALONE
        said += map(_alone, d.by_architecture) if few else _by_verdict(d.by_architecture)
    for title, texts in (("flagged", d.flagged), ("warnings", d.warnings), ("notes", d.notes)):
        if texts:
            said.append(f"{title}:")
            said += [f"  {text}" for text in texts]
    return said


def _alone(design: Design) -> str:
    return f"  {design.name}: {counted(design.runs, 'run')}, {design.verdict or 'varied'}"


def _by_verdict(designs: tuple[Design, ...]) -> Iterator[str]:
    for verdict in dict.fromkeys(d.verdict for d in designs):
        same = [d for d in designs if d.verdict == verdict]
        named = ", ".join(f"{d.name} ({d.runs})" for d in same[:_MOST_NAMED])
        more = f" and {len(same) - _MOST_NAMED} more" if len(same) > _MOST_NAMED else ""
        yield f"  {counted(len(same), 'architecture')}, {verdict or 'varied'}: {named}{more}"
