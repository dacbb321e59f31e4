"""A model's variables at draws of the sampler: all draws at once, in NumPy.

nutpie would compile a function for them and call it at every draw; one pass over whole arrays afterwards is sooner done
than that function is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pytensor.compile import SharedVariable
from pytensor.compile.ops import ViewOp
from pytensor.graph.basic import Apply
from pytensor.graph.replace import _vectorize_node, clone_replace, vectorize_graph
from pytensor.graph.traversal import graph_inputs

# Sampler coordinates: functions of what is kept, of no interest to a reader of the fit.
_INTERNAL = ("z_", "log_level", "logit_floor_share", "log_elasticity_", "nu_minus_2")


@_vectorize_node.register(ViewOp)
def _of_all_draws(op: ViewOp, node: Apply, value: Any) -> Any:
    """What a deterministic's name is put on, of all draws at once: PyTensor would call it for each, in Python."""
    return op.make_node(value)


class Variables:
    """What a fit keeps, parameters and what is derived from them, as a function of unconstrained points.

    Parameters
    ----------
    model : pymc.Model
        Its data may be mutable: their values come from the program that made the points.
    program : CompiledPyMCModel
        The model as nutpie compiled it; says where each variable lies in a point.
    """

    def __init__(self, model: pm.Model, program: Any) -> None:
        points = pt.tensor("points", dtype="float64", shape=(None, program.n_dim))
        values = {v.name: v for v in model.value_vars}
        placed = {
            values[name]: points[:, where].reshape((-1, *shape)).astype(values[name].dtype)
            for name, where, shape in zip(*program.shape_info, strict=True)
        }
        named = {str(v.name) for v in (*model.free_RVs, *model.deterministics)}
        kept = {name for name in named if not name.startswith(_INTERNAL)}
        found = {str(v.name): v for v in model.unobserved_value_vars if v.name in kept}
        at_points = vectorize_graph(list(found.values()), placed)
        self._data = [v for v in graph_inputs(at_points) if isinstance(v, SharedVariable)]
        given = {v: v.type() for v in self._data}
        self._names = list(found)
        # FAST_COMPILE runs NumPy, operation by operation: there is nothing to compile.
        self._function = pytensor.function(
            [points, *given.values()],
            clone_replace(at_points, given),
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        )

    def at(self, program: Any, points: np.ndarray, chains: int) -> xr.Dataset:
        """The variables at points of a program, as a posterior of so many chains.

        Parameters
        ----------
        program : CompiledPyMCModel
            The one that was compiled, or that on other data.
        points : ndarray, shape (point, n_dim)
            Chain after chain.
        chains : int
            Divides the number of points.
        """
        data = [program.shared_data[program.shared_var_keys[v]] for v in self._data]
        shape = (chains, len(points) // chains)
        found: dict[str, Any] = {}
        for name, value in zip(self._names, self._function(points, *data), strict=True):
            dims = ("chain", "draw", *program.dims.get(name, ()))
            found[name] = (dims, value.reshape(*shape, *value.shape[1:]))
        made = xr.Dataset(found)
        labels = {d: program.coords[d] for d in made.dims if d in program.coords}
        return made.assign_coords(labels | {c: np.arange(made.sizes[c]) for c in ("chain", "draw")})
