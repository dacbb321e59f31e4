"""`Plan`: the answer to a decision problem, frozen: recommendation, action table, caveats, provenance."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from bayescale.decide.plans.constraints import Infeasible
from bayescale.decide.plans.given import said
from bayescale.decide.plans.judging import Preferred
from bayescale.decide.plans.numbers import si
from bayescale.decide.plans.preregistration import SEAL, RunForecast, sealed
from bayescale.files import refuse_existing, written_beside
from bayescale.given import GIVEN
from bayescale.runs import UNNAMED

PLAN_FORMAT = "bayescale-plan"
PLAN_SCHEMA_VERSION = 3  # 1 had neither forecasts of runs nor a hash, 2 no preference by utility


@dataclass(frozen=True)
class Recommendation:
    """The action of least risk.

    Attributes
    ----------
    risk : str
        The risk measure.
    params, tokens : float
        N and D.
    risk_value : float
        Risk of the loss there, or of the wasted share of the budget, whichever it judges.
    loss : dict
        Quantiles of the expected loss.
    regret, regret_dollars : float
        Mean share of the budget (and the money) wasted against each draw's own optimum.
    p_hit : float or None
        P(loss of one run ≤ target).
    """

    risk: str
    params: float
    tokens: float
    risk_value: float
    loss: dict[str, float]
    regret: float
    regret_dollars: float | None
    p_hit: float | None


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan for one training budget.

    Attributes
    ----------
    problem : dict
        Budget, risk, target, groups.
    table : Dataset
        Dim ``action``: ``params, tokens, loss`` (mean), ``risk_<name>``, ``regret`` (mean wasted share), ``p_regret``
        (P(wasted share ≤ 5 %)) and ``p_hit``.
    frontier : Dataset
        Loss along N at this budget and lower ones, and N*, D*, L* against compute, as quantiles over draws; see
        :meth:`bayescale.decide.IsoFlop.frontier`.
    optimum : dict
        Quantiles over draws of N*, D*, D*/N*, frontier loss, headroom over L∞, L∞, and the shares ``share_params``,
        ``share_tokens``, ``share_floor`` of the N term, the D term and the floor in the frontier loss.
    recommendations : tuple of Recommendation
        One a risk.
    by_utility : dict of str to Preferred
        Under ``waste`` the action of least expected waste (the default, and what :func:`bayescale.design` counts),
        under ``loss`` that of least expected loss, whatever risks were asked for.
    regret_set : dict or None
        Range of N with P(wasted share ≤ 5 %) ≥ .8, as ``params_lo, params_hi``; and, as ``serve_params, serve_tokens,
        serve_loss, serve_regret``, the action in it that is the cheapest to serve, with its mean loss and waste.
    infeasible : tuple of Infeasible
        Actions that the budget or a constraint rules out, each with the reason.
    p_target_below_floor : float or None
        P(target < L∞): no budget reaches it.
    p_target_tenfold : float or None
        P(loss of one run ≤ target) with ten times the budget, at the N that makes it largest.
    caveats : tuple of str
        What the posterior cannot support.
    provenance : dict
        Hashes of model, priors and data, seed, versions.
    forecasts : tuple of RunForecast
        What is said in advance of one run of each recommendation, in their order.
    """

    problem: dict[str, Any]
    table: xr.Dataset
    frontier: xr.Dataset
    optimum: dict[str, dict[str, float]]
    recommendations: tuple[Recommendation, ...]
    by_utility: dict[str, Preferred]
    regret_set: dict[str, float] | None
    p_target_below_floor: float | None
    p_target_tenfold: float | None
    caveats: tuple[str, ...]
    provenance: dict[str, Any]
    forecasts: tuple[RunForecast, ...]
    infeasible: tuple[Infeasible, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON, with the hash of all of it; the table as one list a column."""
        columns = {str(k): v.to_numpy().tolist() for k, v in self.table.data_vars.items()}
        content = {
            "format": PLAN_FORMAT,
            "schema_version": PLAN_SCHEMA_VERSION,
            "problem": self.problem,
            "recommendations": [asdict(r) for r in self.recommendations],
            "by_utility": {name: asdict(one) for name, one in self.by_utility.items()},
            "optimum": self.optimum,
            "regret_set": self.regret_set,
            "p_target_below_floor": self.p_target_below_floor,
            "p_target_tenfold": self.p_target_tenfold,
            "caveats": list(self.caveats),
            "provenance": self.provenance,
            "table": columns,
            "frontier": {
                str(k): {"dims": list(v.dims), "values": v.to_numpy().tolist()}
                for k, v in self.frontier.variables.items()
            },
            "forecasts": [forecast.to_dict() for forecast in self.forecasts],
        }
        # Not written where there is none: a plan without constraints keeps the hash that it had before there were any.
        if self.infeasible:
            content["infeasible"] = [asdict(one) for one in self.infeasible]
        return sealed(content)

    @property
    def hash(self) -> str:
        """SHA-256 of everything the plan says: its name in a ledger, and what to publish before the run."""
        return str(self.to_dict()[SEAL])

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the plan as JSON with its hash, beside and then renamed; :func:`load_plan` reads it.

        A file that exists is an error, unless ``overwrite``.
        """
        target = Path(path)
        refuse_existing(target, overwrite)
        with written_beside(target) as beside, beside.open("w", encoding="utf-8") as file:
            json.dump(self.to_dict(), file, indent=2, allow_nan=False)
        return target

    def __str__(self) -> str:
        lines = [_headline(self.problem)]
        for r in self.recommendations:
            money = "" if r.regret_dollars is None else f" (${r.regret_dollars:,.0f})"
            hit = (
                ""
                if r.p_hit is None
                else f", P(loss ≤ {self.problem['target_loss']:g}) {r.p_hit:.2f}"
            )
            epochs = _epochs(self.problem, r.tokens)
            lines.append(
                f"  {r.risk}: N = {si(r.params)}, D = {si(r.tokens)} "
                f"({r.tokens / r.params:.1f} tokens per parameter{epochs}), loss {r.loss['median']:.3f} "
                f"[90 %: {r.loss['lo90']:.3f}–{r.loss['hi90']:.3f}], "
                f"wasted {100 * r.regret:.1f} % of the budget{money}{hit}"
            )
        lines.append(f"  {_by_utility(self.by_utility)}")
        for key, symbol in (("params", "N*"), ("tokens", "D*"), ("tokens_per_param", "D*/N*")):
            q = self.optimum[key]
            lines.append(f"  {symbol}: {si(q['median'])} [90 %: {si(q['lo90'])}–{si(q['hi90'])}]")
        head = self.optimum["headroom"]
        lines.append(
            f"  headroom over the floor: {head['median']:.3f} [90 %: {head['lo90']:.3f}–{head['hi90']:.3f}]"
        )
        made_of = (
            f"{name} {100 * self.optimum[f'share_{part}']['median']:.1f} %"
            for part, name in (("params", "N term"), ("tokens", "D term"), ("floor", "floor"))
        )
        lines.append(f"  loss at the optimum, by part: {', '.join(made_of)}")
        if self.regret_set is not None:
            low, high = self.regret_set["params_lo"], self.regret_set["params_hi"]
            lines.append(f"  regret set, P(waste ≤ 5 %) ≥ .8: N from {si(low)} to {si(high)}")
            lines += _cheapest_to_serve(self.regret_set)
        if self.p_target_below_floor is not None:
            lines.append(
                f"  P(target below the floor): {self.p_target_below_floor:.2f}; "
                f"P(loss ≤ {self.problem['target_loss']:g}) with 10 × the budget: {self.p_target_tenfold:.2f}"
            )
        lines += [_left_out(one) for one in self.infeasible]
        return "\n".join([*lines, *(f"  note: {c}" for c in self.caveats)])


def _epochs(problem: dict[str, Any], tokens: float) -> str:
    """How often unique tokens are seen, where a number of them is given."""
    unique = problem.get("unique_tokens")
    return f", {tokens / unique:.2g} epochs" if isinstance(unique, float) else ""


def _headline(problem: dict[str, Any]) -> str:
    money = "" if problem["dollars"] is None else f" (${problem['dollars']:,.0f})"
    named = [problem[side] for side in ("architecture", "task") if problem[side] != UNNAMED[side]]
    named += [said(name, problem[name]) for name in GIVEN if name in problem]
    return ", ".join([f"Plan for {problem['compute']:.3g} FLOP{money}", *named])


def _cheapest_to_serve(regret_set: dict[str, float]) -> list[str]:
    """The smallest N of the regret set; plans made before it was kept do not say it."""
    if "serve_params" not in regret_set:
        return []
    named = {name: regret_set[f"serve_{name}"] for name in ("params", "tokens", "loss", "regret")}
    return [
        f"    cheapest of these to serve: N = {si(named['params'])}, D = {si(named['tokens'])}, "
        f"wasted {100 * named['regret']:.1f} % of the budget, mean loss {named['loss']:.3f}"
    ]


def _by_utility(preferred: dict[str, Preferred]) -> str:
    """Which N each utility prefers, and by how little they differ."""
    waste, loss = preferred["waste"], preferred["loss"]
    return (
        f"least expected waste at N = {si(waste.params)}: {100 * waste.regret:.2f} % of the budget, mean loss "
        f"{waste.loss:.4f}; least mean loss at N = {si(loss.params)}: {100 * loss.regret:.2f} %, {loss.loss:.4f}"
    )


def _left_out(one: Infeasible) -> str:
    if one.tokens is not None:
        return f"  not feasible: N = {si(one.params_lo)}, D = {si(one.tokens)}: {one.reason}"
    return f"  not feasible: N from {si(one.params_lo)} to {si(one.params_hi)}: {one.reason}"
