"""Forecasts: posterior predictive draws of the loss at any scale, for fitted groups and new ones, by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import ForecastError, unknown
from bayescale.posterior import (
    Chained,
    Fit,
    Group,
    New,
    Posterior,
    Side,
    Stacked,
    group_curve,
    require_posterior,
)
from bayescale.predict.chained import as_groups, chained
from bayescale.predict.distance import distance, distance_note
from bayescale.predict.further import check_given, given_to_members, stated_inputs
from bayescale.predict.mixing import mixed
from bayescale.predict.noise import Noise, campaign_offset, run_log_loss
from bayescale.predict.points import AXES, Values, complete, locate

Kind = Literal["law", "expected", "campaign", "run"]
EXACT_LAW = "assumes the law is exact; known to be too narrow"
LARGEST_SHARE = 0.1  # of the sum over draws, that one draw may carry where a mean is shown
MEAN_LEFT_OUT = "mean left out: one draw carries more than a tenth of it; read the median"
DRIFTING = "local exponents drift beyond the fitted runs as they do within them"


def assumption(fit: Posterior) -> str:
    """What every printed interval of a fit, or of a stack of them, rests on."""
    exact = [m.model.spec.name for m in fit.members if not m.model.drift]
    if not exact:
        return DRIFTING
    if len(exact) == len(fit.members):
        return EXACT_LAW
    return f"in {', '.join(exact)} {EXACT_LAW}; in the others {DRIFTING}"


@dataclass(frozen=True, eq=False)
class Forecast:
    """Draws of the loss at chosen scales.

    Attributes
    ----------
    draws : DataArray
        Loss, dims ``chain, draw`` and those of the points (``point``, or the axes of a grid), and ``architecture``
        if several were asked for.
    points : Dataset
        ``params, tokens, compute`` so far as they are given or follow, further inputs, and ``decades`` beyond the
        family's own runs (of a new family: beyond all), by :func:`distance`, the largest of the axes.
    kind : str
        ``law``, ``expected``, ``campaign`` or ``run``.
    unit : str
        Metric of the task.
    notes : tuple of str
        What every printed interval must carry.
    """

    draws: xr.DataArray
    points: xr.Dataset
    kind: Kind
    unit: str
    notes: tuple[str, ...]

    def intervals(self, probs: Sequence[float] = (0.5, 0.9)) -> xr.Dataset:
        """Mean, median and equal-tailed intervals, ``lo50, hi50, lo90, hi90`` by default."""
        out = {"mean": self.draws.mean(("chain", "draw")), "median": self._quantile(0.5)}
        for p in probs:
            if not 0.0 < p < 1.0:
                raise ForecastError(f"interval probability {p:g} (expected between 0 and 1)")
            tag = f"{100 * p:g}"
            out[f"lo{tag}"], out[f"hi{tag}"] = (
                self._quantile((1 - p) / 2),
                self._quantile((1 + p) / 2),
            )
        return self.points.merge(xr.Dataset(out))

    def _quantile(self, p: float) -> xr.DataArray:
        return self.draws.quantile(p, ("chain", "draw")).drop_vars("quantile")

    def table(self, probs: Sequence[float] = (0.5, 0.9)) -> pd.DataFrame:
        """:meth:`intervals` as one row a point (and architecture), without a mean that hangs on a single draw."""
        frame = self.intervals(probs)
        if not _mean_is_supported(self.draws):
            frame = frame.drop_vars("mean")
        return frame.to_dataframe().reset_index().drop(columns="point", errors="ignore")

    def __str__(self) -> str:
        body = self.table().to_string(index=False, float_format=lambda v: f"{v:.4g}")
        lines = [f"Forecast of {self.kind!r} in {self.unit}, equal-tailed intervals", body]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


def predict(
    fit: Posterior,
    at: xr.Dataset | None = None,
    *,
    params: Values | None = None,
    tokens: Values | None = None,
    compute: Values | None = None,
    upstream_loss: Values | None = None,
    architecture: Group | Sequence[Group] | None = None,
    task: Group | None = None,
    study: Group | None = None,
    kind: Kind = "run",
    tokens_per_byte: float | None = None,
    allow_unconverged: bool = False,
    **further: Values | None,
) -> Forecast:
    """Forecast the loss.

    Parameters
    ----------
    fit : Fit, Stacked or Chained
        A posterior, or several mixed by weights, or a loss and the error that follows from it (:func:`chain`).
    at : Dataset, optional
        From :func:`grid`, instead of points.
    params, tokens, compute : float, str, array or DataArray, optional
        N, D in counts, C in FLOP, or text as in a table: ``"70B"``, ``"1.4T"``, ``"1e24"``. Arrays of one length are
        points; DataArrays broadcast by name. Of N, D and C two give the third (C = 6·N·D). Compute alone, for a law in
        N and D, means the frontier: each draw at its own optimal N and D.
    upstream_loss : float, array or DataArray, optional
        Loss of a first step, for a law of errors that reads it, in the unit of the table.
    architecture, task, study : str, New, or (architecture only) a list of them
        Fitted labels, or ``New("...")``. Required where several were fitted.
    kind : {"law", "expected", "campaign", "run"}
        ``law`` is the curve, ``expected`` adds drift, ``campaign`` the offset that runs of one sweep share, ``run``
        the noise of one run, its own offset included where the model has a run effect. Without drift and sweeps the
        first three agree. Noise is on the log loss, so that a draw of ``run`` may lie below L∞, though no curve does.
        Under one-sided noise the first three are the frontier, and ``run`` is a run as little tuned as those fitted;
        under binomial noise ``run`` is the error rate of a run, before any counting.
    tokens_per_byte : float, optional
        Turns amounts of data, ``tokens="6TB"``, into tokens.
    allow_unconverged : bool
        Forecast even from a fit that missed the gate.
    **further : float, array or DataArray
        Further inputs that the law reads, by their names in :data:`bayescale.given.GIVEN`: ``unique_tokens``, how many
        of the D tokens differ (without it none is repeated); ``experts`` of a routed layer (without it the network is
        dense); ….

    Returns
    -------
    Forecast

    Raises
    ------
    ForecastError, UnknownNameError
    """
    if kind not in get_args(Kind):
        raise unknown("kind of forecast", str(kind), get_args(Kind))
    require_posterior(fit, "predict")
    fit.require_converged(allow_unconverged)
    if isinstance(fit, Chained):
        scales: dict[str, Any] = {"params": params, "tokens": tokens, "compute": compute, "at": at}
        if upstream_loss is not None:
            raise ForecastError("upstream_loss is what the first step of a chain forecasts")
        scales |= stated_inputs(further)

        def first_step(group: Group, where: dict[Side, Group]) -> Forecast:
            own: dict[str, Any] = {
                "architecture": group,
                "task": where["task"],
                "study": where["study"],
            }
            return predict(
                fit.first, **scales, **own, kind=kind, allow_unconverged=allow_unconverged
            )

        return chained(fit, first_step, architecture, task, study, kind)
    if isinstance(fit, Stacked):
        asked: dict[str, Any] = {
            "params": params,
            "tokens": tokens,
            "compute": compute,
            "upstream_loss": upstream_loss,
            "at": at,
            "architecture": architecture,
            "task": task,
            "study": study,
            "kind": kind,
            "tokens_per_byte": tokens_per_byte,
            "allow_unconverged": allow_unconverged,
        }
        own = given_to_members(fit, stated_inputs(further))
        members = [member for member, _ in fit.parts]
        forecasts = [predict(m, **asked, **mine) for m, mine in zip(members, own, strict=True)]
        together = mixed(fit, forecasts)
        notes = [n for n in together.notes if n != MEAN_LEFT_OUT]
        return replace(together, notes=(*notes, *_of_the_mean(together.draws)))
    law = fit.model.get_law()
    stated = {
        "params": params,
        "tokens": tokens,
        "compute": compute,
        "upstream_loss": upstream_loss,
        **stated_inputs(further),
    }
    points = complete(locate(stated, at, tokens_per_byte))
    check_given(law, points, fit.runs)
    on_frontier = law.divides and set(points) & set(AXES) == {"compute"}
    missing = [axis for axis in law.inputs if axis not in points]
    if missing and not on_frontier:
        raise ForecastError(
            f"law {law.name!r} reads {' and '.join(law.inputs)}; {' and '.join(missing)} missing"
        )
    wanted = as_groups(architecture)
    where = [fit.groups(a, task, study) for a in wanted]
    families = [w["architecture"] for w in where]
    drawn = [_loss(fit, points, w, kind, on_frontier) for w in where]
    decades = [distance(fit, points, g).to_array("axis").max("axis") for g in families]
    draws, far = drawn[0], decades[0]
    if len(wanted) > 1 or isinstance(architecture, list | tuple):
        # Objects: xarray cannot align an index of pandas' own strings with one in another order.
        labels = pd.Index([str(g) for g in families], dtype=object, name="architecture")
        draws, far = xr.concat(drawn, labels), xr.concat(decades, labels)
    notes = [distance_note(fit, points, families), assumption(fit)]
    notes += [f"{g.name} not given: {g.said}" for g in law.given if g.name not in points]
    if on_frontier:
        notes.insert(0, "each draw at its own compute-optimal N and D")
    if kind == "run" and fit.model.spec.likelihood.family == "one-sided":
        notes.append("a run as little tuned as those fitted; kind='expected' is the frontier")
    notes += _of_new_groups(fit, where)
    if not fit.convergence.passed:
        notes.append(str(fit.convergence))
    notes += _of_the_mean(draws)
    located_points = xr.Dataset(points).assign(decades=far)
    return Forecast(
        draws.transpose("chain", "draw", ...),
        located_points,
        kind,
        fit.model.loss_unit,
        tuple(notes),
    )


def _of_new_groups(fit: Fit, where: Sequence[Mapping[Side, Group]]) -> list[str]:
    """A note for each new group of a side on which one was fitted: nothing says how far apart two would lie."""
    new = {(side, str(g)) for w in where for side, g in w.items() if isinstance(g, New)}
    return [
        f"{label} is new, and one {side} was fitted: how far apart they may lie is the prior alone"
        for side, label in sorted(new)
        if len(fit.model.groups[side]) == 1
    ]


def _mean_is_supported(draws: xr.DataArray) -> bool:
    """Whether no draw carries more than a tenth of the mean of its point."""
    over = ("chain", "draw")
    return bool((draws.max(over) <= LARGEST_SHARE * draws.sum(over)).all())


def _of_the_mean(draws: xr.DataArray) -> list[str]:
    return [] if _mean_is_supported(draws) else [MEAN_LEFT_OUT]


def _loss(
    fit: Fit,
    points: dict[str, xr.DataArray],
    where: dict[Side, Group],
    kind: Kind,
    on_frontier: bool,
) -> xr.DataArray:
    given = {name: points[name] for name in points if name not in AXES} if on_frontier else {}
    if any(len(np.unique(value)) > 1 for value in given.values()):
        raise ForecastError(f"on the frontier {', '.join(given)} takes one value for all budgets")
    known = {name: float(value.to_numpy().flat[0]) for name, value in given.items()}
    curve = group_curve(fit, where, drift=kind != "law", given=known)
    stated = {name: value for name, value in points.items() if name not in given}
    named = xr.broadcast(*stated.values())
    values = {axis: v.to_numpy() for axis, v in zip(stated, named, strict=True)}
    logs = {axis: v[None] for axis, v in curve.law.logs(values).items()}
    log_r = curve.optimum(logs["compute"][0])[1] if on_frontier else curve.log_reducible(logs)
    like = fit.posterior[next(iter(fit.posterior.data_vars))]
    chains, draws = like.sizes["chain"], like.sizes["draw"]
    loss = xr.DataArray(
        curve.loss(log_r).reshape(chains, draws, *named[0].shape),
        dims=("chain", "draw", *named[0].dims),
        coords={"chain": like["chain"], "draw": like["draw"], **named[0].coords},
    )
    if kind in ("law", "expected"):
        return loss
    offset = campaign_offset(fit, where, curve.theta).reshape(chains, draws)
    loss = loss * np.exp(xr.DataArray(offset, dims=("chain", "draw")))
    if kind == "campaign":
        return loss
    campaign = np.log(loss.to_numpy()).reshape(chains * draws, *named[0].shape)
    run = run_log_loss(fit, where, Noise.of(fit, curve.theta), campaign)
    return loss.copy(data=np.exp(run).reshape(loss.shape))
