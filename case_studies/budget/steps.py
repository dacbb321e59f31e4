"""The steps of the study, one function each: pilots by rule, fit, what is decided on it, and the runs held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

import bayescale as bs
from bayescale.decide import load_problem
from bayescale.laws import textbook_theta
from bayescale.laws.frontier import joint_frontier
from bayescale.posterior import Fit
from bayescale.predict import (
    FLOP_PER_PARAM_TOKEN,
    Backtest,
    Noise,
    mixture,
    predictive_log_density,
    scored,
)
from bayescale.runs import Runs, sweeps

HERE = Path(__file__).parent
SEED, DRAWS, ACCEPT = 20261122, 1000, 0.95
# The rule of the pilots: two budgets of the original isoFLOP series, a decade apart, and four shapes of each.
BUDGETS, TOKENS_PER_PARAM, BELOW = (6e18, 6e19), (5.0, 15.0, 45.0, 135.0), 1e20
PROBABILITY, PER_NAT = 0.8, 5e7
CHECKED = 3  # pilots that are added, one at a time, and fitted again
EDGES = (-np.inf, 0.0, 0.5, 1.0, 1.5, np.inf)  # decades beyond the eight pilots
BINS = ("inside", "to 0.5", "0.5 to 1", "1 to 1.5", "over 1.5")
# Refit of all these runs by Besiroglu et al. 2024 (arXiv:2404.10102), table 1, in our notation.
PUBLISHED = {"A": 482.01, "B": 2085.43, "beta": 0.3478, "delta": 0.3658, "L_inf": 1.8172}


@dataclass(frozen=True, eq=False)
class Decided:
    """What one fit says of the money."""

    fit: Fit
    plan: bs.Plan
    cheapest: bs.Cheapest
    held_out: Backtest


def wanted_pilots() -> np.ndarray:
    """N and D of the design, shape (run, 2)."""
    ratio = np.tile(TOKENS_PER_PARAM, len(BUDGETS))
    compute = np.repeat(BUDGETS, len(TOKENS_PER_PARAM))
    params = np.sqrt(compute / (FLOP_PER_PARAM_TOKEN * ratio))
    return np.stack([params, params * ratio], axis=1)


def nearest(table: pd.DataFrame, wanted: np.ndarray) -> pd.Index:
    """Rows, each used once, nearest to wanted (N, D): least sum of distances in (log N, log D)."""
    there = np.log(table[["params", "tokens"]].to_numpy(float))
    far = np.linalg.norm(np.log(wanted)[:, None] - there[None], axis=2)
    return table.index[linear_sum_assignment(far)[1]]


def choose_pilots(table: pd.DataFrame) -> pd.DataFrame:
    """Eight pilots by the rule, the budget of each as its sweep."""
    chosen = nearest(table[table["compute"] < BELOW], wanted_pilots())
    return table.loc[chosen].assign(sweep=np.repeat([f"{c:.0e}" for c in BUDGETS], 4))


def further(
    table: pd.DataFrame, design: bs.Design, offered: Sequence[bs.Pilot]
) -> list[tuple[bs.Pilot, pd.DataFrame]]:
    """The three pilots of largest net benefit, best first, each with the published runs that are nearest to its own."""
    order = np.argsort(-design.table["net"].to_numpy())[:CHECKED]
    named = {pilot.name: pilot for pilot in offered}
    best = [named[str(name)] for name in design.table["pilot"].to_numpy()[order]]
    return [
        (pilot, table.loc[nearest(table, np.array(pilot.runs))].assign(sweep=pilot.name))
        for pilot in best
    ]


def written(rows: pd.DataFrame, path: Path) -> Runs:
    """A table of one's own as a file, and read like any other."""
    rows[["run_id", "params", "tokens", "loss", "sweep"]].to_csv(path, index=False)
    about = {"loss": {"metric": "nats/token", "corpus": "massivetext"}}
    return bs.load_runs(path, task_info=about, param_count="total")


def fitted(runs: Runs, seed: int) -> Fit:
    """The default model, with drift; no evidence from the published table is in its priors."""
    settings: dict[str, Any] = {"draws": DRAWS, "seed": seed, "target_accept": ACCEPT}
    return bs.fit(runs, exclude=["chinchilla"], progress=False, **settings)


def asked_budget() -> bs.Budget:
    """The money of the problem."""
    return load_problem(HERE / "plan.toml").get_budget()


def prices() -> dict[str, Any]:
    """Price, utilisation and hardware of the problem."""
    stated = asked_budget()
    return {k: getattr(stated, k) for k in ("price_per_hour", "mfu", "hardware")}


def planned(fit: Fit) -> bs.Plan:
    """The plan alone."""
    problem = load_problem(HERE / "plan.toml")
    return bs.plan(fit, problem.get_budget(), problem.risks(), problem.target_loss)


def decide(fit: Fit, table: Runs, rows: pd.DataFrame) -> Decided:
    """Plan, the cheapest budget, and the forecast of the rows held out."""
    target = load_problem(HERE / "plan.toml").target_loss
    assert target is not None
    plan = planned(fit)
    enough = bs.cheapest(fit, target_loss=target, probability=PROBABILITY, **prices())
    return Decided(fit, plan, enough, held_out(fit, table, rows))


def information(fit: Fit) -> tuple[bs.Design, Sequence[bs.Pilot]]:
    """What the pilots on offer are worth."""
    asked = bs.load_pilots(HERE / "pilots.toml")
    found = bs.design(fit, asked.budget, asked.pilots, pilot_budget=asked.pilot_budget)
    return found, asked.pilots


def stop(fit: Fit) -> bs.Stopping:
    """Where a dollar of training brings less than a dollar."""
    return bs.stopping(fit, bs.PerNat(PER_NAT), **prices())


def held_out(fit: Fit, table: Runs, rows: pd.DataFrame) -> Backtest:
    """Forecast runs of the published table, and score what came true; runs of one budget count as one group."""
    points = {axis: rows[axis].to_numpy(float) for axis in ("params", "tokens")}
    observed, shape = rows["loss"].to_numpy(float), (-1, len(rows))
    run = bs.predict(fit, **points, kind="run").draws.to_numpy().reshape(shape)
    campaign = bs.predict(fit, **points, kind="campaign").draws.to_numpy().reshape(shape)
    where = fit.groups()
    noise = Noise.of(fit, fit.parameters(where))
    density = predictive_log_density(fit, where, noise, np.log(campaign), np.log(observed))
    budgets = sweeps(table)
    assert budgets is not None
    scores = scored(run, observed).to_dataframe().reset_index(drop=True)
    scores = scores.assign(
        model=fit.model.spec.name,
        fold="held out",
        log_score=mixture(density),
        loss=observed,
        group=budgets.loc[rows.index].to_numpy(),
        compute=rows["compute"].to_numpy(float),
        distance=rows["distance"].to_numpy(),
    )
    return Backtest(scores, pd.DataFrame(), {"models": [fit.model.spec.name], "by": "rule"})


def distances(fit: Fit, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their distance beyond the fitted runs by bins, nearest first."""
    points = {axis: rows[axis].to_numpy(float) for axis in ("params", "tokens")}
    decades = bs.predict(fit, **points, kind="law").points["decades"].to_numpy()
    names = pd.cut(decades, list(EDGES), labels=list(BINS)).astype(str)
    order = np.argsort(decades, kind="stable")
    return rows.assign(distance=names).iloc[order]


def by_published_law(params: float, tokens: float) -> dict[str, float]:
    """Loss at N and D, and the share of 6·N·D that they waste, if the published refit of all runs were the truth."""
    p = PUBLISHED
    loss = p["L_inf"] + p["A"] * params ** -p["beta"] + p["B"] * tokens ** -p["delta"]
    frontier = joint_frontier(textbook_theta(**p), {"params": 0.0, "tokens": 0.0})
    best = frontier.log_params(np.log(FLOP_PER_PARAM_TOKEN * params * tokens))
    waste = frontier.wasted_share(np.log(params) - best)
    return {"loss": float(loss), "waste": float(waste), "params": float(np.exp(best))}
