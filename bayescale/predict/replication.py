"""Held-out runs drawn again, all together, as a forecast says they may come: what it expects of its own coverage.

Forecasts of many runs share the curve, its drift and the offsets of sweeps, so that they hold or miss together: 90 %
intervals that are right hold anything between half and all of one held-out set. How much, the replicated sets tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.posterior import Fit, Group, Side, keyed_generator
from bayescale.predict.noise import Noise
from bayescale.predict.scores import LEVELS

CENTRAL = (0.05, 0.95)


def replicated(
    fit: Fit,
    where: Mapping[Side, Group],
    theta: Mapping[str, np.ndarray],
    noise: Noise,
    expected: np.ndarray,
    sweeps: Sequence[str],
    runs: Sequence[str],
    trials: np.ndarray | None = None,
) -> np.ndarray:
    """New runs of one architecture and task, jointly: one set a draw, of which rows of a sweep share its offset.

    Parameters
    ----------
    fit : Fit
        Its seed, with the labels, fixes what is drawn.
    where : mapping
        The groups.
    theta : mapping
        Their parameters, each of shape (draw,).
    noise : Noise
        Of one row by itself, around the centre.
    expected : ndarray, shape (draw, row)
        Log of the curve, drift included.
    sweeps, runs : sequence of str, one a row
        Labels; rows of one run share its offset too, where the model has them.
    trials : ndarray, shape (row,), optional
        Items behind each row, of a binomial.

    Returns
    -------
    ndarray, shape (draw, row)
        Losses, noise included.
    """
    centre = expected
    for name, labels in (("sweep", sweeps), ("run_effect", runs)):
        if name in theta:
            offsets = {g: _unit(fit, name, str(g), len(expected)) for g in dict.fromkeys(labels)}
            centre = centre + theta[name][:, None] * np.column_stack([offsets[g] for g in labels])
    rng = keyed_generator(fit.seed, "replicated noise", list(where.values()))
    return np.exp(noise.simulate(centre, rng, trials))


def _unit(fit: Fit, purpose: str, label: str, draws: int) -> np.ndarray:
    return keyed_generator(fit.seed, f"replicated {purpose}", [label]).standard_normal(draws)


def expected_coverage(replicates: np.ndarray, rows: pd.DataFrame) -> dict[str, float]:
    """What coverage the forecasts expect of their own intervals over one held-out set.

    Parameters
    ----------
    replicates : ndarray, shape (draw, row)
        Losses, a set a draw.
    rows : DataFrame
        ``lo``, ``hi`` and ``inside`` of each level, as of :func:`bayescale.predict.scores.scored`.

    Returns
    -------
    dict
        For each level, as in ``cover90``: ``cover90_lo`` and ``cover90_hi``, the central 90 % of the share of a
        replicated set inside its intervals; ``cover90_rank``, the share of sets with a smaller one than was seen (ties
        count half): below .05 the intervals are too narrow, above .95 too wide, by more than chance.
    """
    out = {}
    for level in LEVELS:
        tag = f"{100 * level:.0f}"
        low, high = (rows[f"{side}{tag}"].to_numpy(float) for side in ("lo", "hi"))
        # Counts, not shares: these tie exactly.
        count = ((low <= replicates) & (replicates <= high)).sum(axis=1)
        seen = int(rows[f"inside{tag}"].sum())
        # Shares come in steps: at least nine tenths of the sets lie between the two, edges included.
        edges = np.quantile(count, CENTRAL, method="inverted_cdf") / len(rows)
        out[f"cover{tag}_lo"], out[f"cover{tag}_hi"] = map(float, edges)
        out[f"cover{tag}_rank"] = float(0.5 * ((count < seen).mean() + (count <= seen).mean()))
    return out


def replayed(replicates: np.ndarray, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The mean loss of each held-out group, as it was forecast and as it came.

    Parameters
    ----------
    replicates : ndarray, shape (draw, row)
        Losses, a set a draw.
    rows : DataFrame
        ``group``, ``loss`` and ``decades`` of each row.

    Returns
    -------
    list of dict
        ``group``, ``runs``, ``decades`` (the farthest), ``observed``, and ``median``, ``lo90``, ``hi90``, ``inside90``
        of the forecast.
    """
    found = []
    for group, at in rows.groupby("group", sort=False).indices.items():
        low, median, high = np.quantile(replicates[:, at].mean(axis=1), (0.05, 0.5, 0.95))
        observed = float(rows["loss"].iloc[at].mean())
        found.append(
            {
                "group": str(group),
                "runs": len(at),
                "decades": float(rows["decades"].iloc[at].max()),
                "observed": observed,
                "median": float(median),
                "lo90": float(low),
                "hi90": float(high),
                "inside90": bool(low <= observed <= high),
            }
        )
    return found
