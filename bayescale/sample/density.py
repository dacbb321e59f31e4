"""A compiled model as a function of points in unconstrained space: log density, gradient and curvature."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

_LOGP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)
_STEP = 1e-5  # of the differences of gradients; priors have scales of the order of one


class Density:
    """The very function that the NUTS engine runs, called on many points.

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
        # Kept: the function reads the data through addresses that die with it.
        self._program = program
        self._logp = _LOGP(program.compiled_logp_func.address)
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
        """Minus the Hessian, shape (size, size); NaN where the density is zero beside the point."""
        hessian = self._slopes(point, np.eye(self.size))
        return 0.5 * (hessian + hessian.T)

    def curvature_by_curve(
        self, point: np.ndarray, own: np.ndarray, shared: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Minus the Hessian of a density whose curves are independent given what they share, in its three parts.

        All curves move at once: it takes the gradients of one curve and of what is shared.

        Parameters
        ----------
        point : ndarray, shape (size,)
            Where.
        own : ndarray of int, shape (curve, k)
            Positions of each curve's coordinates.
        shared : ndarray of int, shape (m,)
            Positions of the others.

        Returns
        -------
        tuple of ndarray
            Of shapes (curve, k, k), (curve, k, m) and (m, m).
        """
        each = np.zeros((own.shape[1], self.size))
        for i, positions in enumerate(own.T):
            each[i, positions] = 1.0
        by_own = self._slopes(point, each)[:, own].transpose(1, 2, 0)
        by_shared = self._slopes(point, np.eye(self.size)[shared])
        corner = by_shared[:, shared]
        return (
            0.5 * (by_own + by_own.transpose(0, 2, 1)),
            by_shared[:, own].transpose(1, 2, 0),
            0.5 * (corner + corner.T),
        )

    def _slopes(self, point: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Minus the derivative of the gradient along each direction, by central differences."""
        shifts = _STEP * directions
        value, slope = self.at(np.concatenate([point - shifts, point + shifts]))
        if not np.isfinite(value).all():
            return np.full(shifts.shape, np.nan)
        behind, ahead = np.split(slope, 2)
        return np.asarray((behind - ahead) / (2.0 * _STEP))
