"""Where both branches meet: fitting, and everything that needs a sampler and a posterior together."""

from bayescale.workflow.backtesting import backtest
from bayescale.workflow.covering import fit_coverage
from bayescale.workflow.fitting import fit
from bayescale.workflow.simulating import sbc

__all__ = ["backtest", "fit", "fit_coverage", "sbc"]
