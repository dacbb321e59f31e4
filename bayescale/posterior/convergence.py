"""The convergence gate: what a fit must reach before anything is decided on it, and a verdict a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import unknown
from bayescale.wording import counted

RHAT_MAX = 1.01
ESS_MIN = 400.0
DIVERGENT_SHARE_MAX = 0.001
EBFMI_MIN = 0.3
# Chains that agree so far, and misbehave in nothing else, need only more draws.
RHAT_NEAR = 1.05
PARETO_K_MAX = 0.7


class Verdict(Protocol):
    """What every engine says of its draws."""

    engine: ClassVar[str]

    @property
    def problems(self) -> list[str]:
        """What keeps the fit from passing, each with its value and its bound."""

    @property
    def passed(self) -> bool:
        """Whether the fit may be used."""

    @property
    def advice(self) -> str:
        """What to try when the gate is not passed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: the engine, its diagnostics, ``passed`` and ``problems``."""


@dataclass(frozen=True)
class Convergence:
    """Diagnostics of a fit by NUTS against the gate.

    Attributes
    ----------
    rhat, ess_bulk, ess_tail : float
        Worst value over all parameters; ``*_at`` says where.
    divergences : int
        Divergent transitions after adaptation, of ``draws`` in all chains.
    ebfmi : float
        Smallest energy Bayesian fraction of missing information over the chains.
    """

    rhat: float
    rhat_at: str
    ess_bulk: float
    ess_bulk_at: str
    ess_tail: float
    ess_tail_at: str
    divergences: int
    draws: int
    ebfmi: float

    engine: ClassVar[str] = "nuts"

    @property
    def problems(self) -> list[str]:
        """What keeps the fit from passing, each with its value and its bound."""
        found = []
        # A NaN (a parameter that never moved) must fail, hence "not <=".
        if not self.rhat <= RHAT_MAX:
            found.append(f"R̂ of {self.rhat_at} is {self.rhat:.3f} (at most {RHAT_MAX})")
        if not self.ess_bulk >= ESS_MIN:
            found.append(f"bulk ESS of {self.ess_bulk_at} is {self.ess_bulk:.0f} (at least 400)")
        if not self.ess_tail >= ESS_MIN:
            found.append(f"tail ESS of {self.ess_tail_at} is {self.ess_tail:.0f} (at least 400)")
        if self.divergences > DIVERGENT_SHARE_MAX * self.draws:
            found.append(f"{self.divergences} of {self.draws} draws diverged (at most .1 %)")
        if not self.ebfmi >= EBFMI_MIN:
            found.append(f"E-BFMI is {self.ebfmi:.2f} (at least {EBFMI_MIN})")
        return found

    @property
    def passed(self) -> bool:
        """Whether the fit may be used."""
        return not self.problems

    @property
    def few(self) -> bool:
        """Whether the draws are worth too few independent ones."""
        return not min(self.ess_bulk, self.ess_tail) >= ESS_MIN

    @property
    def only_short(self) -> bool:
        """Whether the gate is missed by the number of draws alone."""
        enough = replace(self, rhat=1.0, ess_bulk=ESS_MIN, ess_tail=ESS_MIN)
        return not self.passed and self.rhat <= RHAT_NEAR and enough.passed

    def __str__(self) -> str:
        if self.passed:
            return (
                f"converged: R̂ ≤ {self.rhat:.3f}, bulk ESS ≥ {self.ess_bulk:.0f}, tail ESS ≥ "
                f"{self.ess_tail:.0f}, {counted(self.divergences, 'divergence')}, E-BFMI {self.ebfmi:.2f}"
            )
        return "did not converge: " + "; ".join(self.problems)

    @property
    def advice(self) -> str:
        """What to try when the gate is not passed."""
        still = "to use it still: allow_unconverged=True"
        if self.divergences > DIVERGENT_SHARE_MAX * self.draws:
            return (
                f"raise target_accept (0.99), or state a tighter prior on the group scales; {still}"
            )
        # Chains that agree and mix need only be longer.
        if self.rhat <= RHAT_MAX and self.ebfmi >= EBFMI_MIN:
            return f"raise draws; {still}"
        return f"raise draws, raise tune, or use a model with fewer levels (pool=False); {still}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return _plain(self)


# Of independent draws, as from a prior.
INDEPENDENT = Convergence(1.0, "", np.inf, "", np.inf, "", 0, 1, 1.0)


@dataclass(frozen=True)
class Importance:
    """Diagnostics of a fit by importance sampling (engine ``quick``) against the gate.

    Attributes
    ----------
    pareto_k : float
        Shape k̂ of the tail of the importance weights: above .7 their mean cannot be trusted (Vehtari et al. 2024,
        Pareto smoothed importance sampling).
    ess : float
        Effective number of draws, (Σw)²/Σw².
    draws : int
        Draws from the proposal.
    """

    pareto_k: float
    ess: float
    draws: int

    engine: ClassVar[str] = "quick"

    @property
    def problems(self) -> list[str]:
        """What keeps the fit from passing, each with its value and its bound."""
        found = []
        # NaN must fail, hence "not <=".
        if not self.pareto_k <= PARETO_K_MAX:
            found.append(
                f"Pareto k̂ of the importance weights is {self.pareto_k:.2f} (at most {PARETO_K_MAX})"
            )
        if not self.ess >= ESS_MIN:
            found.append(f"ESS of the importance weights is {self.ess:.0f} (at least 400)")
        return found

    @property
    def passed(self) -> bool:
        """Whether the fit may be used."""
        return not self.problems

    def __str__(self) -> str:
        if self.passed:
            return (
                f"importance sampling holds: k̂ {self.pareto_k:.2f}, "
                f"ESS {self.ess:.0f} of {self.draws} draws"
            )
        return "importance sampling does not hold: " + "; ".join(self.problems)

    @property
    def advice(self) -> str:
        """What to try when the gate is not passed."""
        return "take engine='nuts'"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return _plain(self)


def _plain(verdict: Convergence | Importance) -> dict[str, Any]:
    said = {"engine": verdict.engine, "passed": verdict.passed, "problems": verdict.problems}
    return asdict(verdict) | said


def verdict_from(engine: str, fields: Mapping[str, Any]) -> Verdict:
    """A verdict from the diagnostics that its engine states."""
    kinds = {kind.engine: kind for kind in (Convergence, Importance)}
    if engine not in kinds:
        raise unknown("engine", engine, kinds)
    return kinds[engine](**fields)


def diagnostics(posterior: xr.Dataset) -> xr.Dataset:
    """R̂, bulk and tail ESS of every scalar of a posterior.

    Returns
    -------
    xarray.Dataset
        ``rhat, ess_bulk, ess_tail`` over dim ``scalar``, labelled like ``alpha`` or ``effect_task[a, pile]``.
    """
    import arviz_stats  # half a second and more: only a new fit pays for it

    names, columns = [], []
    for variable in map(str, posterior.data_vars):
        values = posterior[variable].transpose("chain", "draw", ...)
        labels = [""]
        if values.ndim > 2:
            dims = values.dims[2:]
            combos = np.array(np.meshgrid(*(values[d] for d in dims), indexing="ij"))
            labels = [f"[{', '.join(map(str, c))}]" for c in combos.reshape(len(dims), -1).T]
        names += [variable + label for label in labels]
        columns.append(values.to_numpy().reshape(*values.shape[:2], -1))
    flat = xr.Dataset({"x": (("chain", "draw", "scalar"), np.concatenate(columns, axis=2))})
    rhat = arviz_stats.rhat(flat)["x"]
    bulk = arviz_stats.ess(flat, method="bulk")["x"]
    tail = arviz_stats.ess(flat, method="tail")["x"]
    return xr.Dataset({"rhat": rhat, "ess_bulk": bulk, "ess_tail": tail}).assign_coords(
        scalar=names
    )


def by_variable(diagnosed: xr.Dataset) -> pd.DataFrame:
    """The worst R̂ and ESS of each variable, over its scalars; empty where draws are weighted, not sampled.

    Returns
    -------
    DataFrame
        ``variable, scalars, rhat, ess_bulk, ess_tail``, in the order of the posterior.
    """
    columns = ["rhat", "ess_bulk", "ess_tail"]
    if "scalar" not in diagnosed.dims:
        return pd.DataFrame(columns=["variable", "scalars", *columns])
    names = [str(scalar).partition("[")[0] for scalar in diagnosed["scalar"].to_numpy()]
    frame = pd.DataFrame({c: diagnosed[c].to_numpy() for c in columns}).assign(variable=names)
    rows = []
    # A NaN is the worst there is, hence numpy's max and min and not those of pandas, which skip it.
    for variable, part in frame.groupby("variable", sort=False):
        worst = {"rhat": np.max(part["rhat"].to_numpy())}
        worst |= {c: np.min(part[c].to_numpy()) for c in columns[1:]}
        rows.append({"variable": variable, "scalars": len(part), **worst})
    return pd.DataFrame(rows)


def assess(diagnosed: xr.Dataset, sample_stats: xr.Dataset) -> Convergence:
    """Hold diagnostics against the gate.

    Parameters
    ----------
    diagnosed : Dataset
        From :func:`diagnostics`.
    sample_stats : Dataset
        ``diverging`` and ``energy``, dims ``chain, draw``.
    """

    def worst(name: str, sign: float) -> tuple[float, str]:
        values = sign * diagnosed[name].to_numpy()
        at = int(np.argmax(np.where(np.isnan(values), np.inf, values)))
        return float(sign * values[at]), str(diagnosed["scalar"].to_numpy()[at])

    rhat, bulk, tail = worst("rhat", 1.0), worst("ess_bulk", -1.0), worst("ess_tail", -1.0)
    energy = sample_stats["energy"].transpose("chain", "draw").to_numpy()
    ebfmi = np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)
    return Convergence(
        *rhat,
        *bulk,
        *tail,
        divergences=int(sample_stats["diverging"].sum()),
        draws=int(sample_stats["diverging"].size),
        ebfmi=float(ebfmi.min()),
    )
