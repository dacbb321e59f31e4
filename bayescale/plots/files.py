"""Saving a figure: a vector PDF and a PNG beside it, each whole or not at all."""

from __future__ import annotations

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
        ``figures/frontier``, or that with ``.pdf`` or ``.png``: both files are written. The folder must exist.

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
    return [_write(figure, file) for file in files]


def _write(figure: Figure, target: Path) -> Path:
    kind = target.suffix[1:]
    with written_beside(target) as beside, style():
        figure.savefig(beside, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return target
