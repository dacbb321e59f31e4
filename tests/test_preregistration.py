"""A plan as a preregistration: its forecast is the one that `predict` makes, its seal holds, and its score is exact."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import make_fit, make_runs
from scipy import stats

import bayescale as bs
from bayescale.checks import uniformity
from bayescale.decide import Part, Plan, RunForecast, load_problem
from bayescale.decide.plans.preregistration import KEPT, content_hash
from bayescale.errors import BayescaleError, DataError, PlanError, UnknownNameError
from bayescale.plots.ledger import ledger_numbers
from bayescale.posterior import Fit, Stacked
from bayescale.predict import Noise
from bayescale.spec import Family


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(runs=make_runs(), draws=300)


@pytest.fixture(scope="module")
def plan(fit: Fit) -> Plan:
    return bs.plan(fit, 1e23, ["expectation", "cvar:0.1"], target_loss=2.3)


@pytest.fixture(scope="module")
def saved(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan.save(tmp_path_factory.mktemp("plans") / "plan.json")


def outcome(plan: Plan, loss: float = 2.2, at: int = 0, off: float = 1.0) -> pd.DataFrame:
    one = plan.forecasts[at]
    return pd.DataFrame({"N": [one.params * off], "D": [one.tokens], "val_loss": [loss]})


# ------------------------------------------------------------------ the forecast


def test_the_kept_draws_are_those_that_predict_makes(fit: Fit, plan: Plan) -> None:
    for said, kept in zip(plan.recommendations, plan.forecasts, strict=True):
        assert (said.risk, said.params, said.tokens) == (kept.risk, kept.params, kept.tokens)
        made = bs.predict(fit, params=said.params, tokens=said.tokens, kind="run").draws
        assert len(kept.draws) == KEPT < made.size
        assert set(kept.draws) <= set(made.to_numpy().ravel())


def test_a_stack_keeps_draws_of_every_member_in_proportion() -> None:
    runs = make_runs()
    members = tuple(make_fit(runs=runs, draws=300, seed=s) for s in (0, 1))
    made = bs.plan(Stacked(members, (0.75, 0.25)), 1e23)
    sizes = [len(part.centre) for part in made.forecasts[0].parts]
    assert sizes == [0.75 * KEPT, 0.25 * KEPT]


@pytest.mark.parametrize(
    ("family", "scales"),
    [
        ("normal", {}),
        ("student-t", {"nu": [3.0, 8.0]}),
        ("one-sided", {"inefficiency": [0.1, 0.2]}),
    ],
)
def test_the_density_is_that_of_the_mixture(family: Family, scales: dict[str, list[float]]) -> None:
    noise = Noise(family, np.array([0.05, 0.1]), **{k: np.array(v) for k, v in scales.items()})
    centre = np.array([0.5, 0.9])
    forecast = RunForecast("mean", 1e9, 2e10, (Part(noise, centre, centre),))
    at = np.linspace(-4.0, 6.0, 40_001)
    density = np.exp(forecast.log_density(at))
    assert np.trapezoid(density, at) == pytest.approx(1.0, abs=2e-3)  # a t of 3 has long tails
    slope = np.gradient(forecast.cdf(at), at)
    np.testing.assert_allclose(slope, density, atol=2e-3 * density.max())
    both = RunForecast(
        "mean",
        1e9,
        2e10,
        (
            Part(noise.at(np.array([0])), centre[:1], centre[:1]),
            Part(noise.at(np.array([1])), centre[1:], centre[1:]),
        ),
    )
    np.testing.assert_allclose(both.log_density(at), forecast.log_density(at))
    if family == "normal":
        by_hand = 0.5 * (stats.norm.pdf(at, 0.5, 0.05) + stats.norm.pdf(at, 0.9, 0.1))
        np.testing.assert_allclose(density, by_hand, atol=1e-12)


# ------------------------------------------------------------------ the file


def test_a_plan_comes_back_as_it_was(plan: Plan, saved: Path) -> None:
    back = bs.load_plan(saved)
    assert back.to_dict() == plan.to_dict()
    assert back.hash == plan.hash == json.loads(saved.read_text())["hash"]
    assert str(back) == str(plan)
    bs.plot.frontier(back)


def test_layout_is_not_content(saved: Path, tmp_path: Path) -> None:
    content = json.loads(saved.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps(dict(reversed(content.items()))))
    assert bs.load_plan(other).hash == content["hash"]


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "target": lambda c: c["problem"].update(target_loss=2.4),
    "draw": lambda c: c["forecasts"][0]["parts"][0]["centre"].__setitem__(7, 1.0),
    "noise": lambda c: c["forecasts"][1]["parts"][0]["sigma"].reverse(),
    "data": lambda c: c["provenance"].update(data_hash="0" * 64),
    "caveat": lambda c: c["caveats"].pop(),
    "hash": lambda c: c.update(hash="0" * 64),
    "no hash": lambda c: c.pop("hash"),
    "added": lambda c: c.update(comment="as agreed"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_plan_that_was_edited_is_refused(saved: Path, tmp_path: Path, edit: str) -> None:
    content = json.loads(saved.read_text())
    EDITS[edit](content)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    with pytest.raises(PlanError, match=r"other\.json was changed after .* hash mismatch") as said:
        bs.load_plan(other)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON file"),
        ("[1]", "not a JSON object"),
        ('{"a": NaN}', "not a JSON file"),
        ('{"format": "bayescale-stack"}', "is no plan"),
        ('{"format": "bayescale-plan", "schema_version": 1}', "schema 1 .*make it again"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=message):
        bs.load_plan(path)
    with pytest.raises(PlanError, match="No such file"):
        bs.load_plan(tmp_path / "absent.json")


def test_provenance_names_everything_that_made_the_plan(fit: Fit, plan: Plan) -> None:
    said = plan.provenance
    assert {"model_hash", "priors_hash", "data_hash", "seed", "versions"} <= set(said)
    other = make_fit(
        runs=make_runs(), draws=300, prior={"alpha": "LogNormal(median=0.14, sigma=0.3)"}
    )
    moved = bs.plan(other, 1e23).provenance
    assert moved["priors_hash"] != said["priors_hash"]
    assert moved["data_hash"] == said["data_hash"]


def test_the_seal_is_of_everything_but_itself() -> None:
    content = {"b": [1.0, 2], "a": {"x": None}}
    assert content_hash(content) == content_hash({**content, "hash": "anything"})
    assert content_hash(content) != content_hash({**content, "b": [2, 1.0]})


# ------------------------------------------------------------------ the problem as a file

PROBLEM = """
risk = ["cvar:0.1"]
target_loss = 2.3
[budget]
dollars = 5e6
price_per_hour = 2.7
mfu = 0.4
hardware = "H100-SXM"
"""


def test_a_problem_file_asks_what_options_ask(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PROBLEM)
    found = load_problem(path)
    by_hand = bs.Budget(dollars=5e6, price_per_hour=2.7, mfu=0.4, hardware="H100-SXM")
    assert found.get_budget() == by_hand
    assert [r.name for r in found.risks() or []] == ["cvar:0.1"]
    path.write_text('risk = "quantile:0.9"\n[budget]\ncompute = 1e24')
    assert [r.name for r in load_problem(path).risks() or []] == ["quantile:0.9"]
    path.write_text("risk = 3\n[budget]\ncompute = 1e24")
    with pytest.raises(PlanError, match="risk"):
        load_problem(path)
    path.write_text('new_architecture = "mamba-3"\n[budget]\ncompute = 1e24')
    assert load_problem(path).group() == bs.New("mamba-3")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target_loss", "traget_loss", "unknown key 'traget_loss'.*did you mean 'target_loss'"),
        ("hardware", "hardwear", r"'hardwear' in .*\[budget\]; did you mean 'hardware'"),
        ("H100-SXM", "H100-SMX", "did you mean 'H100-SXM'"),
        ("cvar:0.1", "cvra:0.1", "did you mean 'cvar:0.1'"),
        ("2.3", "-2.3", "target_loss = -2.3"),
        ("2.3", '"2.3"', "target_loss = '2.3'"),
        ("5e6", "-5e6", r"dollars = -5e\+06 .expected a positive"),
        ("0.4", "1.4", "mfu = 1.4"),
        ("[budget]", "[badget]", "did you mean 'budget'|no budget"),
        ("2.3", "2.3\narchitecture = 'a'\nnew_architecture = 'b'", "not both"),
        ("risk", "[", "not a TOML file"),
    ],
)
def test_bad_problem_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PROBLEM.replace(old, new, 1))
    with pytest.raises((PlanError, UnknownNameError), match=message) as said:
        load_problem(path)
    assert "\n" not in str(said.value)


# ------------------------------------------------------------------ scores


def test_a_score_is_the_noise_averaged_over_draws(plan: Plan) -> None:
    (score,) = bs.score_plan(plan, outcome(plan, 2.2))
    (part,) = plan.forecasts[0].parts
    assert part.noise.nu is not None
    each = stats.t(part.noise.nu, part.centre, part.noise.sigma)
    x = math.log(2.2)
    assert score.log_score == pytest.approx(math.log(each.pdf(x).mean()))
    assert score.pit == pytest.approx(each.cdf(x).mean())
    draws = part.log_loss
    apart = np.abs(draws[:, None] - draws[None]).sum() / (KEPT * (KEPT - 1))
    assert score.crps == pytest.approx(np.abs(draws - x).mean() - apart / 2)
    assert (score.plan, score.risk, score.loss) == (plan.hash, "expectation", 2.2)


def test_outcomes_are_matched_to_the_nearest_recommendation(plan: Plan) -> None:
    (score,) = bs.score_plan(plan, outcome(plan, at=1, off=1.01))
    assert score.risk == "cvar:0.1"
    assert score.params == pytest.approx(1.01 * score.planned_params)


def test_what_the_plan_does_not_speak_of_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    far = outcome(plan, at=1, off=0.9)
    with pytest.raises(PlanError, match=r"params .*-10 % off .*tolerance 5 %"):
        bs.score_plan(plan, far, ledger=path)
    assert bs.score_plan(plan, far, tolerance=0.1 + 1e-9)
    for extra, message in (
        ({"architecture": ["mamba"]}, "architecture 'mamba', the plan of 'gpt'"),
        ({"unfinished": [True]}, "unfinished"),
    ):
        with pytest.raises(PlanError, match=message):
            bs.score_plan(plan, far.assign(**extra), tolerance=0.2, ledger=path)
    with pytest.raises(PlanError, match="outcomes are in error, the plan in nats/token"):
        bs.score_plan(plan, far.rename(columns={"val_loss": "error"}).assign(error=0.3))
    with pytest.raises(PlanError, match="needs its tokens"):
        bs.score_plan(plan, far.drop(columns="D"), ledger=path)
    with pytest.raises(PlanError, match="takes a plan, not a str"):
        bs.score_plan("plan.json", far)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="tolerance = -1"):
        bs.score_plan(plan, far, tolerance=-1.0)
    assert not path.exists()


def test_outcomes_drawn_from_the_forecast_are_uniform_and_others_are_not(plan: Plan) -> None:
    forecast = plan.forecasts[0]
    (part,) = forecast.parts
    rng = np.random.default_rng(3)
    chosen = rng.integers(0, KEPT, 400)
    noise = part.noise.at(chosen)
    truth = noise.simulate(part.centre[chosen], rng)
    # p is uniform under the truth: a right scorer fails at .001 in one seed of a thousand, and the seed is fixed.
    assert uniformity(forecast.cdf(truth)).p > 0.001
    middle = np.median(truth)
    assert uniformity(forecast.cdf(middle + 1.5 * (truth - middle))).p < 0.001


# ------------------------------------------------------------------ the ledger


def test_a_ledger_only_grows(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = bs.score_plan(plan, outcome(plan, 2.2), ledger=path)
    before = path.read_bytes()
    second = bs.score_plan(plan, outcome(plan, 2.3), ledger=path)
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 2
    assert bs.load_ledger(path) == (*first, *second)
    both = pd.concat([outcome(plan, 2.1), outcome(plan, 2.3)])
    with pytest.raises(PlanError, match=r"has run .* already.*nothing was added"):
        bs.score_plan(plan, both, ledger=path)
    with pytest.raises(PlanError, match="already"):
        bs.score_plan(
            plan, pd.concat([outcome(plan, 2.15)] * 2).assign(run=["a", "b"]), ledger=path
        )
    assert path.read_bytes() == after


def test_a_line_that_was_cut_off_is_named_wherever_it_was_cut(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for loss in (2.2, 2.3):
        bs.score_plan(plan, outcome(plan, loss), ledger=path)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first + 1, first + 40, len(whole) - 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="line 2 was cut off"):
            bs.load_ledger(path)
        with pytest.raises(DataError, match="line 2 was cut off"):
            bs.score_plan(plan, outcome(plan, 2.4), ledger=path)
        assert path.read_bytes() == whole[:end]
    path.write_bytes(whole[:first])
    assert [s.loss for s in bs.load_ledger(path)] == [2.2]


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.replace('"pit":', '"pti":'),
        lambda t: re.sub(r'"pit":[^}]*', '"pit":1.5', t),
        lambda t: t + "\n\n",
        lambda t: "{}\n",
    ],
)
def test_a_line_that_is_no_score_is_named(
    plan: Plan, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    path = tmp_path / "ledger.jsonl"
    bs.score_plan(plan, outcome(plan), ledger=path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=r"line [12] is no score"):
        bs.load_ledger(path)


def test_a_ledger_that_cannot_be_written_or_read_says_so(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(BayescaleError, match="no folder"):
        bs.score_plan(plan, outcome(plan), ledger=tmp_path / "absent" / "ledger.jsonl")
    with pytest.raises(BayescaleError, match="cannot read"):
        bs.load_ledger(tmp_path)


def test_the_figure_draws_what_the_ledger_holds(plan: Plan) -> None:
    losses = [1.0, 2.0, 2.1, 2.3]
    scores = [s for loss in losses for s in bs.score_plan(plan, outcome(plan, loss))]
    numbers = ledger_numbers(scores)
    assert numbers["held"].to_numpy().tolist() == [s.lo90 <= s.loss <= s.hi90 for s in scores]
    np.testing.assert_allclose(numbers["loss"] * scores[0].median, losses)
    assert int(numbers["plans"]) == 1
    ecdf = (numbers["ecdf"] + numbers["at"]).to_numpy()
    assert ecdf[1] == np.mean([s.pit <= 0.25 for s in scores])
    texts = [t.get_text() for t in bs.plot.ledger(scores).texts]
    assert any("4 outcomes of 1 plan" in t and "plans" not in t for t in texts)
    with pytest.raises(PlanError, match="1 scored outcomes"):
        bs.plot.ledger(scores[:1])
