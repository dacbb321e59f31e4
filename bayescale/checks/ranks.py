"""`SBC`: ranks of true quantities among posterior draws over many simulations, a verdict for each, and their file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks.predictive import departure
from bayescale.checks.uniformity import Uniformity, uniformity
from bayescale.errors import BayescaleError, DataError, unknown
from bayescale.files import refuse_existing, written_beside
from bayescale.wording import counted

SCHEMA = 2
FAMILY_ERROR = 0.05  # probability that a right model fails on any quantity


@dataclass(frozen=True, eq=False)
class SBC:
    """Simulation-based calibration (Talts et al. 2018; Säilynoja, Bürkner & Vehtari 2022).

    Attributes
    ----------
    records : list of dict
        One per simulation: ``seed``; ``attempt`` that was kept; the worst ``rhat`` and bulk ``ess`` of its chains, and
        their ``divergences``; whether they were ``good`` enough; ``ranks``, the place of each true quantity among the
        posterior draws, from 0 to 1.
    problem : dict
        What was simulated: model and data hash, settings of the sampler.
    """

    records: list[dict[str, Any]]
    problem: dict[str, Any]

    @property
    def ranks(self) -> pd.DataFrame:
        """Ranks as shares, one row a simulation and one column a quantity."""
        return pd.DataFrame([r["ranks"] for r in self.records])

    def uniformity(self, quantity: str, probability: float = 0.95) -> Uniformity:
        """ECDF of one quantity's ranks, and its simultaneous band."""
        ranks = self.ranks
        if quantity not in ranks:
            raise unknown("quantity", quantity, ranks.columns, "these simulations")
        return uniformity(ranks[quantity].to_numpy(), probability)

    def verdicts(self) -> pd.DataFrame:
        """One row per quantity: does its truth lie where the posterior says?

        Returns
        -------
        DataFrame
            ``quantity``; ``p`` of its ECDF; ``adjusted``, after Holm over all quantities; ``passed`` (adjusted ≥ .05);
            ``cover50`` and ``cover90``, of equal-tailed intervals; ``why``, empty where it passed.
        """
        rows = []
        for name, values in self.ranks.items():
            found = values.to_numpy()
            row = {"quantity": str(name), "p": uniformity(found).p}
            for level in (0.5, 0.9):
                inside = np.abs(found - 0.5) <= level / 2
                row[f"cover{100 * level:.0f}"] = float(inside.mean())
            rows.append(row | {"why": departure(found, "truths", "the posterior's spread")})
        frame = pd.DataFrame(rows)
        frame.insert(2, "adjusted", _holm(frame["p"].to_numpy()))
        frame.insert(3, "passed", frame["adjusted"] >= FAMILY_ERROR)
        frame["why"] = frame["why"].where(~frame["passed"], "")
        return frame

    @property
    def passed(self) -> bool:
        """Whether every quantity passed."""
        return bool(self.verdicts()["passed"].all())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        missed = sum(not r["good"] for r in self.records)
        again = sum(r["attempt"] > 1 for r in self.records)
        found = []
        if again:
            found.append(
                f"sampled again, longer: {again} of {counted(len(self.records), 'simulation')}"
            )
        if missed:
            found.append(f"not good enough even so, and counted: {counted(missed, 'simulation')}")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "problem": self.problem,
            "simulations": len(self.records),
            "passed": self.passed,
            "verdicts": self.verdicts().to_dict("records"),
            "notes": list(self.notes),
        }

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write problem and records as one JSON file, beside and then renamed; over another only with ``overwrite``."""
        refuse_existing(path, overwrite)
        names = list(self.records[0]["ranks"])
        lines = ",\n".join(
            json.dumps({**r, "ranks": [r["ranks"][name] for name in names]}) for r in self.records
        )
        head = json.dumps(
            {"schema_version": SCHEMA, "problem": self.problem, "quantities": names},
            ensure_ascii=False,
        )
        with written_beside(path) as beside:
            beside.write_text(f'{head[:-1]}, "records": [\n{lines}\n]}}\n', "utf-8")
        return Path(path)

    def __str__(self) -> str:
        head = f"{self.problem['model']}: {counted(len(self.records), 'simulation')}"
        body = self.verdicts().to_string(index=False, float_format=lambda v: f"{v:.3g}")
        return "\n".join([head, body, *(f"note: {n}" for n in self.notes)])


def load_sbc(path: str | Path) -> SBC:
    """Read what :meth:`SBC.save` wrote."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise BayescaleError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise DataError(f"{path} holds no simulations: not a JSON file") from None
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA:
        raise DataError(f"{path} holds no simulations of schema {SCHEMA}")
    names = content["quantities"]
    records = [
        {**r, "ranks": dict(zip(names, r["ranks"], strict=True))} for r in content["records"]
    ]
    return SBC(records, content["problem"])


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values: quantities of one simulation are not independent, and it needs no more than that."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out
