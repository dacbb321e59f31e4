"""A saved fit is loaded, forecast from, planned with and drawn without PyMC ever being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers import make_fit, make_runs

SCRIPT = """
import sys
import bayescale as bs

fit = bs.load_fit(sys.argv[1])
forecast = bs.predict(fit, compute=[1e21, 1e23], architecture=["a", bs.New("q")])
made = bs.plan(fit, bs.Budget(compute=1e23), architecture="a", target_loss=2.0)
assert made.recommendations and str(forecast) and str(made) and str(fit.summary())
for figure in (
    bs.plot.posterior(fit),
    bs.plot.curve(fit, architecture="a"),
    bs.plot.frontier(made),
):
    figure.savefig(sys.argv[2])
print(*sorted({m.split(".")[0] for m in sys.modules} & {"pymc", "pytensor", "nutpie", "numba"}))
"""


def test_load_predict_plan_and_plot_without_a_sampler(tmp_path: Path) -> None:
    path = make_fit(runs=make_runs(("a", "b")), draws=60).save(tmp_path / "fit.nc")
    figure = tmp_path / "figure.pdf"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(figure)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert figure.stat().st_size > 0
