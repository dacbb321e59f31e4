"""What a model says before it has seen a run: curves of a family drawn from its prior, around a reference run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.posterior import INDEPENDENT, Fit, New, group_curve
from bayescale.runs import load_runs
from bayescale.spec import ModelSpec, prior_draws, resolve
from bayescale.zoo import load_populations

REFERENCE = {"params": 1e9, "tokens": 2e10, "compute": 1.2e20, "upstream_loss": 2.6}
BELOW, ABOVE = 2.0, 4.0  # decades around the reference
AROUND = 0.4  # decades of a loss of a first step, which moves far less than scales do
POINTS, SHOWN = 61, 12
PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)
_BOUNDED: dict[str, Any] = {"metric": "error", "upper": 1.0}
_WEB_TEXT: dict[str, Any] = {"metric": "nats/token", "corpus": "web"}


def prior_curves(spec: ModelSpec, draws: int = 2000, seed: int = 0) -> xr.Dataset:
    """Expected loss of a new family by scale, under the prior of a model.

    The pivots are those of a table around :data:`REFERENCE`, of web text in nats a token or, for a law between a floor
    and a random-guess level, of an error up to one. Drift and group effects are drawn too; noise is not. Further inputs
    (experts, unique tokens) are left at what they are where none is stated, or at a usual value where one must be.

    Parameters
    ----------
    spec : ModelSpec
        From :func:`bayescale.zoo.load_model`.
    draws : int
        From the prior.
    seed : int
        Of the draws.

    Returns
    -------
    xarray.Dataset
        ``x`` (axis, point): one input of the law, the others at the reference; ``loss`` (axis, prob, point), its
        quantiles, and ``path`` (axis, shown, point), single draws; ``floor`` (prob,). Attributes ``model``, ``unit``.
    """
    law = spec.get_law()
    bounded = law.link.bounded
    stated = {given.name: given.usual for given in law.given if given.missing is None}
    runs = load_runs(
        _reference(0.5 if bounded else 2.6).assign(**stated),
        task_info={"loss": _BOUNDED if bounded else _WEB_TEXT},
    )
    model = resolve(spec, runs, load_populations())
    rows = xr.Dataset({name: ("run", values) for name, values in runs.table.items()})
    groups = {
        "/posterior": prior_draws(model, draws, seed),
        "/constant_data": rows.drop_vars("loss"),
        "/observed_data": rows[["loss"]],
    }
    fit = Fit(xr.DataTree.from_dict(groups), model, INDEPENDENT, runs.hash, seed, {})
    curve = group_curve(fit, fit.groups(architecture=New("family")), given=stated)
    reach = {
        axis: np.linspace(-AROUND, AROUND, POINTS)
        if axis == "upstream_loss"
        else np.linspace(-BELOW, ABOVE, POINTS)
        for axis in law.inputs
    }
    centre = {axis: np.log(REFERENCE[axis]) for axis in law.inputs}
    x, loss, path = [], [], []
    for axis in law.inputs:
        logs: dict[str, np.ndarray] = {a: np.full((1, POINTS), c) for a, c in centre.items()}
        logs[axis] = logs[axis] + np.log(10.0) * reach[axis]
        values = curve.loss(curve.log_reducible(logs))
        x.append(np.exp(logs[axis][0]))
        loss.append(np.quantile(values, PROBS, axis=0))
        path.append(values[:SHOWN])
    return xr.Dataset(
        {
            "x": (("axis", "point"), np.stack(x)),
            "loss": (("axis", "prob", "point"), np.stack(loss)),
            "path": (("axis", "shown", "point"), np.stack(path)),
            "floor": ("prob", np.quantile(curve.floor, PROBS)),
        },
        coords={"axis": list(law.inputs), "prob": list(PROBS)},
        attrs={"model": spec.name, "unit": model.loss_unit},
    )


def _reference(loss: float) -> pd.DataFrame:
    """Three runs of two families around the reference; the one-axis laws scale their prior of the level by the loss."""
    rows = [
        {
            "architecture": name,
            "params": REFERENCE["params"] * step,
            "tokens": REFERENCE["tokens"] * step,
            "compute": REFERENCE["compute"] * step**2,
            "upstream_loss": REFERENCE["upstream_loss"] * step**-0.1,
            "loss": loss,
        }
        for name in ("one", "other")
        for step in (0.5, 1.0, 2.0)
    ]
    return pd.DataFrame(rows)
