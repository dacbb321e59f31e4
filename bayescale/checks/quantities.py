"""What a simulation ranks by default: parameters, scales, the forecast a decade out, and the log likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayescale.checks.target import decade_beyond
from bayescale.posterior import Fit, New, population_parameters
from bayescale.predict import log_likelihood, predict

NEW = New("an architecture that was not fitted")


def quantities(fit: Fit) -> dict[str, np.ndarray]:
    """Scalars of every draw, whose ranks simulation-based calibration records.

    Parameters
    ----------
    fit : Fit
        Of a posterior, or of a truth of one draw.

    Returns
    -------
    dict of str to ndarray, shape (draw,)
        Population parameters that are not fixed, derived ones too (of a fit without pooling: those of the family of
        the largest run); ``nu``; ``tau_task[alpha]`` and its like; the expected loss a decade of compute beyond the
        data, also of a new architecture where several were fitted; and the log likelihood, which depends on the data
        and so tells a posterior that learned from them from one that did not (Modrák et al. 2023).
    """
    model, posterior = fit.model, fit.posterior
    target = decade_beyond(fit)
    sides = {side: target[side] for side in ("architecture", "task", "study")}
    one = {} if model.pooled else fit.parameters(fit.groups(**sides))
    theta = population_parameters(posterior, model) if model.pooled else one
    known = [*model.get_law().parameters, *model.spec.scales]
    stated = {n: p for n, p in model.parameters.items() if p.prior is None}
    found = {n: _flat(theta[n]) for n in known if n in theta and n not in stated}
    if "nu" in posterior:
        found["nu"] = _flat(posterior["nu"])
    for level in model.levels():
        tau = posterior[f"tau_{level}"]
        for name in model.pooled_parameters(level):
            found[f"tau_{level}[{name}]"] = _flat(tau.sel({f"parameter_{level}": name}))
    found["loss a decade out"] = _loss(fit, target)
    if model.pooled and len(model.groups["architecture"]) > 1:
        new = {**target, "architecture": NEW}
        found["loss a decade out, new architecture"] = _loss(fit, new)
    found["log likelihood"] = log_likelihood(fit)
    return found


def _loss(fit: Fit, target: dict[str, Any]) -> np.ndarray:
    draws = predict(fit, **target, kind="expected", allow_unconverged=True).draws
    return _flat(draws.squeeze("point"))


def _flat(values: xr.DataArray) -> np.ndarray:
    return values.transpose("chain", "draw").to_numpy().ravel()
