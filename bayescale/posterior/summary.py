"""What a posterior says, as tables: parameters by group, scales against their priors, what stayed at its prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.laws import joint_frontier
from bayescale.posterior import breaks as counted_breaks
from bayescale.posterior import local
from bayescale.posterior.contraction import link_spread
from bayescale.posterior.convergence import by_variable
from bayescale.posterior.correlations import correlations
from bayescale.posterior.evidence import Evidence, evidence, notes_on_rows
from bayescale.posterior.floors import AT_PRIOR, confounded
from bayescale.posterior.group_curve import group_curve
from bayescale.posterior.groups import Side, group_parameters, population_parameters
from bayescale.posterior.quantiles import named_quantiles
from bayescale.spec import ResolvedModel

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit

DIAGNOSED = "Convergence of what was sampled, the worst over groups"
FORMATS = {"rhat": "{:.3f}".format, "ess_bulk": "{:.0f}".format, "ess_tail": "{:.0f}".format}


@dataclass(frozen=True)
class Summary:
    """Tables of a fit; every interval is equal-tailed.

    Attributes
    ----------
    parameters : DataFrame
        One row per parameter and group ("population" first): mean, sd, median, 50 % and 90 % intervals. Exponents are
        those at the pivot; ``beta_edge, delta_edge, alpha_edge`` those at the group's largest run, where they drift,
        and ``…_target`` those at a target that was asked for.
    scales : DataFrame
        τ of each parameter and level: posterior median and 90 % quantile beside the prior's, number of groups, variance
        share of the level on the link scale, and the pooling factor (Gelman & Pardoe 2006, eq. 3: 1 = fully pooled).
    contraction : Series
        1 − posterior sd / prior sd of each population parameter on its link scale.
    diagnostics : DataFrame
        Worst R̂, bulk and tail ESS of each sampled variable, over its groups; empty for weighted draws.
    verdict : str
        The convergence gate.
    notes : tuple of str
        What a reader must know before using the numbers.
    evidence : Evidence or None
        Effective number of observations, where rows of one run share an offset.
    correlations : DataFrame
        Correlation of the effects of every two parameters at a level that has an LKJ prior: median, 90 % interval.
    """

    parameters: pd.DataFrame
    scales: pd.DataFrame
    contraction: pd.Series
    diagnostics: pd.DataFrame
    verdict: str
    notes: tuple[str, ...]
    evidence: Evidence | None
    correlations: pd.DataFrame

    @property
    def at_prior(self) -> list[str]:
        """Parameters whose sd the data shrank by less than a tenth."""
        return [str(n) for n, c in self.contraction.items() if c < AT_PRIOR]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "parameters": self.parameters.to_dict("records"),
            "scales": self.scales.to_dict("records"),
            "contraction": {str(k): float(v) for k, v in self.contraction.items()},
            "diagnostics": self.diagnostics.to_dict("records"),
            "verdict": self.verdict,
            "notes": list(self.notes),
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
            "correlations": self.correlations.to_dict("records"),
        }

    def __str__(self) -> str:
        blocks = [
            "Parameters (equal-tailed intervals: lo50–hi50 holds 50 %, lo90–hi90 holds 90 %)",
            self.parameters.to_string(index=False, float_format=lambda v: f"{v:.4g}"),
        ]
        if len(self.scales):
            blocks += [
                "Scales of group effects (link scale), posterior against prior",
                self.scales.to_string(index=False, float_format=lambda v: f"{v:.3g}"),
            ]
        if len(self.correlations):
            blocks += [
                "Correlation of group effects (link scale)",
                self.correlations.to_string(index=False, float_format=lambda v: f"{v:+.2f}"),
            ]
        if len(self.diagnostics):
            blocks += [DIAGNOSED, self.diagnostics.to_string(index=False, formatters=FORMATS)]
        return "\n".join([*blocks, self.verdict, *(f"note: {n}" for n in self.notes)])


def summarise(fit: Fit, target: Mapping[str, float] | None = None) -> Summary:
    """Summarise a fit; see :meth:`bayescale.Fit.summary`."""
    model = fit.model
    if target is not None:
        local.check_target(target, model.get_law())
    curves = _curves(fit, target)
    rows = [
        {"parameter": name, "group": group, **_describe(values)}
        for group, theta in curves.items()
        for name, values in theta.items()
        if name in _reported(model)
    ]
    contraction = _contraction(fit)
    notes = [
        f"{name} stayed at its prior (sd shrank by {100 * max(c, 0):.0f} %): the design does not reach it"
        for name, c in contraction.items()
        if c < AT_PRIOR
    ]
    counted = evidence(fit)
    rows_say = [str(counted)] if counted else []
    return Summary(
        parameters=pd.DataFrame(rows),
        scales=_scales(fit),
        contraction=contraction,
        diagnostics=by_variable(fit.tree["diagnostics"].to_dataset()),
        verdict=str(fit.convergence),
        notes=(
            *rows_say,
            *notes_on_rows(fit),
            *_left_out(model),
            *notes,
            *_few_groups(model),
            *confounded(fit),
            *_breaks(fit),
        ),
        evidence=counted,
        correlations=correlations(fit),
    )


def _breaks(fit: Fit) -> list[str]:
    found = counted_breaks.breaks(fit)
    return [] if found is None else [counted_breaks.in_words(found)]


def _reported(model: ResolvedModel) -> list[str]:
    law = model.get_law()
    names = [*law.parameters, *model.spec.scales, "nu", "log_A", "log_B", *local.NAMES]
    return [n for n in names if n not in model.parameters or model.parameters[n].fixed is None]


def _curves(fit: Fit, target: Mapping[str, float] | None) -> dict[str, dict[str, xr.DataArray]]:
    """Parameters of the population and of every fitted group, by display name."""
    model, curves = fit.model, {}
    if model.pooled:
        theta = population_parameters(fit.posterior, model)
        curves["population"] = theta | (
            {"nu": fit.posterior["nu"]} if "nu" in fit.posterior else {}
        )
    for where, label in fitted_groups(fit):
        theta = group_parameters(fit.posterior, model, where, fit.seed)
        theta.pop("nu", None)
        curve = group_curve(fit, where)
        exponents = local.at_edge(fit, where, curve)
        if target is not None:
            exponents |= local.at_target(curve, target)
        like = next(iter(theta.values()))
        curves[label] = theta | {
            name: like.copy(data=values.reshape(like.shape)) for name, values in exponents.items()
        }
    if len(curves) == 2 and model.pooled:
        # One group is the population: print it once.
        _, own = curves.popitem()
        curves["population"] |= own
    for theta in curves.values():
        if model.get_law().core.name == "joint":
            frontier = joint_frontier(theta, model.pivots)
            theta["log_A"], theta["log_B"] = frontier.log_A, frontier.log_B
    return curves


def fitted_groups(fit: Fit) -> list[tuple[dict[Side, Any], str]]:
    """Every architecture × task × study that has rows, with a short label; study is named only where it varies."""
    rows, sides = fit.runs, get_args(Side)
    table = pd.DataFrame(
        {side: rows[side].to_numpy().astype(str) for side in sides}
    ).drop_duplicates()
    varying = [s for s in sides if table[s].nunique() > 1]
    return [
        (
            {side: record[side] for side in sides},
            " / ".join(record[s] for s in varying) or "all runs",
        )
        for record in table.sort_values(list(sides)).to_dict("records")
    ]


def _describe(values: xr.DataArray) -> dict[str, float]:
    flat = values.to_numpy().ravel()
    moments = {"mean": float(flat.mean()), "sd": float(flat.std(ddof=1))}
    return moments | named_quantiles(flat)


def _contraction(fit: Fit) -> pd.Series:
    spread = link_spread(fit)
    return 1.0 - spread["posterior_sd"] / spread["prior_sd"]


def _scales(fit: Fit) -> pd.DataFrame:
    model, posterior = fit.model, fit.posterior
    rows: list[dict[str, Any]] = []
    between: dict[tuple[str, str], float] = {}
    for level in model.levels():
        effect = posterior[f"effect_{level}"]
        groups = [d for d in effect.dims if d not in ("chain", "draw", f"parameter_{level}")]
        for name in model.pooled_parameters(level):
            chosen = effect.sel({f"parameter_{level}": name})
            between[name, level] = float(chosen.var(groups).mean())
            centre, spread = chosen.mean(("chain", "draw")), chosen.var(("chain", "draw"))
            # Share of the effects' variance that is uncertainty rather than difference.
            total = float(centre.var(groups)) + float(spread.mean())
            tau = posterior[f"tau_{level}"].sel({f"parameter_{level}": name}).to_numpy()
            scale = model.parameters[name].pool[level]
            rows.append(
                {
                    "parameter": name,
                    "level": level,
                    "groups": int(np.prod([effect.sizes[g] for g in groups])),
                    "tau_median": float(np.median(tau)),
                    "tau_q90": float(np.quantile(tau, 0.9)),
                    "prior_median": 0.6745 * scale,
                    "prior_q90": 1.6449 * scale,
                    "pooling": float(spread.mean()) / total if total > 0 else 1.0,
                }
            )
    for row in rows:
        whole = sum(v for (name, _), v in between.items() if name == row["parameter"])
        row["variance_share"] = between[row["parameter"], row["level"]] / whole if whole else 0.0
    return pd.DataFrame(rows)


def _left_out(model: ResolvedModel) -> list[str]:
    if not model.excluded:
        return []
    return [f"priors stated without the evidence of {', '.join(model.excluded)}"]


def _few_groups(model: ResolvedModel) -> list[str]:
    few = [lv for lv in model.levels() if lv != "cell" and len(model.groups[lv]) < 4]
    return [
        f"only {len(model.groups[lv])} groups of {lv}: its scales stay near their priors"
        for lv in few
    ]
