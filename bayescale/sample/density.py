"""A compiled model as functions of points in unconstrained space: log density, gradient, the variables there."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import xarray as xr

from bayescale.sample.nuts import Compiled, readable

_LOGP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
_EXPAND = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, *[ctypes.c_void_p] * 3)


class Density:
    """The very functions that the NUTS engine runs, called on many points.

    Attributes
    ----------
    size : int
        Dimension of the unconstrained space.
    evaluations : int
        How many points the log density was asked for.
    """

    def __init__(self, compiled: Compiled) -> None:
        # Kept: the functions read the data through addresses that die with it.
        self._program = program = compiled.program
        self._logp = _LOGP(program.compiled_logp_func.address)
        self._expand = _EXPAND(program.compiled_expand_func.address)
        self._data = program.user_data.ctypes.data
        self.size = int(program.n_dim)
        self.evaluations = 0

    def start(self, seed: int) -> np.ndarray:
        """The model's initial point with the sampler's jitter, shape (size,)."""
        point: np.ndarray = self._program.initial_point_func(seed)
        return point

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log density, up to a constant, shape (point,), and gradient, shape (point, size).

        Where either is not finite the density is taken as zero.
        """
        points = np.ascontiguousarray(points, float)
        gradient, value = np.empty_like(points), np.empty(len(points))
        at, out, to, row = (
            points.ctypes.data,
            gradient.ctypes.data,
            value.ctypes.data,
            8 * self.size,
        )
        logp, size, data = self._logp, self.size, self._data
        failed = [
            i
            for i in range(len(points))
            if logp(size, at + i * row, out + i * row, to + 8 * i, data)
        ]
        self.evaluations += len(points)
        value[failed], gradient[failed] = -np.inf, 0.0
        return value, gradient

    def variables(self, points: np.ndarray, chains: int) -> xr.Dataset:
        """The model's variables at points, as a posterior of so many chains; what only a sampler needs is left out."""
        points = np.ascontiguousarray(points, float)
        program, width = self._program, int(self._program.n_expanded)
        values = np.empty((len(points), width))
        at, out, row = points.ctypes.data, values.ctypes.data, 8 * self.size
        for i in range(len(points)):
            if self._expand(self.size, width, at + i * row, out + 8 * width * i, self._data):
                raise FloatingPointError("the variables of a model cannot be computed at a point")
        shape = (chains, len(points) // chains)
        found: dict[str, Any] = {}
        for name, where, own in zip(*program.shape_info, strict=True):
            if name not in program.reparameterized_names:
                dims = ("chain", "draw", *program.dims.get(name, ()))
                found[name] = (dims, values[:, where].reshape(*shape, *own))
        kept = readable(xr.Dataset(found))
        labels = {d: program.coords[d] for d in kept.dims if d in program.coords}
        return kept.assign_coords(labels | {c: np.arange(kept.sizes[c]) for c in ("chain", "draw")})
