"""What a model says before it has seen a run: ranges of the prior, and the figure that shows them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import make_runs
from test_laws import TEXTBOOK

from bayescale import plots
from bayescale.checks import REFERENCE, prior_curves
from bayescale.spec import prior_draws, resolve
from bayescale.zoo import load_model, load_populations, model_names

DRAWS = 2000


@pytest.mark.parametrize("name", model_names())
def test_curves_fall_and_stay_above_their_floor(name: str) -> None:
    found, law = prior_curves(load_model(name), draws=300), load_model(name).get_law()
    assert list(found["axis"].values) == list(law.inputs)
    for values in (found["loss"], found["path"]):
        assert np.isfinite(values).all()
        # Errors rise with the loss of a first step; losses fall with any scale, but for a valley that is a parabola in
        # log N, and a data term that may grow with N: far off the frontier they may rise.
        rising = law.inputs == ("upstream_loss",)
        steps = -values.diff("point") if rising else values.diff("point")
        assert name in ("isoflop-profile", "farseer") or (steps <= 0).all()
    # Of each curve the loss is above the floor, so it is of every quantile.
    assert (found["loss"].min("point") >= found["floor"]).all()
    assert (found["loss"].diff("prob") > 0).all()


def test_at_the_reference_a_web_text_model_has_two_to_four_nats() -> None:
    found = prior_curves(load_model("parameter-data"), draws=DRAWS)
    for axis in ("params", "tokens"):
        one = found.sel(axis=axis)
        at = int(np.abs(one["x"].to_numpy() - REFERENCE[axis]).argmin())
        low, high = (float(one["loss"].sel(prob=p)[at]) for p in (0.05, 0.95))
        assert 1.9 < low < high < 4.1


def test_published_laws_lie_inside_the_prior_and_a_guess_does_not() -> None:
    """Every printed fit, along N, at all sizes drawn; a uniform guess lies above the prior of all but the smallest."""
    one = prior_curves(load_model("parameter-data"), draws=DRAWS).sel(axis="params")
    n, low, high = one["x"].to_numpy(), one["loss"].sel(prob=0.05), one["loss"].sel(prob=0.95)
    for p in TEXTBOOK.values():
        loss = p["L_inf"] + p["A"] * n ** -p["beta"] + p["B"] * REFERENCE["tokens"] ** -p["delta"]
        assert (loss > low).all()
        assert (loss < high).all()
    assert (high[n >= 1e9] < math.log(50257)).all()


def test_drift_and_new_families_are_in_it() -> None:
    """Against the population's own law, drawn apart: the same place at the reference, but wider."""
    spec = load_model("parameter-data")
    model = resolve(spec, make_runs(), load_populations(), drift=False)
    drawn = prior_draws(model, DRAWS)
    alone = np.log(drawn["R0"] + drawn["L_inf"]).to_numpy().ravel()
    one = prior_curves(spec, draws=DRAWS).sel(axis="params")
    at = int(np.abs(one["x"].to_numpy() - 1e9).argmin())
    middle = np.log(one["loss"].isel(point=at))
    width = float(middle.sel(prob=0.95) - middle.sel(prob=0.05))
    assert width > np.diff(np.quantile(alone, [0.05, 0.95]))[0]
    # A median of 2,000 draws has an error of 1.25 sd / √2000; both have one.
    error = 1.25 * alone.std() / math.sqrt(DRAWS)
    assert abs(float(middle.sel(prob=0.5)) - np.median(alone)) < 4 * math.hypot(error, error)


@pytest.mark.parametrize("width", ["text", "column"])
def test_there_is_a_panel_for_each_input(width: plots.style.Width) -> None:
    figure = plots.prior("parameter-data", width=width)
    assert len(figure.axes) == 2
    assert figure.get_figwidth() == {"text": 6.8, "column": 3.3}[width]
    assert len(plots.prior("compute").axes) == 1
