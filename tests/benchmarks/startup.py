"""How long ``bayescale --help`` takes: the median of fresh processes must stay under half a second.

Run it with ``python3 -m uv run python tests/benchmarks/startup.py``. CI checks which modules are
imported instead (``tests/test_public_api.py``): that does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LIMIT = 0.5  # seconds: above it a command line feels slow


def seconds(command: Sequence[str]) -> float:
    """Wall time of one run of ``command`` in a fresh process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def help_command() -> list[str]:
    """``bayescale --help`` by the installed script, or by module in a tree not installed."""
    script = shutil.which("bayescale", path=str(Path(sys.executable).parent))
    return [script, "--help"] if script else [sys.executable, "-m", "bayescale.cli", "--help"]


def main() -> int:
    """Print the median, the extremes and the interpreter's own share; 1 if over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats: int = parser.parse_args().repeats
    command = help_command()
    seconds(command)  # the first run writes the byte code
    times = [seconds(command) for _ in range(repeats)]
    bare = statistics.median(seconds([sys.executable, "-c", "pass"]) for _ in range(repeats))
    median = statistics.median(times)
    print(f"bayescale --help: median {median:.3f} s of {repeats} (limit {LIMIT} s)")
    print(f"fastest {min(times):.3f} s, slowest {max(times):.3f} s, Python alone {bare:.3f} s")
    return int(median >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
