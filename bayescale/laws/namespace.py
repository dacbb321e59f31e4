"""The few array operations that laws are written in, so that numpy and pytensor evaluate the same text."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = Any  # a numpy array, an xarray.DataArray or a pytensor variable: laws do not care which


class Namespace(Protocol):
    """What a law may call; :data:`numpy_namespace` here, its pytensor twin in :mod:`bayescale.build`."""

    def exp(self, x: Array, /) -> Array: ...
    def log(self, x: Array, /) -> Array: ...
    def log1p(self, x: Array, /) -> Array: ...
    def logaddexp(self, x: Array, y: Array, /) -> Array: ...
    def sigmoid(self, x: Array, /) -> Array: ...
    def expm1(self, x: Array, /) -> Array: ...
    def minimum(self, x: Array, y: Array, /) -> Array: ...
    def maximum(self, x: Array, y: Array, /) -> Array: ...
    def held(self, x: Array, /) -> Array: ...


class _Numpy:
    """Numpy ufuncs under the names above; they accept and return labelled arrays too."""

    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    expm1 = staticmethod(np.expm1)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)

    @staticmethod
    def held(x: Array) -> Array:
        """The value, taken as constant where a gradient is formed."""
        return x

    @staticmethod
    def logaddexp(x: Array, y: Array) -> Array:
        # Less than half the time of numpy's own, which also adds infinite logs but runs no vector instructions.
        apart = x - y
        if not isinstance(apart, np.ndarray):
            return np.maximum(x, y) + np.log(1.0 + np.exp(-np.abs(apart)))
        # In place: fetching memory for every step takes as long as the steps.
        np.copysign(apart, -1.0, out=apart)
        np.exp(apart, out=apart)
        apart += 1.0
        np.log(apart, out=apart)
        apart += np.maximum(x, y)
        return apart

    @staticmethod
    def sigmoid(x: Array) -> Array:
        # exp(-logaddexp(0, -x)) does not overflow for large negative x, unlike 1 / (1 + exp(-x)).
        return np.exp(-np.logaddexp(0.0, -x))


numpy_namespace: Namespace = _Numpy()
