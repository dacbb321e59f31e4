"""Decisions from draws: costs, budgets, risk measures and plans; knows neither PyMC nor how draws were made."""

from bayescale.decide.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.budget_frontier import budget_frontier
from bayescale.decide.cheapest import Cheapest, cheapest
from bayescale.decide.costing import Costing, Fleet, cost
from bayescale.decide.entropic import Entropic, Tail, require_moment
from bayescale.decide.hardware import Grid, Hardware, get_hardware, grid_table, hardware_table
from bayescale.decide.isoflop import IsoFlop
from bayescale.decide.lifetime import LifetimeOptimum, cheapest_lifetime, lifetime_optimum
from bayescale.decide.plan import Plan, Recommendation
from bayescale.decide.plan_file import load_plan
from bayescale.decide.planning import plan
from bayescale.decide.preregistration import Part, RunForecast
from bayescale.decide.problem import BudgetTable, Problem, load_problem
from bayescale.decide.rates import Cost, Rates
from bayescale.decide.regret import ExpectedRegret, MinimaxRegret, WorstCase
from bayescale.decide.risk import CVaR, Expectation, PMiss, Quantile, Risk, parse_risk
from bayescale.decide.units import Amount, Days, Emissions, Energy, Flop, Hours, Money

__all__ = [
    "LEAST_FLOP",
    "MOST_FLOP",
    "Amount",
    "Budget",
    "BudgetTable",
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
    "Part",
    "Plan",
    "Problem",
    "Quantile",
    "Rates",
    "Recommendation",
    "Risk",
    "RunForecast",
    "Tail",
    "WorstCase",
    "budget_frontier",
    "cheapest",
    "cheapest_lifetime",
    "cost",
    "get_hardware",
    "grid_table",
    "hardware_table",
    "lifetime_optimum",
    "load_plan",
    "load_problem",
    "parse_risk",
    "plan",
    "require_moment",
]
