"""The forecast of a stack from those of its members: their draws in proportion to the weights, their notes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayescale.posterior import Stacked

if TYPE_CHECKING:
    from bayescale.predict.forecast import Forecast


def mixed(stack: Stacked, forecasts: Sequence[Forecast]) -> Forecast:
    """Mix forecasts of the same points by a stack's members.

    Parameters
    ----------
    stack : Stacked
        Says which draws of each member stand for it.
    forecasts : sequence of Forecast
        One of each of ``stack.parts``.

    Returns
    -------
    Forecast
        Draws of one chain; distances are the largest of the members'; every note that a member has, once.
    """
    chosen = []
    for (_, draws), forecast in zip(stack.parts, forecasts, strict=True):
        flat = forecast.draws.stack(drawn=("chain", "draw"), create_index=False)
        chosen.append(flat.isel(drawn=draws).drop_vars(("chain", "draw"), errors="ignore"))
    together = xr.concat(chosen, "drawn", join="exact").rename(drawn="draw")
    together = together.expand_dims(chain=[0]).assign_coords(draw=np.arange(together.sizes["draw"]))
    far = xr.concat([f.points["decades"] for f in forecasts], "member").max("member")
    notes = dict.fromkeys(note for forecast in forecasts for note in forecast.notes)
    return replace(
        forecasts[0],
        draws=together.transpose("chain", "draw", ...),
        points=forecasts[0].points.assign(decades=far),
        notes=(str(stack), *notes),
    )
