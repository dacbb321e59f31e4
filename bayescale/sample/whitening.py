"""Whitening: coordinates in which a stiff posterior is near a unit Normal, laid around a compiled program.

Along some directions data pin a hierarchy down a thousand times closer than along others, and a sampler that scales
each coordinate by itself then crawls. So a short first run finds where the posterior lies; its curvature there, the
Hessian H of −log p averaged over some draws, gives x = m + H^(−1/2) z; a second one, in z, corrects the scale by the
covariance of its draws; and the long run moves in the result. The wrapped program is the same density up to a constant:
whatever the scale is, the draws are of the same posterior, only sooner.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numba
import numpy as np
import nutpie
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer

from bayescale.sample.density import Density

# Curvature below this, in units of a unit Normal's, is noise of the average: no direction is stretched further.
LEAST_CURVATURE = 0.05
MOST_DIMENSIONS = 1000  # beyond, dense algebra costs more than the gradient
# Draws whose Hessians are averaged, and gradients spent on them at most.
POINTS, GRADIENTS = 16, 20_000

# The two short runs: iterations of adaptation, draws, and doublings of a trajectory at most.
CHAINS, ACCEPT = 4, 0.8
FIRST, SECOND = (150, 20, 7), (150, 100, 8)
# Mean steps of a trajectory, in the first run, from which a posterior counts as stiff: a unit Normal takes three to
# seven. The second run costs little beside what it saves (tests/benchmarks/whitening.py).
STIFF = 8.0

_DOUBLES = types.CPointer(types.double)
_LOGP = types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr)
# What the wrapped function finds behind their pointer to user data: addresses, all of them kept alive by `Whitened`.
_FRAME = np.dtype([(name, np.uintp) for name in ("logp", "data", "location", "scale")])


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
def _point(frame: Any, dim: int, z_: Any) -> Any:
    """x = m + S z, and S."""
    size = np.int64(dim)
    location = numba.carray(address_as_void_pointer(frame["location"]), (size,), np.float64)
    scale = numba.carray(address_as_void_pointer(frame["scale"]), (size, size), np.float64)
    return location + np.dot(scale, numba.carray(z_, (size,))), scale


@numba.cfunc(_LOGP, cache=True)
def _logp(dim: int, z_: Any, grad_: Any, logp_: Any, data: Any) -> int:
    frame = numba.carray(data, (1,), _FRAME)[0]
    x, scale = _point(frame, dim, z_)
    grad = np.empty_like(x)
    status = _call_logp(
        frame["logp"], dim, x.ctypes.data, grad.ctypes.data, _address(logp_), frame["data"]
    )
    numba.carray(grad_, (np.int64(dim),))[:] = np.dot(grad, scale)
    return status


@dataclasses.dataclass(frozen=True)
class Whitened(CompiledPyMCModel):
    """A compiled program in whitened coordinates z, x = location + scale @ z; keeps all that its addresses point to."""

    inner: Any = None
    location: Any = None
    scale: Any = None
    starts: Any = None

    def with_data(self, **updates: Any) -> Whitened:
        """The same coordinates around the program on other data."""
        return wrapped(self.inner.with_data(**updates), self.location, self.scale, self.starts)

    def original(self, z: np.ndarray) -> np.ndarray:
        """Draws z in the coordinates x of the program inside, both of shape (draw, dim)."""
        return self.location + z @ self.scale.T


def wrapped(program: Any, location: np.ndarray, scale: np.ndarray, starts: np.ndarray) -> Whitened:
    """The density of a program in z, where x = location + scale @ z.

    Parameters
    ----------
    program : CompiledPyMCModel
        To be wrapped.
    location : ndarray, shape (dim,)
        In x.
    scale : ndarray, shape (dim, dim)
        Of x.
    starts : ndarray, shape (start, dim)
        Places, in x, at which chains may start.
    """
    location, scale = np.ascontiguousarray(location), np.ascontiguousarray(scale)
    frame = np.zeros(1, _FRAME)
    frame["logp"] = program.compiled_logp_func.address
    frame["data"] = program.user_data.ctypes.data
    frame["location"], frame["scale"] = location.ctypes.data, scale.ctypes.data
    begin = np.linalg.solve(scale, (starts - location).T).T

    def initial(seed: Any = None) -> np.ndarray:
        return np.ascontiguousarray(begin[np.random.default_rng(seed).integers(len(begin))])

    fields = {f.name: getattr(program, f.name) for f in dataclasses.fields(CompiledPyMCModel)}
    fields |= {"compiled_logp_func": _logp, "initial_point_func": initial, "user_data": frame}
    return Whitened(**fields, inner=program, location=location, scale=scale, starts=starts)


def whitened(program: Any, *, cores: int | None, seed: int) -> Any:
    """The program in whitened coordinates where it is stiff, else as it is.

    Parameters
    ----------
    program : CompiledPyMCModel
        As compiled.
    cores : int, optional
        Chains at once in the two short runs.
    seed : int
        Of the short runs.
    """
    if program.n_dim > MOST_DIMENSIONS:
        return program
    x, steps = _short_run(program, FIRST, cores, seed)
    if steps < STIFF:
        return program
    first = wrapped(program, x.mean(axis=0), _inverse_root(_mean_hessian(program, x)), x)
    z, _ = _short_run(first, SECOND, cores, seed + 1)
    # With few draws the covariance is drawn toward the unit matrix, as with dim draws of a unit Normal added.
    own = len(z) / (len(z) + program.n_dim)
    covariance = own * np.cov(z.T) + (1.0 - own) * np.eye(program.n_dim)
    x = first.original(z)
    return wrapped(program, x.mean(axis=0), first.scale @ np.linalg.cholesky(covariance), x)


def _short_run(
    program: Any, lengths: tuple[int, int, int], cores: int | None, seed: int
) -> tuple[np.ndarray, float]:
    """Draws in the program's own coordinates, shape (draw, dim), and the mean length of a trajectory in steps."""
    tune, draws, depth = lengths
    tree = nutpie.sample(
        program,
        draws=draws,
        tune=tune,
        chains=CHAINS,
        cores=cores,
        seed=seed,
        target_accept=ACCEPT,
        maxdepth=depth,
        save_warmup=False,
        store_unconstrained=True,
        progress_bar=False,
    )
    stats = tree["sample_stats"].to_dataset()
    if stats.sizes["draw"] < draws:
        # nutpie answers Ctrl-C with the draws so far.
        raise KeyboardInterrupt
    flat = stats["unconstrained_draw"].to_numpy().reshape(-1, program.n_dim)
    return flat, float(stats["n_steps"].mean())


def _mean_hessian(program: Any, x: np.ndarray) -> np.ndarray:
    """Hessian of −log p, averaged over some of the draws."""
    density = Density(program)
    count = int(np.clip(GRADIENTS // (2 * density.size), 1, POINTS))
    found = [density.curvature(point) for point in x[np.linspace(0, len(x) - 1, count).astype(int)]]
    finite = [hessian for hessian in found if np.isfinite(hessian).all()]
    return np.mean(finite, axis=0) if finite else np.eye(density.size)


def _inverse_root(hessian: np.ndarray) -> np.ndarray:
    """H^(−1/2), where curvature counts by its size: a saddle is as narrow as a bowl."""
    size, directions = np.linalg.eigh(hessian)
    return (directions / np.sqrt(np.maximum(np.abs(size), LEAST_CURVATURE))) @ directions.T
