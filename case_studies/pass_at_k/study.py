"""How far do 32 samples of a problem tell what 128 solve? Coverage of MATH-500, fitted to a quarter of the samples.

Run ``python3 -m uv run python case_studies/pass_at_k/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; posteriors are kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special

import bayescale as bs
from bayescale import plots
from bayescale.files import written_beside
from bayescale.posterior import Coverage

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from recorded import fill

HERE = Path(__file__).parent
SEED = 20261202
SHA256 = "a4891165623b34106ab784752fc49974b843b58a9a544acd7fbd4242a572800d"
FEWER = 32
KS = (1, 8, 32, 64, 128)


def table(folder: Path) -> pd.DataFrame:
    """Counts of the base model on all 500 problems."""
    path = folder / "passk_math500" / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    frame = pd.read_csv(path)
    return frame[frame["model"].str.endswith("-base")].reset_index(drop=True)


def quarter(frame: pd.DataFrame) -> pd.DataFrame:
    """The same problems with 32 of their samples, drawn without replacement."""
    rng = np.random.default_rng(SEED)
    n, c = frame["samples"].to_numpy(), frame["correct"].to_numpy()
    return pd.DataFrame({"samples": FEWER, "correct": rng.hypergeometric(c, n - c, FEWER)})


def plain(counts: pd.DataFrame) -> np.ndarray:
    """pass@k at ``KS`` of one Beta-Binomial, by maximum likelihood: what is usually fitted."""
    n, c = counts["samples"].to_numpy(), counts["correct"].to_numpy()

    def loss(log_ab: np.ndarray) -> float:
        a, b = np.exp(log_ab)
        return -float((special.betaln(a + c, b + n - c) - special.betaln(a, b)).sum())

    a, b = np.exp(optimize.minimize(loss, np.zeros(2), method="Nelder-Mead").x)
    return np.asarray(1.0 - np.exp(special.betaln(a, b + np.array(KS)) - special.betaln(a, b)))


def posterior(kept: Path, name: str, counts: pd.DataFrame) -> Coverage:
    """A coverage, from the folder if it is there."""
    path = kept / f"{name}.json"
    if not path.exists():
        bs.fit_coverage(
            counts, chains=2, draws=5000, seed=SEED, cores=1, progress=False, name=name
        ).save(path)
    return bs.load_coverage(path)


def markdown(found: list[dict[str, Any]]) -> str:
    """The table of the README."""
    head = [
        "k",
        "counted with 128",
        "mixture, from 32: these problems",
        "new problems",
        "one Beta-Binomial",
    ]
    lines = ["| " + " | ".join(head) + " |", "| ---: |" * 1 + " ---: |" * (len(head) - 1)]
    for row in found:
        cells = [f"{row['k']}", f"{row['counted']:.3f}"]
        for who in ("these", "new"):
            low, median, high = row[who]
            cells.append(f"{median:.3f} [{low:.3f}, {high:.3f}]")
        lines.append("| " + " | ".join([*cells, f"{row['plain']:.3f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Command line of the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("pass-at-k-fits"))
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    every = table(Path(os.environ["BAYESCALE_DATA"]))
    some = quarter(every)
    few, whole = (posterior(options.folder, n, c) for n, c in (("few", some), ("all", every)))
    at, usual = few.of_these(KS), plain(some)
    counted = whole.observed.set_index("k")["pass_at_k"]
    rows = [
        {
            "k": k,
            "counted": round(float(counted[k]), 4),
            "these": np.quantile(at[:, i], [0.05, 0.5, 0.95]).round(4).tolist(),
            "new": np.quantile(few.pass_at_k(k), [0.05, 0.5, 0.95]).round(4).tolist(),
            "plain": round(float(usual[i]), 4),
        }
        for i, k in enumerate(KS)
    ]
    found = {
        "rows": rows,
        "never": np.quantile(whole.draws["unsolvable"], [0.05, 0.5, 0.95]).round(4).tolist(),
        "majority": np.quantile(whole.majority_limit, [0.05, 0.5, 0.95]).round(4).tolist(),
        "converged": few.converged and whole.converged,
    }
    with written_beside(HERE / "expected.json") as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fill(HERE / "README.md", {"results": markdown(rows)})
    for path in plots.save(plots.coverage(whole), HERE / "coverage.pdf"):
        print(path)


if __name__ == "__main__":
    main()
