"""`kill -9` and Ctrl-C in the middle of a fit or a save: the previous file stays whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import make_fit, stopped

from bayescale.posterior import load_fit

KILLS = 12

# The command line, with a mark set once the model is about to be compiled, and one once the sampler has reported its
# first progress.
FIT_FOREVER = """
import pathlib, sys
import bayescale.sample as sample
compile_model, draw = sample.compile_model, sample.draw
def begun(model):
    pathlib.Path('compiling').touch()
    return compile_model(model)
def marked(compiled, *, progress, **options):
    def report(*state):
        pathlib.Path('sampling').touch()
        progress(*state)
    return draw(compiled, progress=report, **options)
sample.compile_model, sample.draw = begun, marked
from bayescale.cli import main
sys.argv = ['bayescale', 'fit', 'runs.csv', '--model', 'compute', '--draws', '3000000',
            '-o', 'fit.nc', '--force']
main()
"""

# Children of one process save two fits in turn and are killed at random moments; a survivor is read each time.
SAVE_FOREVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from bayescale.posterior import load_fit
folder, kills = Path(sys.argv[1]), int(sys.argv[2])
fits = [load_fit(folder / 'one.nc'), load_fit(folder / 'two.nc')]
target, rng, seen = folder / 'fit.nc', random.Random(0), []
start = time.perf_counter()
fits[0].save(target)
once = time.perf_counter() - start
for _ in range(kills):
    child = os.fork()
    if child == 0:
        while True:
            for fit in fits:
                fit.save(target, overwrite=True)
    time.sleep(rng.uniform(0.5, 3.0) * once)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    read = load_fit(target)
    whole = [fit for fit in fits if fit.seed == read.seed]
    assert len(whole) == 1 and read.posterior.identical(whole[0].posterior), 'not what was saved'
    seen.append(read.seed)
print(json.dumps(seen))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a fit that somebody has made, and a table to fit anew."""
    make_fit(draws=100, seed=7).save(tmp_path / "fit.nc")
    compute = np.geomspace(1e17, 1e21, 30)
    rows = "".join(f"{c:.6g},{1.7 + 45 * c**-0.1:.6f}\n" for c in compute)
    (tmp_path / "runs.csv").write_text(f"compute,loss\n{rows}")
    return tmp_path


def test_killed_in_the_middle_of_a_fit(place: Path) -> None:
    before = (place / "fit.nc").read_bytes()
    done = stopped(FIT_FOREVER, place, "compiling", signal.SIGKILL)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert (place / "fit.nc").read_bytes() == before
    assert load_fit(place / "fit.nc").seed == 7


def test_ctrl_c_while_sampling(place: Path) -> None:
    """The sampler itself takes Ctrl-C as a wish for the draws made so far; they must not become a fit."""
    before = (place / "fit.nc").read_bytes()
    done = stopped(FIT_FOREVER, place, "sampling", signal.SIGINT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "bayescale: interrupted\n")
    assert (place / "fit.nc").read_bytes() == before
    assert {p.name for p in place.iterdir()} == {"fit.nc", "runs.csv", "compiling", "sampling"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="NOT CHECKED: no fork on this system")
def test_killed_in_the_middle_of_a_save(tmp_path: Path) -> None:
    make_fit(draws=4000, seed=1).save(tmp_path / "one.nc")
    make_fit(draws=4000, seed=2).save(tmp_path / "two.nc")
    done = subprocess.run(
        [sys.executable, "-c", SAVE_FOREVER, str(tmp_path), str(KILLS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == KILLS
    torn = [p for p in tmp_path.iterdir() if p.name not in ("one.nc", "two.nc", "fit.nc")]
    assert torn, "no kill fell into a save: the test tested nothing"
    assert all(p.name.startswith(".") for p in torn), "half a file shows under a plain name"
