"""One budget for training and for sampling: N, D and how many samples a query gets, for a share of problems solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayescale.decide.plans.given import read_given, stated
from bayescale.decide.plans.grounds import admit, grounds
from bayescale.decide.plans.isoflop import joint_curve
from bayescale.decide.plans.lifetime import cheapest_lifetime
from bayescale.decide.plans.reach import require_probability
from bayescale.errors import PlanError
from bayescale.posterior import Coverage, Curve, Group, Mixture, Posterior, require_posterior
from bayescale.posterior.uncertain import POSITIVE, Uncertain, draws_of
from bayescale.predict import assumption

SAMPLES = tuple(2**i for i in range(15))
PROBS = (0.05, 0.5, 0.95)
SEED = 0x7E57  # of the order in which draws of both posteriors stand side by side
OUT_OF_REACH = 1e-12  # an error that no curve reaches
SHIFTED = (
    "training moves pass@k along log k, as one curve (Brown et al. 2024 find it of models of one family); a verifier "
    "knows a right answer"
)


def sampling_optimum(
    fit: Posterior,
    coverage: Coverage,
    *,
    target: float,
    queries: Uncertain,
    tokens_per_sample: Uncertain,
    samples: Sequence[int] | None = None,
    architecture: Group | None = None,
    task: Group | None = None,
    study: Group | None = None,
    allow_unconverged: bool = False,
    allow_experimental: bool = False,
    **further: Uncertain | None,
) -> xr.Dataset:
    """Minimise 6·N·D + 2·N·k·tokens·queries over N, D and k, the samples a query gets, with pass@k = target.

    The coverage of a trained model is taken for that which was counted, moved along log k until its pass@1 is what the
    fit forecasts for N and D: C(k·s), C(s) = 1 - error(N, D). So k samples ask for the error 1 - C(K/k) of a single
    one, K being what the counted model needs for the target.

    Parameters
    ----------
    fit : Fit, Stacked or Chained
        Of the error of a single sample on such problems, in N and D: a chain.
    coverage : Coverage
        From :func:`bayescale.fit_coverage`, of a model on such problems.
    target : float
        Share of new problems that any of the k samples is to solve.
    queries, tokens_per_sample : number, distribution or draws
        Over the model's life; tokens that one sample takes.
    samples : sequence of int
        Values of k to compare; powers of two to 2¹⁴ by default.
    architecture, task, study : str or New, optional
        As in :func:`bayescale.predict`.
    allow_unconverged, allow_experimental : bool
        As in :func:`plan`.
    **further : float
        Further inputs of the law, as in :func:`plan`.

    Returns
    -------
    Dataset
        Dims ``samples`` and ``prob``: ``flop, training_flop, sampling_flop, params, tokens, error`` (of one sample),
        quantiles over the draws that reach the target; ``p_reached`` and ``p_best`` (the share of draws in which that k
        is the cheapest) over ``samples``. Attribute ``best`` is the k of least median FLOP among those that are reached
        as often as any.

    Raises
    ------
    PlanError, ConvergenceError, ForecastError
    """
    require_posterior(fit, "sampling_optimum")
    admit(fit, allow_unconverged, allow_experimental)
    coverage.require_converged(allow_unconverged)
    if fit.unit != "error":
        raise PlanError(
            f"sampling_optimum takes a fit of the error of single samples, not of {fit.unit}: bs.chain makes one"
        )
    share = require_probability(target)
    asked = SAMPLES if samples is None else tuple(samples)
    ks = np.array(sorted({int(k) for k in asked}))
    if not len(ks) or ks[0] < 1 or any(int(k) != k for k in asked):
        raise PlanError(f"samples = {list(asked)!r} (expected whole numbers, 1 or more)")
    where = fit.groups(architecture, task, study)
    given = read_given(further)
    curve = joint_curve(fit, where, given)
    count = len(curve.floor)
    beside = np.resize(
        np.random.default_rng([fit.seed, SEED]).permutation(len(coverage.draws["easy"])), count
    )
    own = Coverage({n: v[beside] for n, v in coverage.draws.items()}, coverage.counts)
    needed = own.samples_for(share)
    load = draws_of(queries, "queries", POSITIVE, count, fit.seed) * draws_of(
        tokens_per_sample, "tokens_per_sample", POSITIVE, count, fit.seed
    )
    rows = [_at(curve, own, needed, load, int(k)) for k in ks]
    return _as_table(rows, ks).assign_attrs(
        {
            "target": share,
            "unit": fit.unit,
            "assumes": assumption(fit),
            **{side: str(group) for side, group in where.items()},
            **stated(given),
            "caveats": [SHIFTED, *_grounds(fit, where, rows, given)],
        }
    )


def _at(
    curve: Curve | Mixture, coverage: Coverage, needed: np.ndarray, load: np.ndarray, k: int
) -> dict[str, np.ndarray]:
    """The cheapest N and D of every draw with k samples a query."""
    with np.errstate(invalid="ignore"):
        error = np.where(np.isfinite(needed), coverage.failure_at(needed / k), OUT_OF_REACH)
        # What guessing gives is asked of no training.
        error = np.where(np.isposinf(curve.reducible(error)), OUT_OF_REACH, error)
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    ends = np.cumsum([len(part.floor) for part in parts])[:-1]
    split = zip(parts, np.split(error, ends), np.split(k * load, ends), strict=True)
    found = [cheapest_lifetime(part, goal, served) for part, goal, served in split]
    names = ("params", "tokens", "training_flop", "serving_flop", "flop")
    out = {name: np.concatenate([getattr(f, name) for f in found]) for name in names}
    return {**out, "error": np.where(np.isfinite(out["flop"]), error, np.nan)}


def _as_table(rows: list[dict[str, np.ndarray]], ks: np.ndarray) -> xr.Dataset:
    flop = np.stack([row["flop"] for row in rows])
    reached = np.isfinite(flop)
    if not reached.any():
        raise PlanError(
            "no draw reaches the target with any of these numbers of samples: lower target, or raise samples"
        )
    cheapest = np.argmin(np.where(reached, flop, np.inf), axis=0)[reached.any(axis=0)]
    shown = {"serving_flop": "sampling_flop"}
    values: dict[str, Any] = {}
    for name in ("flop", "training_flop", "serving_flop", "params", "tokens", "error"):
        each = [
            np.quantile(row[name][ok], PROBS) if ok.any() else np.full(len(PROBS), np.nan)
            for row, ok in zip(rows, reached, strict=True)
        ]
        values[shown.get(name, name)] = (("samples", "prob"), np.array(each))
    p_reached = reached.mean(axis=1)
    values["p_reached"] = ("samples", p_reached)
    values["p_best"] = ("samples", np.bincount(cheapest, minlength=len(ks)) / len(cheapest))
    found = xr.Dataset(values, coords={"samples": ks, "prob": list(PROBS)})
    median = np.where(p_reached >= p_reached.max() - 0.01, found["flop"].sel(prob=0.5), np.inf)
    return found.assign_attrs(best=int(ks[np.argmin(median)]))


def _grounds(
    fit: Posterior, where: Any, rows: list[dict[str, np.ndarray]], given: Any
) -> list[str]:
    """What the posterior cannot support, at the median N and D of every k that is reached."""
    medians = [
        [float(np.nanmedian(row[axis])) for axis in ("params", "tokens")]
        for row in rows
        if np.isfinite(row["flop"]).any()
    ]
    params, tokens = (list(x) for x in zip(*medians, strict=True))
    return grounds(fit, where, params, tokens, given)
