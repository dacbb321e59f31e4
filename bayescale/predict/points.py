"""Where to forecast: points, grids or labelled arrays, completed to the inputs that a law reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayescale.errors import DataError, ForecastError
from bayescale.given import GIVEN
from bayescale.runs import parse_quantity

AXES = ("params", "tokens", "compute", "upstream_loss")
FLOP_PER_PARAM_TOKEN = 6.0
# Beyond these no law means anything, and its logs begin to overflow.
_BOUNDS = {"params": (1.0, 1e30), "tokens": (1.0, 1e30), "compute": (1.0, 1e45),
           "upstream_loss": (1e-6, 1e6)}  # fmt: skip
_AGREE = 0.01  # relative difference of C and 6·N·D that rounding explains
Values = float | str | Sequence[float | str] | np.ndarray | xr.DataArray


def grid(**axes: Values) -> xr.Dataset:
    """Make the product of axes, each its own dimension, for ``predict(at=...)``.

    Parameters
    ----------
    **axes
        ``params``, ``tokens``, ``compute``, ``upstream_loss``, or a further input of the law
        (:data:`bayescale.given.GIVEN`), each of one dimension; numbers, or text as in a table (``"70B"``).

    Examples
    --------
    >>> sorted(grid(params=[1e9, 1e10], tokens=[1e11, 1e12, 1e13]).sizes.items())
    [('params', 2), ('tokens', 3)]
    """
    for name in axes:
        if name not in (*AXES, *GIVEN):
            raise ForecastError(f"grid takes {', '.join((*AXES, *GIVEN))}, not {name!r}")
    if not axes:
        raise ForecastError("grid needs an axis: grid(params=[1e9, 1e10], tokens=[1e11])")
    return xr.Dataset(coords={name: _numbers(name, v) for name, v in axes.items()})


def locate(
    given: Mapping[str, Values | None],
    at: xr.Dataset | None,
    tokens_per_byte: float | None = None,
) -> dict[str, xr.DataArray]:
    """Label what was given: arrays of one length are points; a grid and DataArrays keep their own dims.

    Raises
    ------
    ForecastError
        Naming the axis and the value that is not a positive finite number or out of range (counts from 1 to 1e30, C to
        1e45), or lengths that differ.
    """
    stated: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    if at is not None:
        if stated:
            raise ForecastError("give points or at=grid(...), not both")
        if not isinstance(at, xr.Dataset):
            raise ForecastError(f"at is a {type(at).__name__} (expected grid(...))")
        return _checked({str(k): at[k] for k in at.variables if k in (*AXES, *GIVEN)})
    if not stated:
        raise ForecastError("say where to forecast: params=, tokens=, compute=, or at=grid(...)")
    plain = {k: _numbers(k, v, tokens_per_byte) for k, v in stated.items() if not _labelled(v)}
    lengths = {k: v.size for k, v in plain.items()}
    if len(set(lengths.values()) - {1}) > 1:
        said = ", ".join(f"{k} has {n}" for k, n in lengths.items())
        raise ForecastError(
            f"points need arrays of one length ({said}); for a product use at=grid(...)"
        )
    size = max(lengths.values(), default=1)
    located = {k: xr.DataArray(np.broadcast_to(v, size), dims="point") for k, v in plain.items()}
    return _checked(located | {k: v for k, v in stated.items() if _labelled(v)})


def _numbers(name: str, values: Values, tokens_per_byte: float | None = None) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(_read(name, values, tokens_per_byte), float))
    except DataError as error:
        raise ForecastError(f"{name}: {error} (expected a number such as 70B or 1e24)") from None
    except (TypeError, ValueError):
        raise ForecastError(f"{name} = {values!r} (expected numbers)") from None
    if array.ndim > 1 or array.size == 0:
        raise ForecastError(
            f"{name} has shape {array.shape} (expected one number or a list of them; "
            "more dimensions as a DataArray)"
        )
    return array


def _read(name: str, values: Values, tokens_per_byte: float | None) -> object:
    """Values with what is written as text, ``70B``, as numbers."""
    if isinstance(values, str):
        return parse_quantity(values, name, tokens_per_byte)
    if not isinstance(values, list | tuple | np.ndarray):
        return values
    read = [parse_quantity(v, name, tokens_per_byte) if isinstance(v, str) else v for v in values]
    return read if any(isinstance(v, str) for v in values) else values


def _labelled(value: object) -> bool:
    return isinstance(value, xr.DataArray)


def _checked(located: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    for name, values in located.items():
        array = np.asarray(values, float)
        low, high = _BOUNDS[name] if name in _BOUNDS else (GIVEN[name].lowest, GIVEN[name].highest)
        bad = array[~(np.isfinite(array) & ((array > 0) | (low <= 0)))]
        if bad.size:
            raise ForecastError(f"{name} = {bad[0]:g} (expected a positive, finite number)")
        beyond = array[(array < low) | (array > high)]
        if beyond.size:
            raise ForecastError(f"{name} = {beyond[0]:g} (expected from {low:g} to {high:g})")
    return located


def complete(located: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Add the third of params, tokens and compute that follows from two by C = 6·N·D; further inputs stay.

    Raises
    ------
    ForecastError
        If all three are given and disagree, or less than one parameter or token follows.
    """
    points = dict(located)
    match sorted(set(points) & {"params", "tokens", "compute"}):
        case ["params", "tokens"]:
            points["compute"] = FLOP_PER_PARAM_TOKEN * points["params"] * points["tokens"]
        case ["compute", "params"]:
            points["tokens"] = points["compute"] / (FLOP_PER_PARAM_TOKEN * points["params"])
        case ["compute", "tokens"]:
            points["params"] = points["compute"] / (FLOP_PER_PARAM_TOKEN * points["tokens"])
        case ["compute", "params", "tokens"]:
            _check_agreement(points)
        case _:
            pass
    for name in ("params", "tokens"):
        if name in points and float(points[name].min()) < 1.0 - _AGREE:
            raise ForecastError(f"C = 6·N·D leaves {name} = {float(points[name].min()):g}")
    return points


def _check_agreement(points: Mapping[str, xr.DataArray]) -> None:
    product = FLOP_PER_PARAM_TOKEN * points["params"] * points["tokens"]
    ratio = (product / points["compute"]).to_numpy().ravel()
    if (abs(ratio - 1.0) > _AGREE).any():
        worst = ratio[np.argmax(abs(np.log(ratio)))]
        raise ForecastError(
            f"params, tokens and compute disagree: 6·N·D is {worst:.3g} × compute; give two of the three"
        )
