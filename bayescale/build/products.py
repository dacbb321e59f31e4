"""Fixed linear maps of sampled arrays, in the form that compiles soonest: products and sums that fuse to one loop.

A matrix product, a running sum, a join: each is a routine of its own that takes seconds to compile where nothing is
cached yet; the arrays here are small, and the loop over them is as fast.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from scipy import linalg

from bayescale.laws import Array


def matrix_product(matrix: np.ndarray, values: Array, axis: int) -> Array:
    """A constant matrix, shape (new, old), times the values along one axis of length ``old``."""
    wide = matrix.reshape(*matrix.shape, *[1] * (values.ndim - axis - 1))
    return (pt.expand_dims(values, axis) * wide).sum(axis=axis + 1)


def zero_sum(size: int) -> np.ndarray:
    """Orthonormal columns that sum to zero, shape (size, size - 1): independent Normals become zero-sum ones."""
    return np.ascontiguousarray(linalg.helmert(size).T)
