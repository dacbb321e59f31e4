"""A model before any data: fans of its prior, single curves drawn from it, and the floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.checks import REFERENCE, prior_curves
from bayescale.plots.paths import count
from bayescale.plots.style import (
    AXIS,
    FLOOR,
    GREY,
    INK,
    PALETTE,
    PRIOR_GREYS,
    Handle,
    Width,
    foot,
    given_axes,
    loss_axis,
    new_figure,
    power,
    scale_axis,
    style,
)
from bayescale.spec import ModelSpec
from bayescale.zoo import load_model

_GUESS = float(np.log(50257))  # nats a token of a uniform guess over the vocabulary of GPT-2
_SYMBOL = {"params": "$N$", "tokens": "$D$", "compute": "$C$", "upstream_loss": "$\\ell$"}


def prior(
    model: str | ModelSpec,
    *,
    width: Width = "text",
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw what a model expects of a new family before any of its runs are seen, one panel an input.

    Bands hold 50 and 90 % of the prior's expected loss; thin lines are single draws, each one curve of a family; the
    hatched band is the floor's 90 % interval. The other inputs stay at the reference run.

    Parameters
    ----------
    model : str or ModelSpec
        A model that comes with the package, by its name, or one that was read.
    width : {"text", "column"}
        Panels side by side, or one above the other; ignored with ``axes``.
    axes : Axes or sequence of Axes, optional
        Where to draw, one an input; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = prior_curves(load_model(model) if isinstance(model, str) else model)
    inputs = [str(axis) for axis in numbers["axis"].values]
    with style():
        if axes is None:
            across = width == "text"
            figure = new_figure(width, 2.2 if across else 1.7 * len(inputs))
            shape = (1, len(inputs)) if across else (len(inputs), 1)
            panels = list(figure.subplots(*shape, sharey=True, squeeze=False).flat)
            said = f"Prior of {numbers.attrs['model']}, a new family; drift included, noise not."
            foot(figure, _legend(numbers), 5 if across else 2, said)
        else:
            figure, panels = given_axes(axes, len(inputs))
        for panel, axis in zip(panels, inputs, strict=True):
            _panel(panel, numbers.sel(axis=axis), [a for a in inputs if a != axis])
        for panel in panels if width == "column" else panels[:1]:
            panel.set_ylabel(f"loss ({numbers.attrs['unit']})")
    return figure


def _panel(axes: Axes, one: xr.Dataset, others: Sequence[str]) -> None:
    axis, x, loss = str(one["axis"].item()), one["x"].to_numpy(), one["loss"].to_numpy()
    low, *_, high = one["floor"].to_numpy()
    if high > 0:
        axes.axhspan(low, high, facecolor="none", edgecolor=FLOOR, hatch="/////", lw=0)
    for (bottom, top), grey in zip(((0, 4), (1, 3)), PRIOR_GREYS, strict=True):
        axes.fill_between(x, loss[bottom], loss[top], color=grey, lw=0)
    axes.plot(x, one["path"].to_numpy().T, color=PALETTE[0], lw=0.5, alpha=0.7)
    axes.plot(x, loss[2], color=INK, lw=1.1)
    if _per_token(one):
        axes.axhline(_GUESS, color=GREY, lw=0.7, ls=(0, (3, 2)))
    axes.set_xscale("log")
    axes.set_xlim(x[0], x[-1])
    least = min(low if low > 0 else loss[0].min(), loss[0].min())
    loss_axis(axes, 0.9 * least, min(1.05 * loss[-1].max(), 1.3 * _GUESS))
    scale_axis(axes.xaxis, axis)
    axes.set_xlabel(AXIS[axis])
    at = [_SYMBOL[a] + " = " + (power if a == "compute" else count)(REFERENCE[a]) for a in others]
    axes.text(0.97, 0.95, ", ".join(at), transform=axes.transAxes, ha="right", va="top", fontsize=6)


def _per_token(numbers: xr.Dataset) -> bool:
    return str(numbers.attrs["unit"]) == "nats/token"


def _legend(numbers: xr.Dataset) -> dict[str, Handle]:
    entries: dict[str, Handle] = {
        "median": Line2D([], [], color=INK, lw=1.1),
        "50/90 % of the prior": tuple(Patch(color=grey, lw=0) for grey in PRIOR_GREYS[::-1]),
        "single draws": Line2D([], [], color=PALETTE[0], lw=0.5),
    }
    if float(numbers["floor"][-1]) > 0:
        hatched = Patch(facecolor="none", edgecolor=FLOOR, hatch="/////", lw=0)
        entries["floor $L_\\infty$, 90 %"] = hatched
    if _per_token(numbers):
        guess = Line2D([], [], color=GREY, lw=0.7, ls=(0, (3, 2)))
        entries["uniform guess, ln 50257"] = guess
    return entries
