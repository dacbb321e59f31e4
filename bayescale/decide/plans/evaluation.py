"""Many actions at once: their losses under every draw, and any number of risks, without ever holding them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bayescale.decide.plans.judging import require_of_loss
from bayescale.decide.plans.shared_terms import SharedTerms
from bayescale.decide.risks.regret import ExpectedRegret, MinimaxRegret
from bayescale.decide.risks.risk import Risk
from bayescale.errors import PlanError
from bayescale.posterior import Curve, Mixture

BLOCK = 32_000  # losses at once: few enough to stay in a core's cache
ROUNDING = 1e-9  # relative; an action may seem better by that, and is not
THREADS = 2  # NumPy lets go of the interpreter while it computes


def evaluate(
    curve: Curve | Mixture,
    params: np.ndarray,
    tokens: np.ndarray,
    risks: Sequence[Risk],
    best: np.ndarray,
) -> dict[str, np.ndarray]:
    """Risks of the expected loss of many actions.

    Parameters
    ----------
    curve : Curve or Mixture
        Of a joint law.
    params, tokens : ndarray, shape (action,)
        N and D.
    risks : sequence of Risk
        Of the loss, settled for these losses (:func:`bayescale.decide.parse_risk` reads them by name).
    best : ndarray, shape (draw,)
        The least loss that each draw allows, for regret: at its own optimum of a budget that no action exceeds.

    Returns
    -------
    dict of str to ndarray, shape (action,)
        By the names of the risks.

    Raises
    ------
    PlanError
        If N and D are not of one shape, or not positive; if an action is better than ``best`` and regret is asked for.
    """
    n, d = np.asarray(params, float), np.asarray(tokens, float)
    if n.ndim != 1 or n.shape != d.shape or not len(n) or not (n.min() > 0 and d.min() > 0):
        raise PlanError(
            f"actions with N of shape {n.shape} and D of shape {d.shape} (expected positive numbers, one of each)"
        )
    for risk in risks:
        require_of_loss(risk, "evaluate")
    logs = {"params": np.log(n), "tokens": np.log(d)}
    far = curve.reaching({axis: (float(v.min()), float(v.max())) for axis, v in logs.items()})
    losses = _losses(far, logs)
    found = {risk.name: np.empty(len(n)) for risk in risks}
    compares = any(isinstance(risk, ExpectedRegret | MinimaxRegret) for risk in risks)
    step = max(1, BLOCK // len(best))

    def work(start: int) -> None:
        own = slice(start, start + step)
        loss = losses(own)
        if compares and (loss < best[:, None] * (1.0 - ROUNDING)).any():
            raise PlanError(
                "regret: an action is better than best; take the optimum of a larger budget"
            )
        # Beside the least loss that each draw allows, as in `judged`, but once for all risks.
        beside = np.empty((loss.shape[1] + 1, len(best))).T
        beside[:, 0], beside[:, 1:] = best, loss
        for risk in risks:
            found[risk.name][own] = risk(beside)[1:]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(0, len(n), step)))
    return found


def _losses(
    curve: Curve | Mixture, logs: Mapping[str, np.ndarray]
) -> Callable[[slice], np.ndarray]:
    """What gives the losses of a slice of the actions, shape (draw, action)."""
    parts = curve.parts if isinstance(curve, Mixture) else (curve,)
    shared = [SharedTerms.of(part, logs["params"], logs["tokens"]) for part in parts]
    known = [one for one in shared if one is not None]
    if len(known) == len(parts):
        return lambda own: np.concatenate([one.loss(own) for one in known])
    return lambda own: curve.loss(
        curve.log_reducible({axis: v[None, own] for axis, v in logs.items()})
    )
