"""What nutpie calls of a compiled model, written so that it compiles in a fraction of the time of nutpie's own.

nutpie copies a gradient as a whole array. Shapes that do not agree would be an error, and the code that words it takes
numba more than a second to compile, in every process anew, since a function around a model's own data is not cached.
Copied number by number there is no such error. It is tied to nutpie's inner parts, as its range in ``pyproject.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from nutpie import compile_pymc

# As nutpie numbers them: a point of another size, an error inside, a gradient or a value that is not finite.
_SIZE, _ERROR, _GRADIENT, _VALUE = -1, 1, 3, 4
_FATAL = -2
_DOUBLES = numba.types.CPointer(numba.types.double)
_INTEGER = numba.types.uint64
_LOGP = numba.types.int64(_INTEGER, _DOUBLES, _DOUBLES, _DOUBLES, numba.types.voidptr)
_EXPAND = numba.types.int64(_INTEGER, _INTEGER, _DOUBLES, _DOUBLES, numba.types.voidptr)

type _Data = dict[str, np.ndarray]


def log_density(
    size: int, function: Any, record: np.ndarray, names: list[str], data: _Data
) -> tuple[Callable[..., int], Any]:
    """The log density and its gradient: the function to be compiled, and its signature.

    Parameters
    ----------
    size : int
        Dimension of a point.
    function : numba function
        Point, data → value and gradient.
    record : ndarray
        In which the function finds its data.
    names, data
        What of the data it reads, in this order, and all of them.
    """
    evaluate = compile_pymc.make_extraction_fn(function, data, names, record.dtype)

    def called(given: int, x_: Any, gradient_: Any, value_: Any, record_: Any) -> int:
        if given != size:
            return _SIZE
        try:
            value, gradient = evaluate(numba.carray(x_, (size,)), record_)
        except Exception:  # noqa: BLE001 (there is nobody to raise to: the sampler turns back)
            return _ERROR
        numba.carray(value_, ())[()] = value
        out = numba.carray(gradient_, (size,))
        for i in range(size):
            out[i] = gradient[i]
            if not np.isfinite(gradient[i]):
                return _GRADIENT
        return 0 if np.isfinite(value) else _VALUE

    return called, _LOGP


def expansion(
    size: int, wide: int, function: Any, record: np.ndarray, names: list[str], data: _Data
) -> tuple[Callable[..., int], Any]:
    """What is kept of a point, ``wide`` numbers, as :func:`log_density`."""
    evaluate = compile_pymc.make_extraction_fn(function, data, names, record.dtype)

    def called(given: int, asked: int, x_: Any, out_: Any, record_: Any) -> int:
        if given != size or asked != wide:
            return _SIZE
        try:
            (values,) = evaluate(numba.carray(x_, (size,)), record_)
        except Exception:  # noqa: BLE001 (as above)
            return _FATAL
        out = numba.carray(out_, (wide,))
        for i in range(wide):
            out[i] = values[i]
        return 0

    return called, _EXPAND


@contextmanager
def compiled_lightly() -> Iterator[None]:
    """Let nutpie compile these in place of its own."""
    own = compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func
    compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func = log_density, expansion
    try:
        yield
    finally:
        compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func = own
