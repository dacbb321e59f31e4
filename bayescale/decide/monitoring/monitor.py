"""`monitor`: P(final loss ≤ target | curve so far) while runs train, and what going on costs and is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.decide.monitoring.curves import TrainingCurve, load_curves
from bayescale.decide.monitoring.final_loss import FinalLoss
from bayescale.decide.monitoring.gaps import Gap, gap_of
from bayescale.decide.monitoring.monitored import Monitored, RunStatus
from bayescale.decide.plans.plan import Plan
from bayescale.decide.plans.preregistration import RunForecast
from bayescale.decide.plans.reach import require_target
from bayescale.errors import PlanError, unknown
from bayescale.posterior import PROBS, QUANTILES, named_quantiles
from bayescale.predict import FLOP_PER_PARAM_TOKEN

RISK = 0.05
FAN_STEPS = 16
SURPRISE = 0.005  # tail of the forecast in which a curve's end is said to contradict it
NO_REFERENCE = (
    "no probability: without complete curves of the same schedule nothing says how far the loss has still to fall, "
    "and a loss half-way is not to be held against a final target; give earlier runs, reference= (run_id, step or "
    "tokens, loss)"
)
ENDS = "each reference is taken to be complete: its last checkpoint is its end"
ROUNDING = 1e-3  # of the whole run, by which a last checkpoint may miss its end
Source = str | Path | pd.DataFrame


def monitor(
    plan: Plan,
    curve: Source,
    reference: Source | None = None,
    *,
    target_loss: float | None = None,
    total_steps: float | None = None,
    risk: float = RISK,
    worth: float | None = None,
) -> Monitored:
    """Say whether runs in training will reach the target.

    Parameters
    ----------
    plan : Plan
        From :func:`bayescale.plan`, or :func:`bayescale.load_plan`. Its first recommendation is the run.
    curve : path or DataFrame
        Loss so far: tokens or steps, loss, and run ids where there are several.
    reference : path or DataFrame
        Complete curves of earlier runs with the same schedule, three or more, with run ids; each is taken to end at its
        last row. Where both tables have a column ``schedule``, only equal ones are compared.
    target_loss : float, optional
        The plan's own by default.
    total_steps : float, optional
        Of the whole run; needed where the curve counts steps.
    risk : float
        A run is to be stopped where P(target) is below.
    worth : float, optional
        Dollars that reaching the target is worth; needs a plan with a price.

    Returns
    -------
    Monitored

    Raises
    ------
    PlanError
        Without references, a target, or the length of the run; if the plan has no price and a worth is given.
    DataError
        If a table cannot be read, or its steps are out of order.
    """
    if not isinstance(plan, Plan):
        raise PlanError(
            f"monitor takes a plan, not a {type(plan).__name__}; load one: load_plan(path)"
        )
    target = _target(plan, target_loss)
    if not 0.0 < risk < 1.0:
        raise PlanError(f"risk = {risk:g} (expected a probability between 0 and 1)")
    if reference is None:
        raise PlanError(NO_REFERENCE)
    unit, forecast = plan.problem["unit"], plan.forecasts[0]
    price = _price(plan, worth)
    references = load_curves(reference, unit)
    flop = FLOP_PER_PARAM_TOKEN * forecast.params * forecast.tokens
    planned = float(forecast.cdf(np.log([target]))[0])
    runs: list[RunStatus] = []
    fans: dict[str, dict[str, list[float]]] = {}
    notes: list[str] = []
    for run in load_curves(curve, unit):
        fractions = _fractions(run, forecast.tokens, total_steps)
        known = _same_schedule(run, references, notes)
        final, gap = assess(fractions, run.log_loss, known, forecast)
        if gap is not None:
            notes += _surprise(run, gap, forecast)
        p = final.probability(float(np.log(target)))
        left = flop * (1.0 - float(fractions[-1]))
        dollars = None if price is None else left * price
        runs.append(
            RunStatus(
                run_id=run.run_id,
                fraction=float(fractions[-1]),
                loss=float(run.loss[-1]),
                p_target=p,
                p_planned=planned,
                final=dict(zip(QUANTILES, final.quantiles().tolist(), strict=True)),
                flop_left=left,
                dollars_left=dollars,
                value=None if worth is None or dollars is None else worth * p - dollars,
                stop=p < risk,
                gap=gap,
            )
        )
        fans[run.run_id] = _fan(fractions, run, known, final)
    order = [r.p_target if r.value is None else r.value for r in runs]
    return Monitored(
        problem={
            "plan": plan.hash,
            "target_loss": target,
            "risk": risk,
            "worth": worth,
            "unit": unit,
            "recommendation": forecast.risk,
            "params": forecast.params,
            "tokens": forecast.tokens,
            "planned": named_quantiles(forecast.draws),
        },
        runs=tuple(runs[i] for i in np.argsort(order, kind="stable")),
        fans=fans,
        notes=(*dict.fromkeys(notes), ENDS),
    )


def assess(
    fractions: np.ndarray,
    log_loss: np.ndarray,
    references: Sequence[TrainingCurve],
    forecast: RunForecast,
) -> tuple[FinalLoss, Gap | None]:
    """The final loss of a run from its curve, references and a forecast; a run that is done has no gap.

    Parameters
    ----------
    fractions, log_loss : ndarray, shape (checkpoint,)
        Share of training done, up to 1, and log loss.
    references : sequence of TrainingCurve
        Complete, of the same schedule.
    forecast : RunForecast
        What the plan said of the final loss.
    """
    now = float(log_loss[-1])
    if fractions[-1] >= 1.0:
        return FinalLoss.known(now), None
    gap = gap_of(fractions, log_loss, references)
    return FinalLoss.of(forecast, gap, now), gap


def _target(plan: Plan, given: float | None) -> float:
    target = plan.problem["target_loss"] if given is None else given
    if target is None:
        raise PlanError("the plan has no target loss: give one, target_loss=")
    return require_target(target)


def _price(plan: Plan, worth: float | None) -> float | None:
    """Dollars a FLOP, where the plan was priced."""
    dollars = plan.problem["dollars"]
    if worth is not None:
        if not 0 < worth < np.inf:
            raise PlanError(f"worth = {worth:g} (expected dollars, above 0)")
        if dollars is None:
            raise PlanError(
                "worth is in dollars and the plan has no price: plan with dollars, "
                "or with compute and price_per_hour, mfu, hardware"
            )
    return None if dollars is None else float(dollars / plan.problem["compute"])


def _fractions(run: TrainingCurve, tokens: float, total_steps: float | None) -> np.ndarray:
    if run.progress == "step" and total_steps is None:
        raise PlanError("the curve counts steps: say how many the whole run has, total_steps=")
    total = tokens if run.progress == "tokens" else total_steps
    fractions = run.fractions(total)
    if fractions[-1] > 1.0 + ROUNDING:
        raise PlanError(
            f"{run.run_id!r} is at {run.progress} {run.at[-1]:g}, beyond the {total:g} it was to have"
        )
    return np.where(fractions > 1.0 - ROUNDING, 1.0, fractions)


def _same_schedule(
    run: TrainingCurve, references: Sequence[TrainingCurve], notes: list[str]
) -> list[TrainingCurve]:
    stated = run.schedule is not None and all(r.schedule is not None for r in references)
    if not stated:
        notes.append("that the references have the schedule of the run is taken on trust")
        return list(references)
    same = [r for r in references if r.schedule == run.schedule]
    if not same:
        known = sorted({str(r.schedule) for r in references})
        raise unknown("schedule", str(run.schedule), known, "the reference curves")
    return same


def _surprise(run: TrainingCurve, gap: Gap, forecast: RunForecast) -> list[str]:
    end = float(run.log_loss[-1]) - gap.mean
    below = float(forecast.cdf(np.array([end]))[0])
    if SURPRISE < below < 1.0 - SURPRISE:
        return []
    return [
        f"{run.run_id!r} heads for {np.exp(end):.4g}, which the plan gave less than {200 * SURPRISE:g} %: "
        "look for a mistake before you trust either"
    ]


def _fan(
    fractions: np.ndarray,
    run: TrainingCurve,
    references: Sequence[TrainingCurve],
    final: FinalLoss,
) -> dict[str, list[float]]:
    steps = FAN_STEPS if fractions[-1] < 1.0 else 1
    ahead = np.linspace(fractions[-1], 1.0, steps)
    now = float(run.log_loss[-1])
    # The gap is what the loss falls: its upper quantiles are the loss's lower ones.
    bands = [
        np.exp(now - gap_of(fractions, run.log_loss, references, f).quantile(1 - np.array(PROBS)))
        for f in ahead[1:]
    ]
    start = np.full((1, len(PROBS)), np.exp(now))
    values = np.vstack([start, *bands]).T
    return {
        "fraction": fractions.tolist(),
        "loss": run.loss.tolist(),
        "ahead": ahead.tolist(),
        **{name: v.tolist() for name, v in zip(QUANTILES, values, strict=True)},
        "final": final.quantiles().tolist(),
    }
