"""The numbers of the study: spreads, ratios, contractions and correlations, each with its Monte-Carlo tolerance."""

from __future__ import annotations

import arviz_stats
import numpy as np
import xarray as xr

from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior import Fit, population_parameters
from bayescale.spec import prior_draws

PRIOR_DRAWS = 4000  # as many as the summary's contraction is computed from
# Five standard errors of a difference: the recorded run has an error of its own.
STANDARD_ERRORS = 5.0 * 2.0**0.5
PARAMETERS = {"alpha": "α", "beta": "β", "delta": "δ", "gamma": "γ", "L_inf": "L∞"}
MOVED = {"omega": "ω", "a": "a"} | PARAMETERS
WITHIN = ("Pythia", "Cerebras-GPT")
ALONE = ("Pythia alone", "Cerebras alone")
CURVES = ("prior", *ALONE, "pooled", *(f"pooled: {f}" for f in WITHIN), "pooled, unflagged")
# Alone against the pooled population, and against the same family within the pooled fit.
RATIOS = tuple(
    (a, p) for a, f in zip(ALONE, WITHIN, strict=True) for p in ("pooled", f"pooled: {f}")
)
PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)
type Number = dict[str, float]
type Theta = dict[str, xr.DataArray]


def prior_of(fit: Fit) -> Theta:
    """The prior of a fit's population, the draws of its summary, laid out as four chains."""
    theta = population_parameters(prior_draws(fit.model, PRIOR_DRAWS, fit.seed), fit.model)
    return {n: v.copy(data=v.to_numpy()).squeeze("chain", drop=True) for n, v in theta.items()}


def curves(fits: dict[str, Fit]) -> dict[str, Theta]:
    """What the tables compare: prior, populations, and two families within the pooled fit."""
    out = {name: population_parameters(fit.posterior, fit.model) for name, fit in fits.items()}
    pooled = fits["pooled"]
    for family in WITHIN:
        out[f"pooled: {family}"] = pooled.parameters(pooled.groups(family))
    return {"prior": prior_of(pooled)} | out


def chains(values: xr.DataArray) -> np.ndarray:
    """Draws as (chain, draw); independent draws of a prior as four chains."""
    if "chain" in values.dims:
        return values.transpose("chain", "draw").to_numpy()
    return values.to_numpy().reshape(4, -1)


def number(value: float, error: float) -> Number:
    """A value and how far a repeated run may be from it."""
    return {"value": round(float(value), 6), "tolerance": round(STANDARD_ERRORS * float(error), 6)}


def sd(x: np.ndarray) -> tuple[float, float]:
    """Standard deviation and its Monte-Carlo standard error."""
    return float(x.std(ddof=1)), float(arviz_stats.mcse(x, method="sd"))


def ratio(over: tuple[float, float], under: tuple[float, float]) -> tuple[float, float]:
    """Quotient of two estimates and its standard error."""
    value = over[0] / under[0]
    return value, value * float(np.hypot(over[1] / over[0], under[1] / under[0]))


def numbers(fits: dict[str, Fit]) -> dict[str, Number]:
    """Every number of the tables by a path such as ``sd/pooled/beta``."""
    out: dict[str, Number] = {}
    drawn = curves(fits)
    for name in CURVES:
        for p in PARAMETERS:
            x = chains(drawn[name][p])
            out[f"sd/{name}/{p}"] = number(*sd(x))
            out[f"log sd/{name}/{p}"] = number(*sd(np.log(x)))
            for prob in PROBS:
                error = arviz_stats.mcse(x, method="quantile", prob=prob)
                out[f"q{100 * prob:.0f}/{name}/{p}"] = number(np.quantile(x, prob), error)
    for over, under in RATIOS:
        for p in PARAMETERS:
            x, y = chains(drawn[over][p]), chains(drawn[under][p])
            out[f"sd ratio/{over} / {under}/{p}"] = number(*ratio(sd(x), sd(y)))
            logs = ratio(sd(np.log(x)), sd(np.log(y)))
            out[f"log sd ratio/{over} / {under}/{p}"] = number(*logs)
    for name, fit in fits.items():
        said, before, law = fit.summary().contraction, prior_of(fit), fit.model.get_law()
        for p in MOVED:
            support = law.parameters[p].support
            pair = [to_link(numpy_namespace, support, t[p]) for t in (drawn[name], before)]
            error = ratio(sd(chains(pair[0])), sd(chains(pair[1])))[1]
            out[f"contraction/{name}/{p}"] = number(said[p], error)
        for p in ("alpha", "beta", "delta"):
            out[f"correlation/{name}/{p}"] = correlation(drawn[name][p], drawn[name]["L_inf"])
    return out


def correlation(one: xr.DataArray, other: xr.DataArray) -> Number:
    """Correlation of the logs, with Fisher's standard error at the smaller effective sample size."""
    x, y = np.log(chains(one)), np.log(chains(other))
    value = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    size = min(float(arviz_stats.ess(v)) for v in (x, y))
    return number(value, (1 - value**2) / size**0.5)
