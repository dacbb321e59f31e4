"""`Backtest`: what was forecast for held-out runs and what came true, as a table; its summaries and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import BayescaleError, DataError, unknown
from bayescale.files import refuse_existing, written_beside
from bayescale.predict.scores import LEVELS

SCHEMA = 2  # 1 had no joint densities of groups
KEYS = ("model", "fold")


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of runs that were held out, scored.

    Attributes
    ----------
    rows : DataFrame
        One row per model, fold and held-out run: where it lies (``params, tokens, compute``, ``decades`` beyond the
        fitted runs), its ``architecture``, ``task`` and ``group`` (its sweep, or its architecture and task), the loss,
        and the columns of :func:`bayescale.predict.scores.scored` and ``log_score``.
    folds : DataFrame
        One row per model and fold: ``fitted`` and ``held_out`` runs, ``converged``, ``verdict``.
    problem : dict
        Data hash, how runs were held out, cuts, seed, settings.
    notes : tuple of str
        What a reader must know.
    groups : DataFrame
        One row per model, fold and held-out group: its ``runs``, their joint ``log_density`` (nats, on log loss) and
        ``effective_draws``, by :func:`bayescale.predict.scores.joint_log_score`. Empty in files of schema 1.
    """

    rows: pd.DataFrame
    folds: pd.DataFrame
    problem: dict[str, Any]
    notes: tuple[str, ...] = field(default=())
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)

    def summary(self, by: Sequence[str] = KEYS) -> pd.DataFrame:
        """Scores by model and fold, or other columns; standard errors are clustered by ``group``.

        Returns
        -------
        DataFrame
            ``runs``, ``groups``; ``cover50`` … ``cover95`` and ``se50`` … ``se95`` (clustered), ``group_cover90``
            (every group counts once); ``width90`` (loss); ``rmsle``, ``bias`` (mean log median − log loss); ``crps``,
            ``log_score`` (mean, nats, on log loss), ``interval_score90``.
        """
        for column in by:
            if column not in self.rows:
                raise unknown("column", column, self.rows.columns, "the back-test")
        found = [
            {**dict(zip(by, keys, strict=True)), **_summary(part)}
            for keys, part in self.rows.groupby(list(by), sort=False)
        ]
        return pd.DataFrame(found)

    def by_distance(self, edges: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 3.0)) -> pd.DataFrame:
        """Summary by model and distance beyond the fitted runs, in decades."""
        cut = pd.cut(self.rows["decades"], [-np.inf, *edges[1:], np.inf], labels=_bins(edges))
        # A summary keeps the order in which it meets its groups; labels would sort as text.
        rows = self.rows.assign(distance=cut.astype(str)).sort_values(["model", "decades"])
        return Backtest(rows, self.folds, self.problem).summary(("model", "distance"))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "problem": self.problem,
            "summary": self.summary().to_dict("records"),
            "by_distance": self.by_distance().to_dict("records"),
            "folds": self.folds.to_dict("records"),
            "rows": self.rows.to_dict("records"),
            "groups": self.groups.to_dict("records"),
            "notes": list(self.notes),
        }

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything as one JSON file, beside and then renamed; one that exists only with ``overwrite``."""
        refuse_existing(path, overwrite)
        content = {"schema_version": SCHEMA, **self.to_dict()}
        with written_beside(path) as beside:
            beside.write_text(json.dumps(content, indent=1, default=_plain) + "\n", "utf-8")
        return Path(path)

    def __str__(self) -> str:
        said = self.problem
        head = f"Back-test of {', '.join(said['models'])}: held out by {said['by']}"
        table = self.summary()[[*KEYS, *_SHOWN]]
        lines = [head, table.to_string(index=False, float_format=lambda v: f"{v:.4g}")]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


_SHOWN = ("runs", "groups", "cover50", "cover90", "se90", "width90", "rmsle", "bias", "log_score")


def load_backtest(path: str | Path) -> Backtest:
    """Read a back-test that :meth:`Backtest.save` wrote, now or in schema 1."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise BayescaleError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise DataError(f"{path} is no back-test: not a JSON file") from None
    if not isinstance(content, dict) or content.get("schema_version") not in (1, SCHEMA):
        raise DataError(f"{path} is no back-test of schema {SCHEMA} or 1")
    return Backtest(
        pd.DataFrame(content["rows"]),
        pd.DataFrame(content["folds"]),
        content["problem"],
        tuple(content["notes"]),
        pd.DataFrame(content.get("groups", [])),
    )


def _summary(part: pd.DataFrame) -> dict[str, float]:
    groups = part.groupby("group", sort=False)
    out: dict[str, float] = {"runs": len(part), "groups": groups.ngroups}
    for level in LEVELS:
        tag = f"{100 * level:.0f}"
        inside = part[f"inside{tag}"].astype(float)
        out[f"cover{tag}"] = float(inside.mean())
        out[f"se{tag}"] = _clustered_se(inside, part["group"])
    inside = part["inside90"].astype(float)
    out["group_cover90"] = float(inside.groupby(part["group"]).mean().mean())
    out["width90"] = float(part["width90"].mean())
    out["rmsle"] = float(np.sqrt((part["error"] ** 2).mean()))
    out["bias"] = float(part["error"].mean())
    for name in ("crps", "log_score", "interval_score90"):
        out[name] = float(part[name].mean())
    return out


def _clustered_se(values: pd.Series, group: pd.Series) -> float:
    """Standard error of a mean when the values of one group move together; NaN for a single group."""
    total = (values - values.mean()).groupby(group).sum()
    count = len(total)
    if count < 2:
        return float("nan")
    return float(np.sqrt((total**2).sum() * count / (count - 1)) / len(values))


def _bins(edges: Sequence[float]) -> list[str]:
    inner = [f"{a:g}–{b:g}" for a, b in pairwise(edges)]
    return [*inner, f"over {edges[-1]:g}"]


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON")
