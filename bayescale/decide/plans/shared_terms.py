"""Losses of many actions that share their N and their D, as on a grid: each term of the joint law is found once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescale.posterior import Curve

LARGEST = 600.0  # of the log of a term: its exponential, and the sum of two, are numbers
FEW = 0.5  # distinct values over actions: with more there is nothing to share


@dataclass(frozen=True, eq=False)
class SharedTerms:
    """The terms of N and D in the inner sum of the joint law, at every distinct N and D of some actions.

    Attributes
    ----------
    curve : Curve
    of_params, of_tokens : ndarray, shape (distinct value, draw)
        The terms themselves, not their logs.
    params_at, tokens_at : ndarray of int, shape (action,)
        Which of them each action has.
    """

    curve: Curve
    of_params: np.ndarray
    of_tokens: np.ndarray
    params_at: np.ndarray
    tokens_at: np.ndarray

    @classmethod
    def of(cls, curve: Curve, log_params: np.ndarray, log_tokens: np.ndarray) -> SharedTerms | None:
        """Those of a curve; None where the axes are not apart, little is shared, or a term is no number."""
        params, params_at = np.unique(log_params, return_inverse=True)
        tokens, tokens_at = np.unique(log_tokens, return_inverse=True)
        # What an input is worth may then hang on the other one.
        law = curve.law
        mixed = bool(curve.given or (law.bends and law.given) or law.core.best is not None)
        if mixed or len(params) + len(tokens) > FEW * len(log_params):
            return None
        logs = curve.log_terms({"params": params[None], "tokens": tokens[None]})
        if max(float(np.abs(one).max()) for one in logs) > LARGEST:
            return None
        # Draws side by side in memory: rows are gathered, and all that follows runs along them.
        of_params, of_tokens = (np.exp(np.ascontiguousarray(one.T)) for one in logs)
        return cls(curve, of_params, of_tokens, params_at, tokens_at)

    def loss(self, actions: slice) -> np.ndarray:
        """Expected loss of some of the actions, shape (draw, action)."""
        inner = self.of_params[self.params_at[actions]]
        inner += self.of_tokens[self.tokens_at[actions]]
        np.log(inner, out=inner)
        inner *= self.curve.theta["gamma"]
        inner += np.log(self.curve.theta["R0"])
        return self.curve.loss(inner.T)
