"""The commands by name; each does its heavy imports when it is called, so that `--help` answers at once."""

from __future__ import annotations

from cyclopts import App, Parameter

from bayescale.cli.backtesting import backtest
from bayescale.cli.chaining import chain
from bayescale.cli.cheapest import cheapest
from bayescale.cli.checking import check
from bayescale.cli.comparing import compare
from bayescale.cli.costing import cost, list_hardware
from bayescale.cli.covering import coverage, sampling
from bayescale.cli.demo import demo
from bayescale.cli.designing import design
from bayescale.cli.fitting import fit
from bayescale.cli.forecasting import predict
from bayescale.cli.lifetime import lifetime
from bayescale.cli.listing import (
    copy_model_file,
    list_data,
    list_models,
    show_data,
    show_model,
)
from bayescale.cli.monitoring import monitor
from bayescale.cli.needed import needed
from bayescale.cli.pareto import pareto
from bayescale.cli.planning import plan
from bayescale.cli.plotting import plot
from bayescale.cli.scaling import scale_up
from bayescale.cli.scoring import score
from bayescale.cli.selecting import select
from bayescale.cli.simulating import sbc
from bayescale.cli.stopping import stopping
from bayescale.cli.suggesting import suggest
from bayescale.cli.tuning import tuning


def _version() -> str:
    import bayescale

    return bayescale.__version__


app = App(
    name="bayescale",
    help="Bayesian scaling laws: from a table of runs to a posterior, a forecast and a decision.",
    help_format="plaintext",
    version=_version,
    default_parameter=Parameter(negative=()),
    # Ctrl-C is turned into an exit code with all other endings, in bayescale.cli.run.
    suppress_keyboard_interrupt=False,
)

models = App(name="models", help="List the models that come with the package, show or copy one.")
models.default(list_models)
models.command(show_model, name="show")
models.command(copy_model_file, name="copy")

data = App(name="data", help="List the published data sets, or describe a table of runs.")
data.default(list_data)
data.command(show_data, name="show")

app.command(demo, name="demo")
app.command(models)
app.command(data)
app.command(suggest, name="suggest")
app.command(fit, name="fit")
app.command(check, name="check")
app.command(sbc, name="sbc")
app.command(backtest, name="backtest")
app.command(compare, name="compare")
app.command(chain, name="chain")
app.command(predict, name="predict")
app.command(plan, name="plan")
app.command(select, name="select")
app.command(cheapest, name="cheapest")
app.command(needed, name="needed")
app.command(scale_up, name="scale-up")
app.command(stopping, name="stopping")
app.command(pareto, name="pareto")
app.command(lifetime, name="lifetime")
app.command(coverage, name="coverage")
app.command(sampling, name="sampling")
app.command(tuning, name="tuning")
app.command(score, name="score")
app.command(monitor, name="monitor")
app.command(design, name="design")
app.command(cost, name="cost")
app.command(list_hardware, name="hardware")
app.command(plot, name="plot")
