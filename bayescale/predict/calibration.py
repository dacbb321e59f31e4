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
from bayescale.predict.replay import sentences
from bayescale.predict.scores import LEVELS

SCHEMA = 3  # 1 had no joint densities of groups, 2 no replay and no coverage that is expected
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
        One row per model and fold: ``fitted`` and ``held_out`` runs, ``converged``, ``verdict``, and, of each level,
        ``cover90_lo``, ``cover90_hi`` and ``cover90_rank``: the coverage that the forecasts expect of themselves, by
        :func:`bayescale.predict.replication.expected_coverage`.
    problem : dict
        Data hash, how runs were held out, cuts, seed, settings.
    notes : tuple of str
        What a reader must know.
    groups : DataFrame
        One row per model, fold and held-out group: its ``runs``, their joint ``log_density`` (nats, on log loss) and
        ``effective_draws``, by :func:`bayescale.predict.scores.joint_log_score`. Empty in files of schema 1.
    replay : DataFrame
        One row per model, fold and held-out group: the mean loss of its runs, forecast and observed, by
        :func:`bayescale.predict.replication.replayed`. Empty in files of earlier schemas.
    """

    rows: pd.DataFrame
    folds: pd.DataFrame
    problem: dict[str, Any]
    notes: tuple[str, ...] = field(default=())
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    replay: pd.DataFrame = field(default_factory=pd.DataFrame)

    def summary(self, by: Sequence[str] = KEYS) -> pd.DataFrame:
        """Scores by model and fold, or other columns; standard errors are clustered by ``group``.

        Returns
        -------
        DataFrame
            ``runs``, ``groups``; of each level ``cover90`` and ``se90`` (clustered), ``group_cover90`` and
            ``group_se90`` (every group counts once), ``width90`` (mean, in loss); ``rmsle``, ``bias`` (mean log median
            − log loss); ``crps``, ``log_score`` (mean, nats, on log loss), ``interval_score90``.
        """
        for column in by:
            if column not in self.rows:
                raise unknown("column", column, self.rows.columns, "the back-test")
        found = [
            {**dict(zip(by, keys, strict=True)), **_summary(part)}
            for keys, part in self.rows.groupby(list(by), sort=False)
        ]
        return pd.DataFrame(found)

    def intervals(self) -> pd.DataFrame:
        """How often intervals held, by model, fold and ``level`` (per cent): what is printed of them.

        Returns
        -------
        DataFrame
            ``cover``, ``se``, ``group_cover``, ``group_se`` and ``width``, as in :meth:`summary`, and ``expected_lo``,
            ``expected_hi`` and ``rank``: the coverage that the forecasts expect of themselves, and where what was seen
            lies in it; NaN in files of earlier schemas.
        """
        scores = self.summary().merge(self.folds, on=list(KEYS), how="left", validate="one_to_one")
        found = []
        for row in scores.to_dict("records"):
            for level in LEVELS:
                tag = f"{100 * level:.0f}"
                kept = {said: row.get(name.format(tag), np.nan) for said, name in _OF_LEVEL.items()}
                found.append({k: row[k] for k in KEYS} | {"level": float(tag)} | kept)
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
            "replay": self.replay.to_dict("records"),
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
        lines = [f"Back-test of {', '.join(said['models'])}: held out by {said['by']}"]
        lines.append(_text(self.summary()[[*KEYS, *SHOWN]]))
        if len(self.folds):
            lines += [
                "",
                "Intervals: how often they held, against what they say",
                _text(self.intervals()),
            ]
        lines += ["", "By distance beyond the fitted runs, decades"]
        lines.append(_text(self.by_distance()[list(SHOWN_BY_DISTANCE)]))
        lines += ["", *sentences(self.replay)]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes)])


SHOWN = ("runs", "groups", "cover50", "cover90", "se90", "width90", "rmsle", "bias", "log_score")
SHOWN_BY_DISTANCE = ("model", "distance", *SHOWN)
_OF_LEVEL = {
    "cover": "cover{}",
    "se": "se{}",
    "group_cover": "group_cover{}",
    "group_se": "group_se{}",
    "width": "width{}",
    "expected_lo": "cover{}_lo",
    "expected_hi": "cover{}_hi",
    "rank": "cover{}_rank",
}


def _text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format=lambda v: f"{v:.4g}")


def load_backtest(path: str | Path) -> Backtest:
    """Read a back-test that :meth:`Backtest.save` wrote, now or in an earlier schema."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise BayescaleError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise DataError(f"{path} is no back-test: not a JSON file") from None
    if not isinstance(content, dict) or content.get("schema_version") not in range(1, SCHEMA + 1):
        raise DataError(f"{path} is no back-test of schema {SCHEMA} or earlier")
    return Backtest(
        pd.DataFrame(content["rows"]),
        pd.DataFrame(content["folds"]),
        content["problem"],
        tuple(content["notes"]),
        pd.DataFrame(content.get("groups", [])),
        pd.DataFrame(content.get("replay", [])),
    )


def _summary(part: pd.DataFrame) -> dict[str, float]:
    groups = part.groupby("group", sort=False)
    out: dict[str, float] = {"runs": len(part), "groups": groups.ngroups}
    for level in LEVELS:
        tag = f"{100 * level:.0f}"
        inside = part[f"inside{tag}"].astype(float)
        out[f"cover{tag}"] = float(inside.mean())
        out[f"se{tag}"] = _clustered_se(inside, part["group"])
        by_group = inside.groupby(part["group"]).mean()
        out[f"group_cover{tag}"] = float(by_group.mean())
        out[f"group_se{tag}"] = float(by_group.std() / np.sqrt(len(by_group)))
        if f"width{tag}" in part:
            out[f"width{tag}"] = float(part[f"width{tag}"].mean())
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
