"""What a user installs is whole: wheel and source archive, each in a fresh environment.

Needs ``uv`` and a package index. Dependencies come through uv's cache, so that a second
environment costs links, not downloads.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "bayescale",
    "case_studies",
    "models",
    "pyproject.toml",
    "requirements.lock",
    "tests",
}
NOT_SHIPPED = re.compile(r"(^|/)(tests?|case_studies|benchmarks|\.ci)(/|$)")

# Run inside the fresh environment: every model file loads through the installed package.
LOAD_MODELS = """
import bayescale
from bayescale.zoo import load_model, load_populations, model_names
load_populations()
for name in model_names():
    load_model(name)
print(len(model_names()), bayescale.__version__, bayescale.__file__)
"""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def model_files() -> set[str]:
    return {path.name for path in (ROOT / "models").glob("*.toml")}


@pytest.fixture(scope="module")
def uv() -> str:
    """The uv that runs these tests, or the one on the path."""
    found = os.environ.get("UV") or shutil.which("uv")
    if not found:
        pytest.fail("packaging tests need uv: python3 -m pip install uv")
    return found


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, away from the source tree's own settings."""
    env = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} exits {done.returncode}:\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(uv: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel, built from the source archive, and that archive."""
    out = tmp_path_factory.mktemp("dist")
    # A copy of what git would hand out: a build leaves files beside the sources.
    tree = tmp_path_factory.mktemp("source") / "bayescale"
    for name in tracked():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    run(uv, "build", "--no-config", "--out-dir", out, tree, cwd=out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


def tracked() -> list[str]:
    """Files that git knows or would add, relative to the top."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return [name for name in listed.split("\0") if name]


def contents(archive: Path) -> set[str]:
    """Names of the files in a wheel or, below its one folder, in a source archive."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        return {m.name.split("/", 1)[1] for m in sdist.getmembers() if m.isfile()}


@pytest.mark.packaging
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installs_and_loads_every_model(
    kind: str, uv: str, dist: dict[str, Path], tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    run(uv, "venv", "--no-config", "--python", project_python(), venv, cwd=tmp_path)
    python = venv / "bin" / "python"
    run(uv, "pip", "install", "--no-config", "--python", python, dist[kind], cwd=tmp_path)

    assert run(venv / "bin" / "bayescale", "models", cwd=tmp_path).strip()
    count, version, file = run(python, "-c", LOAD_MODELS, cwd=tmp_path).split(maxsplit=2)
    assert int(count) > 0
    assert version == project()["project"]["version"]
    assert Path(file.strip()).is_relative_to(venv)
    installed = Path(file.strip()).parent
    assert (installed / "py.typed").is_file()
    assert {path.name for path in (installed / "models").iterdir()} >= model_files()


def project_python() -> str:
    return (ROOT / ".python-version").read_text(encoding="utf-8").strip()


@pytest.mark.packaging
def test_wheel_holds_the_package_and_nothing_else(dist: dict[str, Path]) -> None:
    names = contents(dist["wheel"])
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"bayescale"}
    assert [name for name in names if NOT_SHIPPED.search(name)] == []
    assert "bayescale/py.typed" in names
    assert {f"bayescale/models/{name}" for name in model_files()} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    sources = {name for name in tracked() if re.match(r"bayescale/.*\.(py|csv|toml)$", name)}
    assert sources - names == set(), "files of the package that the wheel lacks"


@pytest.mark.packaging
def test_source_archive_can_be_built_from(dist: dict[str, Path]) -> None:
    names = contents(dist["sdist"])
    assert {f"models/{name}" for name in model_files()} <= names
    assert {"LICENSE", "README.md", "pyproject.toml", "bayescale/py.typed"} <= names
    # setuptools adds tests/test*.py to every source archive; nothing else of ours may come along.
    assert [n for n in names if NOT_SHIPPED.search(n) and not n.startswith("tests/test_")] == []


def test_top_level_holds_what_it_should() -> None:
    top = {name.split("/")[0] for name in tracked()}
    assert {name for name in top - TOP if not name.startswith(".")} == set()


def test_git_ignores_nothing_of_the_package() -> None:
    known = set(tracked())
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "bayescale").rglob("*.py")}
    assert sources - known == set()


def test_every_sub_package_is_listed() -> None:
    folders = {path.parent for path in (ROOT / "bayescale").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    listed = set(project()["tool"]["setuptools"]["packages"])
    assert listed == found | {"bayescale.models"}


# --- requirements.lock ---------------------------------------------------------------------------

LOCK_COMMAND = ["pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.12"]
LOCK_COMMAND += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
LOCK_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
LOCK_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)? \\$")


def locked(path: Path = ROOT / "requirements.lock") -> dict[str, list[str]]:
    """Canonical name -> versions pinned, from a file that may hold pins and hashes only."""
    pins: dict[str, list[str]] = {}
    hashes = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        pin = LOCK_PIN.match(line)
        if pin:
            assert hashes or not pins, f"no hash above {line!r}"
            pins.setdefault(canonicalize_name(pin["name"]), []).append(pin["version"])
            hashes = 0
        else:
            assert LOCK_HASH.match(line), (
                f"requirements.lock holds a line of another kind: {line!r}"
            )
            hashes += 1
    assert hashes, "no hash for the last pin"
    return pins


def test_lock_pins_every_dependency_within_its_range() -> None:
    pins = locked()
    for text in project()["project"]["dependencies"]:
        wanted = Requirement(text)
        versions = pins.get(canonicalize_name(wanted.name))
        assert versions, f"requirements.lock lacks {wanted.name}: regenerate it (see README)"
        assert all(wanted.specifier.contains(v) for v in versions), (
            f"requirements.lock has {wanted.name} {versions}, pyproject.toml wants {text}"
        )


def test_lock_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"://|https?|index|find-links|@", text) == []


@pytest.mark.packaging
def test_lock_is_what_its_command_makes(uv: str, tmp_path: Path) -> None:
    copy = tmp_path / "requirements.lock"
    shutil.copy2(ROOT / "requirements.lock", copy)
    before = locked(copy)
    # Pins already in the output file are kept while they still fit: a new release changes nothing.
    run(uv, *LOCK_COMMAND, "--quiet", "--no-config", "--output-file", copy, cwd=ROOT)
    assert locked(copy) == before


@pytest.mark.packaging
def test_lock_installs(uv: str, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(uv, "venv", "--no-config", "--python", project_python(), venv, cwd=tmp_path)
    install = [uv, "pip", "install", "--no-config", "--python", venv, "--dry-run"]
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=tmp_path)
