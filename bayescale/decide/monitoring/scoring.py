"""What came true against what a plan said in advance: log score, CRPS and PIT of each outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from bayescale.decide.monitoring.ledger import append_lines, read_lines
from bayescale.decide.plans.plan import Plan
from bayescale.decide.plans.preregistration import RunForecast
from bayescale.errors import DataError, PlanError
from bayescale.posterior import named_quantiles
from bayescale.predict import crps
from bayescale.runs import UNNAMED, Runs, load_runs, unfinished

TOLERANCE = 0.05


class Score(BaseModel):
    """One outcome against the forecast of one recommendation; one line of a ledger.

    Attributes
    ----------
    plan : str
        Hash of the plan.
    outcome : str
        Hash of plan, N, D and loss: the same outcome is not scored twice.
    scored_at : str
        UTC, ISO 8601.
    model, model_hash, data_hash : str
        Of the fit that planned.
    risk : str
        Of the recommendation.
    run_id : str
    params, tokens, loss : float
        What was trained, and its loss in ``unit``.
    planned_params, planned_tokens : float
    lo90, lo50, median, hi50, hi90 : float
        Quantiles of the forecast.
    log_score : float
        Log density of the log loss, nats; higher is better.
    crps : float
        Of the log loss, lower is better: under Student-t noise that of the loss need not exist.
    pit : float
        P(loss of the run ≤ what it was); uniform over many plans where forecasts are calibrated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    plan: str = Field(pattern="^[0-9a-f]{64}$")
    outcome: str = Field(pattern="^[0-9a-f]{64}$")
    scored_at: str
    model: str
    model_hash: str
    data_hash: str
    risk: str
    unit: str
    run_id: str
    params: float = Field(gt=0)
    tokens: float = Field(gt=0)
    loss: float = Field(gt=0)
    planned_params: float = Field(gt=0)
    planned_tokens: float = Field(gt=0)
    lo90: float
    lo50: float
    median: float
    hi50: float
    hi90: float
    log_score: float
    crps: float
    pit: float = Field(ge=0, le=1)


@dataclass(frozen=True)
class _Outcome:
    run_id: str
    params: float
    tokens: float
    loss: float


def score_plan(
    plan: Plan,
    outcomes: str | Path | pd.DataFrame | Runs,
    *,
    tolerance: float = TOLERANCE,
    ledger: str | Path | None = None,
) -> tuple[Score, ...]:
    """Score what was trained against the plan's forecasts.

    Each outcome is matched to the nearest recommendation. Log score and PIT are exact for the mixture that the plan
    keeps (its noise over its draws); the CRPS is that of its simulated runs.

    Parameters
    ----------
    plan : Plan
        From :func:`bayescale.plan`, or :func:`bayescale.load_plan`.
    outcomes : path, DataFrame or Runs
        Params, tokens and final loss of finished runs, under the names that :func:`bayescale.load_runs` knows.
    tolerance : float
        How far N and D may each lie from the recommendation, as a share of it.
    ledger : path, optional
        File of JSON Lines to append the scores to: all of them or none.

    Returns
    -------
    tuple of Score

    Raises
    ------
    PlanError
        If an outcome is near no recommendation, of another group or unit than the plan, or in the ledger already.
    DataError
        If the table or the ledger cannot be read.
    """
    if not isinstance(plan, Plan):
        raise PlanError(
            f"score_plan takes a plan, not a {type(plan).__name__}; load one: load_plan(path)"
        )
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise PlanError(f"tolerance = {tolerance:g} (expected a share of N and D, 0 or more)")
    runs = outcomes if isinstance(outcomes, Runs) else load_runs(outcomes)
    _require_comparable(plan, runs)
    said = {
        "plan": plan.hash,
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": plan.provenance["model"],
        "model_hash": plan.provenance["model_hash"],
        "data_hash": plan.provenance["data_hash"],
        "unit": plan.problem["unit"],
    }
    columns = ["run_id", "params", "tokens", "loss"]
    outcomes_of = [_Outcome(*row) for row in runs.table[columns].itertuples(index=False)]
    scores = tuple(_score(said, _nearest(plan, one, tolerance), one) for one in outcomes_of)
    if ledger is not None:
        record(scores, ledger)
    return scores


def record(scores: Sequence[Score], path: str | Path) -> None:
    """Append scores to a ledger; refuses all of them if one is there already."""
    held = {score.outcome for score in load_ledger(path)} if Path(path).exists() else set()
    for score in scores:
        if score.outcome in held:
            raise PlanError(
                f"{path} has run {score.run_id!r} already: N = {score.params:.4g}, D = {score.tokens:.4g}, "
                f"loss {score.loss:g} of plan {score.plan[:12]}; nothing was added"
            )
        held.add(score.outcome)
    append_lines(path, [score.model_dump_json() for score in scores])


def load_ledger(path: str | Path) -> tuple[Score, ...]:
    """Read the scores of a ledger, in the order they were added.

    Raises
    ------
    DataError
        If the file is missing, a line is no score, or the last one was cut off.
    """
    out = []
    for number, line in read_lines(path):
        try:
            out.append(Score.model_validate_json(line))
        except ValueError:  # pydantic's is one
            raise DataError(
                f"{path}: line {number} is no score; put back what was there, or name another ledger"
            ) from None
    return tuple(out)


def _require_comparable(plan: Plan, runs: Runs) -> None:
    for column in ("params", "tokens"):
        if column not in runs.table or runs.table[column].isna().any():
            raise PlanError(f"an outcome needs its {column}: a plan is for one N and D")
    if unfinished(runs.table).any():
        raise PlanError("an outcome is of an unfinished run: score it when it is done")
    for side in ("architecture", "task"):
        planned = str(plan.problem[side]).removeprefix("new: ")
        for label in runs.table[side].unique():
            if label not in (UNNAMED[side], planned):
                raise PlanError(f"an outcome is of {side} {label!r}, the plan of {planned!r}")
    for task in runs.tasks.values():
        if task.metric != plan.problem["unit"]:
            raise PlanError(
                f"outcomes are in {task.metric}, the plan in {plan.problem['unit']}: "
                f"task_info={{{task.name!r}: {{'metric': {plan.problem['unit']!r}}}}} if the table does not say it"
            )


def _nearest(plan: Plan, outcome: _Outcome, tolerance: float) -> RunForecast:
    """The forecast of the recommendation nearest to an outcome, if that is near enough."""

    def off(forecast: RunForecast) -> dict[str, float]:
        return {a: getattr(outcome, a) / getattr(forecast, a) - 1.0 for a in ("params", "tokens")}

    best = min(plan.forecasts, key=lambda f: max(map(abs, off(f).values())))
    axis, share = max(off(best).items(), key=lambda item: abs(item[1]))
    if abs(share) > tolerance:
        raise PlanError(
            f"run {outcome.run_id!r} has {axis} {getattr(outcome, axis):.4g}, {100 * share:+.0f} % off the nearest "
            f"recommendation's {getattr(best, axis):.4g} (tolerance {100 * tolerance:g} %): no forecast is of it"
        )
    return best


def _score(said: dict[str, Any], forecast: RunForecast, outcome: _Outcome) -> Score:
    log_loss = np.log([outcome.loss])
    key = repr((said["plan"], outcome.params, outcome.tokens, outcome.loss))
    content: dict[str, Any] = {
        **said,
        "outcome": hashlib.sha256(key.encode()).hexdigest(),
        "risk": forecast.risk,
        **asdict(outcome),
        "planned_params": forecast.params,
        "planned_tokens": forecast.tokens,
        **named_quantiles(forecast.draws),
        "log_score": float(forecast.log_density(log_loss)[0]),
        "crps": float(crps(forecast.log_draws[:, None], log_loss)[0]),
        "pit": float(np.clip(forecast.cdf(log_loss)[0], 0.0, 1.0)),
    }
    return Score(**content)
