"""Log densities of a fit's prior, draw by draw and component by component, computed from the saved draws alone."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescale.laws import walk_matrix
from bayescale.posterior import Fit
from bayescale.predict import group_positions, row_sweeps
from bayescale.spec import Prior, curve_label

GIVEN_SCALE = ("group effects", "walks", "sweep offsets")


def prior_components(fit: Fit) -> dict[str, np.ndarray]:
    """Log prior density of every draw, by component, up to constants.

    Parameters
    ----------
    fit : Fit
        Of a fit without pooling every curve has its own parameters: a component is then the sum over curves with rows.

    Returns
    -------
    dict of str to ndarray, shape (draw,)
        One for the population value of each parameter with a prior (``sigma``, ``drift``, ``sweep`` and ``nu`` too);
        one for each scale of group effects, ``tau_task[alpha]``; and, where there are any, ``group effects``,
        ``walks`` and ``sweep offsets``, each in units of its scale, so that to weaken them is to widen the effects
        and not to favour large scales. Densities are those of :meth:`bayescale.spec.Prior.log_density`.
    """
    model, posterior = fit.model, fit.posterior
    cells = sorted({(w["architecture"], w["task"]) for w, _ in group_positions(fit)})
    found: dict[str, np.ndarray] = {}
    for name, parameter in model.parameters.items():
        if parameter.prior is None:
            continue
        prior, value = parameter.get_prior(), posterior[name]
        own = [value] if model.pooled else [value.sel(architecture=a, task=t) for a, t in cells]
        found[name] = np.sum([prior.log_density(_flat(v)) for v in own], axis=0)
    if model.nu_minus_2 is not None:
        found["nu"] = Prior.parse(model.nu_minus_2).log_density(_flat(posterior["nu"]) - 2.0)
    standard: dict[str, list[np.ndarray]] = {name: [] for name in GIVEN_SCALE}
    for level in model.levels():
        for name in model.pooled_parameters(level):
            chosen = {f"parameter_{level}": name}
            tau = _flat(posterior[f"tau_{level}"].sel(chosen))
            scale = Prior.make("HalfNormal", sigma=model.parameters[name].pool[level])
            found[f"tau_{level}[{name}]"] = scale.log_density(tau)
            effect = _wide(posterior[f"effect_{level}"].sel(chosen))
            standard["group effects"].append(effect / tau[:, None])
    standard["walks"] += _walks(fit)
    standard["sweep offsets"] += _offsets(fit)
    for name, parts in standard.items():
        if parts:
            found[name] = -0.5 * np.sum([np.square(z).sum(axis=1) for z in parts], axis=0)
    return found


def _walks(fit: Fit) -> list[np.ndarray]:
    """Steps of each curve's walks, standardised, shape (draw, interval)."""
    out = []
    amplitude = {
        (w["architecture"], w["task"]): _flat(fit.parameters(w)["drift"])
        for w, _ in (group_positions(fit) if fit.model.drift else ())
    }
    for axis, (first, last) in fit.model.drift.items():
        to_steps = np.linalg.inv(walk_matrix(first, last))
        for pair in fit.model.curves:
            walk = _wide(fit.posterior[f"walk_{axis}"].sel(curve=curve_label(*pair)))
            out.append(walk @ to_steps.T / amplitude[pair][:, None])
    return out


def _offsets(fit: Fit) -> list[np.ndarray]:
    """Offsets of the sweeps of each group over their scale, shape (draw, sweep)."""
    if not fit.model.sweeps:
        return []
    sweep, out = row_sweeps(fit), []
    for where, index in group_positions(fit):
        tau = _flat(fit.parameters(where)["sweep"])
        own = fit.posterior["offset"].sel(sweep_label=sorted(set(sweep[index])))
        out.append(_wide(own) / tau[:, None])
    return out


def _flat(values: xr.DataArray) -> np.ndarray:
    return values.transpose("chain", "draw").to_numpy().ravel()


def _wide(values: xr.DataArray) -> np.ndarray:
    array = values.transpose("chain", "draw", ...).to_numpy()
    return array.reshape(array.shape[0] * array.shape[1], -1)
