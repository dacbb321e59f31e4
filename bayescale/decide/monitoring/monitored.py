"""`Monitored`: runs in training against a plan, as a table that ranks which to stop, and what its figure draws."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from bayescale.decide.monitoring.gaps import Gap


@dataclass(frozen=True, eq=False)
class RunStatus:
    """One run, half-way.

    Attributes
    ----------
    run_id : str
    fraction : float
        Of training done.
    loss : float
        At the last checkpoint.
    p_target : float
        P(final loss ≤ target), given plan and curve.
    p_planned : float
        The same before there was a curve.
    final : dict
        Quantiles of the final loss: ``lo90, lo50, median, hi50, hi90``.
    flop_left : float
    dollars_left : float or None
        Where the plan was priced.
    value : float or None
        Dollars: worth × P − dollars left. Stopping is worth nothing and costs nothing, so that below zero it is better;
        that one may still stop later is not counted, so that it is a lower bound.
    stop : bool
        Whether P is below the risk.
    gap : Gap or None
        What the log loss has still to fall, by the references; None of a run that is done.
    """

    run_id: str
    fraction: float
    loss: float
    p_target: float
    p_planned: float
    final: dict[str, float]
    flop_left: float
    dollars_left: float | None
    value: float | None
    stop: bool
    gap: Gap | None


@dataclass(frozen=True, eq=False)
class Monitored:
    """Runs in training against a plan, first the one to stop first.

    Attributes
    ----------
    problem : dict
        Plan hash, target, risk, worth, unit, the recommendation with N and D, and ``planned``, quantiles of its
        forecast.
    runs : tuple of RunStatus
        By value if a worth was given, else by P(target); the lowest first.
    fans : dict
        Run id → what a figure draws: ``fraction, loss`` of the curve, and of the way ahead ``ahead`` (fraction) with
        ``lo90, lo50, median, hi50, hi90`` by the references alone; ``final``, these quantiles with the plan's forecast.
    notes : tuple of str
    """

    problem: dict[str, Any]
    runs: tuple[RunStatus, ...]
    fans: dict[str, dict[str, list[float]]]
    notes: tuple[str, ...]

    @property
    def stop(self) -> bool:
        """Whether any run is to be stopped."""
        return any(run.stop for run in self.runs)

    def table(self) -> pd.DataFrame:
        """One row a run, first the one to stop first."""
        shown = ("run_id", "fraction", "loss", "p_target", "flop_left", "dollars_left", "value")
        rows = [
            {**{name: getattr(run, name) for name in shown}, **run.final, "stop": run.stop}
            for run in self.runs
        ]
        return pd.DataFrame(rows).dropna(axis=1, how="all")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "problem": self.problem,
            "stop": self.stop,
            "runs": [asdict(run) for run in self.runs],
            "fans": self.fans,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        said = self.problem
        head = f"P(final loss ≤ {said['target_loss']:g}) of {len(self.runs)} run(s); stop below {said['risk']:g}"
        body = self.table().to_string(index=False, float_format=lambda v: f"{v:.4g}")
        return "\n".join([head, body, *(f"note: {n}" for n in self.notes)])
