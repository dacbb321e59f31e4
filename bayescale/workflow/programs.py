"""Compiled programs kept for other tables: a model of the same structure is compiled once in a process.

For the quick engine. A program whose data can be swapped takes much longer to compile than one with frozen data, and
its gradient is slower. The folds of a back-test with NUTS would have to be many of one structure to gain by it, and
those of a cut in compute differ where the model has sweeps.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from bayescale.laws import Axis
from bayescale.runs import Runs
from bayescale.spec import ResolvedModel, coords

if TYPE_CHECKING:
    from bayescale.sample import Compiled

KEPT = 8  # programs; one holds some tens of megabytes
_ROUND_TO = 4  # intervals of a walk: about a decade
_programs: OrderedDict[str, Compiled] = OrderedDict()


def widened(model: ResolvedModel) -> ResolvedModel:
    """The model with its walks reaching on, outwards, to the next whole decade.

    No row reads the intervals that this adds, so the posterior there is the prior, which is what a forecast would
    continue with; tables that differ a little in range, as the folds of a back-test do, then share a program.
    """
    drift: dict[Axis, tuple[int, int]] = {
        axis: (first // _ROUND_TO * _ROUND_TO, -(-last // _ROUND_TO) * _ROUND_TO)
        for axis, (first, last) in model.drift.items()
    }
    return model.model_copy(update={"drift": drift})


def program(model: ResolvedModel, runs: Runs) -> Compiled:
    """The model on a table: compiled, or a kept program of the same structure with this table's numbers."""
    from bayescale.build import build, model_data, structure
    from bayescale.sample import compile_model

    key = structure(model)
    if key not in _programs:
        _programs[key] = compile_model(build(model, runs), reusable=True)
        while len(_programs) > KEPT:
            _programs.popitem(last=False)
    _programs.move_to_end(key)
    kept = _programs[key]
    data = {str(name): value.to_numpy() for name, value in model_data(model, runs).items()}
    return kept.with_data(coords(model), **{n: data[n] for n in kept.data_names})
