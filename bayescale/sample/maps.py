"""Linear maps from whitened coordinates to a compiled program's own, and the program wrapped in one.

A map is *dense*, or *bordered*: many curves, each with a block of coordinates of its own, and a border of what they
share (spreads, means, the noise). Given the border the curves are independent, so that the map costs what its blocks
and its border cost, where a dense one costs the square of all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer

_DOUBLES = types.CPointer(types.double)
_LOGP = types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr)
# What a wrapped function finds behind its pointer to user data: addresses, all of them kept alive by `Whitened`, and
# sizes.
_PROGRAM = [(name, np.uintp) for name in ("logp", "data")]
_DENSE = np.dtype([*_PROGRAM, *((name, np.uintp) for name in ("location", "scale"))])
_PARTS = ("location", "own", "shared", "blocks", "tilt", "corner")
_SIZES = ("curves", "size", "border")
_BORDERED = np.dtype(
    [*_PROGRAM, *((name, np.uintp) for name in _PARTS), *((name, np.int64) for name in _SIZES)]
)


@intrinsic
def _call_logp(
    typingctx: Any, address: Any, dim: Any, x: Any, grad: Any, logp: Any, data: Any
) -> Any:
    """Call a compiled log density by its address."""
    signature = types.int64(address, dim, x, grad, logp, data)

    def codegen(context: Any, builder: Any, _: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64), byte, byte, byte, byte])
        function = builder.inttoptr(args[0], kind.as_pointer())
        pointers = [builder.inttoptr(a, byte) for a in args[2:]]
        return builder.call(function, [args[1], *pointers])

    return signature, codegen


@intrinsic
def _address(typingctx: Any, pointer: Any) -> Any:
    """The address that a pointer holds."""
    return types.uintp(pointer), lambda context, builder, _, args: builder.ptrtoint(
        args[0], ir.IntType(64)
    )


@numba.njit(inline="always")
def _array(address: Any, shape: Any) -> Any:
    return numba.carray(address_as_void_pointer(address), shape, np.float64)


@numba.njit(inline="always")
def _positions(address: Any, shape: Any) -> Any:
    return numba.carray(address_as_void_pointer(address), shape, np.int64)


@numba.cfunc(_LOGP, cache=True)
def _dense_logp(dim: int, z_: Any, grad_: Any, logp_: Any, data: Any) -> int:
    frame = numba.carray(data, (1,), _DENSE)[0]
    size = np.int64(dim)
    scale = _array(frame["scale"], (size, size))
    x = _array(frame["location"], (size,)) + np.dot(scale, numba.carray(z_, (size,)))
    grad = np.empty_like(x)
    status = _call_logp(
        frame["logp"], dim, x.ctypes.data, grad.ctypes.data, _address(logp_), frame["data"]
    )
    numba.carray(grad_, (size,))[:] = np.dot(grad, scale)
    return status


@numba.cfunc(_LOGP, cache=True)
def _bordered_logp(dim: int, z_: Any, grad_: Any, logp_: Any, data: Any) -> int:
    frame = numba.carray(data, (1,), _BORDERED)[0]
    curves, size, border = frame["curves"], frame["size"], frame["border"]
    own = _positions(frame["own"], (curves, size))
    shared = _positions(frame["shared"], (border,))
    blocks = _array(frame["blocks"], (curves, size, size))
    tilt = _array(frame["tilt"], (curves * size, border))
    corner = _array(frame["corner"], (border, border))
    x = _array(frame["location"], (np.int64(dim),)).copy()
    z = numba.carray(z_, (np.int64(dim),))
    common = np.dot(corner, z[curves * size :])
    moved = np.dot(tilt, common)
    for i in range(border):
        x[shared[i]] += common[i]
    for c in range(curves):
        for i in range(size):
            total = moved[c * size + i]
            for j in range(size):
                total += blocks[c, i, j] * z[c * size + j]
            x[own[c, i]] += total
    grad = np.empty_like(x)
    status = _call_logp(
        frame["logp"], dim, x.ctypes.data, grad.ctypes.data, _address(logp_), frame["data"]
    )
    out = numba.carray(grad_, (np.int64(dim),))
    mine = np.empty(curves * size)
    for c in range(curves):
        for i in range(size):
            mine[c * size + i] = grad[own[c, i]]
        for j in range(size):
            total = 0.0
            for i in range(size):
                total += blocks[c, i, j] * mine[c * size + i]
            out[c * size + j] = total
    theirs = np.dot(mine, tilt)
    for i in range(border):
        theirs[i] += grad[shared[i]]
    out[curves * size :] = np.dot(theirs, corner)
    return status


class Map(Protocol):
    """x = location + S z."""

    def original(self, z: np.ndarray) -> np.ndarray:
        """Points z in the coordinates x of the program, both of shape (point, dim)."""

    def whitened(self, x: np.ndarray) -> np.ndarray:
        """Its inverse."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What the wrapped function reads, by name."""

    def wrapper(self) -> tuple[Any, np.ndarray]:
        """The wrapped function, and the frame it reads, without addresses."""


@dataclasses.dataclass(frozen=True)
class Dense:
    """Any S: location of shape (dim,), scale of shape (dim, dim)."""

    location: np.ndarray
    scale: np.ndarray

    def original(self, z: np.ndarray) -> np.ndarray:
        """As :class:`Map`."""
        return self.location + z @ self.scale.T

    def whitened(self, x: np.ndarray) -> np.ndarray:
        """As :class:`Map`."""
        return np.linalg.solve(self.scale, (x - self.location).T).T

    def arrays(self) -> dict[str, np.ndarray]:
        """As :class:`Map`."""
        return {"location": self.location, "scale": self.scale}

    def wrapper(self) -> tuple[Any, np.ndarray]:
        """As :class:`Map`."""
        return _dense_logp, np.zeros(1, _DENSE)


@dataclasses.dataclass(frozen=True)
class Bordered:
    """Blocks and a border: of z = (z_own, z_shared), x_shared = corner z_shared, x_own = blocks z_own + tilt x_shared.

    Attributes
    ----------
    location : ndarray, shape (dim,)
    own : ndarray of int, shape (curve, size)
        Positions of each curve's coordinates in x.
    shared : ndarray of int, shape (border,)
        Positions of the others.
    blocks : ndarray, shape (curve, size, size)
    tilt : ndarray, shape (curve · size, border)
    corner : ndarray, shape (border, border)
    """

    location: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    blocks: np.ndarray
    tilt: np.ndarray
    corner: np.ndarray

    @classmethod
    def unit(cls, location: np.ndarray, own: np.ndarray, shared: np.ndarray) -> Bordered:
        """A mere shift."""
        curves, size = own.shape
        blocks = np.broadcast_to(np.eye(size), (curves, size, size))
        tilt = np.zeros((own.size, shared.size))
        return cls(location, own, shared, blocks, tilt, np.eye(shared.size))

    def original(self, z: np.ndarray) -> np.ndarray:
        """As :class:`Map`."""
        own, rest = np.split(z, [self.own.size], axis=1)
        x = np.empty_like(z)
        x[:, self.shared] = rest @ self.corner.T
        moved = np.einsum("cij,ncj->nci", self.blocks, own.reshape(-1, *self.own.shape))
        x[:, self.own.ravel()] = moved.reshape(own.shape) + x[:, self.shared] @ self.tilt.T
        return x + self.location

    def whitened(self, x: np.ndarray) -> np.ndarray:
        """As :class:`Map`."""
        away = x - self.location
        common = away[:, self.shared]
        moved = away[:, self.own.ravel()] - common @ self.tilt.T
        own = np.linalg.solve(self.blocks, moved.reshape(-1, *self.own.shape, 1))[..., 0]
        return np.hstack([own.reshape(moved.shape), np.linalg.solve(self.corner, common.T).T])

    def arrays(self) -> dict[str, np.ndarray]:
        """As :class:`Map`."""
        return {name: getattr(self, name) for name in _PARTS}

    def wrapper(self) -> tuple[Any, np.ndarray]:
        """As :class:`Map`."""
        frame = np.zeros(1, _BORDERED)
        frame["curves"], frame["size"], frame["border"] = *self.own.shape, self.shared.size
        return _bordered_logp, frame


@dataclasses.dataclass(frozen=True)
class Whitened(CompiledPyMCModel):
    """A compiled program in the coordinates z of a map; keeps all that its addresses point to."""

    inner: Any = None
    map: Any = None
    starts: Any = None
    kept: Any = None

    def with_data(self, **updates: Any) -> Whitened:
        """The same coordinates around the program on other data."""
        return wrapped(self.inner.with_data(**updates), self.map, self.starts)


def wrapped(program: Any, by: Map, starts: np.ndarray) -> Whitened:
    """The density of a program in the coordinates of a map: the same up to a constant.

    Parameters
    ----------
    program : CompiledPyMCModel
        To be wrapped.
    by : Map
        To its coordinates.
    starts : ndarray, shape (start, dim)
        Places, in its coordinates, at which chains may start.
    """
    function, frame = by.wrapper()
    kept = {name: np.ascontiguousarray(array) for name, array in by.arrays().items()}
    for name, array in kept.items():
        frame[name] = array.ctypes.data
    frame["logp"] = program.compiled_logp_func.address
    frame["data"] = program.user_data.ctypes.data
    begin = by.whitened(starts)

    def initial(seed: Any = None) -> np.ndarray:
        return np.ascontiguousarray(begin[np.random.default_rng(seed).integers(len(begin))])

    fields = {f.name: getattr(program, f.name) for f in dataclasses.fields(CompiledPyMCModel)}
    fields |= {"compiled_logp_func": function, "initial_point_func": initial, "user_data": frame}
    return Whitened(**fields, inner=program, map=by, starts=starts, kept=kept)
