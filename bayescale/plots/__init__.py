"""Figures for papers: numbers first (testable as data), then drawings that only draw them; never imports PyMC."""

from bayescale.plots.budgets import budget
from bayescale.plots.check import check, check_numbers
from bayescale.plots.coverage import coverage, coverage_numbers
from bayescale.plots.fan import curve
from bayescale.plots.files import save
from bayescale.plots.forest import posterior
from bayescale.plots.ledger import ledger, ledger_numbers
from bayescale.plots.needed import needed
from bayescale.plots.numbers import curve_numbers, frontier_numbers, posterior_numbers
from bayescale.plots.pareto import pareto
from bayescale.plots.pilots import pilots
from bayescale.plots.prior import prior
from bayescale.plots.ranks import ranks, ranks_numbers
from bayescale.plots.reliability import calibration, calibration_numbers
from bayescale.plots.scaled import scaled
from bayescale.plots.selection import selection
from bayescale.plots.stopping import stopping
from bayescale.plots.training import monitor
from bayescale.plots.valleys import frontier
from bayescale.plots.weights import stacking, stacking_numbers

__all__ = [
    "budget",
    "calibration",
    "calibration_numbers",
    "check",
    "check_numbers",
    "coverage",
    "coverage_numbers",
    "curve",
    "curve_numbers",
    "frontier",
    "frontier_numbers",
    "ledger",
    "ledger_numbers",
    "monitor",
    "needed",
    "pareto",
    "pilots",
    "posterior",
    "posterior_numbers",
    "prior",
    "ranks",
    "ranks_numbers",
    "save",
    "scaled",
    "selection",
    "stacking",
    "stacking_numbers",
    "stopping",
]
