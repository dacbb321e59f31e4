"""`fit_coverage`: from counts of solved problems to the posterior of pass@k."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import ConvergenceError
from bayescale.posterior import Coverage, assess, diagnostics
from bayescale.runs import load_counts
from bayescale.workflow.fitting import Report, reporter


def fit_coverage(
    source: str | Path | pd.DataFrame,
    *,
    where: Mapping[str, Any] | None = None,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    seed: int = 0,
    target_accept: float = 0.9,
    progress: bool | Report = True,
    allow_unconverged: bool = False,
    name: str | None = None,
) -> Coverage:
    """Fit how often single samples solve problems, a share of which is never solved.

    Parameters
    ----------
    source : path or DataFrame
        Columns ``samples`` and ``correct``, one row a problem; see :func:`bayescale.runs.load_counts`.
    where : mapping, optional
        Column → value: only such rows.
    draws, tune, chains, cores, seed, target_accept, progress
        As in :func:`bayescale.fit`.
    allow_unconverged : bool
        Return a posterior that missed the convergence gate.
    name : str, optional
        Of the table.

    Returns
    -------
    Coverage

    Raises
    ------
    DataError, ConvergenceError
    """
    counts = load_counts(source, where)
    label = name or ("counts" if isinstance(source, pd.DataFrame) else Path(source).stem)
    with reporter(progress) as report:
        report("loading the sampler", 0.0)
        # Here and not at the top: PyMC takes seconds to import, and a wrong table should fail at once.
        from bayescale.build import build_coverage
        from bayescale.sample import compile_model, draw

        report("compiling", 0.0)
        compiled = compile_model(build_coverage(counts))
        report("sampling", 0.0)
        tree = draw(
            compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=cores,
            seed=seed,
            target_accept=target_accept,
        )
    posterior = tree["posterior"].to_dataset()
    verdict = assess(diagnostics(posterior), tree["sample_stats"].to_dataset())
    if not (verdict.passed or allow_unconverged):
        raise ConvergenceError(f"the fit {verdict}; {verdict.advice}", verdict.to_dict())
    found = {str(n): np.asarray(v).reshape(-1) for n, v in posterior.data_vars.items()}
    return Coverage(found, counts, verdict.passed, str(verdict), label)
