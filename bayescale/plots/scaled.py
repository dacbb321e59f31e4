"""A network scaled up: the error of the best mix of depth, width and resolution, and of one of them alone."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescale.decide import Scaled
from bayescale.errors import PlanError
from bayescale.plots.style import INK, Width, colour, given_axes, new_figure, style

_ALONE = ("depth", "width", "resolution")


def scaled(found: Scaled, *, width: Width = "column", axes: Axes | None = None) -> Figure:
    """Draw the loss against the FLOP of a network, by what its FLOP went into.

    Black with its 90 % interval: the best mix; colours: all of it in one dimension (medians).

    Parameters
    ----------
    found : Scaled
        From :func:`bayescale.scale_up`.
    width : {"text", "column"}
        6.8 or 3.3 inches; ignored with ``axes``.
    axes : Axes, optional
        Where to draw.

    Returns
    -------
    Figure

    Raises
    ------
    PlanError
        If it is given something else.
    """
    if not isinstance(found, Scaled):
        raise PlanError(
            f"plot.scaled draws a network scaled up, not a {type(found).__name__}: "
            "make it first, scale_up(fit, ...)"
        )
    with style():
        if axes is None:
            figure = new_figure(width, 2.4)
            panel = figure.subplots()
        else:
            figure, (panel,) = given_axes(axes, 1)
        flops, loss = found.steps["flops"], found.steps["loss"]
        low, high = (loss.sel(quantile=q) for q in ("lo90", "hi90"))
        panel.fill_between(flops, low, high, color=INK, alpha=0.15, lw=0)
        panel.plot(flops, loss.sel(quantile="median"), color=INK, label="best mix")
        for i, name in enumerate(_ALONE):
            alone = found.steps[f"loss_{name}"].sel(quantile="median")
            panel.plot(flops, alone, "--", color=colour(i), label=f"{name} alone")
        panel.set(xscale="log", xlabel="FLOP of one input")
        panel.set_ylabel(f"loss ({found.problem['unit']})")
        panel.legend()
    return figure
