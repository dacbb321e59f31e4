"""Tuning a run that is planned: its best learning rate and batch, and the ones to take while these are uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescale.decide.plans.grounds import admit
from bayescale.errors import PlanError
from bayescale.laws import Axis, numpy_namespace
from bayescale.laws.tuning import optimum, tokens_lost, tuned_to
from bayescale.posterior import Curve, Fit, Group, group_curve, named_quantiles, require_fit
from bayescale.predict import complete, distance_note, locate
from bayescale.predict.further import states
from bayescale.runs.flops import PER_PARAM_TOKEN

INPUTS = ("learning_rate", "batch_size")


@dataclass(frozen=True, eq=False)
class Tuning:
    """Learning rate and batch for one run.

    Attributes
    ----------
    params, tokens : float
        N and D of the run.
    learning_rate, batch_size : ndarray, shape (draw,)
        The best ones of every draw; the batch in tokens. Where a batch was stated, the best rate for it.
    recommended_learning_rate, recommended_batch_size : float
        The pair that loses the least tokens over all draws: where a rate too high costs more than one too low, it lies
        below the median of the best.
    lost : ndarray, shape (draw,)
        Share of its tokens that the run loses with the recommended pair.
        Of a fit none of whose runs states a batch, that of batches is NaN, and left out of what is printed.
    caveats : tuple of str
        How far N and D lie beyond the fitted runs.
    """

    params: float
    tokens: float
    learning_rate: np.ndarray
    batch_size: np.ndarray
    recommended_learning_rate: float
    recommended_batch_size: float
    lost: np.ndarray
    caveats: tuple[str, ...] = ()

    def quantiles(self) -> dict[str, dict[str, float]]:
        """Quantiles of the best learning rate and batch, and of the tokens that the recommended pair loses."""
        every = {
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "lost": self.lost,
        }
        return {
            name: named_quantiles(values)
            for name, values in every.items()
            if np.isfinite(values).all()
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: quantiles, not draws."""
        return {
            "params": self.params,
            "tokens": self.tokens,
            "recommended": self.recommended(),
            **self.quantiles(),
            "caveats": list(self.caveats),
        }

    def recommended(self) -> dict[str, float]:
        """The recommended learning rate, and batch where there is one."""
        pair = {
            "learning_rate": self.recommended_learning_rate,
            "batch_size": self.recommended_batch_size,
        }
        return {name: value for name, value in pair.items() if np.isfinite(value)}

    def __str__(self) -> str:
        lines = [f"N {self.params:.3g}, D {self.tokens:.3g}, recommended:"]
        found = self.quantiles()
        for name, value in self.recommended().items():
            q = found[name]
            lines.append(
                f"{name} {value:.3g} (the best is {q['lo90']:.3g} to {q['hi90']:.3g}, 90 %)"
            )
        lines.append(
            f"tokens lost to not knowing better: {100 * self.lost.mean():.2g} % (5 % chance of more than "
            f"{100 * found['lost']['hi90']:.2g} %)"
        )
        return "\n".join([*lines, *self.caveats])


def tuning(
    fit: Fit,
    *,
    params: float | str,
    tokens: float | str,
    batch_size: float | str | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
) -> Tuning:
    """Recommend a learning rate and a batch for a run of N parameters and D tokens.

    Parameters
    ----------
    fit : Fit
        Of a model whose runs may be mistuned (``bayescale models show mistuned``).
    params, tokens : number or str
        N and D, e.g. of a plan's recommendation.
    batch_size : number or str, optional
        Tokens in a batch, where that is not free.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_fit(fit, "tuning")
    admit(fit, allow_unconverged, allow_experimental)
    where = fit.groups(architecture, task, study)
    curve = group_curve(fit, where, drift=False)
    if "lr_best" not in curve.theta:
        raise PlanError(
            f"model {fit.model.spec.name!r} knows no best learning rate (fit one with effective input mistuned)"
        )
    if not states(fit.runs, "learning_rate"):
        raise PlanError("no fitted run states learning_rate: nothing says which is best")
    located = locate({"params": params, "tokens": tokens, "batch_size": batch_size}, None)
    if any(values.size != 1 for values in located.values()):
        raise PlanError("tuning takes one run: one number each of params and tokens")
    at = {name: float(values.squeeze()) for name, values in located.items()}
    rate, batch = _best(curve, at["params"], at["tokens"])
    points = complete({axis: located[axis] for axis in ("params", "tokens")})
    caveats = [distance_note(fit, points, [where["architecture"]])]
    held: float | np.ndarray | None = None
    scale = {name: np.exp(curve.pivots[name]) for name in INPUTS}
    if not states(fit.runs, "batch_size"):
        if batch_size is not None:
            raise PlanError("no fitted run states batch_size: nothing says what one costs")
        held, scale["batch_size"] = batch, np.nan
        caveats.append("no fitted run states batch_size: the rate is for batches as they had them")
    elif batch_size is not None:
        held = float(np.log(at["batch_size"]) - curve.pivots["batch_size"])
        rate, batch = rate + tuned_to(held - batch, curve.theta), np.full_like(batch, held)
    x, y, lost = _least_lost(curve, rate, batch, at["params"], at["tokens"], held)
    return Tuning(
        params=at["params"],
        tokens=at["tokens"],
        learning_rate=np.exp(rate) * scale["learning_rate"],
        batch_size=np.exp(batch) * scale["batch_size"],
        recommended_learning_rate=float(np.exp(x) * scale["learning_rate"]),
        recommended_batch_size=float(np.exp(y) * scale["batch_size"]),
        lost=lost,
        caveats=tuple(caveats),
    )


def _best(curve: Curve, params: float, tokens: float) -> tuple[np.ndarray, np.ndarray]:
    """Logs of the best learning rate and batch of every draw, from their pivots."""
    logs = {
        "params": np.log(params),
        "tokens": np.log(tokens),
        "compute": np.log(PER_PARAM_TOKEN * params * tokens),
    }
    axes: tuple[Axis, ...] = curve.law.inputs
    centred = {str(axis): logs[axis] - curve.pivots[axis] for axis in axes}
    return optimum(numpy_namespace, centred, curve.theta, axes)


def _least_lost(
    curve: Curve,
    rate: np.ndarray,
    batch: np.ndarray,
    params: float,
    tokens: float,
    held: float | np.ndarray | None,
) -> tuple[float, float, np.ndarray]:
    """The pair of least expected loss of tokens, from the pivots, and what each draw loses with it."""
    from scipy.optimize import minimize

    best = _best(curve, params, tokens)

    def lost(pair: np.ndarray) -> np.ndarray:
        y = held if held is not None else pair[1]
        off = tokens_lost(numpy_namespace, pair[0] - best[0], y - best[1], curve.theta)
        return -np.expm1(-off)

    start = np.array([np.median(rate), np.median(batch)])[: 1 if held is not None else 2]
    found = minimize(lambda pair: lost(pair).mean(), start, method="Nelder-Mead").x
    y = np.median(held) if held is not None else found[1]
    return float(found[0]), float(y), lost(found)
