"""How every figure looks: column widths, a palette that survives colour blindness and grey, and readable ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend_handler import HandlerTuple
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bayescale.errors import ForecastError, unknown
from bayescale.plots.paths import count

Handle = Any  # an Artist, or a tuple of them to be drawn side by side, which matplotlib's types do not know
Width = Literal["column", "text"]
WIDTHS: dict[Width, float] = {"column": 3.3, "text": 6.8}  # inches, of a two-column page

# Okabe & Ito (2008), ordered so that neighbours differ in luminance; yellow is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
INK = "#000000"
PRIOR_GREYS = ("#EBEBEB", "#D6D6D6")  # 90 % and 50 % of the prior
GREY = "#8C8C8C"
BEYOND = "#F3F3F3"  # the background where no run has been
FLOOR = "#B0B0B0"
NOTE_POINTS = 5.5
_LONGEST, _HEAD = 32, 18  # characters of a label, and of those before what is cut out of its middle
AXIS = {
    "compute": "training compute (FLOP)",
    "params": "parameters $N$",
    "tokens": "training tokens $D$",
    "upstream_loss": "upstream loss $\\ell$",
}
SHADES = ("#66AFD9", "#2277B0", "#003A5C")  # small to large budget, light to dark

_RC: Any = {  # matplotlib's types spell out every key
    "font.family": ["DejaVu Sans"],  # shipped with matplotlib: the same figure on any machine
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.4,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "ps.fonttype": 42,
    "mathtext.fontset": "dejavusans",
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the package's style whatever the user's own settings; leaves those as they were."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        with matplotlib.rc_context(_RC):
            yield


def new_figure(width: Width, height: float) -> Figure:
    """Make a figure of a named width, its panels of a height in inches, unknown to pyplot."""
    if width not in get_args(Width):
        raise unknown("figure width", str(width), get_args(Width))
    return Figure(figsize=(WIDTHS[width], height), layout="constrained")


def colour(index: int) -> str:
    """Colour of the group at a position; twelve markers tell apart groups that share one."""
    return PALETTE[index % len(PALETTE)]


def marker(index: int) -> str:
    """Marker of the group at a position."""
    return MARKERS[index % len(MARKERS)]


def budget_axis(axes: Axes, compute: np.ndarray, fitted: Sequence[float] | np.ndarray) -> None:
    """Make the x axis one of budgets, and shade those below and above the fitted runs.

    Parameters
    ----------
    axes : Axes
        Of a figure over budgets.
    compute : ndarray
        Budgets that are drawn, rising.
    fitted : (float, float)
        Least and most compute of the fitted runs.
    """
    low, high = (float(v) for v in fitted)
    axes.set_xscale("log")
    axes.set_xlim(compute[0], compute[-1])
    for start, end in ((compute[0], min(low, compute[-1])), (max(high, compute[0]), compute[-1])):
        if start < end:
            axes.axvspan(start, end, color=BEYOND, lw=0, zorder=0)
    scale_axis(axes.xaxis, "compute")
    axes.set_xlabel("training compute $6ND$ (FLOP)")


def power(value: float) -> str:
    """A number of FLOP: 10^24, or 6 × 10^23 where it is no power of ten."""
    lead, exponent = f"{value:.1e}".split("e")
    head = "" if lead == "1.0" else rf"{float(lead):g}\times "
    return f"${head}10^{{{int(exponent)}}}$"


def scale_axis(axis: Axis, kind: str) -> None:
    """Log axis with ticks at decades: 10^21 for compute, 1B and 10T for counts, all decades or every second.

    Parameters
    ----------
    axis : matplotlib Axis
        ``axes.xaxis`` or ``axes.yaxis``; its limits must be set.
    kind : {"compute", "params", "tokens"}
        What is on it.
    """
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(10.0, numticks=6 if high / low > 1e3 else 9))
    axis.set_minor_locator(LogLocator(10.0, subs=range(2, 10), numticks=99))
    axis.set_major_formatter(
        FuncFormatter(lambda v, _: power(v) if kind == "compute" else count(v))
    )
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def loss_axis(axes: Axes, low: float, high: float) -> None:
    """Log loss axis between two limits, with plain round numbers for ticks."""
    axes.set_yscale("log")
    if high / low > 6.0:
        axes.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0), numticks=12))
    else:
        # Evenly spaced values read better than 1, 2, 5 where less than a decade is shown.
        ticks = [t for t in MaxNLocator(6).tick_values(low, high) if low <= t <= high]
        axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.set_ylim(low, high)


def named(label: str) -> str:
    """A family's or run's own label as a figure can hold it: both ends of a long one, and no dollar taken for maths."""
    short = label if len(label) <= _LONGEST else f"{label[:_HEAD]}…{label[_HEAD + 1 - _LONGEST :]}"
    return " ".join(short.split()).replace("$", r"\$")


def given_axes(axes: Axes | Sequence[Axes], needed: int) -> tuple[Figure, list[Axes]]:
    """The caller's axes as a list, if there are as many as panels, and the figure they are in; one may come bare."""
    given = [axes] if isinstance(axes, Axes) else list(axes)
    if len(given) != needed:
        said = f"{len(given)} axes were given" if len(given) != 1 else "1 Axes was given"
        raise ForecastError(f"{said} for {needed} panels")
    figure = given[0].get_figure(root=True)
    if figure is None:
        raise ForecastError("the axes belong to no figure")
    return figure, given


def pair(
    axes: Sequence[Axes] | None,
    width: Width,
    heights: tuple[float, float],
    entries: Mapping[str, Handle],
    columns: int,
    note: str,
) -> tuple[Figure, list[Axes]]:
    """Two panels: the caller's own, or a new figure's, side by side in a text's width, else one above the other.

    Parameters
    ----------
    axes : two Axes or None
        The caller's; the legend is then the caller's too.
    width : {"text", "column"}
        As in :func:`new_figure`.
    heights : tuple of float
        Inches of a new figure, side by side and one above the other.
    entries, columns, note
        As in :func:`foot`; two columns in a column's width.
    """
    if axes is not None:
        return given_axes(axes, 2)
    across = width == "text"
    figure = new_figure(width, heights[0] if across else heights[1])
    panels = list(figure.subplots(*((1, 2) if across else (2, 1))).flat)
    foot(figure, entries, columns if across else 2, note)
    return figure, panels


def foot(figure: Figure, entries: Mapping[str, Handle], columns: int, note: str) -> None:
    """Lengthen a figure by a legend below the panels and, below that, a note in small print.

    Parameters
    ----------
    figure : Figure
        From :func:`new_figure`.
    entries : mapping
        Label → handle; a tuple of handles is drawn side by side.
    columns : int
        Of the legend.
    note : str
        What every reader must know of the intervals.
    """
    width, height = figure.get_size_inches()
    rows = -(-len(entries) // columns)
    note_height, legend_height = 9.5 / 72.0, (rows * 10.5 + 2.0) / 72.0
    total = height + note_height + legend_height
    figure.set_size_inches(width, total)
    low = (note_height + legend_height) / total
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)  # new_figure made it
    engine.set(rect=(0.0, low, 1.0, 1.0 - low))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="upper center",
        bbox_to_anchor=(0.5, low),
        ncols=columns,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.0)},
        columnspacing=1.2,
        handlelength=2.2,
        borderpad=0.1,
        borderaxespad=0.1,
    )
    x, y = 1.0 - 3.0 / 72.0 / width, 2.5 / 72.0 / total
    figure.text(x, y, note, fontsize=NOTE_POINTS, color="0.35", ha="right")
