"""What a decision stands on: the posteriors it may use, its distance from the data, and what it takes for granted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayescale.decide.plans.preregistration import content_hash
from bayescale.decide.plans.support import calibration, floors
from bayescale.errors import PlanError
from bayescale.posterior import Chained, Fit, Group, Posterior, Side, Stacked, curve_of
from bayescale.predict import (
    FLOP_PER_PARAM_TOKEN,
    Backtest,
    assumption,
    complete,
    distance_note,
    upstream_notes,
)

ACCOUNTING = 0.1  # relative difference of reported compute and 6·N·D that is mentioned


def admit(fit: Posterior, allow_unconverged: bool, allow_experimental: bool) -> None:
    """Refuse a fit that missed the gate, or whose model is experimental, unless the caller allows it."""
    fit.require_converged(allow_unconverged)
    for spec in (member.model.spec for member in _steps(fit)):
        if spec.status == "experimental" and not allow_experimental:
            raise PlanError(f"model {spec.name!r} is experimental; pass allow_experimental=True")


def grounds(
    fit: Posterior,
    where: Mapping[Side, Group],
    params: Sequence[float],
    tokens: Sequence[float],
    given: Collection[str] = (),
    backtest: Backtest | None = None,
) -> list[str]:
    """Notes on actions (N, D): distance from the data, assumption, calibration, floor, convergence, accounting of FLOP.

    ``given`` names the further inputs of the law that were stated; a note says what the others are taken for.
    ``backtest`` says how such forecasts held at that distance.
    """
    points = complete(
        {
            "params": xr.DataArray(params, dims="point"),
            "tokens": xr.DataArray(tokens, dims="point"),
        }
    )
    first = fit.members[0]
    said = [
        *([str(fit)] if isinstance(fit, Stacked | Chained) else []),
        distance_note(first, points, [where["architecture"]]),
        assumption(fit),
        *_of_the_loss(fit, where, points),
        *calibration(fit, points, backtest),
        *floors(fit),
        *dict.fromkeys(
            f"{g.name} not given: {g.said}"
            for member in fit.members
            for g in member.model.get_law().given
            if g.name not in given
        ),
    ]
    if not fit.convergence.passed:
        said.append(str(fit.convergence))
    low, high = fitted_compute(first)
    if float(points["compute"].max()) > high:
        said.append("the budget lies beyond every fitted run")
    if float(points["compute"].min()) < low:
        said.append("the budget lies below every fitted run")
    return [*said, *_other_accounting(first)]


def _steps(fit: Posterior) -> tuple[Fit, ...]:
    """Every fit that a posterior is made of."""
    return (*fit.members, fit.second) if isinstance(fit, Chained) else fit.members


def _of_the_loss(
    fit: Posterior, where: Mapping[Side, Group], points: Mapping[str, xr.DataArray]
) -> list[str]:
    """Of a chain: whether the loss of the actions is one that its second step was fitted to."""
    if not isinstance(fit, Chained):
        return []
    curve = curve_of(fit.first, fit.first_groups(dict(where)))
    logs = {axis: np.log(points[axis].to_numpy())[None] for axis in ("params", "tokens")}
    return upstream_notes(fit, curve.loss(curve.log_reducible(logs)))


def provenance(fit: Posterior) -> dict[str, Any]:
    """Hashes of model, priors and data, seed and versions."""
    if isinstance(fit, Stacked | Chained):
        kind = "stack" if isinstance(fit, Stacked) else "chain"
        of = {"model": str(fit), "model_hash": fit.hash, kind: fit.to_dict()}
    else:
        of = {"model": fit.model.spec.name, "model_hash": fit.model.hash}
    return of | {
        "priors_hash": content_hash({"priors": [_priors(m) for m in _steps(fit)]}),
        "data_hash": fit.data_hash,
        "seed": fit.seed,
        "versions": fit.members[0].versions,
    }


def _priors(fit: Fit) -> dict[str, Any]:
    """Every parameter's prior as it was resolved to numbers, with the scales of its pooling."""
    return {name: p.model_dump(mode="json") for name, p in fit.model.parameters.items()}


def fitted_compute(fit: Fit) -> tuple[float, float]:
    """Smallest and largest 6·N·D of the fitted runs: compute as the law sees it."""
    compute = FLOP_PER_PARAM_TOKEN * fit.runs["params"] * fit.runs["tokens"]
    return float(compute.min()), float(compute.max())


def _other_accounting(fit: Fit) -> list[str]:
    """A note where the table counts its FLOP otherwise than the budget is spent."""
    if "compute" not in fit.runs:
        return []
    product = FLOP_PER_PARAM_TOKEN * fit.runs["params"] * fit.runs["tokens"]
    ratio = float((fit.runs["compute"] / product).median())
    if abs(ratio - 1.0) <= ACCOUNTING:
        return []
    return [
        f"a budget is spent as 6ND unless it says more; the table's reported compute is {ratio:.2f} × 6ND in the median"
    ]
