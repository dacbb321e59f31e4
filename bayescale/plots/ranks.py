"""Ranks of simulated truths: one ECDF a quantity, in the band that a right model stays in."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.checks import SBC
from bayescale.plots.style import BEYOND, INK, PALETTE, Width, foot, given_axes, new_figure, style
from bayescale.plots.uniform import BAND_EDGE, difference, uniform_panel
from bayescale.wording import counted


def ranks_numbers(result: SBC) -> xr.Dataset:
    """What :func:`ranks` draws: :func:`bayescale.plots.uniform.difference` of every quantity, over dim ``quantity``."""
    names = [str(n) for n in result.ranks]
    parts = [difference(result.uniformity(name)) for name in names]
    verdicts = result.verdicts().set_index("quantity").loc[names]
    numbers = xr.concat(parts, "quantity").assign_coords(quantity=names)
    return numbers.assign(passed=("quantity", verdicts["passed"].to_numpy(bool)))


def ranks(
    result: SBC, *, width: Width = "text", axes: Axes | Sequence[Axes] | None = None
) -> Figure:
    """Draw the ranks of simulation-based calibration, one panel a quantity.

    Parameters
    ----------
    result : SBC
        From :func:`bayescale.sbc`.
    width : {"text", "column"}
        6.8 inches with five panels a row, or 3.3 with two; ignored with ``axes``.
    axes : sequence of Axes, optional
        Where to draw, one a quantity; the legend is then the caller's.

    Returns
    -------
    Figure
    """
    numbers = ranks_numbers(result)
    count = numbers.sizes["quantity"]
    with style():
        if axes is None:
            columns = min(count, 5 if width == "text" else 2)
            rows = -(-count // columns)
            figure = new_figure(width, 1.15 * rows + 0.3)
            grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
            panels = list(grid.flat[:count])
            for spare in grid.flat[count:]:
                spare.set_visible(False)
            for row in grid:
                row[0].set_ylabel("ECDF − uniform")
            foot(figure, LEGEND, 3, _note(result))
        else:
            figure, panels = given_axes(axes, count)
        for i, panel in enumerate(panels):
            one = numbers.isel(quantity=i)
            failed = "" if bool(one["passed"]) else " (fails)"
            uniform_panel(panel, one, f"{one['quantity'].item()}{failed}")
    return figure


LEGEND = {
    "within its band": Line2D([], [], color=INK, lw=1.0),
    "leaves it": Line2D([], [], color=PALETTE[1], lw=1.0),
    "95 % of uniform samples stay within": Patch(facecolor=BEYOND, edgecolor=BAND_EDGE, lw=0.5),
}


def _note(result: SBC) -> str:
    said = f"{counted(len(result.records), 'simulation')} of {result.problem['model']}."
    return f"{said} Each band is of one quantity; (fails): p < .05 after Holm over all."
