"""Laws of further inputs through forecasts, decisions and the command line, on fits that are draws of the prior."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_fit, make_runs

import bayescale as bs
from bayescale.cli.run import run
from bayescale.posterior import Fit
from bayescale.runs import Runs

ALLOWED: dict[str, Any] = {"allow_experimental": True}
AT: dict[str, Any] = {"params": 1e9, "tokens": 2e10, "kind": "expected"}
# A model, an input with a worse and a better value of it, and what else a run must state.
WORSE_AND_BETTER = [
    ("precision", "weight_bits", 2.0, 8.0, {"activation_bits": 8.0}),
    ("rounding", "post_bits", 2.0, 8.0, {}),
    ("data-quality", "quality", 0.2, 1.0, {}),
    ("granularity", "granularity", 1.0, 16.0, {}),
    ("sparsity", "active_share", 1.0, 0.1, {}),
    ("vocabulary-printed", "vocabulary_params", 1e5, 1e7, {}),
    ("distillation", "teacher_loss", 3.2, 2.2, {"student_loss": 2.6}),
]


def table(**columns: Any) -> Runs:
    """The small complete design, with further inputs."""
    frame = make_runs().table.drop(columns=["compute", "run_id"])
    info = {"web": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(frame.assign(**columns), task_info=info, name="further")


def fitted(model: str, **columns: Any) -> Fit:
    return make_fit(model, table(**columns), draws=40)


@pytest.mark.parametrize(("model", "name", "worse", "better", "beside"), WORSE_AND_BETTER)
def test_forecasts_plans_and_choices_read_it(
    model: str, name: str, worse: float, better: float, beside: dict[str, float]
) -> None:
    fit = fitted(model, **{name: better, **beside})
    low, high = (
        bs.predict(fit, **AT, **beside, **{name: value}).draws.to_numpy()
        for value in (better, worse)
    )
    # The median of the draws, as a teacher beyond the gap may be worse in some.
    assert np.median(low) < np.median(high)
    plans = [
        bs.plan(fit, 1e22, **beside, **{name: value}, **ALLOWED).by_utility["loss"].loss
        for value in (better, worse)
    ]
    assert plans[0] < plans[1]


def test_a_mixture_is_forecast_planned_and_chosen() -> None:
    rng = np.random.default_rng(0)
    share = rng.uniform(0.2, 0.8, 9)
    fit = fitted("mixture-2", share_1=share, share_2=1.0 - share)
    even = bs.predict(fit, **AT, share_1=0.5, share_2=0.5)
    other = bs.predict(fit, **AT, share_1=0.0, share_2=1.0)
    assert (even.draws.to_numpy() != other.draws.to_numpy()).all()
    assert bs.plan(fit, 1e22, share_1=0.5, share_2=0.5, **ALLOWED).problem["share_1"] == 0.5
    with pytest.raises(bs.errors.ForecastError, match=r"reads share_2 .*; state it"):
        bs.predict(fit, **AT, share_1=0.5)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bits = {"weight_bits": [2.0, 4.0, 16.0] * 3, "activation_bits": 8.0}
    saved = str(fitted("precision", **bits).save(tmp_path / "fit.nc"))
    words = ["predict", saved, "--params", "1B", "--tokens", "20B", "--json"]
    losses = []
    for stated in (["--given", "weight_bits=4"], ["--given", "weight_bits=16"], []):
        assert run([*words, *stated]) == 0
        losses.append(json.loads(capsys.readouterr().out)["forecasts"][0]["median"])
    assert losses[0] > losses[1] >= losses[2]
    plan = ["plan", saved, "--compute", "1e22", "--allow-experimental", "--json"]
    assert run([*plan, "--given", "weight_bits=4"]) == 0
    assert json.loads(capsys.readouterr().out)["problem"]["weight_bits"] == 4.0


def test_laws_compose_in_a_model_file(tmp_path: Path) -> None:
    own = {
        "R_D_star": "R_D_star", "R_N_star": "R_N_star", "weight_bits_scale": "bits_scale_weights",
        "weight_bits_power": "bits_power", "gain": "routing_gain", "fading": "routing_fading",
        "E_start": "experts_start", "E_max": "experts_most", "post_level": "post_level",
        "post_bits_scale": "post_bits", "post_by_tokens": "post_tokens",
        "post_by_params": "post_params",
    }  # fmt: skip
    path = tmp_path / "all.toml"
    path.write_text(
        'extends = "parameter-data"\nname = "all"\n'
        'effective = ["repeated-data", "routed", "weight-bits"]\nmodifiers = ["rounding"]\n'
        + "".join(f'[parameters.{name}]\nprior = "{prior}"\n' for name, prior in own.items())
    )
    fit = make_fit(path, make_runs(), draws=40)
    plain = bs.predict(fit, **AT).draws.to_numpy()
    for stated, sign in (
        ({"unique_tokens": 1e9}, 1),
        ({"experts": 64.0}, -1),
        ({"weight_bits": 3.0}, 1),
        ({"post_bits": 3.0}, 1),
    ):
        found = bs.predict(fit, **AT, **stated).draws.to_numpy()
        assert (sign * (found - plain) > 0).all(), stated
    every = {"unique_tokens": 1e9, "experts": 8.0, "weight_bits": 4.0, "post_bits": 4.0}
    assert bs.plan(fit, 1e22, **every, **ALLOWED).problem["post_bits"] == 4.0
