"""How much evidence the fitted rows are: checkpoints of one run share its offset or residual, and count as fewer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.errors import ForecastError
from bayescale.posterior.groups import Side
from bayescale.runs import path_labels, preceding, unfinished
from bayescale.wording import counted

if TYPE_CHECKING:
    from bayescale.posterior.fit import Fit


@dataclass(frozen=True)
class Evidence:
    """Rows, the runs (on a task, or whole) that they belong to, and the effective number of observations.

    ``effective`` is the posterior median of Σ m²/ΣΣr over paths of m rows, r the correlation of two of them (itself
    included): as many independent rows would know their mean as well. With a run effect alone it is Σ m/(1 + (m−1)ρ)
    (Kish 1965), ρ the share of the run effect in the variance of a row around its curve; a correlation along runs is
    that of what is left. ``lo90`` and ``hi90`` end its 90 % interval.
    """

    rows: int
    paths: int
    effective: float
    lo90: float
    hi90: float

    def to_dict(self) -> dict[str, float]:
        """Plain data, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.rows} rows of {counted(self.paths, 'run')} count as {self.effective:.1f} independent observations "
            f"(90 %: {self.lo90:.1f} to {self.hi90:.1f})"
        )


def evidence(fit: Fit) -> Evidence | None:
    """Effective number of observations of a fit; None where no rows share anything."""
    correlated = fit.model.spec.likelihood.correlation_length is not None
    if not (fit.model.paths or correlated):
        return None
    rows = fit.runs.to_dataframe().reset_index(drop=True)
    rows["path"] = path_labels(rows, fit.model.spec.likelihood.sharing)
    total: Any = 0.0
    for _, own in rows.groupby("path"):
        first = own.iloc[0]
        where: dict[Side, Any] = {
            "architecture": str(first["architecture"]),
            "task": str(first["task"]),
            "study": str(first["study"]),
        }
        theta = {k: v.to_numpy().ravel() for k, v in fit.parameters(where).items()}
        shared = theta.get("run_effect", np.zeros(1)) ** 2
        rho = shared / (shared + _noise_variance(fit, theta, own))
        rest: Any = len(own)
        if correlated:
            rest = _correlations(own, theta["correlation_length"])
        total = total + len(own) ** 2 / (rho * len(own) ** 2 + (1.0 - rho) * rest)
    low, middle, high = np.quantile(total, [0.05, 0.5, 0.95])
    return Evidence(len(rows), rows["path"].nunique(), float(middle), float(low), float(high))


def _correlations(own: pd.DataFrame, length: np.ndarray) -> np.ndarray:
    """Sum of the correlations of all pairs of residuals of a run, each with itself too, shape (draw,)."""
    previous, gap = preceding(own)
    total, earlier = np.zeros_like(length), np.zeros((len(own), len(length)))
    for row in np.argsort(own["step"].to_numpy(float), kind="stable"):
        if np.isfinite(gap[row]):
            # With all checkpoints before: with the last of them, and through it with the others.
            earlier[row] = np.exp(-gap[row] / length) * (1.0 + earlier[previous[row]])
        total = total + 1.0 + 2.0 * earlier[row]
    return total


def _noise_variance(fit: Fit, theta: dict[str, np.ndarray], own: pd.DataFrame) -> np.ndarray:
    """Variance of the log loss of a row but for its run's offset, averaged over rows, shape (draw,)."""
    variance = theta["sigma"] ** 2
    if "nu" in theta:
        variance = variance * theta["nu"] / (theta["nu"] - 2.0)
    if "inefficiency" in theta:
        variance = variance + (1.0 - 2.0 / np.pi) * theta["inefficiency"] ** 2
    loss = own["loss"].to_numpy(float)
    if fit.model.spec.likelihood.family == "binomial":
        return variance + float(np.mean((1.0 - loss) / (loss * own["trials"].to_numpy(float))))
    if "loss_se" in own:
        relative = np.nan_to_num(own["loss_se"].to_numpy(float)) / loss
        return variance + float(np.mean(relative**2))
    return variance


def require_plain_rows(fit: Fit, what: str) -> None:
    """Raise unless every row is of a finished run by itself, under Normal or Student-t noise, with free effects.

    Raises
    ------
    ForecastError
        Naming what of the fit it is that ``what`` does not know.
    """
    model = fit.model
    reasons = {
        f"{model.spec.likelihood.family} noise": model.spec.likelihood.family
        not in ("normal", "student-t"),
        "a run effect (run_effect=False leaves it out)": bool(model.paths),
        "a correlation along runs (correlation=False leaves it out)": (
            model.spec.likelihood.correlation_length is not None
        ),
        "correlated group effects": any(model.correlation(lv) for lv in model.levels()),
        "unfinished runs": bool(unfinished(fit.runs.to_dataframe()).any()),
    }
    found = [reason for reason, so in reasons.items() if so]
    if found:
        raise ForecastError(f"{what} does not know {' and '.join(found)}, which this fit has")


def notes_on_rows(fit: Fit) -> list[str]:
    """What a reader of a fit must know of how its rows were read."""
    family, rows = fit.model.spec.likelihood.family, fit.runs
    said = []
    if family == "one-sided":
        said.append("noise is one-sided: the curve is the frontier of well-tuned runs")
    if family == "binomial" and "loss_se" in rows:
        said.append("loss_se is not used: the counts say how sure each row is")
    if bounds := int(unfinished(rows.to_dataframe()).sum()):
        said.append(
            f"{counted(bounds, 'row')} of unfinished runs: each bounds a final loss from above"
        )
    return said
