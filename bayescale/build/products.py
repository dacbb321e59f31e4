"""Fixed linear maps of sampled arrays, in the form that compiles soonest: products and sums that fuse to one loop.

A matrix product, a running sum, a join: each is a routine of its own that takes seconds to compile where nothing is
cached yet; the arrays here are small, and the loop over them is as fast.
"""

from __future__ import annotations

import pytensor.tensor as pt

from bayescale.laws import Array


def matrix_product(matrix: Array, values: Array, axis: int) -> Array:
    """A matrix, shape (new, old), times the values along one axis of length ``old``."""
    wide = matrix[(..., *[None] * (values.ndim - axis - 1))]
    return (pt.expand_dims(values, axis) * wide).sum(axis=axis + 1)
