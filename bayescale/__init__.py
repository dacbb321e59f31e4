"""Bayesian scaling laws, from a table of runs to a posterior, a forecast and a decision.

Every public name is resolved when it is first used, so that ``import bayescale`` and
``bayescale --help`` cost nothing and a saved fit is read without PyMC.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescale import errors as errors
    from bayescale import plots as plot
    from bayescale.checks import SBC, Sensitivity, load_sbc, sensitivity
    from bayescale.decide import (
        Budget,
        ByAccuracy,
        Cheapest,
        Constraints,
        Costing,
        CVaR,
        Design,
        Expectation,
        Extrapolation,
        Fleet,
        IfReached,
        LifetimeOptimum,
        Needed,
        PerNat,
        Pilot,
        Plan,
        Quantile,
        Scaled,
        Selection,
        Stopping,
        Tuning,
        Waste,
        budget_frontier,
        cheapest,
        cost,
        design,
        extrapolation,
        lifetime_optimum,
        load_ledger,
        load_pilots,
        load_plan,
        monitor,
        needed,
        pareto,
        plan,
        sampling_optimum,
        scale_up,
        score_plan,
        select,
        stopping,
        tuning,
    )
    from bayescale.posterior import (
        Chained,
        Coverage,
        Fit,
        Stacked,
        chain,
        load_chain,
        load_coverage,
        load_fit,
        load_stack,
        save_chain,
    )
    from bayescale.predict import (
        Backtest,
        Comparison,
        Forecast,
        New,
        compare,
        grid,
        load_backtest,
        predict,
        stack,
    )
    from bayescale.runs import Runs, Task, load_runs, schedule_inputs
    from bayescale.spec import ModelSpec
    from bayescale.workflow import backtest, fit, fit_coverage, sbc
    from bayescale.zoo import Suggestion, suggest
    from bayescale.zoo import model_names as models

    __version__: str

__all__ = [
    "SBC",
    "Backtest",
    "Budget",
    "ByAccuracy",
    "CVaR",
    "Chained",
    "Cheapest",
    "Comparison",
    "Constraints",
    "Costing",
    "Coverage",
    "Design",
    "Expectation",
    "Extrapolation",
    "Fit",
    "Fleet",
    "Forecast",
    "IfReached",
    "LifetimeOptimum",
    "ModelSpec",
    "Needed",
    "New",
    "PerNat",
    "Pilot",
    "Plan",
    "Quantile",
    "Runs",
    "Scaled",
    "Selection",
    "Sensitivity",
    "Stacked",
    "Stopping",
    "Suggestion",
    "Task",
    "Tuning",
    "Waste",
    "__version__",
    "backtest",
    "budget_frontier",
    "chain",
    "cheapest",
    "compare",
    "cost",
    "design",
    "errors",
    "extrapolation",
    "fit",
    "fit_coverage",
    "grid",
    "lifetime_optimum",
    "load_backtest",
    "load_chain",
    "load_coverage",
    "load_fit",
    "load_ledger",
    "load_pilots",
    "load_plan",
    "load_runs",
    "load_sbc",
    "load_stack",
    "models",
    "monitor",
    "needed",
    "pareto",
    "plan",
    "plot",
    "predict",
    "sampling_optimum",
    "save_chain",
    "sbc",
    "scale_up",
    "schedule_inputs",
    "score_plan",
    "select",
    "sensitivity",
    "stack",
    "stopping",
    "suggest",
    "tuning",
]

# Public name -> (module that holds it, its name there; "" means the module itself).
_HOME: dict[str, tuple[str, str]] = {
    "SBC": ("bayescale.checks", "SBC"),
    "Backtest": ("bayescale.predict", "Backtest"),
    "ByAccuracy": ("bayescale.decide", "ByAccuracy"),
    "IfReached": ("bayescale.decide", "IfReached"),
    "PerNat": ("bayescale.decide", "PerNat"),
    "Stopping": ("bayescale.decide", "Stopping"),
    "pareto": ("bayescale.decide", "pareto"),
    "stopping": ("bayescale.decide", "stopping"),
    "tuning": ("bayescale.decide", "tuning"),
    "Budget": ("bayescale.decide", "Budget"),
    "Tuning": ("bayescale.decide", "Tuning"),
    "Waste": ("bayescale.decide", "Waste"),
    "Comparison": ("bayescale.predict", "Comparison"),
    "CVaR": ("bayescale.decide", "CVaR"),
    "Chained": ("bayescale.posterior", "Chained"),
    "Cheapest": ("bayescale.decide", "Cheapest"),
    "Constraints": ("bayescale.decide", "Constraints"),
    "Costing": ("bayescale.decide", "Costing"),
    "Coverage": ("bayescale.posterior", "Coverage"),
    "Design": ("bayescale.decide", "Design"),
    "Expectation": ("bayescale.decide", "Expectation"),
    "Extrapolation": ("bayescale.decide", "Extrapolation"),
    "Fit": ("bayescale.posterior", "Fit"),
    "Fleet": ("bayescale.decide", "Fleet"),
    "Forecast": ("bayescale.predict", "Forecast"),
    "LifetimeOptimum": ("bayescale.decide", "LifetimeOptimum"),
    "ModelSpec": ("bayescale.spec", "ModelSpec"),
    "Needed": ("bayescale.decide", "Needed"),
    "New": ("bayescale.predict", "New"),
    "Pilot": ("bayescale.decide", "Pilot"),
    "Plan": ("bayescale.decide", "Plan"),
    "Quantile": ("bayescale.decide", "Quantile"),
    "Runs": ("bayescale.runs", "Runs"),
    "Scaled": ("bayescale.decide", "Scaled"),
    "Selection": ("bayescale.decide", "Selection"),
    "Sensitivity": ("bayescale.checks", "Sensitivity"),
    "Stacked": ("bayescale.posterior", "Stacked"),
    "Suggestion": ("bayescale.zoo", "Suggestion"),
    "Task": ("bayescale.runs", "Task"),
    "backtest": ("bayescale.workflow", "backtest"),
    "budget_frontier": ("bayescale.decide", "budget_frontier"),
    "chain": ("bayescale.posterior", "chain"),
    "cheapest": ("bayescale.decide", "cheapest"),
    "compare": ("bayescale.predict", "compare"),
    "cost": ("bayescale.decide", "cost"),
    "design": ("bayescale.decide", "design"),
    "errors": ("bayescale.errors", ""),
    "extrapolation": ("bayescale.decide", "extrapolation"),
    "fit": ("bayescale.workflow", "fit"),
    "fit_coverage": ("bayescale.workflow", "fit_coverage"),
    "grid": ("bayescale.predict", "grid"),
    "lifetime_optimum": ("bayescale.decide", "lifetime_optimum"),
    "load_backtest": ("bayescale.predict", "load_backtest"),
    "load_chain": ("bayescale.posterior", "load_chain"),
    "load_coverage": ("bayescale.posterior", "load_coverage"),
    "load_fit": ("bayescale.posterior", "load_fit"),
    "load_ledger": ("bayescale.decide", "load_ledger"),
    "load_plan": ("bayescale.decide", "load_plan"),
    "load_pilots": ("bayescale.decide", "load_pilots"),
    "load_runs": ("bayescale.runs", "load_runs"),
    "load_sbc": ("bayescale.checks", "load_sbc"),
    "load_stack": ("bayescale.posterior", "load_stack"),
    "models": ("bayescale.zoo", "model_names"),
    "monitor": ("bayescale.decide", "monitor"),
    "needed": ("bayescale.decide", "needed"),
    "plan": ("bayescale.decide", "plan"),
    "plot": ("bayescale.plots", ""),
    "predict": ("bayescale.predict", "predict"),
    "sampling_optimum": ("bayescale.decide", "sampling_optimum"),
    "save_chain": ("bayescale.posterior", "save_chain"),
    "sbc": ("bayescale.workflow", "sbc"),
    "scale_up": ("bayescale.decide", "scale_up"),
    "schedule_inputs": ("bayescale.runs", "schedule_inputs"),
    "score_plan": ("bayescale.decide", "score_plan"),
    "select": ("bayescale.decide", "select"),
    "sensitivity": ("bayescale.checks", "sensitivity"),
    "stack": ("bayescale.predict", "stack"),
    "suggest": ("bayescale.zoo", "suggest"),
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("bayescale")
    except PackageNotFoundError:
        return "0+source"  # run from a source tree that was never installed


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: object = _version()
    elif name in _HOME:
        module, attribute = _HOME[name]
        home = importlib.import_module(module)
        value = getattr(home, attribute) if attribute else home
    else:
        raise AttributeError(f"module 'bayescale' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _Package(ModuleType):
    """The package's own module type: a sub-package does not take a public function's name.

    Importing ``bayescale.predict`` anywhere makes Python bind that module to the attribute
    ``predict`` of its parent, where ``bs.predict(...)`` must stay the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        own = isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}"
        if own and name in _HOME and _HOME[name][1]:
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
