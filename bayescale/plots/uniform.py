"""One panel: the ECDF of values that should be uniform, less what it should be, in its simultaneous band."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from bayescale.checks import Uniformity
from bayescale.plots.style import BEYOND, GREY, INK, PALETTE

BAND_EDGE = "#C4C4C4"


def difference(found: Uniformity) -> xr.Dataset:
    """ECDF less the uniform's and the band's edges likewise, over dim ``step``; with ``at``, ``p`` and ``inside``."""
    expected = found.at
    inside = (found.ecdf >= found.lower) & (found.ecdf <= found.upper)
    return xr.Dataset(
        {
            "at": ("step", expected),
            "ecdf": ("step", found.ecdf - expected),
            "lower": ("step", found.lower - expected),
            "upper": ("step", found.upper - expected),
            "p": found.p,
            "inside": bool(inside.all()),
        }
    )


def uniform_panel(axes: Axes, numbers: xr.Dataset, title: str) -> None:
    """Draw what :func:`difference` gives; an ECDF that leaves its band is drawn in colour."""
    at = numbers["at"].to_numpy()
    low, high = numbers["lower"].to_numpy(), numbers["upper"].to_numpy()
    axes.fill_between(at, low, high, facecolor=BEYOND, edgecolor=BAND_EDGE, lw=0.5, zorder=0)
    axes.axhline(0.0, color=GREY, lw=0.6, zorder=1)
    shade = INK if bool(numbers["inside"]) else PALETTE[1]
    axes.step(at, numbers["ecdf"].to_numpy(), where="post", color=shade, lw=1.0)
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.set_title(title, pad=3)
