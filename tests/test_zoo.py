"""The model zoo: shipped files, user files, one level of inheritance, and copies that overwrite nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from helpers import make_runs

from bayescale.errors import BayescaleError, ModelError, UnknownNameError
from bayescale.spec import resolve
from bayescale.zoo import copy_model, load_model, load_populations, model_names
from bayescale.zoo.files import shipped_text

SHIPPED = [
    "broken",
    "chinchilla",
    "compute",
    "compute-power",
    "coverage",
    "data",
    "data-power",
    "general-saturating",
    "kaplan",
    "levelling",
    "over-training",
    "parameter",
    "parameter-data",
    "parameter-power",
    "repeated-data",
    "routed",
    "saturating",
    "shifted-compute",
    "skaling",
]

MINE = """
extends = "parameter-data"
name = "mine"
title = "Mine"

[parameters.gamma]
fixed = 0.5
"""


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_promised_models_ship() -> None:
    assert set(model_names()) >= set(SHIPPED)
    assert "priors" not in model_names()


@pytest.mark.parametrize("name", model_names())
def test_shipped_models_load_and_name_known_populations(name: str) -> None:
    spec = load_model(name)
    assert spec.name == name
    assert spec.title
    assert load_model(spec) is spec
    populations = load_populations()
    entries = [*spec.parameters.values(), spec.likelihood.sigma]
    if spec.likelihood.nu_minus_2 is not None:
        entries.append(spec.likelihood.nu_minus_2)
    for entry in entries:
        for text in (entry.prior, *entry.pool.values()):
            if text is not None:
                assert populations.find(text, "web", name).prior.family


def test_chinchilla_and_kaplan_are_settings_of_the_joint_law() -> None:
    chinchilla, kaplan = load_model("chinchilla"), load_model("kaplan")
    assert chinchilla.law == kaplan.law == load_model("parameter-data").law
    assert chinchilla.parameters["gamma"].fixed == 1.0
    assert kaplan.parameters["gamma"].equals == "delta"
    assert kaplan.parameters["L_inf"].fixed == 0.0
    skaling, over = load_model("skaling"), load_model("over-training")
    assert skaling.law == over.law == chinchilla.law
    assert skaling.parameters["gamma"].prior == "gamma_outer"
    assert (over.parameters["a"].fixed, over.parameters["gamma"].fixed) == (0.5, 1.0)


def test_a_file_of_another_law_takes_over_the_noise_and_nothing_of_its_inputs() -> None:
    base, power = load_model("compute"), load_model("parameter-power")
    assert power.likelihood == base.likelihood
    assert set(power.parameters) == {"R0", "beta", "L_inf"}
    assert power.drift is not None
    assert list(power.drift.axes) == ["params"]
    # Of the same law it takes over what it does not state.
    assert load_model("shifted-compute").parameters["R0"] == base.parameters["R0"]


def test_unknown_model_proposes_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'chinchilla'"):
        load_model("chinchila")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_user_file_extends_a_shipped_model(tmp_path: Path, as_text: bool) -> None:
    path = written(tmp_path, MINE)
    spec = load_model(str(path) if as_text else path)
    base = load_model("parameter-data")
    assert (spec.name, spec.title, spec.area) == ("mine", "Mine", base.area)
    assert spec.parameters["gamma"].fixed == 0.5
    assert spec.parameters["alpha"] == base.parameters["alpha"]
    assert spec.likelihood == base.likelihood
    assert resolve(spec, make_runs(), load_populations()).parameters["gamma"].fixed == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "chinchilla"', "itself extends another model"),
        ('extends = "chinchila"', "extends; did you mean 'chinchilla'"),
        ("extends = 3", "unknown model '3'"),
        (MINE + "\n[parameters.gama]\nfixed = 1.0\n", "did you mean 'gamma'"),
        (MINE.replace("fixed", "fixd"), "unknown key 'fixd'.*did you mean 'fixed'"),
        (MINE.replace("title", "titel"), "unknown key 'titel'.*did you mean 'title'"),
        (MINE.replace('title = "Mine"', 'law = "parametr-data"'), "did you mean 'parameter-data'"),
        (
            MINE.replace("fixed = 0.5", 'fixed = "half"'),
            "parameters.gamma.fixed = 'half': .*number",
        ),
        ("name = 'x'", "title: Field required"),
        (MINE.replace("extends", "extnds"), "toml: unknown key 'extnds'; did you mean 'extends'"),
        (
            MINE + "\npool = { architectur = 0.1 }\n",
            "unknown level 'architectur' in parameters.gamma.pool; did you mean 'architecture'",
        ),
        ("name = ", "not a TOML file"),
        ("extends = 'parameter-data'\nparameters = 3", "parameters = 3 .expected a table"),
    ],
)
def test_bad_files_say_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises((ModelError, UnknownNameError), match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ModelError, match="not a TOML file"):
        load_model(tmp_path / "binary.toml")
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path / "absent.toml")
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path)


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = written(tmp_path, MINE.replace("title", "titel"), "odd name.toml")
    with pytest.raises(ModelError, match=r"odd name\.toml"):
        load_model(path)


@pytest.mark.parametrize("name", model_names())
def test_copies_are_whole_and_load(tmp_path: Path, name: str) -> None:
    path = copy_model(name, tmp_path / "my copy.toml")
    text, copied = path.read_text(encoding="utf-8"), load_model(path)
    assert copied.name == "my copy"
    assert copied.model_copy(update={"name": name}).hash == load_model(name).hash
    assert "extends" not in tomllib.loads(text)
    # What a file says of itself and of its tables goes with it.
    assert set(_comments(shipped_text(name))) <= set(_comments(text))


def test_a_copy_keeps_the_comments_of_what_it_inherits(tmp_path: Path) -> None:
    text = copy_model("chinchilla", tmp_path / "mine.toml").read_text(encoding="utf-8")
    inherited, replaced = "# Checkpoints of one run share an offset", "# A law is a local truth"
    assert inherited in text
    assert replaced in shipped_text("parameter-data")
    assert replaced not in text
    mine = written(tmp_path, text.replace("fixed = 1.0", "fixed = 0.7"), "edited.toml")
    assert load_model(mine).parameters["gamma"].fixed == 0.7


def _comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def test_copy_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert copy_model("compute") == Path("compute.toml")
    Path("compute.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(ModelError, match="exists already"):
        copy_model("compute")
    assert Path("compute.toml").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UnknownNameError, match="did you mean 'compute'"):
        copy_model("compte")
    with pytest.raises(BayescaleError, match="cannot write"):
        copy_model("compute", tmp_path / "absent" / "x.toml")
