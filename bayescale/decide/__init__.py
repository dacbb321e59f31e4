"""Decisions from draws: costs, budgets, risk measures and plans; knows neither PyMC nor how draws were made."""

from bayescale.decide.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.budget_frontier import budget_frontier
from bayescale.decide.cheapest import Cheapest, cheapest
from bayescale.decide.costing import Costing, Fleet, cost
from bayescale.decide.entropic import Entropic, Tail, require_moment
from bayescale.decide.extrapolation import Extrapolation, extrapolation
from bayescale.decide.hardware import Grid, Hardware, get_hardware, grid_table, hardware_table
from bayescale.decide.isoflop import IsoFlop
from bayescale.decide.lifetime import LifetimeOptimum, cheapest_lifetime, lifetime_optimum
from bayescale.decide.plan import Plan, Recommendation
from bayescale.decide.planning import plan
from bayescale.decide.rates import Cost, Rates
from bayescale.decide.regret import ExpectedRegret, MinimaxRegret, WorstCase
from bayescale.decide.risk import CVaR, Expectation, PMiss, Quantile, Risk, parse_risk
from bayescale.decide.units import Amount, Days, Emissions, Energy, Flop, Hours, Money

__all__ = [
    "LEAST_FLOP",
    "MOST_FLOP",
    "Amount",
    "Budget",
    "CVaR",
    "Cheapest",
    "Cost",
    "Costing",
    "Days",
    "Emissions",
    "Energy",
    "Entropic",
    "Expectation",
    "ExpectedRegret",
    "Extrapolation",
    "Fleet",
    "Flop",
    "Grid",
    "Hardware",
    "Hours",
    "IsoFlop",
    "LifetimeOptimum",
    "MinimaxRegret",
    "Money",
    "PMiss",
    "Plan",
    "Quantile",
    "Rates",
    "Recommendation",
    "Risk",
    "Tail",
    "WorstCase",
    "budget_frontier",
    "cheapest",
    "cheapest_lifetime",
    "cost",
    "extrapolation",
    "get_hardware",
    "grid_table",
    "hardware_table",
    "lifetime_optimum",
    "parse_risk",
    "plan",
    "require_moment",
]
