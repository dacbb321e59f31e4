"""Decisions from draws: costs, budgets, risk measures and plans; knows neither PyMC nor how draws were made."""

from bayescale.decide.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.budget_frontier import budget_frontier
from bayescale.decide.cheapest import Cheapest, cheapest
from bayescale.decide.costing import Costing, Fleet, cost
from bayescale.decide.curves import TrainingCurve, load_curves
from bayescale.decide.design import Choice, Design
from bayescale.decide.designing import design
from bayescale.decide.entropic import Entropic, Tail, require_moment
from bayescale.decide.extrapolation import Extrapolation, extrapolation
from bayescale.decide.final_loss import FinalLoss
from bayescale.decide.gaps import Gap, conditional, gap_of, predict_gap
from bayescale.decide.hardware import Grid, Hardware, get_hardware, grid_table, hardware_table
from bayescale.decide.information import Worth, evpi, evppi
from bayescale.decide.isoflop import IsoFlop
from bayescale.decide.lifetime import LifetimeOptimum, cheapest_lifetime, lifetime_optimum
from bayescale.decide.monitor import assess, monitor
from bayescale.decide.monitored import Monitored, RunStatus
from bayescale.decide.pilot_file import PilotFile, load_pilots
from bayescale.decide.pilots import Pilot
from bayescale.decide.plan import Plan, Recommendation
from bayescale.decide.plan_file import load_plan
from bayescale.decide.planning import plan
from bayescale.decide.preregistration import Part, RunForecast
from bayescale.decide.problem import BudgetTable, Problem, load_problem
from bayescale.decide.rates import Cost, Rates
from bayescale.decide.regret import ExpectedRegret, MinimaxRegret, WorstCase
from bayescale.decide.risk import CVaR, Expectation, PMiss, Quantile, Risk, parse_risk
from bayescale.decide.sampling_information import SampleWorth, evsi
from bayescale.decide.scoring import Score, load_ledger, record, score_plan
from bayescale.decide.stakes import UncertainBudget
from bayescale.decide.units import Amount, Days, Emissions, Energy, Flop, Hours, Money

__all__ = [
    "LEAST_FLOP",
    "MOST_FLOP",
    "Amount",
    "Budget",
    "BudgetTable",
    "CVaR",
    "Cheapest",
    "Choice",
    "Cost",
    "Costing",
    "Days",
    "Design",
    "Emissions",
    "Energy",
    "Entropic",
    "Expectation",
    "ExpectedRegret",
    "Extrapolation",
    "FinalLoss",
    "Fleet",
    "Flop",
    "Gap",
    "Grid",
    "Hardware",
    "Hours",
    "IsoFlop",
    "LifetimeOptimum",
    "MinimaxRegret",
    "Money",
    "Monitored",
    "PMiss",
    "Part",
    "Pilot",
    "PilotFile",
    "Plan",
    "Problem",
    "Quantile",
    "Rates",
    "Recommendation",
    "Risk",
    "RunForecast",
    "RunStatus",
    "SampleWorth",
    "Score",
    "Tail",
    "TrainingCurve",
    "UncertainBudget",
    "WorstCase",
    "Worth",
    "assess",
    "budget_frontier",
    "cheapest",
    "cheapest_lifetime",
    "conditional",
    "cost",
    "design",
    "evpi",
    "evppi",
    "evsi",
    "extrapolation",
    "gap_of",
    "get_hardware",
    "grid_table",
    "hardware_table",
    "lifetime_optimum",
    "load_curves",
    "load_ledger",
    "load_pilots",
    "load_plan",
    "load_problem",
    "monitor",
    "parse_risk",
    "plan",
    "predict_gap",
    "record",
    "require_moment",
    "score_plan",
]
