"""The public names: their list is held, each resolves, and importing them costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import bayescale

# The documented list: a name joins or leaves it on purpose, with a line in CHANGELOG.md.
PUBLIC = {
    "read": ["Runs", "Task", "load_runs", "schedule_inputs"],
    "assess": ["SBC", "Sensitivity", "load_sbc", "sbc", "sensitivity"],
    "suggest": ["Suggestion", "suggest"],
    "fit": ["Fit", "ModelSpec", "Stacked", "fit", "load_fit", "load_stack", "models"],
    "check": ["Backtest", "Comparison", "backtest", "compare", "load_backtest", "stack"],
    "forecast": ["Extrapolation", "Forecast", "New", "extrapolation", "grid", "predict"],
    "decide": ["Budget", "CVaR", "Constraints", "Expectation", "Plan", "Quantile", "Waste", "plan"],
    "follow": ["load_ledger", "load_plan", "monitor", "score_plan"],
    "budget": ["Cheapest", "Needed", "budget_frontier", "cheapest", "needed"],
    "choose": ["Scaled", "Selection", "Tuning", "scale_up", "select", "tuning"],
    "stop": ["ByAccuracy", "IfReached", "PerNat", "Stopping", "pareto", "stopping"],
    "inform": ["Design", "Pilot", "design", "load_pilots"],
    "cost": ["Costing", "Fleet", "LifetimeOptimum", "cost", "lifetime_optimum"],
    "chain": ["Chained", "chain", "load_chain", "save_chain"],
    "sample": ["Coverage", "fit_coverage", "load_coverage", "sampling_optimum"],
    "show": ["plot"],
    "rest": ["__version__", "errors"],
}
NAMES = sorted(name for names in PUBLIC.values() for name in names)
MODULES = {"errors", "plot"}

HOMES = bayescale._HOME

HEAVY = ["arviz", "matplotlib", "numba", "numpy", "nutpie", "pandas", "pyarrow", "pydantic"]
HEAVY += ["pymc", "pytensor", "scipy", "xarray"]
REPORT = f"import sys; print(*(m for m in {HEAVY} if m in sys.modules))"


def loaded_after(code: str) -> list[str]:
    """Heavy modules that a fresh interpreter holds once it has run ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_all_is_the_documented_list() -> None:
    assert sorted(bayescale.__all__) == NAMES
    assert set(NAMES) <= set(dir(bayescale))


@pytest.mark.parametrize("name", NAMES)
def test_public_name_resolves(name: str) -> None:
    value = getattr(bayescale, name)
    assert isinstance(value, ModuleType) == (name in MODULES)
    assert getattr(value, "__doc__", None), f"bayescale.{name} has no docstring"


def test_type_checkers_see_every_public_name(root: Path) -> None:
    tree = ast.parse((root / "bayescale" / "__init__.py").read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen = {
        (alias.asname or alias.name): (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted([*seen, "__version__"]) == NAMES
    homes = {name: (m, a) if a else tuple(m.rsplit(".", 1)) for name, (m, a) in HOMES.items()}
    assert seen == homes


@pytest.mark.parametrize("first", ["bayescale.predict", "bayescale.decide", "bayescale.plots"])
def test_a_sub_package_does_not_take_a_functions_name(first: str) -> None:
    code = f"import {first}, bayescale as bs; assert callable(bs.predict) and callable(bs.plan)"
    loaded_after(code)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        _ = bayescale.predikt


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import bayescale; bayescale.__version__; dir(bayescale)") == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['bayescale', '--help']\n"
        "try: runpy.run_module('bayescale.cli', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code"
    )
    assert loaded_after(code) == []
