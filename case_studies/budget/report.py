"""The numbers of the study with their Monte-Carlo tolerances, the tables of the README made from them, the figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats
from steps import BINS, PROBABILITY, Decided, asked_budget, by_published_law

import bayescale as bs
from bayescale.decide.plans.numbers import si
from bayescale.plots.style import GREY, INK, colour, foot, new_figure, scale_axis, style
from bayescale.predict import FLOP_PER_PARAM_TOKEN

# Five standard errors of a difference: the recorded run has an error of its own.
STANDARD_ERRORS = 5.0 * 2.0**0.5
NORMAL_50 = 2.0 * float(stats.norm.ppf(0.75))  # width of the middle half, in standard deviations
NORMAL_90 = 2.0 * float(stats.norm.ppf(0.95))
EXACT = 1e-6  # relative; of what no draw enters
QUANTILES = {"lo90": 0.05, "median": 0.5, "hi90": 0.95}
STAGES = {"eight": "eight pilots", "more": "with the best pilot added"}
type Numbers = dict[str, dict[str, float]]


def number(value: float, error: float) -> dict[str, float]:
    """A value and how far a repeated run may be from it."""
    tolerance = STANDARD_ERRORS * float(error) + EXACT * abs(float(value))
    return {"value": float(f"{float(value):.8g}"), "tolerance": float(f"{tolerance:.3g}")}


def share(p: float, effective: float) -> dict[str, float]:
    """A probability over draws, its error binomial; one draw more of either kind, since 0 and 1 have an error too."""
    kept = (p * effective + 1.0) / (effective + 2.0)
    return number(p, np.sqrt(kept * (1.0 - kept) / effective))


def spread(q: dict[str, float]) -> float:
    """A standard deviation from named quantiles, the wider of the two readings."""
    return max((q["hi50"] - q["lo50"]) / NORMAL_50, (q["hi90"] - q["lo90"]) / NORMAL_90)


def quantiles(path: str, q: dict[str, float], effective: float, log: bool = False) -> Numbers:
    """Median and 90 % interval; errors are those of a Normal of the same width, on the log scale for N, D and FLOP."""
    at = {k: float(np.log10(v)) if log else v for k, v in q.items()}
    sd = spread(at)
    return {
        f"{path}/{name}": number(at[name], sd * quantile_error(p) / np.sqrt(effective))
        for name, p in QUANTILES.items()
    }


def quantile_error(p: float) -> float:
    """Standard error of a quantile of one Normal draw: √(p(1−p)) over the density there."""
    return float(np.sqrt(p * (1 - p)) / stats.norm.pdf(stats.norm.ppf(p)))


def size_spread(plan: bs.Plan, effective: float) -> float:
    """Monte-Carlo error of log10 of the N that is chosen."""
    # It is a mean of each draw's log N*, weighted by curvature: twice the error of a plain mean.
    logs = {k: float(np.log10(v)) for k, v in plan.optimum["params"].items()}
    return 2.0 * spread(logs) / float(np.sqrt(effective))


def of_plan(said: Decided, effective: float, waste_error: float) -> Numbers:
    """The plan and the cheapest budget; N, D and FLOP as log10."""
    optimum, out = said.plan.optimum, {}
    size_error = size_spread(said.plan, effective)
    for r in said.plan.recommendations:
        out[f"{r.risk}/params"] = number(np.log10(r.params), size_error)
        out[f"{r.risk}/tokens"] = number(np.log10(r.tokens), size_error)
        out |= quantiles(f"{r.risk}/loss", r.loss, effective)
        out[f"{r.risk}/regret"] = number(r.regret, waste_error)
        out[f"{r.risk}/p_hit"] = share(r.p_hit or 0.0, effective)
        out |= judged(r.risk, r.params, r.tokens, size_error, 0.0)
    for key in ("params", "tokens", "tokens_per_param"):
        out |= quantiles(f"optimum/{key}", optimum[key], effective, log=True)
    out |= quantiles("optimum/floor", optimum["floor"], effective)
    out["p below floor"] = share(said.plan.p_target_below_floor or 0.0, effective)
    sizes = said.fit.posterior.sizes
    bought = asked_budget().flop_draws(sizes["chain"] * sizes["draw"], said.fit.seed)
    error = np.std(np.log10(bought)) * quantile_error(0.5) / np.sqrt(len(bought))
    out["compute"] = number(np.log10(said.plan.problem["compute"]), error)
    enough = said.cheapest
    high = enough.compute_hi or enough.compute
    error = np.log10(high / enough.compute_lo) / NORMAL_90
    out["cheapest/compute"] = number(np.log10(enough.compute), error)
    out["cheapest/dollars"] = number(np.log10(enough.dollars or 0.0), error)
    out["cheapest/params"] = number(np.log10(enough.params), size_error + error)
    out["cheapest/tokens"] = number(np.log10(enough.tokens), size_error + error)
    out |= judged("cheapest", enough.params, enough.tokens, size_error, error)
    return out


def judged(path: str, params: float, tokens: float, size: float, budget: float) -> Numbers:
    """Loss and waste by the published law; tolerances from N and the budget as far off as a repeated run may be."""
    here, out = by_published_law(params, tokens), {}
    moved = [
        by_published_law(params * 10 ** (c / 2 + n), tokens * 10 ** (c / 2 - n))
        for c in (-STANDARD_ERRORS * budget, STANDARD_ERRORS * budget)
        for n in (-STANDARD_ERRORS * size, STANDARD_ERRORS * size)
    ]
    for name in ("loss", "waste"):
        most = max(abs(there[name] - here[name]) for there in moved)
        out[f"{path}/published {name}"] = number(here[name], most / STANDARD_ERRORS)
    return out


def of_held_out(said: Decided, effective: float) -> Numbers:
    """Coverage, width and bias, over all and by distance."""
    rows, out = said.held_out.rows, {}
    parts = {"all": rows} | {name: rows[rows["distance"] == name] for name in BINS}
    ends = STANDARD_ERRORS / np.sqrt(effective)
    for name, part in parts.items():
        if part.empty:
            continue
        one = said.held_out.summary(("distance",)).set_index("distance")
        found = said.held_out.summary(("model",)).iloc[0] if name == "all" else one.loc[name]
        for tag, level in (("50", 0.5), ("90", 0.9)):
            # What lies so near an end of the interval that other draws may put it on the other side.
            near = sum(
                (part["pit"] - p).abs() <= ends * np.sqrt(p * (1 - p))
                for p in ((1 - level) / 2, (1 + level) / 2)
            )
            entry = number(found[f"cover{tag}"], 0.0)
            out[f"held out/{name}/cover{tag}"] = entry | {
                "tolerance": float(f"{np.mean(near > 0) + EXACT:.3g}")
            }
        width = float(found["width90"])
        each = np.mean(part["width90"] / part["median"]) / NORMAL_90 / np.sqrt(effective)
        out[f"held out/{name}/runs"] = number(found["runs"], 0.0)
        out[f"held out/{name}/groups"] = number(found["groups"], 0.0)
        # Both ends move; were they independent, √2 times one of them.
        ends_error = 2.0**0.5 * quantile_error(0.95) / NORMAL_90 / np.sqrt(effective)
        out[f"held out/{name}/width90"] = number(width, width * ends_error)
        out[f"held out/{name}/bias"] = number(found["bias"], quantile_error(0.5) * each)
        out[f"held out/{name}/rmsle"] = number(found["rmsle"], quantile_error(0.5) * each)
        low = float((part["median"] < part["loss"]).mean())
        close = (part["pit"] - 0.5).abs() <= 0.5 * ends
        out[f"held out/{name}/too low"] = number(low, 0.0) | {
            "tolerance": float(f"{close.mean() + EXACT:.3g}")
        }
    return out


def of_design(design: bs.Design) -> Numbers:
    """Values of information in dollars, with the package's own errors; which set is best is left to the account."""
    draws = design.problem["draws"]
    rate = asked_budget().rate_draws(draws, design.provenance["seed"])
    assert rate is not None
    price_error = float(np.std(1.0 / rate) / np.mean(1.0 / rate)) / np.sqrt(draws)
    out = {"evpi": number(design.evpi.value, design.evpi.error)}
    for name, worth in design.evppi.items():
        out[f"evppi/{name}"] = number(worth.value, worth.error)
    for name in design.table["pilot"].to_numpy().tolist():
        row = design.table.sel(pilot=name)
        out[f"pilot/{name}/cost"] = number(float(row["cost"]), price_error * float(row["cost"]))
        out[f"pilot/{name}/evsi"] = number(float(row["evsi"]), float(row["error"]))
        out[f"pilot/{name}/net"] = number(float(row["net"]), float(row["error"]))
        # A share of outcomes, each judged anew on other draws.
        out[f"pilot/{name}/unsupported"] = share(
            float(row["unsupported"]), design.problem["outcomes"]
        )
    return out


def of_refits(
    before: bs.Plan, after: Mapping[str, bs.Plan], effective: float, waste_error: float
) -> Numbers:
    """By how much the least expected waste fell, in dollars of the budget, once a pilot's runs were fitted too."""
    total, out = before.problem["dollars"], {}
    for name, plan in after.items():
        best = plan.by_utility["waste"]
        fell = before.by_utility["waste"].regret - best.regret
        out[f"refit/{name}/fell"] = number(total * fell, total * 2.0**0.5 * waste_error)
        out[f"refit/{name}/regret"] = number(best.regret, waste_error)
        size_error = size_spread(plan, effective)
        out[f"refit/{name}/params"] = number(np.log10(best.params), size_error)
        out |= judged(f"refit/{name}", best.params, best.tokens, size_error, 0.0)
    return out


def of_stopping(found: bs.Stopping, effective: float) -> Numbers:
    """Where to stop; FLOP and dollars as log10."""
    sd = spread({k: float(np.log10(v)) for k, v in found.own.items()})
    error = 2.0 * sd / np.sqrt(effective)
    return {
        "stopping/compute": number(np.log10(found.compute), error),
        "stopping/dollars": number(np.log10(found.dollars), error),
        **quantiles("stopping/own", found.own, effective, log=True),
    }


# ------------------------------------------------------------------ tables


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def power(value: float) -> str:
    """FLOP as text."""
    return f"{10.0**value:.2e}".replace("e+", "e")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """The tables of the README, by name, from the content of ``expected.json``."""
    v = {path: entry["value"] for path, entry in found["numbers"].items()}
    both = dict(STAGES)

    def interval(path: str, form: str = ".3f", log: bool = False) -> str:
        low, mid, high = (v[f"{path}/{q}"] for q in QUANTILES)
        if log:
            return f"{si(10**mid)} ({si(10**low)}–{si(10**high)})"
        return f"{mid:{form}} ({low:{form}}–{high:{form}})"

    pilots = [
        [
            p["run"],
            p["sweep"],
            si(p["params"]),
            si(p["tokens"]),
            f"{p['ratio']:.0f}",
            f"{p['off']:.2f}",
        ]
        for p in found["pilots"] + found["added"]
    ]
    risks = found["risks"]
    plan: list[tuple[str, list[str]]] = []
    for r in risks:
        plan += [
            (f"{r}: N", [si(10 ** v[f"{s}/{r}/params"]) for s in both]),
            (f"{r}: D", [si(10 ** v[f"{s}/{r}/tokens"]) for s in both]),
            (f"{r}: loss (90 %)", [interval(f"{s}/{r}/loss") for s in both]),
            (f"{r}: P(loss ≤ 2)", [f"{v[f'{s}/{r}/p_hit']:.2f}" for s in both]),
            (f"{r}: expected waste", [f"{100 * v[f'{s}/{r}/regret']:.1f} %" for s in both]),
        ]
    plan += [
        ("N* (90 %)", [interval(f"{s}/optimum/params", log=True) for s in both]),
        ("D*/N* (90 %)", [interval(f"{s}/optimum/tokens_per_param", log=True) for s in both]),
        ("floor L∞ (90 %)", [interval(f"{s}/optimum/floor") for s in both]),
        (
            f"cheapest with P(loss ≤ 2) ≥ {PROBABILITY:g}: FLOP",
            [power(v[f"{s}/cheapest/compute"]) for s in both],
        ),
        ("cheapest: money", [f"${10 ** v[f'{s}/cheapest/dollars']:,.0f}" for s in both]),
        ("cheapest: N", [si(10 ** v[f"{s}/cheapest/params"]) for s in both]),
        ("cheapest: D", [si(10 ** v[f"{s}/cheapest/tokens"]) for s in both]),
    ]
    first = risks[0]
    judged = [
        ("loss at the plan's N, D", [f"{v[f'{s}/{first}/published loss']:.3f}" for s in both]),
        (
            "waste of the plan's N",
            [f"{100 * v[f'{s}/{first}/published waste']:.1f} %" for s in both],
        ),
        ("loss at the cheapest budget", [f"{v[f'{s}/cheapest/published loss']:.3f}" for s in both]),
    ]
    offered = [
        [
            name,
            f"${v[f'pilot/{name}/cost']:,.0f}",
            f"${v[f'pilot/{name}/evsi']:,.0f}",
            f"${v[f'pilot/{name}/net']:,.0f}",
            f"{100 * v[f'pilot/{name}/unsupported']:.0f} %",
            found["verdicts"][name],
        ]
        for name in found["verdicts"]
    ]
    held = []
    for s, label in both.items():
        for name in ("all", *BINS):
            at = f"{s}/held out/{name}"
            if f"{at}/runs" not in v:
                continue
            held.append(
                [
                    f"{label}, {name}",
                    f"{v[f'{at}/runs']:.0f}",
                    f"{v[f'{at}/groups']:.0f}",
                    *(f"{v[f'{at}/{k}']:.2f}" for k in ("cover50", "cover90")),
                    f"{v[f'{at}/width90']:.3f}",
                    f"{100 * v[f'{at}/rmsle']:.2f} %",
                    f"{100 * v[f'{at}/bias']:+z.2f} %",
                    f"{v[f'{at}/too low']:.2f}",
                ]
            )
    of_held = [
        "held out",
        "runs",
        "sweeps",
        "cover 50",
        "cover 90",
        "width 90",
        "RMSLE",
        "bias",
        "too low",
    ]
    refitted = [
        [
            name,
            f"${v[f'pilot/{name}/evsi']:,.0f}",
            f"${v[f'refit/{name}/fell']:,.0f}",
            f"{100 * v[f'refit/{name}/regret']:.1f} %",
            si(10 ** v[f"refit/{name}/params"]),
            f"{100 * v[f'refit/{name}/published waste']:.1f} %",
        ]
        for name in found["refitted"]
    ]
    of_refitted = ["pilot", "EVSI", "expected waste fell by", "to", "N", "published waste"]
    known = [[name, f"${v[f'evppi/{name}']:,.0f}"] for name in found["groups of parameters"]]
    return {
        "pilots": markdown(["run", "sweep", "N", "D", "D/N", "off"], pilots),
        "plan": markdown(["", *both.values()], [[name, *cells] for name, cells in plan]),
        "published": markdown(["", *both.values()], [[name, *cells] for name, cells in judged]),
        "information": markdown(
            ["known exactly", "worth"], [["everything", f"${v['evpi']:,.0f}"], *known]
        ),
        "design": markdown(["pilot", "cost", "EVSI", "net benefit", "k̂ > 0.7", ""], offered),
        "refits": markdown(of_refitted, refitted),
        "held out": markdown(of_held, held),
        "conclusion": "\n".join(f"- {line.strip()}" for line in found["conclusion"]),
        "caveats": "\n".join(f"- {c}" for c in found["caveats"]),
        "plan hash": f"`{found['plan']}`",
    }


# ------------------------------------------------------------------ figures


def draw(eight: Decided, design: bs.Design, more: Decided, folder: Path) -> None:
    """Frontier, pilots, and the forecasts of the runs that were held out, PDF and PNG."""
    bs.plot.save(bs.plot.frontier(eight.plan), folder / "frontier")
    bs.plot.save(bs.plot.pilots(design), folder / "pilots")
    bs.plot.save(forecasts({"eight": eight, "more": more}), folder / "held_out")


def forecasts(said: dict[str, Decided]) -> Figure:
    """Median and 90 % interval of each held-out run over its loss, against compute, one panel a fit."""
    with style():
        figure = new_figure("text", 2.2)
        panels = figure.subplots(1, len(said), sharey=True)
        for i, (panel, (name, one)) in enumerate(zip(panels, said.items(), strict=True)):
            rows, fitted = one.held_out.rows, one.fit.runs
            ratio = {c: rows[c] / rows["loss"] for c in ("lo90", "median", "hi90")}
            panel.vlines(
                rows["compute"], ratio["lo90"], ratio["hi90"], color=colour(i), alpha=0.35, lw=0.7
            )
            panel.plot(rows["compute"], ratio["median"], ".", color=colour(i), ms=2.5)
            panel.axhline(1.0, color=GREY, lw=0.6)
            known = FLOP_PER_PARAM_TOKEN * fitted["params"] * fitted["tokens"]
            panel.plot(known, np.full(len(known), 0.865), "|", color=INK, ms=5.0)
            panel.set_xscale("log")
            panel.set_xlim(1e18, 2e22)
            scale_axis(panel.xaxis, "compute")
            panel.set(xlabel="training compute (FLOP)", title=STAGES[name])
        panels[0].set_ylabel("forecast of one run / its loss")
        foot(figure, {}, 1, "Dots: median; lines: 90 % interval; ticks: runs that were fitted.")
    return figure
