"""What a table of runs can identify: its spread in N, D and C, and the warnings that follow."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.runs.table import Runs, flagged
from bayescale.wording import counted

AXES = {"params": "N", "tokens": "D", "compute": "C", "upstream_loss": "upstream loss"}
#: A floor for judging the spread of losses only: three quarters of the lowest loss. Rough.
ROUGH_FLOOR = 0.75
_CONSTANT = 0.02  # decades: an axis that moves less does not move
_COLLINEAR = 0.99
_SLOPE = 0.1
_MIN_DECADES = 1.0
_MIN_RATIO = 3.0
# Repeats up to here are nearly as good as new tokens (Muennighoff et al. 2023).
FEW_EPOCHS = 4.0


@dataclass(frozen=True)
class Design:
    """How N, D and C are spread over some runs.

    `ranges` and `decades` by axis; `slope` of log D on log N and their `correlation` (None where an
    axis is missing or constant); `verdict` says in words which exponents are out of reach.
    """

    name: str
    runs: int
    ranges: dict[str, tuple[float, float]]
    decades: dict[str, float]
    correlation: float | None
    slope: float | None
    verdict: str

    @property
    def problem(self) -> bool:
        """Whether the design alone leaves an exponent unidentified."""
        return self.verdict != ""

    def moves(self, axis: str) -> bool:
        """Whether N, D or C takes more than one value, rounding apart."""
        return self.decades.get(axis, 0.0) > _CONSTANT

    def short(self, axis: str) -> bool:
        """Whether an axis moves, but over less than a decade."""
        return self.moves(axis) and self.decades[axis] < _MIN_DECADES

    @property
    def tied(self) -> bool:
        """Whether D is a power of N over these runs, so that only one of them moves by itself."""
        if not (self.moves("N") and self.moves("D")):
            return False
        return self.correlation is None or abs(self.correlation) > _COLLINEAR


@dataclass(frozen=True)
class Description:
    """The shape of a table of runs; prints as text, `to_dict` gives it as data."""

    name: str
    rows: int
    runs: int
    architectures: dict[str, int]
    tasks: dict[str, str]
    studies: tuple[str, ...]
    design: Design
    by_architecture: tuple[Design, ...]
    loss_range: dict[str, tuple[float, float]]
    loss_ratio: dict[str, float]
    compute_source: str | None
    param_count: str | None
    flagged: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    citation: str
    hash: str

    @property
    def narrow(self) -> dict[str, float]:
        """Tasks whose reducible loss changes too little to show a floor, with its rough ratio."""
        return _narrow(self.loss_ratio)

    @property
    def sizes_apart(self) -> str:
        """What to do where the architectures are sizes: N moves between and not within them; empty elsewhere."""
        several = [d for d in self.by_architecture if d.runs > 1]
        if len(several) < 2 or not self.design.moves("N") or any(d.moves("N") for d in several):
            return ""
        return (
            "N is constant within every architecture, so that nothing sees beta; if they are sizes of one family, "
            "columns={'architecture': ''} takes them as one"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        from bayescale.runs.shown import lines  # shown.py needs Description

        return "\n".join(lines(self))


def describe(runs: Runs) -> Description:
    """Describe a table of runs.

    Parameters
    ----------
    runs : Runs
        Any.

    Returns
    -------
    Description
        With a warning for every pitfall of the design: an axis constant, D ∝ N, under a decade,
        floor out of sight, counts mixed or unsaid, kinds of loss mixed, flagged rows.
    """
    frame = runs.table
    once = frame.drop_duplicates("run_id")
    design = _design("all runs", once)
    by_architecture = tuple(_design(a, once[once["architecture"] == a]) for a in runs.architectures)
    ranges, ratios = _losses(frame, runs)
    marked = tuple(
        f"{row.run_id} ({row.task}): {row.flag}"
        for row in frame[flagged(frame)].itertuples(index=False)
    )
    described = Description(
        name=runs.name,
        rows=len(frame),
        runs=len(once),
        architectures={a: int((once["architecture"] == a).sum()) for a in runs.architectures},
        tasks={n: t.kind for n, t in runs.tasks.items()},
        studies=runs.studies,
        design=design,
        by_architecture=by_architecture if len(by_architecture) > 1 else (),
        loss_range=ranges,
        loss_ratio=ratios,
        compute_source=runs.compute_source,
        param_count=runs.param_count,
        flagged=marked,
        warnings=(),
        notes=runs.notes,
        citation=runs.citation,
        hash=runs.hash,
    )
    return replace(described, warnings=tuple(_warnings(runs, described)))


def _design(name: str, once: pd.DataFrame) -> Design:
    logs = {
        axis: np.log10(once[column].to_numpy(dtype=float))
        for column, axis in AXES.items()
        if column in once.columns
    }
    decades = {axis: float(np.ptp(v)) for axis, v in logs.items()}
    ranges = {axis: (float(10 ** v.min()), float(10 ** v.max())) for axis, v in logs.items()}
    correlation = slope = None
    if min(decades.get("N", 0.0), decades.get("D", 0.0)) > _CONSTANT and len(once) > 2:
        n, d = logs["N"], logs["D"]
        correlation = float(np.corrcoef(n, d)[0, 1])
        slope = float(np.polyfit(n, d, 1)[0])
    found = Design(name, len(once), ranges, decades, correlation, slope, "")
    return replace(found, verdict=_verdict(found))


def _verdict(found: Design) -> str:
    if found.runs == 1:
        return "one run: no exponent of its own"
    if "N" not in found.decades or "D" not in found.decades:
        return ""
    if not found.moves("D") and not found.moves("N"):
        return "N and D constant: no exponent of its own"
    if not found.moves("D"):
        return "D constant: nothing sees delta but its prior, and gamma and omega are seen only by curvature in N"
    if not found.moves("N"):
        return "N constant: nothing sees beta but its prior, and gamma and omega are seen only by curvature in D"
    if found.runs == 2:
        return "two runs: no exponent apart from the floor"
    if found.tied and found.slope is not None:
        if abs(found.slope - 1.0) <= _SLOPE:
            return "D ∝ N: gamma and the share of the two terms stay at their priors"
        return f"D ∝ N^{found.slope:.2f}: beta and delta are seen only together"
    return ""


def _losses(
    frame: pd.DataFrame, runs: Runs
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    by_task = frame.groupby("task")["loss"]
    low, high = by_task.min(), by_task.max()
    ranges = {t: (float(low[t]), float(high[t])) for t in runs.task_names}
    ratios = {
        t: (most - ROUGH_FLOOR * least) / ((1.0 - ROUGH_FLOOR) * least)
        for t, (least, most) in ranges.items()
    }
    return ranges, ratios


def _narrow(ratios: dict[str, float]) -> dict[str, float]:
    return {task: ratio for task, ratio in ratios.items() if ratio < _MIN_RATIO}


def _warnings(runs: Runs, described: Description) -> list[str]:
    design, marked = described.design, described.flagged
    said = [f"design: {design.verdict}"] if design.problem else []
    said += [f"design: {described.sizes_apart}"] if described.sizes_apart else []
    said += [
        f"{axis} spans {design.decades[axis]:.2f} decades, less than one"
        for axis in ("N", "D")
        if design.short(axis)
    ]
    narrow = [f"{task} ({ratio:.1f})" for task, ratio in described.narrow.items()]
    if narrow:
        said.append(
            f"L_inf is barely identified: largest over smallest reducible loss (rough floor) is "
            f"below {_MIN_RATIO:g} for {', '.join(narrow)}"
        )
    said += [*_repeat_warnings(runs), *_count_warnings(runs)]
    if len(runs.kinds) > 1:
        kinds = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in runs.kinds.items())
        said.append(f"losses of different kinds, floors pool within one only: {kinds}")
    if marked:
        said.append(
            f"{counted(len(marked), 'flagged row')} kept, not dropped; without: "
            ".where(unflagged=True)"
        )
    return said


def _repeat_warnings(runs: Runs) -> list[str]:
    frame = runs.table.drop_duplicates("run_id")
    if not {"tokens", "unique_tokens"} <= set(frame.columns):
        return []
    epochs = frame["tokens"].to_numpy(float) / frame["unique_tokens"].to_numpy(float)
    many = int((epochs > FEW_EPOCHS).sum())
    if not many:
        return []
    return [
        f"tokens are seen up to {np.nanmax(epochs):.4g} times, more than {FEW_EPOCHS:g} in {counted(many, 'run')}: "
        "only model='repeated-data' tells them from new ones"
    ]


def _count_warnings(runs: Runs) -> list[str]:
    if "params" not in runs.table.columns or runs.param_count is not None:
        return []
    frame = runs.table.drop_duplicates("run_id")
    counts = [c for c in ("params_total", "params_non_embedding", "params_active") if c in frame]
    params = frame["params"].to_numpy(dtype=float)
    matches = {c: np.isclose(params, frame[c].to_numpy(dtype=float), rtol=1e-3) for c in counts}
    used = [c for c, here in matches.items() if here.any()]
    if len(used) > 1:
        listed = ", ".join(f"{c} in {counted(int(matches[c].sum()), 'run')}" for c in used)
        return [f"mixed parameter counts: N is {listed}"]
    return []
