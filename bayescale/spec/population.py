"""Named prior populations: a distribution, its unit, and the studies behind it, which can be taken out again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bayescale.errors import ModelError, unknown
from bayescale.laws import Axis
from bayescale.spec.prior import Prior


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Study(_Strict):
    """A paper or table behind a prior; ``uses`` names the data it was computed from."""

    citation: str
    uses: str | None = None


class Population(_Strict):
    """One named population.

    Attributes
    ----------
    value : str
        The distribution, as :meth:`Prior.parse` reads it.
    unit : str
        "1", "nats/token", or what the value is a share of: "lowest loss", "median loss".
    reference : dict
        Scale at which a level is stated, e.g. ``{params = 1e9, tokens = 2e10}``; it is moved to the data's pivot.
    studies : dict
        Study key → the value that study reports, on the scale of the distribution.
    otherwise : str or None
        The distribution to fall back on when every study behind this one is excluded: wider, and resting on none.
    lost : tuple of str
        The studies it rested on, if all of them were excluded; never stated in a file.
    basis : str
        Why this centre and this width.
    """

    value: str
    unit: Literal["1", "nats/token", "lowest loss", "median loss"] = "1"
    reference: dict[Axis, float] = Field(default_factory=dict)
    studies: dict[str, float] = Field(default_factory=dict)
    basis: str
    otherwise: str | None = None
    lost: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _a_reference_moves_a_level(self) -> Self:
        if self.reference and self.prior.family != "LogNormal":
            raise ValueError("only a LogNormal can be stated at a reference scale")
        return self

    @property
    def prior(self) -> Prior:
        """The distribution."""
        return Prior.parse(self.value)

    def without(self, excluded: frozenset[str], name: str) -> Population:
        """The population as it would stand without some studies.

        The centre moves by as much as the mean of the studies moves, on the link scale (of a HalfNormal the scale, with
        their root mean square); the width never shrinks, and
        grows by the factor that losing studies adds to a predictive standard deviation, √[(1+1/n′)/(1+1/n)].
        """
        gone = excluded & self.studies.keys()
        if not gone:
            return self
        kept = [v for k, v in self.studies.items() if k not in gone]
        if not kept and self.otherwise is not None:
            return self.model_copy(update={"value": self.otherwise, "studies": {}})
        if not kept:
            # An error only if a model refers to it, see Populations.find.
            return self.model_copy(update={"studies": {}, "lost": tuple(sorted(gone))})
        prior = self.prior
        widen = math.sqrt((1 + 1 / len(kept)) / (1 + 1 / len(self.studies)))
        if prior.family == "LogNormal":
            shift = _mean(np.log, kept) - _mean(np.log, self.studies.values())
            new = Prior.make("LogNormal", mu=prior["mu"] + shift, sigma=prior["sigma"] * widen)
        elif prior.family == "LogitNormal":
            shift = _mean(_logit, kept) - _mean(_logit, self.studies.values())
            new = Prior.make("LogitNormal", mu=prior["mu"] + shift, sigma=prior["sigma"] * widen)
        elif prior.family == "Beta":
            shift = _mean(_logit, kept) - _mean(_logit, self.studies.values())
            centre = prior["alpha"] / (prior["alpha"] + prior["beta"])
            size = (prior["alpha"] + prior["beta"]) / widen**2
            centre = float(1 / (1 + np.exp(-(_logit(np.array(centre)) + shift))))
            new = Prior.make("Beta", alpha=centre * size, beta=(1 - centre) * size)
        elif prior.family == "HalfNormal":
            # Its scale is a root mean square: a study whose scale is as good as zero says little of the others'.
            ratio = math.sqrt(_mean(np.square, kept) / _mean(np.square, self.studies.values()))
            new = Prior.make("HalfNormal", sigma=prior["sigma"] * ratio * widen)
        else:
            raise ModelError(
                f"prior {name!r}: a {prior.family} cannot be recomputed without a study"
            )
        left = {k: v for k, v in self.studies.items() if k not in gone}
        return self.model_copy(update={"value": str(new), "studies": left})


def _logit(x: np.ndarray) -> np.ndarray:
    return np.log(x) - np.log1p(-x)


def _mean(f: Callable[[np.ndarray], np.ndarray], values: Iterable[float]) -> float:
    return float(np.mean(f(np.array(list(values)))))


class Populations(_Strict):
    """The contents of ``priors.toml``: populations, the studies behind them, and which one a kind of task uses."""

    schema_version: Literal[1]
    studies: dict[str, Study]
    population: dict[str, Population]
    choice: dict[str, dict[Literal["web", "text", "other"], str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, population in self.population.items():
            for text in filter(None, (population.value, population.otherwise)):
                Prior.parse(text, f"priors, population {name!r}")
            for study in population.studies:
                if study not in self.studies:
                    raise ValueError(f"population {name!r} names an unknown study {study!r}")
        for name, options in self.choice.items():
            for target in options.values():
                if target not in self.population:
                    raise ValueError(f"choice {name!r} names an unknown population {target!r}")
        return self

    def without(self, exclude: Iterable[str]) -> Populations:
        """Drop studies, and every study computed from the same data, from all populations."""
        wanted = set(exclude)
        known = set(self.studies) | {s.uses for s in self.studies.values() if s.uses}
        for name in sorted(wanted):
            if name not in known:
                raise unknown("study", name, known, "the prior populations")
        gone = frozenset(k for k, s in self.studies.items() if k in wanted or s.uses in wanted)
        # A study that others derive from takes them along: its own data set is what they share.
        shared = {self.studies[k].uses for k in gone if self.studies[k].uses}
        gone |= {k for k, s in self.studies.items() if s.uses in shared}
        updated = {k: p.without(gone, k) for k, p in self.population.items()}
        return self.model_copy(update={"population": updated})

    def find(self, text: str, corpus: Literal["web", "text", "other"], where: str) -> Population:
        """Resolve a reference in a model file: a population, a choice by kind of task, or a distribution."""
        name = self.choice.get(text, {}).get(corpus, text)
        if name in self.population:
            found = self.population[name]
            if found.lost:
                raise ModelError(
                    f"{where}: the prior {name!r} rests on {', '.join(found.lost)} alone; to exclude it, "
                    "state a distribution instead (prior=, or a copy of the model file)"
                )
            return found
        if "(" in text:
            return Population(value=str(Prior.parse(text, where)), basis="stated in the model")
        raise unknown("prior", text, {*self.population, *self.choice}, where)


def studies_of(names: Iterable[str], populations: Mapping[str, Population]) -> list[str]:
    """Keys of all studies behind the named populations, sorted."""
    return sorted({s for n in names if n in populations for s in populations[n].studies})
