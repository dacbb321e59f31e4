"""`compare` and `stack`: which law what was held out speaks for, and several laws as one forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DataError, ForecastError, unknown
from bayescale.posterior import Fit, Stacked, require_fit
from bayescale.predict.calibration import Backtest
from bayescale.predict.pointwise import K_GOOD, Loo, loo
from bayescale.predict.weights import stacking_weights

FEW_GROUPS = 8
FEW_DRAWS = 10.0  # effective: below it a joint density hangs on a handful of draws
_UNIT = ["fold", "group"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models side by side.

    Attributes
    ----------
    table : DataFrame
        One row a model. From a back-test: ``weight``, ``equal_weight`` (below eight held-out groups only),
        ``log_density`` (sum over groups of the joint density of each, nats), ``difference`` from the best and ``se``,
        its standard error clustered by group. From fits: ``elpd_loo``, ``se_loo``, ``p_loo``, ``k_max``, ``k_over``
        (runs with k̂ > .7).
    groups : DataFrame
        One row a held-out group: its folds, and by model the difference of its log density from the best model's, mean
        over folds; empty without a back-test.
    problem : dict
        ``data_hash``, ``models``, held-out ``groups``, ``strength`` of the prior.
    notes : tuple of str
        What a reader must know.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    problem: dict[str, Any]
    notes: tuple[str, ...] = field(default=())

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weight of each model; empty without a back-test."""
        if "weight" not in self.table:
            return {}
        return dict(zip(self.table["model"], map(float, self.table["weight"]), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "problem": self.problem,
            "table": self.table.to_dict("records"),
            "groups": self.groups.to_dict("records"),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


def compare(*sources: Fit | Backtest, strength: float = 1.0) -> Comparison:
    """Compare models on what was held out, on their own runs, or both.

    Parameters
    ----------
    *sources : Fit or Backtest
        Fits, a back-test, or both. With fits, the models compared are theirs, and the back-test must have seen them.
    strength : float
        Of the prior that draws stacking weights to equal ones, in held-out groups, see
        :func:`bayescale.predict.weights.stacking_weights`.

    Returns
    -------
    Comparison
        Weights come from held-out groups alone. A group that several folds hold out counts once: by its mean over them.

    Raises
    ------
    DataError
        If the data differ, the back-test keeps no joint densities, or its models did not see the same held-out runs.
    """
    fits = [s for s in sources if not isinstance(s, Backtest)]
    tests = [s for s in sources if isinstance(s, Backtest)]
    for fit in fits:
        require_fit(fit, "compare")
    if len(tests) > 1 or not sources:
        raise DataError(f"compare takes fits and one back-test, not {len(tests)} back-tests")
    names = [fit.model.spec.name for fit in fits]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two fits of model {name!r}: their weights could not be told apart")
    hashes = {f.model.spec.name: f.data_hash for f in fits}
    if tests:
        hashes["the back-test"] = str(tests[0].problem["data_hash"])
    if len(set(hashes.values())) > 1:
        said = ", ".join(f"{name} on {value[:12]}" for name, value in hashes.items())
        raise DataError(f"the data differ ({said}); compare models on one table")
    notes = [f"{f.model.spec.name} {f.convergence}" for f in fits if not f.convergence.passed]
    table, groups = pd.DataFrame({"model": names}), pd.DataFrame()
    if tests:
        require_same_settings(fits, tests[0])
        held = _held_out(tests[0], names)
        table, groups = _scored(held, strength)
        notes += _remarks(tests[0], table, groups, strength)
    if fits:
        found = pd.DataFrame([_loo_row(name, loo(f)) for name, f in zip(names, fits, strict=True)])
        table = table.merge(found, on="model", sort=False)
        notes.append("LOO leaves one run out and keeps its sweep: it scores interpolation")
        doubtful = [
            f"{r['model']} ({r['k_over']})" for r in table.to_dict("records") if r["k_over"]
        ]
        if doubtful:
            notes.append(f"LOO is not to be trusted where k̂ > {K_GOOD}: {', '.join(doubtful)} runs")
    if not tests:
        notes.append("no weights: they come from held-out larger scale; give a back-test")
    return Comparison(
        table,
        groups,
        {
            "data_hash": next(iter(hashes.values())),
            "models": list(table["model"]),
            "groups": len(groups),
            "strength": strength if tests else None,
        },
        tuple(notes),
    )


def stack(
    fits: Sequence[Fit], weights: Comparison | Mapping[str, float] | Sequence[float], seed: int = 0
) -> Stacked:
    """Mix fits of one table by weights, for ``predict`` and ``plan``.

    Parameters
    ----------
    fits : sequence of Fit
        Of the same table, in one unit.
    weights : Comparison, mapping or sequence
        From :func:`compare` with a back-test; model → weight; or one weight a fit. They sum to one.
    seed : int
        Chooses which draws of a member stand for it.

    Returns
    -------
    Stacked

    Raises
    ------
    ForecastError, UnknownNameError, DataError
    """
    for fit in fits:
        require_fit(fit, "stack")
    if isinstance(weights, Comparison):
        if not weights.weights:
            raise ForecastError("this comparison has no weights: compare with a back-test")
        for fit in fits:
            if fit.data_hash != weights.problem["data_hash"]:
                raise DataError(f"{fit.model.spec.name!r} was fitted to other data than compared")
        weights = weights.weights
    if isinstance(weights, Mapping):
        names = [fit.model.spec.name for fit in fits]
        for name in names:
            if name not in weights:
                raise unknown("model", name, weights, "the weights")
        if left := sorted(set(weights) - set(names)):
            raise ForecastError(f"no fit of {', '.join(left)}, which the weights name")
        if len(set(names)) < len(names):
            raise ForecastError("two fits of one model: give weights as a list, one a fit")
        weights = [weights[name] for name in names]
    return Stacked(tuple(fits), tuple(float(w) for w in weights), seed)


def require_same_settings(fits: Sequence[Fit], test: Backtest) -> None:
    """A back-test without drift says nothing of a fit with it."""
    said = test.problem
    for fit in fits:
        model = fit.model
        for what, differs in (
            ("pool", bool(said["pool"]) != model.pooled),
            ("drift", not said["drift"] and bool(model.drift)),
            ("sweep", not said["sweep"] and bool(model.sweeps)),
            ("exclude", not set(said["exclude"]) <= set(model.excluded)),
        ):
            if differs:
                raise DataError(
                    f"{model.spec.name!r} was fitted with another {what}= than the back-test "
                    f"({what} = {said[what]}): its scores are not of this fit"
                )


def _held_out(test: Backtest, names: Sequence[str]) -> pd.DataFrame:
    """Joint log densities, one row a fold and group, one column a model."""
    if test.groups.empty:
        raise DataError("this back-test keeps no joint densities of held-out groups: run it again")
    seen = list(test.groups["model"].unique())
    for name in names:
        if name not in seen:
            raise unknown("model", name, seen, "the back-test")
    wanted = list(names) or seen
    rows = test.groups[test.groups["model"].isin(wanted)]
    runs = rows.pivot(index=_UNIT, columns="model", values="runs")
    if runs.isna().any(axis=None) or (runs.nunique(axis=1) > 1).any():
        raise DataError("the models of this back-test were not scored on the same held-out runs")
    return rows.pivot(index=_UNIT, columns="model", values="log_density")[wanted]


def _scored(held: pd.DataFrame, strength: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    folds = held.groupby("group", sort=False).size()
    count = 1.0 / folds.loc[held.index.get_level_values("group")].to_numpy(float)
    weights = stacking_weights(held.to_numpy(), count, strength)
    by_group = held.groupby("group", sort=False).mean()
    total = by_group.sum()
    gap = by_group.sub(by_group[total.idxmax()], axis=0)
    table = pd.DataFrame({"model": list(held.columns), "weight": weights})
    if len(by_group) < FEW_GROUPS:
        table["equal_weight"] = 1.0 / len(table)
    table["log_density"] = total.to_numpy()
    table["difference"] = gap.sum().to_numpy()
    # Groups are what is independent; the best model differs from itself by nothing, surely.
    table["se"] = np.sqrt(len(gap)) * gap.std(ddof=1).to_numpy()
    gap.columns.name = None
    gap.insert(0, "folds", folds.loc[gap.index])
    return table, gap.reset_index()


def _remarks(
    test: Backtest, table: pd.DataFrame, groups: pd.DataFrame, strength: float
) -> list[str]:
    said = [
        f"weights by stacking on {len(groups)} held-out groups, each by its joint density "
        f"(Yao et al. 2018), with a Dirichlet prior worth {strength:g} of them for equal weights"
    ]
    if len(groups) < FEW_GROUPS:
        said.append(f"fewer than {FEW_GROUPS} held-out groups: equal weights may do as well")
    mine = test.groups[test.groups["model"].isin(table["model"])]
    few = mine[mine["effective_draws"] < FEW_DRAWS]
    if len(few):
        models = ", ".join(f"{m} ({n})" for m, n in few["model"].value_counts(sort=False).items())
        said.append(
            f"densities that hang on fewer than {FEW_DRAWS:g} draws, most likely too low: {models}"
        )
    without = [m for m in test.folds["model"].unique() if m not in set(test.groups["model"])]
    if without:
        said.append(f"baselines have no joint density and no weight: {', '.join(without)}")
    missed = test.folds[test.folds["model"].isin(table["model"]) & ~test.folds["converged"]]
    said += [f"missed the convergence gate: {r.model}, {r.fold}" for r in missed.itertuples()]
    return said


def _loo_row(name: str, found: Loo) -> dict[str, Any]:
    return {
        "model": name,
        "elpd_loo": found.elpd,
        "se_loo": found.se,
        "p_loo": found.p,
        "k_max": found.k_max,
        "k_over": found.unreliable,
    }
