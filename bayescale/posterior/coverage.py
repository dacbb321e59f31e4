"""`Coverage`: how often samples of a model solve problems, as a posterior; pass@k, majority votes, and their limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy import special, stats

from bayescale.errors import ConvergenceError, FitFileError, ForecastError
from bayescale.files import refuse_existing, written_beside

COUNTS = ("samples", "correct", "problems")
PARAMETERS = ("easy", "hard_share", "precision_easy", "precision_hard", "weight", "unsolvable")
MOST_VOTES = 10_000  # votes whose majority is summed over every count
KEPT = 4000  # draws that a file holds


@dataclass(frozen=True, eq=False)
class Coverage:
    """A posterior of the success rate of single samples over problems.

    A share u of the problems is never solved. Of the others each has a rate p of its own, from a mixture of two Beta
    distributions, an easier and a harder one; of n samples of a problem c ~ Binomial(n, p) are right. pass@k of a new
    problem is 1 - E[(1-p)^k], in closed form. Its log falls as a power of k where the density of p near zero is one
    (Brown et al. 2024, eq. 2, by Schaeffer et al. 2025), until what is left are the unsolvable.

    Attributes
    ----------
    draws : dict of str to ndarray, shape (draw,)
        ``easy`` (mean rate of the easier component), ``hard_share`` (that of the harder one over it),
        ``precision_easy``, ``precision_hard`` (sums of the two Beta parameters), ``weight`` of the easier component,
        ``unsolvable`` (u).
    counts : DataFrame
        ``samples, correct, problems``: how many of the fitted problems had so many of so many right.
    converged : bool
        Whether the convergence gate was passed.
    verdict : str
        The gate's, in words.
    name : str
        Of the table.
    """

    draws: dict[str, np.ndarray]
    counts: pd.DataFrame
    converged: bool = True
    verdict: str = ""
    name: str = "counts"

    def __post_init__(self) -> None:
        if set(self.draws) != set(PARAMETERS):
            raise ForecastError(f"coverage needs draws of {', '.join(PARAMETERS)}")

    @cached_property
    def components(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """Log weight among all problems, and both Beta parameters, of each component."""
        d = self.draws
        solvable = np.log1p(-d["unsolvable"])
        hard = d["easy"] * d["hard_share"]
        return tuple(
            (solvable + log_weight, mean * total, (1.0 - mean) * total)
            for log_weight, mean, total in (
                (np.log(d["weight"]), d["easy"], d["precision_easy"]),
                (np.log1p(-d["weight"]), hard, d["precision_hard"]),
            )
        )

    def require_converged(self, allow: bool = False) -> None:
        """Raise unless the gate was passed or the caller allows it."""
        if not (self.converged or allow):
            raise ConvergenceError(f"this coverage {self.verdict}; raise draws", {})

    def failure(self, k: Any) -> np.ndarray:
        """1 - pass@k of a new problem, draw by draw, shape (draw, …) for k of shape (…); k need not be whole."""
        k = np.asarray(k, float)
        if (k < 0).any() or not np.isfinite(k).all():
            raise ForecastError(f"k = {k.min():g} (expected numbers of samples, zero or more)")
        shape = (-1, *[1] * k.ndim)
        total = self.draws["unsolvable"].reshape(shape) + np.zeros(k.shape)
        for log_weight, a, b in self.components:
            a, b = a.reshape(shape), b.reshape(shape)
            missed = special.betaln(a, b + k) - special.betaln(a, b)
            total = total + np.exp(log_weight.reshape(shape) + missed)
        return np.minimum(total, 1.0)

    def pass_at_k(self, k: Any) -> np.ndarray:
        """P(any of k samples solves a new problem), shape (draw, …)."""
        return 1.0 - self.failure(k)

    def of_these(self, k: Any) -> np.ndarray:
        """Mean pass@k of k fresh samples of the fitted problems, given their counts, shape (draw, k)."""
        k = np.atleast_1d(np.asarray(k, float))
        n, c, times = (self.counts[x].to_numpy(float) for x in ("samples", "correct", "problems"))
        # Log of P(count) of each problem, alone and with k failures after it: what is not unsolvable.
        seen = np.full((len(self.draws["easy"]), len(n)), -np.inf)
        missed = np.full((*seen.shape, len(k)), -np.inf)
        for log_weight, a, b in self.components:
            w, a, b = (v[:, None] for v in (log_weight, a, b))
            norm = w - special.betaln(a, b)
            seen = np.logaddexp(seen, norm + special.betaln(a + c, b + n - c))
            after = special.betaln((a + c)[..., None], (b + n - c)[..., None] + k[None, None])
            missed = np.logaddexp(missed, norm[..., None] + after)
        never = np.where(c == 0, np.log(self.draws["unsolvable"])[:, None], -np.inf)
        whole = np.logaddexp(seen, never)
        fails = np.exp(np.logaddexp(missed, never[..., None]) - whole[..., None])
        return 1.0 - (fails * times[None, :, None]).sum(axis=1) / times.sum()

    def majority(self, k: int) -> np.ndarray:
        """P(more than half of k samples are right) for a new problem, ties halved, shape (draw,).

        A majority vote does no worse: wrong answers that differ among themselves lose to fewer right ones. It levels at
        :attr:`majority_limit`.
        """
        if not 1 <= k <= MOST_VOTES or k != int(k):
            raise ForecastError(f"k = {k:g} votes (expected a whole number from 1 to {MOST_VOTES})")
        need = np.arange(k // 2 + 1, k + 1)
        total = np.zeros(len(self.draws["easy"]))
        for log_weight, a, b in self.components:
            a, b = a[:, None], b[:, None]
            won = stats.betabinom.pmf(need[None], k, a, b).sum(axis=1)
            if k % 2 == 0:
                won += 0.5 * stats.betabinom.pmf(k // 2, k, a, b)[:, 0]
            total += np.exp(log_weight) * won
        return total

    @property
    def majority_limit(self) -> np.ndarray:
        """Share of the problems of which more than half of all samples are right, shape (draw,)."""
        return np.asarray(
            sum(np.exp(w) * special.betaincc(a, b, 0.5) for w, a, b in self.components)
        )

    def samples_for(self, share: Any) -> np.ndarray:
        """k at which pass@k of a new problem reaches a share (one, or one a draw); infinite where it never does."""
        wanted = np.broadcast_to(np.asarray(share, float), len(self.draws["easy"]))
        low, high = np.full(len(wanted), -30.0), np.full(len(wanted), 40.0)  # log k
        never = self.failure_at(np.exp(high)) > 1.0 - wanted
        for _ in range(60):
            middle = 0.5 * (low + high)
            there = self.failure_at(np.exp(middle)) <= 1.0 - wanted
            low, high = np.where(there, low, middle), np.where(there, middle, high)
        return np.where(never, np.inf, np.exp(high))

    def failure_at(self, k: np.ndarray) -> np.ndarray:
        """1 - pass@k at a k of each draw's own, shape (draw,)."""
        total = self.draws["unsolvable"].copy()
        for log_weight, a, b in self.components:
            total += np.exp(log_weight + special.betaln(a, b + k) - special.betaln(a, b))
        return np.minimum(total, 1.0)

    @cached_property
    def observed(self) -> pd.DataFrame:
        """Unbiased pass@k of the fitted problems, 1 - C(n-c, k)/C(n, k), at powers of two up to the fewest samples."""
        n, c, times = (self.counts[x].to_numpy(float) for x in ("samples", "correct", "problems"))
        ks = 2 ** np.arange(int(np.log2(n.min())) + 1)
        shares = []
        for k in ks:
            log_missed = (
                special.gammaln(n - c + 1)
                - special.gammaln(np.maximum(n - c - k, 0) + 1)
                + special.gammaln(n - k + 1)
                - special.gammaln(n + 1)
            )
            missed = np.where(n - c >= k, np.exp(log_missed), 0.0)
            shares.append(1.0 - float((missed * times).sum() / times.sum()))
        return pd.DataFrame({"k": ks, "pass_at_k": shares})

    def table(self, k: Any, probs: tuple[float, ...] = (0.5, 0.9)) -> pd.DataFrame:
        """pass@k of new problems with equal-tailed intervals, and of a majority vote, one row a k."""
        rows = []
        for one in np.atleast_1d(np.asarray(k, float)):
            draws = self.pass_at_k(one)
            row = {"k": float(one), "median": float(np.median(draws))}
            for p in probs:
                low, high = np.quantile(draws, [(1 - p) / 2, (1 + p) / 2])
                row |= {f"lo{100 * p:g}": float(low), f"hi{100 * p:g}": float(high)}
            votes = one == int(one) and 1 <= one <= MOST_VOTES
            row["majority"] = float(np.median(self.majority(int(one)))) if votes else np.nan
            rows.append(row)
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        problems = int(self.counts["problems"].sum())
        u = np.quantile(self.draws["unsolvable"], [0.05, 0.5, 0.95])
        limit = np.quantile(self.majority_limit, [0.05, 0.5, 0.95])
        return "\n".join(
            [
                f"Coverage of {self.name}: {problems} problems, {self.verdict or 'converged'}",
                f"  never solved: {u[1]:.3f} [90 %: {u[0]:.3f}-{u[2]:.3f}]",
                f"  majority vote levels at {limit[1]:.3f} [90 %: {limit[0]:.3f}-{limit[2]:.3f}]",
            ]
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write one JSON file, of at most 4000 draws evenly spaced.

        Raises
        ------
        BayescaleError
            If the file exists, unless ``overwrite``, or cannot be written.
        """
        target = Path(path)
        refuse_existing(target, overwrite)
        size = len(self.draws["easy"])
        at = np.linspace(0, size - 1, min(size, KEPT)).round().astype(int)
        content = _CoverageFile(
            format="bayescale-coverage",
            schema_version=1,
            name=self.name,
            converged=self.converged,
            verdict=self.verdict,
            counts={c: self.counts[c].astype(int).tolist() for c in COUNTS},
            draws={name: values[at].tolist() for name, values in self.draws.items()},
        )
        with written_beside(target) as beside:
            beside.write_text(content.model_dump_json() + "\n", "utf-8")
        return target


class _CoverageFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    format: Literal["bayescale-coverage"]
    schema_version: Literal[1]
    name: str
    converged: bool
    verdict: str
    counts: dict[str, list[int]]
    draws: dict[str, list[float]] = Field(min_length=1)


def load_coverage(path: str | Path) -> Coverage:
    """Read what :meth:`Coverage.save` (``bayescale coverage``) wrote.

    Raises
    ------
    FitFileError
        If the file is missing, or holds no coverage.
    """
    source = Path(path)
    try:
        content = _CoverageFile.model_validate_json(source.read_text("utf-8"))
    except OSError as error:
        raise FitFileError(f"cannot read {source}: {error.strerror or error}") from None
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError) as error:
        said = str(error).splitlines()[0]
        raise FitFileError(f"{source} holds no coverage: {said}") from None
    return Coverage(
        {name: np.array(values) for name, values in content.draws.items()},
        pd.DataFrame(content.counts),
        content.converged,
        content.verdict,
        content.name,
    )
