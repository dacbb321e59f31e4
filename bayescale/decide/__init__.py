"""Decisions from draws: budgets, risk measures and plans; knows neither PyMC nor how draws were made."""

from bayescale.decide.budget import PEAK_BF16_FLOP_PER_SECOND, Budget
from bayescale.decide.isoflop import IsoFlop
from bayescale.decide.plan import Plan, Recommendation
from bayescale.decide.planning import plan
from bayescale.decide.risk import CVaR, Expectation, Quantile, Risk, parse_risk

__all__ = [
    "PEAK_BF16_FLOP_PER_SECOND",
    "Budget",
    "CVaR",
    "Expectation",
    "IsoFlop",
    "Plan",
    "Quantile",
    "Recommendation",
    "Risk",
    "parse_risk",
    "plan",
]
