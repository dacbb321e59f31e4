"""How to scale a base network up: depth, width and resolution under a FLOP multiple, and where it stops paying."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np
import xarray as xr

from bayescale.decide.plans.grounds import admit, provenance
from bayescale.decide.plans.scaled import Scaled
from bayescale.decide.plans.support import calibration, floors
from bayescale.errors import PlanError
from bayescale.laws import lowest_on_grid
from bayescale.laws.compound import DIMENSIONS, FLOP_POWER, INPUTS, log_flop_multiple, shares
from bayescale.posterior import (
    PROBS,
    QUANTILES,
    Curve,
    Fit,
    Group,
    group_curve,
    named_quantiles,
    require_posterior,
)
from bayescale.predict import Backtest, assumption, distance_note

# Steps at which a peak is looked for: from a millionth of the base's FLOP, at a factor of two, to a million times.
_FAR, _FINE = 14.0, 561  # nats of FLOP, points
_WIDTHS = (6.0, 65, 6)  # half-width in nats of width, points and rounds of the search for the best


def scale_up(
    fit: Fit,
    *,
    base_flops: float | None = None,
    multiple: float = 2.0,
    steps: int = 7,
    least_gain: float = 0.005,
    pointwise: float = 1.0,
    backtest: Backtest | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
) -> Scaled:
    """Scale a base network up by its best mix of depth, width and resolution: the posterior of Tan & Le's a, b, c.

    Parameters
    ----------
    fit : Fit
        Of a law with the effective input ``compound`` (model ``compound``).
    base_flops : float, optional
        FLOP that one input takes through the base network; by default the least among the fitted runs of the group.
    multiple : float
        FLOP multiple of a step: φ steps cost multiple^φ times the base.
    steps : int
        How many to show.
    least_gain : float
        Of the loss by a further step, below which scaling is said to stop paying.
    pointwise : float
        Share of the base's FLOP that grow as width²; the others, of depthwise convolutions, grow as width. One is a
        dense convolution.
    backtest : Backtest, optional
        To say how such forecasts held at that distance.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`bayescale.plan`.

    Returns
    -------
    Scaled

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_posterior(fit, "scale_up")
    if not isinstance(fit, Fit):
        raise PlanError("scale_up takes a fit, not a stack: a, b and c are one law's")
    admit(fit, allow_unconverged, allow_experimental)
    law = fit.model.get_law()
    if "compound" not in [effective.name for effective in law.effective]:
        raise PlanError(
            f"model {fit.model.spec.name!r} says nothing of depth, width and resolution: fit model='compound'"
        )
    multiple = _more_than(multiple, "multiple", 1.0)
    least_gain = _more_than(least_gain, "least_gain", 0.0)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 50:
        raise PlanError(f"steps = {steps!r} (expected a whole number from 1 to 50)")
    if not 0.0 <= (pointwise := _number(pointwise, "pointwise")) <= 1.0:
        raise PlanError(f"pointwise = {pointwise:g} (expected a share from 0 to 1)")
    where = fit.groups(architecture, task, study)
    base = _base(fit, where["architecture"]) if base_flops is None else base_flops
    log_base = float(np.log(_more_than(base, "base_flops", 0.0)))
    curve = group_curve(fit, where)
    phi = np.arange(steps + 1.0)
    log_multiple = phi * np.log(multiple)
    mixes = {m: best_mix(curve.theta, m, pointwise) for m in log_multiple[1:]}
    first = mixes[log_multiple[1]]
    step = {
        letter: named_quantiles(np.exp(first[name]))
        for letter, name in zip("abc", DIMENSIONS, strict=True)
    }
    step |= {
        f"share_{name}": named_quantiles(share)
        for name, share in zip(DIMENSIONS, shares(curve.theta), strict=True)
    }
    stop = _stops(curve, log_base, multiple, least_gain)
    points = {"compute": xr.DataArray([float(np.exp(log_base + log_multiple[-1]))], dims="point")}
    caveats = [
        distance_note(fit, points, [where["architecture"]]),
        assumption(fit),
        "the base network is taken to be in balance: no dimension of it is a tighter bottleneck than another",
        *calibration(fit, points, backtest),
        *floors(fit),
    ]
    return Scaled(
        problem={
            "base_flops": float(np.exp(log_base)),
            "multiple": multiple,
            "steps": steps,
            "least_gain": least_gain,
            "pointwise": pointwise,
            "unit": fit.model.loss_unit,
            **{side: str(group) for side, group in where.items()},
        },
        step=step,
        steps=_table(curve, log_base, phi, log_multiple, mixes, pointwise),
        stop={name: named_quantiles(at) for name, at in stop.items()},
        p_past={name: float((at <= 0.0).mean()) for name, at in stop.items()},
        caveats=tuple(caveats),
        provenance=provenance(fit),
    )


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PlanError(f"{name} = {value!r} (expected a number)")
    return float(value)


def _more_than(value: object, name: str, low: float) -> float:
    number = _number(value, name)
    if not (np.isfinite(number) and number > low):
        raise PlanError(f"{name} = {number:g} (expected a number above {low:g})")
    return number


def _base(fit: Fit, architecture: Group) -> float:
    rows = fit.runs
    own = rows["architecture"].to_numpy() == str(architecture)
    return float((rows["compute"].isel(run=own) if own.any() else rows["compute"]).min())


def best_mix(
    theta: Mapping[str, np.ndarray], log_multiple: float, pointwise: float = 1.0
) -> dict[str, np.ndarray]:
    """Logs of the multiples of depth, width and resolution of least error at a FLOP multiple, each of shape (draw,).

    In closed form for dense convolutions; else width is searched, the rest being shared out as there.
    """
    own = dict(zip(DIMENSIONS, shares(theta), strict=True))
    if pointwise == 1.0:
        return {
            name: own[name] * log_multiple / power
            for name, power in zip(DIMENSIONS, FLOP_POWER, strict=True)
        }
    rate = (theta["alpha"] / theta["blend"])[:, None]
    rest = own["depth"] + own["resolution"]

    def others(width: np.ndarray) -> np.ndarray:
        """Log FLOP multiple that a width leaves to depth and resolution, over their shares."""
        left = log_multiple - log_flop_multiple(0.0, width, 0.0, pointwise)
        return np.asarray(left / (rest if width.ndim == 1 else rest[:, None]))

    def bottleneck(width: np.ndarray) -> np.ndarray:
        of_width = np.log(own["width"])[:, None] - rate * 2.0 * width / own["width"][:, None]
        return np.logaddexp(of_width, np.log(rest)[:, None] - rate * others(width))

    half, points, rounds = _WIDTHS
    width, _ = lowest_on_grid(
        bottleneck, own["width"] * log_multiple / 2.0, half, int(points), int(rounds)
    )
    each = others(width)
    return {
        "depth": own["depth"] * each,
        "width": width,
        "resolution": own["resolution"] * each / 2.0,
    }


def _table(
    curve: Curve,
    log_base: float,
    phi: np.ndarray,
    log_multiple: np.ndarray,
    mixes: Mapping[float, Mapping[str, np.ndarray]],
    pointwise: float,
) -> xr.Dataset:
    """Multiples and losses of every step, as quantiles over draws."""
    still = dict.fromkeys(DIMENSIONS, np.zeros_like(curve.floor))
    found: dict[str, list[np.ndarray]] = {name: [] for name in DIMENSIONS}
    found |= {name: [] for name in ("loss", *(f"loss_{d}" for d in DIMENSIONS))}
    for total in log_multiple:
        mix = mixes.get(total, still)
        for name in DIMENSIONS:
            found[name].append(np.exp(mix[name]))
        found["loss"].append(_loss(curve, log_base, mix))
        for name, power in zip(DIMENSIONS, FLOP_POWER, strict=True):
            alone = _one_width(total, pointwise) if name == "width" else total / power
            found[f"loss_{name}"].append(
                _loss(curve, log_base, still | {name: np.full_like(curve.floor, alone)})
            )
    return xr.Dataset(
        {
            name: (("phi", "quantile"), np.quantile(values, PROBS, axis=1).T)
            for name, values in found.items()
        }
        | {"flops": ("phi", np.exp(log_base + log_multiple))},
        coords={"phi": phi, "quantile": list(QUANTILES)},
    )


def _one_width(log_multiple: float, pointwise: float) -> float:
    """Log of the width multiple that alone takes a FLOP multiple: the root of p·w² + (1 − p)·w."""
    p, total = pointwise, float(np.exp(log_multiple))
    if p == 0.0:
        return log_multiple
    return float(np.log(2.0 * total / (1.0 - p + np.sqrt((1.0 - p) ** 2 + 4.0 * p * total))))


def _loss(curve: Curve, log_base: float, mix: Mapping[str, np.ndarray]) -> np.ndarray:
    """Expected loss of every draw at its own mix, shape (draw,)."""
    logs = {name: mix[short][:, None] for name, short in zip(INPUTS, DIMENSIONS, strict=True)}
    # The law reads a mix beside the FLOP that it takes of dense convolutions, whatever these are.
    dense = [p * logs[name] for name, p in zip(INPUTS, FLOP_POWER, strict=True)]
    logs["compute"] = log_base + np.sum(dense, axis=0)
    return np.asarray(curve.loss(curve.log_reducible(logs))[:, 0])


def _stops(
    curve: Curve, log_base: float, multiple: float, least_gain: float
) -> dict[str, np.ndarray]:
    """φ* of every draw along the best mix of dense convolutions, by what is to be highest or to be gained."""
    m = np.linspace(-_FAR, _FAR, _FINE)
    loss = curve.loss(curve.log_reducible({"compute": log_base + m[None]}))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_accuracy = np.log(np.where(loss < 1.0, 1.0 - loss, 0.0))
    # Parameters grow as d·w²: all of the FLOP multiple but what went into resolution.
    by_params = 1.0 - shares(curve.theta)[2]
    size = np.log(multiple)
    after = curve.loss(curve.log_reducible({"compute": log_base + m[None] + size}))
    ahead = np.where(m >= 0.0, loss - after, np.inf)
    gains = ahead < least_gain
    at = np.where(gains.any(axis=1), m[np.argmax(gains, axis=1)], np.inf)
    return {
        "per_flop": m[np.argmax(log_accuracy - m, axis=1)] / size,
        "per_parameter": m[np.argmax(log_accuracy - by_params[:, None] * m, axis=1)] / size,
        "gain": at / size,
    }
