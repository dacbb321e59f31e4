"""How much of one input a target loss needs: labelled images, tokens, parameters or FLOP, with what is not known of it.

Along one axis, all other inputs held, the loss of a draw falls: each draw reaches the target from one amount on. What
is needed with a probability is a quantile of these amounts, those that never suffice counted as infinite. It is the
forecast read the other way: an amount is enough for a draw where that draw's loss at the amount is at most the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import xarray as xr
from scipy import stats

from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, provenance
from bayescale.decide.plans.inverse import HALVINGS, LOOKS
from bayescale.decide.plans.montecarlo import mean_error
from bayescale.decide.plans.needed import Needed
from bayescale.decide.plans.reach import (
    enough,
    in_campaign,
    require_probability,
    require_target,
)
from bayescale.decide.plans.support import calibration, floors
from bayescale.errors import PlanError, unknown
from bayescale.laws import Axis
from bayescale.posterior import (
    Curve,
    Group,
    Mixture,
    Posterior,
    Side,
    curve_of,
    named_quantiles,
    require_one_step,
    require_posterior,
)
from bayescale.posterior.uncertain import POSITIVE, Uncertain, draws_of
from bayescale.predict import Backtest, Noise, assumption, distance_note, run_log_loss

NeededKind = Literal["run", "campaign", "expected"]
MC_LEVEL = 0.9
MOST: dict[Axis, float] = {"params": 1e30, "tokens": 1e30, "compute": 1e45}
_SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)


def needed(
    fit: Posterior,
    *,
    target_loss: float,
    probability: float = 0.8,
    axis: Axis | None = None,
    params: float | None = None,
    tokens: float | None = None,
    kind: NeededKind = "campaign",
    price: Uncertain | None = None,
    backtest: Backtest | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> Needed:
    """Find how much of one input a target loss needs, e.g. how many labelled images an error.

    Parameters
    ----------
    fit : Fit or Stacked
        Of any law.
    target_loss : float
        In the unit of the fit: for a target accuracy or mAP, one minus it.
    probability : float
        p, between 0 and 1, of reaching the target with the amount.
    axis : {"params", "tokens", "compute"}, optional
        The input asked for; a law of one axis needs none. Labelled examples are ``tokens``.
    params, tokens : float, optional
        The other input of a joint law, held.
    kind : {"run", "campaign", "expected"}
        As in :func:`bayescale.predict`: with the noise of one run, with what runs of one campaign share, or the curve
        alone.
    price : float or distribution, optional
        Dollars for one of them, e.g. ``"LogNormal(median=0.05, sigma=0.3)"`` a label.
    backtest : Backtest, optional
        To say how such forecasts held at that distance.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`bayescale.plan`.
    **further
        Further inputs of the law, by name (``unique_tokens=1e11``), as in :func:`bayescale.plan`.

    Returns
    -------
    Needed

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
        Where the probability is out of reach, naming the largest that is not.
    """
    require_posterior(fit, "needed")
    require_one_step(fit, "needed")
    admit(fit, allow_unconverged, allow_experimental)
    target, probability = require_target(target_loss), require_probability(probability)
    if kind not in get_args(NeededKind):
        raise unknown("kind of target", str(kind), get_args(NeededKind))
    first = fit.members[0]
    axis, held = _axis(fit, axis, {"params": params, "tokens": tokens})
    where = first.groups(architecture, task, study)
    given = read_given(further)
    read = {g.name: g for member in fit.members for g in member.model.get_law().given}
    for name in given:
        if name not in read:
            raise PlanError(f"{name} is not read by {first.model.spec.name!r}")
    curve = curve_of(fit, where, given=given)
    offset = _offset(fit, where, kind, curve)
    each = None if price is None else draws_of(price, "price", POSITIVE, len(offset), fit.seed)
    log_amount = _first_enough(curve, axis, held, target * np.exp(-offset))
    most = float(np.isfinite(log_amount).mean())
    if most < probability:
        below = float(np.mean(curve.floor >= target * np.exp(-offset)))
        raise PlanError(
            f"P(loss ≤ {target:g}) reaches {most:.3g} at most, below {probability:g}: in {100 * below:.0f} % of the "
            "draws the floor lies above the target; raise target_loss or lower probability"
        )
    at = float(enough(log_amount[:, None], probability)[0])
    reached = log_amount <= at
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    chains = 1 if isinstance(curve, Mixture) else first.posterior.sizes["chain"]
    error = mean_error(reached, [len(part.floor) for part in parts], chains)
    width = float(stats.norm.ppf(0.5 + MC_LEVEL / 2)) * error
    ends = [float(enough(log_amount[:, None], p)[0]) for p in _around(probability, width)]
    amount = float(np.exp(at))
    dollars = None if each is None else named_quantiles(amount * each)
    points = {
        str(name): xr.DataArray([value], dims="point")
        for name, value in ({axis: amount} | held).items()
    }
    fitted = first.runs[axis]
    levels = np.quantile(log_amount, _SHOWN, method="higher")
    return Needed(
        problem={
            "target_loss": target,
            "probability": probability,
            "kind": kind,
            "axis": axis,
            "held": held,
            "unit": first.model.loss_unit,
            **stated(given),
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
        },
        amount=amount,
        amount_lo=float(np.exp(ends[0])),
        amount_hi=float(np.exp(ends[1])) if np.isfinite(ends[1]) else None,
        p_hit=float(reached.mean()),
        p_error=error,
        quantiles={
            f"q{round(100 * q):02d}": float(np.exp(value)) if np.isfinite(value) else None
            for q, value in zip(_SHOWN, levels, strict=True)
        },
        p_never=1.0 - most,
        dollars=dollars,
        caveats=(
            distance_note(first, points, [where["architecture"]]),
            assumption(fit),
            *calibration(fit, points, backtest),
            *floors(fit),
            *(f"{name} not given: {g.said}" for name, g in read.items() if name not in given),
        ),
        provenance=provenance(fit),
        fitted=(float(fitted.min()), float(fitted.max())),
        draws=np.exp(log_amount),
    )


def _around(probability: float, width: float) -> tuple[float, float]:
    return max(probability - width, 0.0), probability + width


def _axis(
    fit: Posterior, axis: Axis | None, stated: Mapping[Axis, float | None]
) -> tuple[Axis, dict[Axis, float]]:
    """The input asked for, and the others of the law, each held at a positive number."""
    inputs = fit.members[0].model.get_law().inputs
    for member in fit.members:
        if member.model.get_law().inputs != inputs:
            raise PlanError("the stacked laws do not read the same inputs: ask each of them")
    if axis is None and len(inputs) > 1:
        raise PlanError(
            f"the law reads {' and '.join(inputs)}: say which one is asked for, axis='{inputs[-1]}'"
        )
    asked: Axis = inputs[0] if axis is None else axis
    if asked not in inputs:
        raise unknown("axis", str(asked), inputs, f"law {fit.members[0].model.get_law().name!r}")
    held: dict[Axis, float] = {}
    for name, value in stated.items():
        if value is not None and (name == asked or name not in inputs):
            raise PlanError(f"{name} = {value!r} is {'asked for' if name == asked else 'not read'}")
        if name in inputs and name != asked:
            if value is None:
                raise PlanError(f"{name} is missing: {asked} are asked for at a number of {name}")
            held[name] = float(draws_of(value, name, POSITIVE, 1)[0])
    return asked, held


def _offset(
    fit: Posterior, where: dict[Side, Group], kind: NeededKind, curve: Curve | Mixture
) -> np.ndarray:
    """Offset of the log loss of every draw, shape (draw,)."""
    if kind != "run":
        return in_campaign(fit, where, kind, curve)[1]
    campaign, out, start = in_campaign(fit, where, "campaign", curve)[1], [], 0
    for member, draws in fit.parts:
        theta = {k: v.to_numpy().ravel() for k, v in member.parameters(where).items()}
        noise = Noise.of(member, theta)
        if noise.family == "binomial":
            raise PlanError("kind = 'run' is not of binomial noise; take kind='expected'")
        own = run_log_loss(member, where, noise, np.zeros((len(noise.sigma), 1)))[draws, 0]
        out.append(own + campaign[start : start + len(own)])
        start += len(own)
    return np.concatenate(out)


def _first_enough(
    curve: Curve | Mixture, axis: Axis, held: Mapping[Axis, float], target: np.ndarray
) -> np.ndarray:
    """Log of the first amount at which each draw's loss is at most its target, shape (draw,); infinite if none is."""
    most = float(np.log(MOST[axis]))
    others = {str(name): np.full((1, 1), np.log(value)) for name, value in held.items()}
    ends = {name: (float(v[0, 0]), float(v[0, 0])) for name, v in others.items()}
    far = curve.reaching(ends | {str(axis): (0.0, most)})

    def reached(log_amount: np.ndarray) -> np.ndarray:
        log_r = far.log_reducible({axis: log_amount[:, None], **others})
        return np.asarray(far.loss(log_r)[:, 0] <= target)

    # A loss may rise again where data repeat: the first amount that is enough, and not any.
    steps = np.linspace(0.0, most, LOOKS)
    high = np.full(len(target), np.inf)
    for step in steps:
        there = np.isinf(high) & reached(np.full(len(target), step))
        high = np.where(there, step, high)
    never = np.isinf(high)
    high = np.where(never, most, high)
    low = np.maximum(high - steps[1], 0.0)
    for _ in range(HALVINGS + 4):
        middle = 0.5 * (low + high)
        found = reached(middle)
        low, high = np.where(found, low, middle), np.where(found, middle, high)
    return np.where(never, np.inf, high)
