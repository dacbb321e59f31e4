"""One replayed decision: fit a few small runs, choose among larger ones that were trained, look up what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sets import Case, as_runs

import bayescale as bs
from bayescale.baselines.huber import fit as huber
from bayescale.posterior import Fit

SEED, DRAWS = 20261122, 500
RISKS = ("waste", "expectation", "cvar:0.1", "waste(cvar:0.1)")
PLUG_IN, RULE, ANY = "plug-in", "20 a parameter", "any"
POLICIES = (*RISKS, PLUG_IN, RULE, ANY)


def columns_of(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """What a baseline reads."""
    return {name: rows[name].to_numpy(float) for name in ("params", "tokens", "loss")}


def by_law(theta: Mapping[str, float], rows: pd.DataFrame) -> np.ndarray:
    """Loss of the joint law with γ = 1."""
    of_n = theta["A"] * rows["params"].to_numpy() ** -theta["beta"]
    of_d = theta["B"] * rows["tokens"].to_numpy() ** -theta["delta"]
    return np.asarray(theta["L_inf"] + of_n + of_d)


def fitted(rows: pd.DataFrame, case: Case) -> Fit:
    """The default model on some runs; the gate's verdict is kept, and no fit is thrown away for it."""
    settings: dict[str, Any] = {"draws": DRAWS, "seed": SEED, "cores": 1}
    return bs.fit(
        as_runs(rows),
        exclude=case.exclude,
        drift=case.drift,
        sweep=False,
        progress=False,
        allow_unconverged=True,
        **settings,
    )


def choices(fit: Fit, actions: pd.DataFrame) -> dict[str, int]:
    """Which of the trained runs each risk takes."""
    pairs = list(zip(actions["params"], actions["tokens"], strict=True))
    # All of them are within the budget.
    budget = float(actions["compute"].max())
    plan = bs.plan(fit, budget, list(RISKS), candidates=pairs, allow_unconverged=True)
    at = actions["params"].to_numpy(), actions["tokens"].to_numpy()
    return {
        r.risk: int(np.argmin(np.abs(np.log(at[0] / r.params)) + np.abs(np.log(at[1] / r.tokens))))
        for r in plan.recommendations
    }


def realised(chosen: Mapping[str, int], actions: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Regret of each choice against the best trained run, in nats, and its N; of ``any``, of a run picked blindly."""
    regret = actions["loss"].to_numpy() - actions["loss"].min()
    params = actions["params"].to_numpy()
    found = {n: {"regret": float(regret[i]), "params": float(params[i])} for n, i in chosen.items()}
    return found | {ANY: {"regret": float(regret.mean())}}


def decide(seen: pd.DataFrame, actions: pd.DataFrame, case: Case) -> dict[str, Any]:
    """Every policy's choice from the same runs, and what came of it."""
    fit = fitted(seen, case)
    point = huber(columns_of(seen))
    ratio = np.log(actions["tokens"] / actions["params"] / 20.0).abs().to_numpy()
    chosen = choices(fit, actions) | {
        PLUG_IN: int(np.argmin(by_law(point, actions))),
        RULE: int(np.argmin(ratio)),
    }
    return {
        "converged": fit.convergence.passed,
        "policies": realised(chosen, actions),
    }
