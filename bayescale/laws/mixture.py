"""Data of several kinds: what a token of each is worth for a task, and data of higher or lower quality.

Training data are a mixture of K domains with shares r on the simplex. For a task, D' = D·Σ w_j r_j counts tokens by
what one of each domain is worth, over that of the even mixture: a task next to one domain sees mostly the tokens of
that domain, also where they are few, which makes its loss steep as a share goes to zero. Ye et al. 2024
(arXiv:2403.16952) have L = c + k·e^(t·r) instead, at one N and D; e^(t·r) is here a factor on the reducible loss. Of
w and t only what differs between domains is seen: both are over the even mixture, and shares need not add to one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

MOST_DOMAINS = 8
# Of a domain that a task hardly sees a tenth of the tokens count, of one that is all it needs a few times as many.
_FEWEST, _MOST = float(np.log(10.0)), float(np.log(3.0))

QUALITY_POWER = Parameter(
    "quality_power", "positive", "shape", "", "x", "exponent of quality in effective tokens"
)
TERM_LEVEL = Parameter(
    "mixture_level",
    "positive",
    "shape",
    "loss",
    "k",
    "what the mixture adds to the loss where it is even",
)


def worth_of(domain: int) -> Parameter:
    """w of one domain."""
    text = f"what a token of domain {domain} is worth, up to a common factor"
    return Parameter(f"worth_{domain}", "positive", "shape", "", f"w_{domain}", text)


def lean_of(domain: int) -> Parameter:
    """t of one domain."""
    text = f"log of the reducible loss for a mixture all of domain {domain}, over the even one"
    return Parameter(f"lean_{domain}", "real", "shape", "", f"t_{domain}", text)


def shares(domains: int) -> tuple[str, ...]:
    """Names of the inputs that are shares."""
    return tuple(f"share_{j}" for j in range(1, domains + 1))


def of_tokens(
    domains: int, xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D: log of Σ w_j r_j over what it is for the even mixture."""
    worth = [theta[f"worth_{j}"] for j in range(1, domains + 1)]
    part = [centred[name] for name in shares(domains)]
    seen = sum(w * r for w, r in zip(worth, part, strict=True))
    even = sum(worth) / domains
    return {"tokens": centred["tokens"] + xp.log(seen) - xp.log(sum(part)) - xp.log(even)}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log D of common mixtures."""
    return {"tokens": (logs["tokens"] - _FEWEST, logs["tokens"] + _MOST)}


def leaning(
    domains: int, xp: Namespace, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """t·r less what it is for the even mixture."""
    part = [beside[name] for name in shares(domains)]
    lean = [theta[f"lean_{j}"] for j in range(1, domains + 1)]
    over = sum(t * r for t, r in zip(lean, part, strict=True)) / sum(part)
    return over - sum(lean) / domains


def leaned(
    domains: int,
    xp: Namespace,
    log_r: Array,
    beside: Mapping[str, Array],
    theta: Mapping[str, Array],
) -> Array:
    """Log R times e^(t·r)."""
    return log_r + leaning(domains, xp, beside, theta)


def added(
    domains: int,
    xp: Namespace,
    log_r: Array,
    beside: Mapping[str, Array],
    theta: Mapping[str, Array],
) -> Array:
    """Log R with Ye et al.'s term: R + k·e^(t·r)."""
    term = xp.log(theta["mixture_level"]) + leaning(domains, xp, beside, theta)
    return xp.logaddexp(log_r, term)


def by_quality(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D of data of quality Q: D' = D·Q^x. ``quality`` is log Q."""
    return {"tokens": centred["tokens"] + theta["quality_power"] * centred["quality"]}


def quality_span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Smallest and largest effective log D where quality counts in proportion."""
    moved = logs["tokens"] + logs["quality"]
    return {"tokens": (np.minimum(logs["tokens"], moved), np.maximum(logs["tokens"], moved))}
