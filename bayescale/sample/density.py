"""A compiled model as functions of points in unconstrained space: log density, gradient, the variables there."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import xarray as xr

_LOGP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
_EXPAND = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, *[ctypes.c_void_p] * 3)
_STEP = 1e-5  # of the differences of gradients; priors have scales of the order of one


class Density:
    """The very functions that the NUTS engine runs, called on many points.

    Parameters
    ----------
    program : CompiledPyMCModel
        As nutpie compiles it.

    Attributes
    ----------
    size : int
        Dimension of the unconstrained space.
    """

    def __init__(self, program: Any) -> None:
        # Kept: the functions read the data through addresses that die with it.
        self._program = program
        self._logp = _LOGP(program.compiled_logp_func.address)
        self._expand = _EXPAND(program.compiled_expand_func.address)
        self._data = program.user_data.ctypes.data
        self.size = int(program.n_dim)

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
        value[failed], gradient[failed] = -np.inf, 0.0
        return value, gradient

    def curvature(self, point: np.ndarray) -> np.ndarray:
        """Minus the Hessian, shape (size, size), by central differences; NaN where the density is zero beside it."""
        shifts = _STEP * np.eye(self.size)
        value, slope = self.at(np.concatenate([point - shifts, point + shifts]))
        if not np.isfinite(value).all():
            return np.full((self.size, self.size), np.nan)
        behind, ahead = np.split(slope, 2)
        hessian = (behind - ahead) / (2.0 * _STEP)
        return 0.5 * (hessian + hessian.T)

    def variables(self, points: np.ndarray, chains: int) -> xr.Dataset:
        """The model's variables at points, as a posterior of so many chains."""
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
        made = xr.Dataset(found)
        labels = {d: program.coords[d] for d in made.dims if d in program.coords}
        return made.assign_coords(labels | {c: np.arange(made.sizes[c]) for c in ("chain", "draw")})
