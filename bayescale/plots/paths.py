"""The path through scale along which a family's curve is drawn: its own design, read off its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale.predict import FLOP_PER_PARAM_TOKEN

POINTS = 61
DECADES_BEYOND = 1.5
SAME = 1.15  # largest ratio of values that count as one value


@dataclass(frozen=True)
class ScalePath:
    """Points at which one family is forecast.

    Attributes
    ----------
    x : ndarray, shape (point,)
        Position on the axis of the figure.
    at : dict of str to ndarray
        The inputs given to :func:`bayescale.predict`; compute alone means each draw's own frontier.
    edge : tuple of float
        Smallest and largest run on the axis.
    design : str
        The path in words: ``D = 300B``, ``D = 20 N``, ``optimal N, D``; empty for one-axis laws.
    """

    x: np.ndarray
    at: dict[str, np.ndarray]
    edge: tuple[float, float]
    design: str


def position(rows: xr.Dataset, axis: str, inputs: Sequence[str]) -> np.ndarray:
    """Where runs lie on an axis; compute of a law in N and D is 6·N·D, which is what the law sees."""
    if axis == "compute" and axis not in inputs:
        return FLOP_PER_PARAM_TOKEN * (rows["params"] * rows["tokens"]).to_numpy()
    return rows[axis].to_numpy().astype(float)


def scale_path(
    rows: xr.Dataset, axis: str, inputs: Sequence[str], follow: bool
) -> ScalePath | None:
    """The path of a group.

    Parameters
    ----------
    rows : Dataset
        Its runs; all runs for a new group.
    axis : str
        ``compute``, ``params`` or ``tokens``.
    inputs : sequence of str
        What the law reads.
    follow : bool
        Whether the runs are the group's own, so that the path follows their design.

    Returns
    -------
    ScalePath or None
        None where the design does not move along the axis.
    """
    runs = position(rows, axis, inputs)
    low, high = float(runs.min()), float(runs.max())
    # A single run shows no range: a decade below it shows where its curve comes from.
    start = low / (10.0 if high / low < SAME else 10.0**0.15)
    x = np.geomspace(start, high * 10.0**DECADES_BEYOND, POINTS)
    if len(inputs) == 1:
        return ScalePath(x, {axis: x}, (low, high), "")
    params, tokens = rows["params"].to_numpy(), rows["tokens"].to_numpy()
    if follow and rows.sizes["run"] > 1:
        for name, symbol, values in (("tokens", "D", tokens), ("params", "N", params)):
            if values.max() / values.min() < SAME:
                if axis == name:
                    return None
                return _held(x, axis, name, _centre(values), (low, high), symbol)
    ratio = tokens / params
    proportional = follow and ratio.max() / ratio.min() < SAME
    if axis == "compute" and not proportional:
        return ScalePath(x, {"compute": x}, (low, high), "compute-optimal N, D")
    return _proportional(x, axis, _centre(ratio), (low, high))


def _centre(values: np.ndarray) -> float:
    return float(np.exp(np.log(values).mean()))


def _held(
    x: np.ndarray, axis: str, held: str, value: float, edge: tuple[float, float], symbol: str
) -> ScalePath:
    """One of N and D held while the other moves."""
    fixed = np.full_like(x, value)
    return ScalePath(x, {axis: x, held: fixed}, edge, f"{symbol} = {count(value)}")


def _proportional(x: np.ndarray, axis: str, ratio: float, edge: tuple[float, float]) -> ScalePath:
    """N and D in one proportion."""
    match axis:
        case "compute":
            params = np.sqrt(x / (FLOP_PER_PARAM_TOKEN * ratio))
        case "params":
            params = x
        case _:
            params = x / ratio
    return ScalePath(
        x,
        {"params": params, "tokens": ratio * params},
        edge,
        f"D = {count(float(f'{ratio:.2g}'))} N",
    )


def count(value: float) -> str:
    """A count as people write it: 300M, 1B, 10T."""
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
