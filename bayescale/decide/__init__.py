"""Decisions from draws: costs, budgets, risk measures and plans; knows neither PyMC nor how draws were made."""

from bayescale.decide.costs.budget import LEAST_FLOP, MOST_FLOP, Budget
from bayescale.decide.costs.costing import Costing, Fleet, cost
from bayescale.decide.costs.hardware import Grid, Hardware, get_hardware, grid_table, hardware_table
from bayescale.decide.costs.rates import Cost, Rates
from bayescale.decide.costs.units import Amount, Days, Emissions, Energy, Flop, Hours, Money
from bayescale.decide.information.design import Choice, Design
from bayescale.decide.information.designing import design
from bayescale.decide.information.perfect import Worth, evpi, evppi
from bayescale.decide.information.pilot_file import PilotFile, load_pilots
from bayescale.decide.information.pilots import Pilot
from bayescale.decide.information.sample import SampleWorth, evsi
from bayescale.decide.monitoring.curves import TrainingCurve, load_curves
from bayescale.decide.monitoring.final_loss import FinalLoss
from bayescale.decide.monitoring.gaps import Gap, conditional, gap_of, predict_gap
from bayescale.decide.monitoring.monitor import assess, monitor
from bayescale.decide.monitoring.monitored import Monitored, RunStatus
from bayescale.decide.monitoring.scoring import Score, load_ledger, record, score_plan
from bayescale.decide.plans.budget_frontier import budget_frontier
from bayescale.decide.plans.cheapest import Cheapest, cheapest
from bayescale.decide.plans.constraints import Constraints, Infeasible
from bayescale.decide.plans.crossing import Crossing
from bayescale.decide.plans.evaluation import evaluate
from bayescale.decide.plans.extrapolation import Extrapolation, extrapolation
from bayescale.decide.plans.isoflop import IsoFlop
from bayescale.decide.plans.judging import Preferred
from bayescale.decide.plans.lifetime import LifetimeOptimum, cheapest_lifetime, lifetime_optimum
from bayescale.decide.plans.needed import Needed
from bayescale.decide.plans.needing import needed
from bayescale.decide.plans.pareto import pareto, pareto_set
from bayescale.decide.plans.plan import Plan, Recommendation
from bayescale.decide.plans.plan_file import load_plan
from bayescale.decide.plans.planning import plan
from bayescale.decide.plans.preregistration import Part, RunForecast
from bayescale.decide.plans.problem import Problem, load_problem
from bayescale.decide.plans.sampling import sampling_optimum
from bayescale.decide.plans.scaled import Scaled
from bayescale.decide.plans.scaling_up import scale_up
from bayescale.decide.plans.selecting import select
from bayescale.decide.plans.selection import Selection
from bayescale.decide.plans.stopping import Stopping, stopping
from bayescale.decide.plans.tables import BudgetTable
from bayescale.decide.plans.tuning import Tuning, tuning
from bayescale.decide.plans.values import ByAccuracy, IfReached, PerNat, Value
from bayescale.decide.risks.entropic import Entropic, Tail, require_moment
from bayescale.decide.risks.parsing import RISK_NAMES, parse_risk
from bayescale.decide.risks.regret import ExpectedRegret, MinimaxRegret, WorstCase
from bayescale.decide.risks.risk import CVaR, Expectation, PMiss, Quantile, Risk
from bayescale.decide.risks.waste import Waste

__all__ = [
    "LEAST_FLOP",
    "MOST_FLOP",
    "RISK_NAMES",
    "Amount",
    "Budget",
    "BudgetTable",
    "ByAccuracy",
    "CVaR",
    "Cheapest",
    "Choice",
    "Constraints",
    "Cost",
    "Costing",
    "Crossing",
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
    "IfReached",
    "Infeasible",
    "IsoFlop",
    "LifetimeOptimum",
    "MinimaxRegret",
    "Money",
    "Monitored",
    "Needed",
    "PMiss",
    "Part",
    "PerNat",
    "Pilot",
    "PilotFile",
    "Plan",
    "Preferred",
    "Problem",
    "Quantile",
    "Rates",
    "Recommendation",
    "Risk",
    "RunForecast",
    "RunStatus",
    "SampleWorth",
    "Scaled",
    "Score",
    "Selection",
    "Stopping",
    "Tail",
    "TrainingCurve",
    "Tuning",
    "Value",
    "Waste",
    "WorstCase",
    "Worth",
    "assess",
    "budget_frontier",
    "cheapest",
    "cheapest_lifetime",
    "conditional",
    "cost",
    "design",
    "evaluate",
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
    "needed",
    "pareto",
    "pareto_set",
    "parse_risk",
    "plan",
    "predict_gap",
    "record",
    "require_moment",
    "sampling_optimum",
    "scale_up",
    "score_plan",
    "select",
    "stopping",
    "tuning",
]
