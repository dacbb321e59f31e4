"""What the figures show, as labelled numbers: computed here, drawn elsewhere, so that a figure is tested as data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayescale.decide import Plan
from bayescale.errors import ForecastError, PlanError, unknown
from bayescale.plots.paths import ScalePath, position, scale_path
from bayescale.posterior import PROBS, Fit, Group, New, population_parameters, require_fit
from bayescale.predict import Kind, assumption, predict
from bayescale.spec import prior_draws

DEFAULT_PARAMETERS = ("beta", "delta", "alpha", "L_inf")
NEW_FAMILY = "new family"
PRIOR_DRAWS = 4_000
KINDS: tuple[Kind, Kind] = ("expected", "run")
MOST_GROUPS = 12


def posterior_numbers(
    fit: Fit,
    parameters: Sequence[str] | None = None,
    *,
    task: Group | None = None,
    study: Group | None = None,
) -> xr.Dataset:
    """Quantiles of parameters by group, and of their prior.

    Parameters
    ----------
    fit : Fit
        Any law, pooled or not, converged or not.
    parameters : sequence of str, optional
        Names as in :meth:`Fit.parameters`; by default those of β, δ, α and L∞ that the law has and does not fix.
    task, study : str or New, optional
        As in :func:`bayescale.predict`.

    Returns
    -------
    Dataset
        ``posterior`` (parameter, group, prob), ``prior`` (parameter, prob; of the population), ``kind`` (group:
        population, known or new), ``runs`` (group: rows fitted) and ``shared`` (parameter: equal in all known groups).
        The population and the new group stand only where architectures were pooled.

    Raises
    ------
    UnknownNameError
        For a parameter that the law lacks.
    ForecastError
        If every parameter asked for is fixed, or several tasks were fitted and none is named.
    """
    require_fit(fit, "plot.posterior")
    model = fit.model
    groups: list[tuple[str, str, dict[str, xr.DataArray]]] = []
    pooled = model.pooled and "architecture" in model.active
    if pooled:
        groups.append(("population", "population", population_parameters(fit.posterior, model)))
    for label in model.groups["architecture"]:
        groups.append(("known", label, fit.parameters(fit.groups(label, task, study))))
    if pooled:
        where = fit.groups(New(NEW_FAMILY), task, study)
        groups.append(("new", NEW_FAMILY, fit.parameters(where)))
    before = population_parameters(prior_draws(model, PRIOR_DRAWS, fit.seed), model)
    names = _free(fit, parameters, before)
    after = np.array([[_quantiles(theta[n]) for _, _, theta in groups] for n in names])
    rows = fit.runs["architecture"].to_numpy()
    known = [i for i, (kind, _, _) in enumerate(groups) if kind == "known"]
    spread = np.ptp(after[:, known, :], axis=1).max(axis=-1)
    return xr.Dataset(
        {
            "posterior": (("parameter", "group", "prob"), after),
            "prior": (("parameter", "prob"), [_quantiles(before[n]) for n in names]),
            "kind": ("group", [kind for kind, _, _ in groups]),
            "runs": ("group", [int((rows == label).sum()) for _, label, _ in groups]),
            "shared": ("parameter", (spread == 0) & (len(known) > 1)),
        },
        coords={"parameter": names, "group": [g[1] for g in groups], "prob": list(PROBS)},
        attrs={"unit": model.loss_unit, "drifts": int(bool(model.drift))},
    )


def _free(fit: Fit, parameters: Sequence[str] | None, theta: dict[str, xr.DataArray]) -> list[str]:
    """The parameters to show: all that were asked for, or those of the usual four that vary."""
    fixed = {n for n, p in fit.model.parameters.items() if p.fixed is not None}
    if parameters is None:
        return [n for n in DEFAULT_PARAMETERS if n in theta and n not in fixed]
    for name in parameters:
        if name not in theta:
            raise unknown("parameter", name, theta, f"law {fit.model.get_law().name!r}")
        if name in fixed:
            raise ForecastError(f"parameter {name!r} is fixed in this model: nothing to draw")
    if not parameters:
        raise ForecastError("parameters is an empty list")
    return list(parameters)


def _quantiles(draws: xr.DataArray) -> np.ndarray:
    return np.quantile(draws.to_numpy(), PROBS)


def curve_numbers(
    fit: Fit,
    axis: str | None = None,
    architecture: Group | Sequence[Group] | None = None,
    *,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
) -> xr.Dataset:
    """Forecast fans along one axis, each family along its own design, with the runs and the floor.

    Parameters
    ----------
    fit : Fit
        A posterior.
    axis : {"compute", "params", "tokens"}, optional
        By default what a one-axis law reads, and compute (6·N·D, in FLOP) for a law in N and D.
    architecture : str, New, or a list of them, optional
        By default every fitted family.
    task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged : bool
        Draw even a fit that missed the gate.

    Returns
    -------
    Dataset
        ``x`` (group, point), ``loss`` (group, kind, point, prob) for kinds ``expected`` and ``run``,
        ``floor`` (group, prob), ``edge_low, edge_high`` (group: range of its runs), ``design`` (group: in words), and
        the fitted rows ``run_x, run_loss, run_group`` over dim ``run``. Attribute ``left_out`` counts the families
        that do not vary the axis.

    Notes
    -----
    A law in N and D needs a path. A family trained on one D varies N at that D; one N, D at that N; D ∝ N (or a single
    run) keeps its tokens per parameter; any other family, and a new one, follows each draw's own compute-optimal
    frontier, on which its own runs need not lie. Against N or D, where the frontier is not one curve, those keep the
    geometric mean of their tokens per parameter.
    """
    require_fit(fit, "plot.curve")
    law, chosen = fit.model.get_law(), _axis(fit, axis)
    wanted = _groups(fit, architecture)
    rows = _task_rows(fit, fit.groups(wanted[0], task, study)["task"])
    shown: list[tuple[Group, ScalePath]] = []
    for group in wanted:
        new = isinstance(group, New)
        mine = rows if new else rows.sel(run=rows["architecture"].to_numpy() == group)
        path = scale_path(mine, chosen, law.inputs, not new) if mine.sizes["run"] else None
        if path is not None:
            shown.append((group, path))
    if not shown:
        raise ForecastError(
            f"no chosen family has runs that vary {chosen!r}: nothing to draw against it; "
            f"take another axis or architecture"
        )
    fans = [_fan(fit, g, p, task, study, allow_unconverged) for g, p in shown]
    floors = [fit.parameters(fit.groups(g, task, study))[law.floor.name] for g, _ in shown]
    return xr.Dataset(
        {
            "x": (("group", "point"), [p.x for _, p in shown]),
            "loss": (("group", "kind", "point", "prob"), np.array(fans)),
            "floor": (("group", "prob"), [_quantiles(f) for f in floors]),
            "edge_low": ("group", [p.edge[0] for _, p in shown]),
            "edge_high": ("group", [p.edge[1] for _, p in shown]),
            "design": ("group", [p.design for _, p in shown]),
            "new": ("group", [isinstance(g, New) for g, _ in shown]),
            "run_x": ("run", position(rows, chosen, law.inputs)),
            "run_loss": ("run", rows["loss"].to_numpy()),
            "run_group": ("run", rows["architecture"].to_numpy().astype(str)),
        },
        coords={
            "group": [g.label if isinstance(g, New) else g for g, _ in shown],
            "kind": list(KINDS),
            "prob": list(PROBS),
        },
        attrs={
            "axis": chosen,
            "assumes": assumption(fit),
            "unit": fit.model.loss_unit,
            "joint": int(len(law.inputs) > 1),
            "left_out": len(wanted) - len(shown),
        },
    )


def _axis(fit: Fit, axis: str | None) -> str:
    law = fit.model.get_law()
    known = law.inputs if len(law.inputs) == 1 else ("compute", *law.inputs)
    if axis is None:
        return known[0]
    if axis not in known:
        raise unknown("axis", axis, known, f"a figure of law {law.name!r}")
    return axis


def _groups(fit: Fit, architecture: Group | Sequence[Group] | None) -> list[Group]:
    if isinstance(architecture, str | New):
        return [architecture]
    known = fit.model.groups["architecture"]
    wanted = list(known if architecture is None else architecture)
    if not wanted:
        raise ForecastError("architecture is an empty list")
    if len(wanted) > MOST_GROUPS:
        raise ForecastError(
            f"{len(wanted)} families are more than one figure holds ({MOST_GROUPS}); "
            f"choose some: architecture=[{known[0]!r}, ...]"
        )
    return wanted


def _task_rows(fit: Fit, task: Group) -> xr.Dataset:
    rows = fit.runs
    return rows if isinstance(task, New) else rows.sel(run=rows["task"].to_numpy() == task)


def _fan(
    fit: Fit,
    group: Group,
    path: ScalePath,
    task: Group | None,
    study: Group | None,
    allow_unconverged: bool,
) -> list[np.ndarray]:
    """Quantiles of the loss along a path, one array (point, prob) a kind."""
    fans = []
    for kind in KINDS:
        forecast = predict(
            fit,
            params=path.at.get("params"),
            tokens=path.at.get("tokens"),
            compute=path.at.get("compute"),
            upstream_loss=path.at.get("upstream_loss"),
            architecture=group,
            task=task,
            study=study,
            kind=kind,
            allow_unconverged=allow_unconverged,
        )
        quantiles = forecast.draws.quantile(PROBS, ("chain", "draw"))
        fans.append(quantiles.transpose("point", "quantile").to_numpy())
    return fans


def frontier_numbers(plan: Plan) -> xr.Dataset:
    """What :func:`frontier` draws: the plan's own ``frontier`` Dataset.

    Raises
    ------
    PlanError
        If it is given anything but a plan.
    """
    if not isinstance(plan, Plan):
        raise PlanError(
            f"plot.frontier draws a plan, not a {type(plan).__name__}: "
            "make one first, plan(fit, Budget(compute=1e24))"
        )
    return plan.frontier
