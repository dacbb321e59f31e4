"""The operations that laws are written in, on pytensor variables; the twin of ``bayescale.laws.numpy_namespace``."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from bayescale.laws import Array, Namespace


class _PyTensor:
    exp = staticmethod(pt.exp)
    log = staticmethod(pt.log)
    log1p = staticmethod(pt.log1p)
    sigmoid = staticmethod(pt.sigmoid)
    expm1 = staticmethod(pt.expm1)
    minimum = staticmethod(pt.minimum)
    maximum = staticmethod(pt.maximum)
    held = staticmethod(disconnected_grad)

    @staticmethod
    def logaddexp(x: Array, y: Array) -> Array:
        # numpy's ufunc does not accept pytensor variables.
        return pt.logaddexp(x, y)


pytensor_namespace: Namespace = _PyTensor()
