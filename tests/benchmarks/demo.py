"""How long ``bayescale demo`` takes where nothing has been compiled yet: under 90 s on two cores, compilation included.

Run it with ``python3 -m uv run python tests/benchmarks/demo.py``. A fresh process with empty caches of PyTensor, numba
and Matplotlib prints when each stage began; a second one, over the caches that the first left, is the warm time.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 90.0  # seconds, of the cold run
_STAGES = """
import sys, time
from pathlib import Path
start, last = time.perf_counter(), None
from bayescale.workflow.demo import demo
def report(stage, fraction):
    global last
    if stage != last:
        print(f"  {time.perf_counter() - start:5.1f} s  {stage}", flush=True)
        last = stage
demo(Path(sys.argv[1]), report=report)
"""


def demo(caches: Path) -> float:
    """Wall time of one fresh process whose caches lie in a folder."""
    apart = {
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "MPLCONFIGDIR": str(caches / "matplotlib"),
    }
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _STAGES, folder]
        subprocess.run(command, check=True, env=os.environ | apart)
    return time.perf_counter() - start


def main() -> int:
    """Print both times, stage by stage; 1 if the cold one is over the limit."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as caches:
        print("cold", flush=True)
        cold = demo(Path(caches))
        print("warm", flush=True)
        warm = demo(Path(caches))
    print(
        f"cold {cold:.0f} s (limit {LIMIT:.0f} s), warm {warm:.0f} s: {os.cpu_count()} cores, {platform.machine()}"
    )
    return int(cold >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
