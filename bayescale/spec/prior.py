"""Priors as values: parsed from a line of text, compared, shifted, sampled and printed without any sampler."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayescale.errors import ModelError, unknown
from bayescale.laws import Support, to_link
from bayescale.laws.namespace import numpy_namespace

# Parameter names are PyMC's, so that what a user reads here is what the model is built with.
FAMILIES: dict[str, tuple[str, ...]] = {
    "Normal": ("mu", "sigma"),
    "LogNormal": ("mu", "sigma"),
    "LogitNormal": ("mu", "sigma"),
    "HalfNormal": ("sigma",),
    "Beta": ("alpha", "beta"),
    "Gamma": ("alpha", "beta"),
}
_MAY_BE_NEGATIVE = {"mu"}
_WITHIN: dict[Support, tuple[str, ...]] = {
    "positive": ("LogNormal", "HalfNormal", "Gamma", "LogitNormal", "Beta"),
    "unit": ("LogitNormal", "Beta"),
    "real": tuple(FAMILIES),
}
_CALL = re.compile(r"\s*([A-Za-z]+)\s*\(([^()]*)\)\s*")


@dataclass(frozen=True)
class Prior:
    """A univariate prior.

    Parameters
    ----------
    family : str
        One of Normal, LogNormal, LogitNormal, HalfNormal, Beta, Gamma (PyMC's names and parameters).
    values : tuple of (str, float)
        Its parameters in PyMC's order.

    Examples
    --------
    >>> Prior.parse("LogNormal(median=0.13, sigma=0.45)").quantile(0.5)
    0.13
    """

    family: str
    values: tuple[tuple[str, float], ...]

    @classmethod
    def make(cls, family: str, **values: float) -> Prior:
        """Make a prior from PyMC's parameter names; raises ModelError on a wrong name or a bad value."""
        if family not in FAMILIES:
            raise unknown("prior family", family, FAMILIES)
        names = FAMILIES[family]
        if set(values) != set(names):
            raise ModelError(f"{family} takes ({', '.join(names)}), not ({', '.join(values)})")
        for name, value in values.items():
            free = name in _MAY_BE_NEGATIVE
            if not math.isfinite(value) or (not free and value <= 0):
                kind = "finite" if free else "positive, finite"
                raise ModelError(f"{family}: {name} = {value:g} (expected a {kind} number)")
        return cls(family, tuple((name, float(values[name])) for name in names))

    @classmethod
    def parse(cls, text: str, where: str = "prior") -> Prior:
        """Read ``Family(name=number, ...)``; LogNormal also takes ``median=`` for exp(mu).

        Raises
        ------
        ModelError
            Naming ``where`` and what was expected.
        """
        match = _CALL.fullmatch(text)
        if not match:
            raise ModelError(
                f"{where}: cannot read {text!r} (expected e.g. 'LogNormal(mu=-1.2, sigma=0.3)')"
            )
        values: dict[str, float] = {}
        for part in filter(None, (p.strip() for p in match[2].split(","))):
            name, _, number = (s.strip() for s in part.partition("="))
            if name in values:
                raise ModelError(f"{where}: {name} is given twice in {text!r}")
            try:
                values[name] = float(number)
            except ValueError:
                raise ModelError(f"{where}: {part!r} in {text!r} is not name=number") from None
        if "median" in values and match[1] == "LogNormal":
            if "mu" in values:
                raise ModelError(f"{where}: {text!r} gives both mu and median; give one")
            median = values.pop("median")
            if not median > 0:
                raise ModelError(f"{where}: median = {median:g} (expected a positive number)")
            values["mu"] = math.log(median)
        try:
            return cls.make(match[1], **values)
        except (ModelError, KeyError) as error:
            raise ModelError(f"{where}: {error}") from None

    def require(self, support: Support, where: str) -> None:
        """Raise unless all mass lies in the support of the parameter."""
        if self.family not in _WITHIN[support]:
            raise ModelError(
                f"{where}: {self} reaches outside {'(0, 1)' if support == 'unit' else '(0, ∞)'} "
                f"(take {', '.join(_WITHIN[support])})"
            )

    def __str__(self) -> str:
        return f"{self.family}({', '.join(f'{k}={v:.12g}' for k, v in self.values)})"

    def __getitem__(self, name: str) -> float:
        return dict(self.values)[name]

    @property
    def frozen(self) -> stats.distributions.rv_frozen:
        """The scipy distribution; for LogitNormal that of the logit (see :meth:`quantile`)."""
        v = dict(self.values)
        match self.family:
            case "Normal" | "LogitNormal":
                return stats.norm(v["mu"], v["sigma"])
            case "LogNormal":
                return stats.lognorm(v["sigma"], scale=math.exp(v["mu"]))
            case "HalfNormal":
                return stats.halfnorm(scale=v["sigma"])
            case "Beta":
                return stats.beta(v["alpha"], v["beta"])
            case _:
                return stats.gamma(v["alpha"], scale=1.0 / v["beta"])

    def _back(self, value: np.ndarray) -> np.ndarray:
        return numpy_namespace.sigmoid(value) if self.family == "LogitNormal" else value

    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> np.ndarray:
        """Draw from the prior."""
        return self._back(np.asarray(self.frozen.rvs(size=size, random_state=rng)))

    def quantile(self, p: float | np.ndarray) -> np.ndarray:
        """Quantile function."""
        return self._back(np.asarray(self.frozen.ppf(p)))

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Log density at values of the parameter, in the coordinate in which its powers stay in the family.

        That is log θ for LogNormal and Gamma, logit θ for LogitNormal and Beta, θ itself for Normal and HalfNormal.
        There the density to the power a is, but for a constant, that of sd/√a for the normal families, of
        Beta(a·alpha, a·beta) and of Gamma(a·alpha, a·beta): the prior made weaker or stronger where it is.
        """
        match self.family:
            case "LogNormal" | "Gamma":
                return np.asarray(self.frozen.logpdf(value) + np.log(value))
            case "Beta":
                return np.asarray(self.frozen.logpdf(value) + np.log(value) + np.log1p(-value))
            case "LogitNormal":
                return np.asarray(self.frozen.logpdf(to_link(numpy_namespace, "unit", value)))
            case _:
                return np.asarray(self.frozen.logpdf(value))

    def link_moments(self, support: Support) -> tuple[float, float]:
        """Mean and sd on the link scale of a parameter, by its quantile function (exact to 1e-3 of the sd)."""
        grid = (np.arange(20_000) + 0.5) / 20_000
        z = to_link(numpy_namespace, support, self.quantile(grid))
        return float(np.mean(z)), float(np.std(z))

    def moved(self, log_shift: float) -> Prior:
        """The prior of the parameter times exp(log_shift); defined for log-scale families."""
        if self.family == "LogNormal":
            return Prior.make("LogNormal", mu=self["mu"] + log_shift, sigma=self["sigma"])
        if self.family == "Gamma":
            return Prior.make(
                "Gamma", alpha=self["alpha"], beta=self["beta"] * math.exp(-log_shift)
            )
        raise ModelError(f"{self} has no scale to convert; state it in the unit of the table")
