"""The README's table and its figure, from the simulations on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from recorded import fill

import bayescale as bs
from bayescale.checks import SBC
from bayescale.plots import ranks_numbers
from bayescale.plots.style import BEYOND, INK, PALETTE, foot, new_figure, style
from bayescale.zoo import model_names

HERE = Path(__file__).parent
# Not beside this module: a folder `coverage` on the path would hide the library of that name from numba.
RECORDS = HERE / "records"
ENOUGH = 200
COLUMNS = 5


def recorded() -> dict[str, SBC]:
    """The simulations of every shipped model that has any, by its name."""
    paths = {model: RECORDS / model / "sbc.json" for model in model_names()}
    return {model: bs.load_sbc(path) for model, path in paths.items() if path.exists()}


def verdict(found: SBC) -> str:
    """In a word or three."""
    if len(found.records) < ENOUGH:
        return "too few to say"
    return "passes" if found.passed else "fails"


def tables(found: Mapping[str, SBC]) -> dict[str, str]:
    """What stands between the README's markers."""
    lines = [
        "| model | simulations | again | unsettled | quantities | least p | after Holm | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for model in model_names():
        if model not in found:
            lines.append(f"| {model} | 0 | | | | | | not run |")
            continue
        records, verdicts = found[model].records, found[model].verdicts()
        again = sum(r["attempt"] > 1 for r in records)
        unsettled = sum(not r["good"] for r in records)
        least, adjusted = verdicts["p"].min(), verdicts["adjusted"].min()
        # No verdict, no failure: of few simulations a chance one would be named.
        failed = verdicts[~verdicts["passed"]] if len(records) >= ENOUGH else verdicts[:0]
        said = "; ".join(f"{r.quantity}: {r.why}" for r in failed.itertuples())
        lines.append(
            f"| {model} | {len(records)} | {again} | {unsettled} | {len(verdicts)} | {least:.3f} | {adjusted:.2f} | "
            f"{verdict(found[model])}{f' ({said})' if said else ''} |"
        )
    return {"verdicts": "\n".join(lines)}


def drawn(found: Mapping[str, SBC]) -> Figure:
    """One panel a model: the ECDF of each quantity's ranks less the uniform's, in the band of one quantity."""
    rows = -(-len(found) // COLUMNS)
    with style():
        figure = new_figure("text", 1.1 * rows + 0.3)
        grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for panel, (model, simulated) in zip(grid.flat, found.items(), strict=False):
            _panel(panel, model, simulated)
        for spare in grid.flat[len(found) :]:
            spare.set_visible(False)
        for row in grid:
            row[0].set_ylabel("ECDF − uniform")
        legend = {
            "one quantity": Line2D([], [], color=INK, lw=0.7),
            "one that fails": Line2D([], [], color=PALETTE[1], lw=1.0),
            "95 % of uniform samples stay within": Patch(facecolor=BEYOND),
        }
        foot(
            figure,
            legend,
            3,
            "The band is of one quantity; fails: p < .05 after Holm over all of a model.",
        )
    return figure


def _panel(panel: Axes, model: str, simulated: SBC) -> None:
    numbers = ranks_numbers(simulated)
    one = numbers.isel(quantity=0)
    panel.fill_between(one["at"], one["lower"], one["upper"], facecolor=BEYOND, lw=0, zorder=0)
    for i in range(numbers.sizes["quantity"]):
        line = numbers.isel(quantity=i)
        shade, width = (INK, 0.5) if bool(line["passed"]) else (PALETTE[1], 1.0)
        panel.step(line["at"], line["ecdf"], where="post", color=shade, lw=width)
    panel.set_xlim(0.0, 1.0)
    panel.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    panel.set_title(model, pad=3)


def write() -> None:
    """Fill the README in and draw the figure."""
    found = recorded()
    fill(HERE / "README.md", tables(found))
    if found:
        bs.plot.save(drawn(found), HERE / "ranks")
