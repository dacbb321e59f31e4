"""What every set says of itself becomes a population of ``models/priors.toml``: a new set's value, predicted."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from bayescale.spec import Prior

# Population of models/priors.toml → the parameter of the fits that it is learned from, and which models have it.
# Those with a family are written anew; of the others the file states the distribution, and the studies stand behind it.
LEARNED: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "drift": ("drift", ("parameter-data",), None),
    "sweep": ("sweep", ("parameter-data",), None),
    "drift_curve": ("drift", ("data", "saturating"), "LogNormal"),
    "exponent_curve": ("delta", ("data", "saturating"), "LogNormal"),
    "sigma_curve": ("sigma", ("data", "saturating"), None),  # losses of two sets are smoothed
    "phi": ("phi", ("data",), "LogitNormal"),
    "phi_error": ("phi", ("saturating",), None),  # two sets do not tell how sets differ
}


def by_population(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Population → study → the median of the parameter that the population is of."""
    return {
        name: {
            study: said["parameters"][parameter]["median"]
            for study, said in found.items()
            if said["model"] in models and parameter in said["parameters"]
        }
        for name, (parameter, models, _) in LEARNED.items()
    }


def predicted(values: Sequence[float], family: str) -> Prior:
    """The distribution of a new study's value: of the Normal that the values came from, on the link scale.

    Its mean and standard deviation are unknown: a new value is a Student-t about the mean of n by their spread times
    √(1+1/n) (Gelman et al. 2013, eq. 3.5), here the Normal of the same 95 % interval.
    """
    z = np.log(values) if family == "LogNormal" else stats.logistic.ppf(values)
    n = len(z)
    spread = float(z.std(ddof=1)) * math.sqrt(1 + 1 / n)
    spread *= float(stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975))
    return Prior.make(family, mu=round(float(z.mean()), 3), sigma=round(spread, 2))


def rewritten(text: str, evidence: Mapping[str, Mapping[str, float]]) -> str:
    """``priors.toml`` with what was found, population → study → value; studies that were not fitted stay."""
    for name, found in evidence.items():
        stated = tomllib.loads(text)["population"][name]
        studies = {**stated.get("studies", {}), **found}
        family = LEARNED[name][2]
        lines = {"studies": "{ " + ", ".join(f"{k} = {v}" for k, v in studies.items()) + " }"}
        if family is not None:
            lines["value"] = f'"{predicted(list(studies.values()), family)}"'
        text = _with_lines(text, name, lines)
    return text


def _with_lines(text: str, name: str, lines: Mapping[str, str]) -> str:
    """The file with some keys of one population replaced, or put behind its value."""
    head = f"[population.{name}]\n"
    start = text.index(head) + len(head)
    block = text[start:].split("\n\n", 1)[0]
    new = block
    for key, value in lines.items():
        if re.search(rf"^{key} = ", new, re.M):
            new = re.sub(rf"^{key} = .*$", lambda _, k=key, v=value: f"{k} = {v}", new, flags=re.M)
        else:
            new = re.sub(
                r"^(value = .*)$", lambda m, k=key, v=value: f"{m[1]}\n{k} = {v}", new, flags=re.M
            )
    return text[:start] + new + text[start + len(block) :]
