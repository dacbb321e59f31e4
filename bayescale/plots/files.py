"""Saving a figure: a vector PDF and a PNG beside it, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from bayescale.errors import BayescaleError
from bayescale.files import figure_files, written_beside
from bayescale.plots.style import style

# What a file says of when and by what it was made would make equal figures unequal.
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "bayescale"},
    "png": {"Software": None},
}
PNG_DPI = 300


def save(figure: Figure, path: str | Path) -> list[Path]:
    """Write a figure as PDF (vector, fonts embedded as TrueType) and PNG (300 dots per inch).

    Parameters
    ----------
    figure : Figure
        From this package or any other.
    path : path
        ``figures/frontier``, or that with ``.pdf`` or ``.png``: both files are written, over earlier
        ones, as a figure is drawn again at will. The folder must exist.

    Returns
    -------
    list of Path
        The PDF and the PNG; each appears whole or not at all.

    Raises
    ------
    BayescaleError
        If the folder is missing, the name ends in another image format, or a file cannot be written.
    """
    target = Path(path)
    files = figure_files(target)
    if not target.parent.is_dir():
        raise BayescaleError(f"cannot write {target}: no folder {target.parent}")
    with style(), _laid_out(figure):
        return [_write(figure, file) for file in files]


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Arrange the figure once for both files: it takes about as long as drawing one."""
    engine = figure.get_layout_engine()
    if engine is None:
        yield
        return
    engine.execute(figure)
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def _write(figure: Figure, target: Path) -> Path:
    kind = target.suffix[1:]
    with written_beside(target) as beside:
        figure.savefig(beside, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return target
