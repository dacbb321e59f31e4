"""The chance that one new run comes out at or below a loss, of a fit, a stack or a chain."""

from __future__ import annotations

import numpy as np

from bayescale.posterior import (
    Chained,
    Group,
    Linked,
    Mixture,
    Posterior,
    Side,
    curve_of,
    upstream_of,
)
from bayescale.predict.chained import error_of_run
from bayescale.predict.noise import Noise, along, campaign_offset, run_centre


def run_cdf(
    fit: Posterior, where: dict[Side, Group], value: float, log_loss: np.ndarray
) -> np.ndarray:
    """P(log loss of a new run ≤ value) around every draw of a curve, shape (draw, …), in a sweep that is new too.

    Of a chain losses are errors; the noise of the run's own loss is drawn, that of its error is not.
    """
    if isinstance(fit, Chained):
        return _of_chain(fit, where, value, log_loss)
    out, start = [], 0
    for member, draws in fit.parts:
        theta = {k: v.to_numpy().ravel() for k, v in member.parameters(where).items()}
        noise = Noise.of(member, theta)
        offset = run_centre(member, where, noise, campaign_offset(member, where, theta))[draws]
        own = log_loss[start : start + len(offset)]
        out.append(noise.at(draws).cdf(value, own + along(offset, own)))
        start += len(offset)
    return np.concatenate(out)


def _of_chain(
    chain: Chained, where: dict[Side, Group], value: float, log_error: np.ndarray
) -> np.ndarray:
    curve, out, start = curve_of(chain, where), [], 0
    for i, part in enumerate(curve.parts if isinstance(curve, Mixture) else (curve,)):
        if not isinstance(part, Linked):  # for the type checker: the curves of a chain are linked
            raise TypeError(type(part).__name__)
        own = log_error[start : start + len(part.floor)]
        noise, centre = error_of_run(chain, where, part, i, upstream_of(part.onto, np.exp(own)))
        out.append(noise.cdf(value, centre))
        start += len(own)
    return np.concatenate(out)
