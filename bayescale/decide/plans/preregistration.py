"""What a plan says in advance of one run: the distribution of its loss, kept draw by draw, and a seal on the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescale.posterior import (
    Chained,
    Group,
    Linked,
    Mixture,
    Posterior,
    Side,
    curve_of,
    group_curve,
    keyed_generator,
    named_quantiles,
)
from bayescale.posterior.uncertain import Uncertain
from bayescale.predict import (
    Noise,
    campaign_offset,
    error_of_run,
    mixture,
    run_centre,
    run_log_loss,
)

KEPT = 400  # draws of a forecast that a plan keeps
SEAL = "hash"
_SCALES = ("sigma", "nu", "inefficiency")


@dataclass(frozen=True, eq=False)
class Part:
    """Draws that share one family of noise: those of a fit, or of one member of a stack.

    Attributes
    ----------
    noise : Noise
        Without a run effect: that is in the centre.
    centre : ndarray, shape (draw,)
        Log loss of the run but for its noise: drift, campaign offset and run effect included.
    log_loss : ndarray, shape (draw,)
        One simulated run a draw, noise included.
    """

    noise: Noise
    centre: np.ndarray
    log_loss: np.ndarray

    def thinned(self, count: int) -> Part:
        """Some of the draws, evenly spaced."""
        at = np.linspace(0, len(self.centre) - 1, count).round().astype(int)
        return Part(self.noise.at(at), self.centre[at], self.log_loss[at])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        scales = {n: v.tolist() for n in _SCALES if (v := getattr(self.noise, n)) is not None}
        return {
            "family": self.noise.family,
            **scales,
            "centre": self.centre.tolist(),
            "log_loss": self.log_loss.tolist(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Part:
        """What :meth:`to_dict` gave."""
        scales = {n: np.array(content[n]) for n in _SCALES if n in content}
        noise = Noise(content["family"], **scales)
        return cls(noise, np.array(content["centre"]), np.array(content["log_loss"]))


@dataclass(frozen=True, eq=False)
class RunForecast:
    """The loss of one run of a recommendation, as it was forecast: every kept draw counts the same.

    Attributes
    ----------
    risk : str
        The risk measure that recommended the action.
    params, tokens : float
        N and D.
    parts : tuple of Part
    """

    risk: str
    params: float
    tokens: float
    parts: tuple[Part, ...]

    @classmethod
    def of(
        cls,
        fit: Posterior,
        where: dict[Side, Group],
        risk: str,
        params: float,
        tokens: float,
        given: Mapping[str, Uncertain] | None = None,
    ) -> RunForecast:
        """Forecast one run as :func:`bayescale.predict` does with ``kind="run"``, and keep 400 of the draws."""
        parts = _chain_parts(fit, where, params, tokens, given) if isinstance(fit, Chained) else []
        for member, draws in () if isinstance(fit, Chained) else fit.parts:
            curve = group_curve(member, where, given=given)
            logs = {"params": np.log([[params]]), "tokens": np.log([[tokens]])}
            campaign = np.log(curve.loss(curve.log_reducible(logs)))
            campaign = campaign + campaign_offset(member, where, curve.theta)[:, None]
            noise = Noise.of(member, curve.theta)
            run = run_log_loss(member, where, noise, campaign)[draws, 0]
            centre = run_centre(member, where, noise, campaign)[draws, 0]
            parts.append(Part(replace(noise, run_effect=None).at(draws), centre, run))
        held = sum(len(part.centre) for part in parts)
        share = min(1.0, KEPT / held)
        kept = (part.thinned(max(1, round(share * len(part.centre)))) for part in parts)
        return cls(risk, params, tokens, tuple(kept))

    @property
    def draws(self) -> np.ndarray:
        """Loss of one run, shape (draw,)."""
        return np.exp(self.log_draws)

    @property
    def log_draws(self) -> np.ndarray:
        """Log loss of one run, shape (draw,)."""
        return np.concatenate([part.log_loss for part in self.parts])

    def log_density(self, log_loss: np.ndarray) -> np.ndarray:
        """Log density of log losses, shape (value,): the noise's own, averaged over draws, not one of a histogram."""
        each = (p.noise.log_density(log_loss[None], p.centre[:, None]) for p in self._columns())
        return mixture(np.concatenate(list(each)))

    def cdf(self, log_loss: np.ndarray) -> np.ndarray:
        """P(log loss of the run ≤ value), shape (value,), likewise."""
        each = (p.noise.cdf(log_loss[None], p.centre[:, None]) for p in self._columns())
        return np.asarray(np.concatenate(list(each)).mean(axis=0))

    def _columns(self) -> list[Part]:
        """The parts with scales of shape (draw, 1), to meet values along a second axis."""
        out = []
        for part in self.parts:
            scales = {n: v[:, None] for n in _SCALES if (v := getattr(part.noise, n)) is not None}
            out.append(replace(part, noise=replace(part.noise, **scales)))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: quantiles of the loss to read, draws to score by."""
        return {
            "risk": self.risk,
            "params": self.params,
            "tokens": self.tokens,
            "loss": named_quantiles(self.draws),
            "parts": [part.to_dict() for part in self.parts],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunForecast:
        """What :meth:`to_dict` gave."""
        parts = tuple(Part.from_dict(part) for part in content["parts"])
        return cls(content["risk"], content["params"], content["tokens"], parts)


def _chain_parts(
    chain: Chained,
    where: dict[Side, Group],
    params: float,
    tokens: float,
    given: Mapping[str, Uncertain] | None,
) -> list[Part]:
    """Of a chain: the noise of the error is kept, that of the loss of the run is in the draws of its centre."""
    curve, parts = curve_of(chain, where, given=given), []
    rng = keyed_generator(chain.onto.seed, "noise", list(where.values()))
    logs = {"params": np.log([[params]]), "tokens": np.log([[tokens]])}
    for i, part in enumerate(curve.parts if isinstance(curve, Mixture) else (curve,)):
        if isinstance(part, Linked):
            upstream = part.upstream(part.log_reducible(logs))
            noise, centre = error_of_run(chain, where, part, i, upstream)
            parts.append(Part(noise, centre[:, 0], noise.simulate(centre, rng)[:, 0]))
    return parts


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain data without its own seal, whatever the order of keys and the layout of the file."""
    bare = {k: v for k, v in content.items() if k != SEAL}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the hash of it.

    It tells a file that was edited by hand. It is no signature: who wants to show that a plan is older than its run
    publishes the hash.
    """
    return {**content, SEAL: content_hash(content)}
