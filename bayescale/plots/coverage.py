"""pass@k against the number of samples: posterior bands, what was counted, and where a majority vote levels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayescale.errors import ForecastError
from bayescale.plots.style import GREY, INK, PALETTE, Width, new_figure, style
from bayescale.posterior import PROBS, Coverage

POINTS = 41
VOTES = (1, 3, 7, 15, 31, 63, 127)


def coverage_numbers(coverage: Coverage, most: float = 1e4) -> xr.Dataset:
    """What :func:`coverage` draws.

    Parameters
    ----------
    coverage : Coverage
        A posterior.
    most : float
        Largest k.

    Returns
    -------
    Dataset
        ``pass_at_k`` (k, prob) of a new problem, ``majority`` (votes, prob), ``limit, never`` (prob), and what was
        counted, ``seen`` (seen_k).
    """
    if not isinstance(coverage, Coverage):
        raise ForecastError(
            f"plot.coverage draws a coverage, not a {type(coverage).__name__}: fit one, bs.fit_coverage(counts)"
        )
    if not most > 1:
        raise ForecastError(f"most = {most:g} samples (expected more than one)")
    k = np.geomspace(1.0, most, POINTS)
    votes = [v for v in VOTES if v <= most]
    observed = coverage.observed
    return xr.Dataset(
        {
            "pass_at_k": (("k", "prob"), np.quantile(coverage.pass_at_k(k), PROBS, axis=0).T),
            "majority": (
                ("votes", "prob"),
                [np.quantile(coverage.majority(v), PROBS) for v in votes],
            ),
            "limit": ("prob", np.quantile(coverage.majority_limit, PROBS)),
            "never": ("prob", np.quantile(coverage.draws["unsolvable"], PROBS)),
            "seen": ("seen_k", observed["pass_at_k"].to_numpy()),
        },
        coords={"k": k, "votes": votes, "seen_k": observed["k"].to_numpy(), "prob": list(PROBS)},
        attrs={"name": coverage.name},
    )


def coverage(
    coverage: Coverage | xr.Dataset, *, most: float = 1e4, width: Width = "column"
) -> Figure:
    """Draw pass@k of new problems with 50 % and 90 % bands, beside what was counted and a majority vote.

    Parameters
    ----------
    coverage : Coverage or Dataset
        A posterior, or :func:`coverage_numbers` of one.
    most : float
        Largest k.
    width : {"column", "text"}
        Of the page.
    """
    numbers = coverage if isinstance(coverage, xr.Dataset) else coverage_numbers(coverage, most)
    with style():
        figure = new_figure(width, 2.3)
        axes = figure.subplots()
        x, found = numbers["k"].to_numpy(), numbers["pass_at_k"].to_numpy().T
        for low, high, alpha in ((0, 4, 0.25), (1, 3, 0.4)):
            axes.fill_between(x, found[low], found[high], color=PALETTE[0], alpha=alpha, lw=0)
        axes.plot(x, found[2], color=PALETTE[0], lw=1.0, label="pass@k of a new problem")
        votes = numbers["majority"].to_numpy().T
        axes.plot(numbers["votes"], votes[2], color=PALETTE[1], lw=1.0, label="majority of k votes")
        axes.fill_between(numbers["votes"], votes[0], votes[4], color=PALETTE[1], alpha=0.2, lw=0)
        axes.axhline(float(numbers["limit"][2]), color=PALETTE[1], lw=0.6, ls=(0, (3, 2)))
        top = 1.0 - numbers["never"].to_numpy()
        axes.axhspan(top[4], top[0], facecolor="none", edgecolor=GREY, hatch="/////", lw=0)
        axes.plot(numbers["seen_k"], numbers["seen"], ".", color=INK, ms=4, label="counted")
        axes.set(xscale="log", xlabel="samples $k$", ylabel="share of problems solved")
        axes.set_ylim(None, 1.0)
        axes.legend(loc="lower right")
        return figure
