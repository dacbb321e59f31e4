"""Every command on a small saved fit: what it prints, that `--json` parses, and that nothing is overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import make_fit, make_runs

from bayescale.cli import run
from bayescale.cli.equation import readable
from bayescale.decide import extrapolation
from bayescale.laws import LAWS
from bayescale.posterior import New, load_fit
from bayescale.predict import EXACT_LAW, predict
from bayescale.runs import list_datasets
from bayescale.zoo import load_model, model_names

Call = Callable[..., str]
COMMANDS = [
    ("demo",),
    ("models",),
    ("models", "show"),
    ("models", "copy"),
    ("data",),
    ("data", "show"),
    ("suggest",),
    ("fit",),
    ("check",),
    ("sbc",),
    ("backtest",),
    ("compare",),
    ("predict",),
    ("plan",),
    ("design",),
    ("score",),
    ("monitor",),
    ("select",),
    ("stopping",),
    ("pareto",),
    ("lifetime",),
    ("tuning",),
    ("cheapest",),
    ("cost",),
    ("hardware",),
    ("plot",),
]


COST = ("cost", "--params", "70B", "--tokens", "1.4T", "--hardware", "H100-SXM")


def test_cost_prints_every_unit(call: Call) -> None:
    words = (
        *COST,
        "--mfu",
        "Beta(alpha=16, beta=24)",
        "--price",
        "LogNormal(median=2.7, sigma=0.35)",
    )
    said = call(*words, "--accelerators", "1024")
    for unit in ("FLOP", "accelerator-hours", "days on 1024", "$", "kWh", "kgCO2e"):
        assert f" {unit} " in said
    made = json.loads(call(*words, "--json"))
    assert made["training"]["flop"]["median"] == pytest.approx(6 * 70e9 * 1.4e12)
    # The price's median over the MFU's; the sd of a median's log is about 1.25·.4/√4000.
    by_hand = 2.7 * 6 * 70e9 * 1.4e12 / (0.398 * 989.4e12 * 3600)
    assert made["training"]["money"]["median"] == pytest.approx(by_hand, rel=0.035)
    assert made["training"]["money"]["lo90"] < by_hand < made["training"]["money"]["hi90"]


def test_cost_of_serving_is_added(call: Call) -> None:
    served = ("--served-tokens", "2T", "--serving-mfu", ".1", "--json")
    made = json.loads(call(*COST, "--mfu", ".4", *served))
    parts = [made[part]["money"]["median"] for part in ("training", "serving", "total")]
    assert parts[0] + parts[1] == pytest.approx(parts[2])


def test_hardware_lists_the_table_with_sources(call: Call) -> None:
    rows = {row["name"]: row for row in json.loads(call("hardware", "--json"))["hardware"]}
    assert rows["H100-SXM"]["peak"]["bf16"] == 989.4e12
    assert all(row["source"] for row in rows.values())
    said = call("hardware")
    assert all(name in said for name in rows)


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of the compute law to one architecture on one task."""
    fit = make_fit("compute", make_runs(), draws=200)
    return fit.save(tmp_path_factory.mktemp("fits") / "lone.nc")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command that must succeed silently on standard error; gives what it printed."""

    def do(*words: object) -> str:
        code = run([str(w) for w in words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return do


def as_json(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_json(command: tuple[str, ...], call: Call) -> None:
    said = call(*command, "--help")
    assert "--json" in said
    assert "[default: ]" not in said
    assert "Usage: bayescale" in said


def test_version_is_the_packages(call: Call) -> None:
    import bayescale

    assert call("--version").strip() == bayescale.__version__


def test_models_lists_each_by_area(call: Call) -> None:
    said = call("models")
    listed = as_json(call("models", "--json"))["models"]
    assert sorted(m["name"] for m in listed) == model_names()
    assert [m["area"] for m in listed] == sorted(m["area"] for m in listed)
    assert all(name in said for name in model_names())


@pytest.mark.parametrize("name", model_names())
def test_show_model_says_all_of_it(name: str, call: Call) -> None:
    said, data = call("models", "show", name), as_json(call("models", "show", name, "--json"))
    spec = load_model(name)
    stated = {p["name"]: p for p in data["parameters"]}
    assert set(spec.parameters) < set(stated)
    assert all(equation in said for equation in data["equation"].split(",  "))
    for key, parameter in stated.items():
        assert re.search(rf"^{key}: \S", said, re.MULTILINE), f"{key} is not explained"
        for prior in parameter["priors"]:
            assert prior["prior"] in said
            assert all(study in said for study in prior["studies"])
    assert {k: set(v["pool"]) for k, v in stated.items() if k in spec.parameters} == {
        k: set(v.pool) for k, v in spec.parameters.items()
    }


def test_show_model_draws_its_prior(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "prior"
    data = as_json(call("models", "show", "saturating", "--plot", target, "--json"))
    assert [Path(f).name for f in data["written"]] == ["prior.pdf", "prior.png"]
    assert all(Path(f).exists() for f in data["written"])
    with pytest.raises(AssertionError, match="--force"):  # what `call` says of a command that fails
        call("models", "show", "saturating", "--plot", target)
    with pytest.raises(AssertionError, match="1 != 0"):
        call("models", "show", "m1", "--plot", tmp_path / "other")


def test_show_model_tells_priors_apart_by_kind_of_text(call: Call) -> None:
    data = as_json(call("models", "show", "parameter-data", "--json"))
    floor = next(p for p in data["parameters"] if p["name"] == "L_inf")
    assert [p["corpora"] for p in floor["priors"]] == [["web"], ["text"], ["other"]]
    assert floor["priors"][2]["unit"] == "lowest loss"


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_equations_are_readable_in_a_terminal(law: Any) -> None:
    assert not re.search(r"[\\{}]", readable(law.latex))


def test_equation_of_the_joint_law() -> None:
    expected = "L = L∞ + [(A N^−β)^(1/γ) + (B D^−δ)^(1/γ)]^γ"
    assert readable(LAWS["parameter-data"].latex) == expected


def test_copied_model_is_loaded_and_never_replaced(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call("models", "copy", "compute")
    assert load_model("compute.toml") == load_model("compute")
    mine = tmp_path / "mine.toml"
    assert as_json(call("models", "copy", "compute", mine, "--json")) == {"written": str(mine)}
    mine.write_text("# edited")
    assert run(["models", "copy", "compute", str(mine)]) == 1
    assert mine.read_text() == "# edited"


def test_data_lists_and_describes(call: Call) -> None:
    listed = as_json(call("data", "--json"))["datasets"]
    assert [d["name"] for d in listed] == [d.name for d in list_datasets()]
    assert "pile-families" in call("data")
    described = as_json(call("data", "show", "pile-families", "--json"))
    assert described["rows"] == 30
    assert "--unflagged" in call("data", "show", "pile-families")
    assert as_json(call("data", "show", "pile-families", "--unflagged", "--json"))["rows"] == 29


def test_loading_options_reach_the_table(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "wide.csv"
    table.write_text(
        "size,D,eval/c4/loss,acc\n" + "".join(f"{n},{20 * n}B,{3 - n / 10},.5\n" for n in (1, 2, 4))
    )
    options = ("--column", "params=size (B)", "--task", "c4=eval/c4/loss", "--task", "quiz=acc")
    info = ("--task-info", "c4.metric=bits/byte", "--task-info", "quiz.metric=accuracy")
    described = as_json(call("data", "show", table, *options, *info, "--json"))
    assert described["design"]["ranges"]["N"] == pytest.approx([1e9, 4e9])
    assert described["tasks"]["c4"].startswith("bits/byte")
    assert described["loss_range"]["quiz"] == pytest.approx([0.5, 0.5])


def test_check_prints_verdict_and_summary(call: Call, saved: Path) -> None:
    said, data = call("check", saved), as_json(call("check", saved, "--json"))
    assert "converged: R̂" in said
    assert EXACT_LAW in said
    assert data["convergence"]["passed"] is True
    groups = {r["group"] for r in data["summary"]["parameters"]}
    assert groups == {"population", *load_fit(saved).model.groups["architecture"]}
    assert EXACT_LAW in data["summary"]["notes"]
    assert "Convergence of what was sampled" in said
    sampled = {r["variable"]: r for r in data["summary"]["diagnostics"]}
    assert sampled["alpha"]["rhat"] == 1.002
    assert {"R0", "L_inf", "sigma", "tau_architecture"} <= set(sampled)


def test_check_says_what_data_and_prior_did(call: Call, lone: Path, tmp_path: Path) -> None:
    figure = tmp_path / "check.pdf"
    data = as_json(call("check", lone, "--at", "compute=1e24", "--plot", figure, "--json"))
    assert set(data["contraction"]) >= {"R0", "alpha", "L_inf", "sigma"}
    # The posterior of this fit is its prior: nothing contracts, but for Monte-Carlo error of 400 and 4,000 draws, of
    # which a variance ratio has a standard deviation of √(2/400 + 2/4000) = .074 for normal draws.
    assert abs(data["contraction"]["alpha"]) < 4 * 0.074
    assert len(data["predictive"]["rows"]) == data["rows"] == 9
    assert data["sensitivity"]["target"] == {"compute": 1e24}
    named = {r["component"] for r in data["sensitivity"]["components"]}
    assert named == {"R0", "alpha", "L_inf", "sigma", "nu", "likelihood"}
    assert all(Path(p).stat().st_size > 0 for p in data["figure"])
    said = call("check", lone)
    assert "prior to posterior" in said
    assert "priors that the forecast hangs on" in said


def test_check_follows_the_curves_beyond_the_data(call: Call, saved: Path) -> None:
    words = ("check", saved, "--architecture", "Pythia", "--at", "compute=1e24", "--extrapolation")
    said, data = call(*words), as_json(call(*words, "--json"))
    expected = extrapolation(load_fit(saved), architecture="Pythia")
    assert [r["decades"] for r in data["extrapolation"]["rows"]] == [1.0, 2.0, 3.0]
    assert [r["width90"] for r in data["extrapolation"]["rows"]] == list(expected.table["width90"])
    assert "every P must be 0" in said
    assert "P(below floor)" in said
    named = {r["parameter"] for r in data["summary"]["parameters"]}
    assert named >= {"beta_target", "delta_target", "alpha_target"}


def test_predict_is_the_packages_own(call: Call, saved: Path) -> None:
    options = ("--architecture", "Pythia", "--new-architecture", "mamba-3")
    text = call("predict", saved, "--params", "70B", "--tokens", "1.4T", *options)
    data = as_json(call("predict", saved, "--params=70e9", "--tokens=1.4e12", *options, "--json"))
    expected = predict(
        load_fit(saved), params=70e9, tokens=1.4e12, architecture=["Pythia", New("mamba-3")]
    )
    assert EXACT_LAW in text
    assert EXACT_LAW in data["notes"]
    assert [r["architecture"] for r in data["forecasts"]] == ["Pythia", "new: mamba-3"]
    assert [r["hi90"] for r in data["forecasts"]] == pytest.approx(expected.table()["hi90"])
    assert f"{data['forecasts'][1]['median']:.4g}" in text


def test_predict_reads_points_as_people_write_them(call: Call, saved: Path, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("N,D (T),who\n70B,1.4,a\n7e9,2T,b\n")
    data = as_json(call("predict", saved, "--at", points, "--architecture", "Pythia", "--json"))
    assert [r["params"] for r in data["forecasts"]] == [70e9, 7e9]
    assert [r["tokens"] for r in data["forecasts"]] == pytest.approx([1.4e12, 2e12])
    assert any("who" in note for note in data["notes"])
    assert any("a unit of its own in 1 of 2 cells" in note for note in data["notes"])


def test_predict_repeated_options_are_points(call: Call, lone: Path) -> None:
    data = as_json(call("predict", lone, "--compute", "1e24", "--compute", "1e25", "--json"))
    assert [r["compute"] for r in data["forecasts"]] == [1e24, 1e25]


def test_predict_kinds_differ_by_the_noise(call: Call, lone: Path) -> None:
    words = ("predict", lone, "--compute", "1e24", "--json", "--kind")
    run_, law = (as_json(call(*words, k))["forecasts"][0] for k in ("run", "law"))
    assert run_["hi90"] != law["hi90"]


def test_plan_prints_and_writes_the_same(call: Call, saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    words = ("plan", saved, "--compute", "1e24", "--architecture", "Pythia", "--target-loss", "2")
    risks = ("--risk", "expectation", "--risk", "cvar:0.1")
    data = as_json(call(*words, *risks, "-o", target, "--json"))
    assert as_json(target.read_text(encoding="utf-8")) == data
    assert [r["risk"] for r in data["recommendations"]] == ["expectation", "cvar:0.1"]
    said = call(*words, *risks)
    assert all(caveat in said for caveat in data["caveats"])
    assert EXACT_LAW in data["caveats"]


def test_plan_takes_a_problem_from_a_file(call: Call, saved: Path, tmp_path: Path) -> None:
    problem = tmp_path / "plan.toml"
    problem.write_text(
        'architecture = "Pythia"\nrisk = ["cvar:0.1"]\ntarget_loss = 2\n[budget]\ncompute = 1e24\n'
    )
    options = ("--compute", "1e24", "--architecture", "Pythia", "--target-loss", "2")
    by_options = as_json(call("plan", saved, *options, "--risk", "cvar:0.1", "--json"))
    assert as_json(call("plan", saved, problem, "--json")) == by_options


def test_plan_takes_money(call: Call, saved: Path) -> None:
    money = ("--dollars", "5M", "--price-per-hour", "2.7", "--mfu", ".4", "--hardware", "H100-SXM")
    data = as_json(call("plan", saved, *money, "--new-architecture", "mamba-3", "--json"))
    assert data["problem"]["compute"] == pytest.approx(2.64e24, rel=2e-3)
    assert data["problem"]["dollars"] == 5e6
    assert data["problem"]["architecture"] == "new: mamba-3"


def test_cheapest_says_draws_and_prices(call: Call, saved: Path, tmp_path: Path) -> None:
    words = ("cheapest", saved, "--target-loss", "2.2", "--probability", "0.5")
    group = ("--architecture", "Pythia", "--plot", tmp_path / "risk.pdf")
    price = ("--price-per-hour", "2.7", "--mfu", ".4", "--hardware", "H100-SXM")
    data = as_json(call(*words, *group, *price, "--json"))
    assert data["dollars"] > 0
    assert data["compute_lo"] <= data["compute"]
    assert data["p_hit"] >= 0.5
    assert (tmp_path / "risk.pdf").read_bytes().startswith(b"%PDF")
    said = call(*words, "--architecture", "Pythia")
    assert f"{data['compute']:.3g} FLOP" in said
    assert all(caveat in said for caveat in data["caveats"])


@pytest.mark.parametrize("kind", ["posterior", "curve", "frontier"])
def test_plot_writes_both_files(
    kind: str, call: Call, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = ("--compute", "1e24", "--architecture", "Pythia") if kind == "frontier" else ()
    words = ("plot", saved, kind, "-o", tmp_path / "figure.pdf", "--width", "column", *budget)
    written = as_json(call(*words, "--json"))["written"]
    assert [Path(p).name for p in written] == ["figure.pdf", "figure.png"]
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert run([str(w) for w in words]) == 1, "an existing figure was replaced"
    assert "--force" in capsys.readouterr().err
    call(*words, "--force")


def test_select_says_draws_and_writes(call: Call, saved: Path, tmp_path: Path) -> None:
    words = ("select", saved, "--compute", "1e23", "--among", "Pythia", "--among", "GPT-J")
    figure = tmp_path / "groups.pdf"
    data = as_json(call(*words, "--new", "mamba-3", "--plot", figure, "--json"))
    assert sum(data["table"]["p_best"]["values"]) == pytest.approx(1.0)
    assert data["table"]["group"]["values"] == ["Pythia", "GPT-J", "new: mamba-3"]
    assert figure.read_bytes().startswith(b"%PDF")
    said = call(*words)
    assert "P(best)" in said
    assert "Pythia − GPT-J" in said


PRICES = ("--price-per-hour", "2.7", "--mfu", ".4", "--hardware", "H100-SXM")


@pytest.mark.parametrize(
    "value",
    [
        ("--per-nat", "1e8"),
        ("--worth", "5e6", "--target-loss", "2.3"),
        ("--worth", "1e8", "--accuracy", "chance=.25,best=.9,midpoint=2.2,slope=5"),
    ],
    ids=["nat", "target", "accuracy"],
)
def test_stopping_takes_each_value(call: Call, saved: Path, tmp_path: Path, value: Any) -> None:
    words = ("stopping", saved, *value, *PRICES, "--architecture", "Pythia")
    data = as_json(call(*words, "--plot", tmp_path / "stop.pdf", "--json"))
    assert data["problem"]["low"] <= data["compute"] <= data["problem"]["high"]
    assert (tmp_path / "stop.pdf").read_bytes().startswith(b"%PDF")
    assert "Stopping budget" in call(*words)


def test_pareto_lists_what_is_not_beaten(call: Call, saved: Path, tmp_path: Path) -> None:
    ends = ("--low", "1e22", "--high", "1e24", "--architecture", "Pythia")
    words = ("pareto", saved, *ends, "--hardware", "H100-SXM", "--hardware", "A100-SXM")
    words = (*words, "--mfu", ".4")
    figure = tmp_path / "pareto.pdf"
    data = as_json(call(*words, "--plot", figure, "--json"))
    assert any(data["actions"]["efficient"])
    assert not all(data["actions"]["efficient"])
    assert data["fleets"] == ["H100-SXM", "A100-SXM"]
    assert figure.read_bytes().startswith(b"%PDF")
    assert "not beaten" in call(*words)
