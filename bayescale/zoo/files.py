"""Finding and loading model files; TOML in, validated specifications out."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from bayescale.errors import ModelError, unknown
from bayescale.laws import Axis
from bayescale.spec import Level, ModelSpec, Populations

PRIORS_FILE = "priors.toml"


def _folder() -> Traversable:
    return resources.files("bayescale.models")


def model_names() -> list[str]:
    """Names of the shipped models, sorted."""
    files = (f.name for f in _folder().iterdir())
    return sorted(
        f.removesuffix(".toml") for f in files if f.endswith(".toml") and f != PRIORS_FILE
    )


def load_model(model: str | Path | ModelSpec, beside: Iterable[str] = ()) -> ModelSpec:
    """Load a model by name, from a path, or pass a specification through.

    Parameters
    ----------
    model : str, Path or ModelSpec
        A shipped name (``bayescale models``), or a TOML file (a string that ends in ``.toml`` or has a separator).
    beside : iterable of str
        What the caller takes besides models, to be named where there is no such model.

    Raises
    ------
    UnknownNameError, ModelError
        Unknown names come with the nearest one; an invalid file names its key and what was expected.
    """
    if isinstance(model, ModelSpec):
        return model
    if not isinstance(model, str | os.PathLike):
        raise ModelError(f"model = {model!r} (expected a name, a path or a ModelSpec)")
    text = os.fspath(model)
    if isinstance(model, Path) or text.endswith(".toml") or os.sep in text:
        path = Path(text)
        if not path.is_file():
            folder = " (it is a folder)" if path.is_dir() else ""
            raise ModelError(f"no model file {text!r}{folder}")
        return parse_model(_read(path, text), text)
    if text not in model_names():
        raise unknown("model", text, [*model_names(), *beside])
    return parse_model(_shipped(text), f"model {text!r}")


def parse_model(content: dict[str, Any], where: str) -> ModelSpec:
    """Validate the content of a model file, resolving one level of ``extends``."""
    content = dict(content)
    base_name = content.pop("extends", None)
    if base_name is not None:
        if base_name not in model_names():
            raise unknown("model", str(base_name), model_names(), f"{where}, extends")
        base = _shipped(base_name)
        if "extends" in base:
            raise ModelError(
                f"{where}: extends = {base_name!r}, which itself extends another model"
            )
        own = content.get("parameters", {})
        if not isinstance(own, dict):
            raise ModelError(f"{where}: parameters = {own!r} (expected a table)")
        base = {k: v for k, v in base.items() if k not in not_inherited(content, base)}
        parameters = {**base.get("parameters", {}), **own}
        # What the base says of a parameter is dropped by saying false: another coordinate takes its place.
        parameters = {name: said for name, said in parameters.items() if said is not False}
        content = {**base, **content, "parameters": parameters}
    try:
        return ModelSpec.model_validate(content)
    except ValidationError as error:
        raise ModelError(f"{where}: {_first_problems(error, content)}") from None


def not_inherited(own: dict[str, Any], base: dict[str, Any]) -> frozenset[str]:
    """What a file does not take over from its base: of another law, all that is said of its inputs and parameters."""
    other = own.get("law", base.get("law")) != base.get("law")
    return frozenset({"parameters", "drift", "effective"} if other else ())


def _first_problems(error: ValidationError, content: dict[str, Any]) -> str:
    # A key that is unknown is often why another is missing.
    found = error.errors()
    named = {problem["loc"][:-1] for problem in found if problem["loc"][-1:] == ("[key]",)}
    ordered = sorted(
        (problem for problem in found if problem["loc"] not in named),
        key=lambda problem: problem["type"] != "extra_forbidden",
    )
    return "; ".join(_explain(dict(problem), content) for problem in ordered[:5])


def _explain(problem: dict[str, Any], content: dict[str, Any]) -> str:
    place = ".".join(str(p) for p in problem["loc"])
    table = ".".join(str(p) for p in problem["loc"][:-1])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"])
        return str(unknown("key", str(problem["loc"][-1]), known, table))
    if problem["loc"][-1:] == ("[key]",):
        within = ".".join(map(str, problem["loc"][:-2]))
        kind, names = (
            ("axis", get_args(Axis)) if within == "drift.axes" else ("level", get_args(Level))
        )
        return str(unknown(kind, str(problem["loc"][-2]), names, within))
    if problem["type"] == "model_type":
        keys = ", ".join(_known_keys((*problem["loc"], "")))
        return f"{place} = {problem['input']!r} (expected a table with keys from: {keys})"
    message = str(problem["msg"]).removeprefix("Value error, ")
    # The value itself, where it is one and not a whole table that lacks something.
    said = f" = {problem['input']!r}" if isinstance(problem["input"], str | int | float) else ""
    return f"{place}{said}: {message}" if place else message


def _known_keys(loc: tuple[Any, ...]) -> Iterator[str]:
    from bayescale.spec import Drift, Likelihood, ParameterModel

    schema: Any = ModelSpec
    if loc[0] == "parameters" or (len(loc) == 3 and loc[0] in ("likelihood", "drift")):
        schema = ParameterModel
    elif len(loc) == 2:
        schema = {"likelihood": Likelihood, "drift": Drift}.get(loc[0], ModelSpec)
    yield from schema.model_fields
    if schema is ModelSpec:
        yield "extends"


def _read(path: Path | Traversable, name: str) -> dict[str, Any]:
    try:
        return parse_toml(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError as error:
        raise ModelError(f"{name}: not a TOML file: {error}") from None


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse the text of a model file, by its name in errors."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{name}: not a TOML file: {error}") from None


def shipped_text(name: str) -> str:
    """Read the text of a shipped model file."""
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


@cache
def _shipped(name: str) -> dict[str, Any]:
    return parse_toml(shipped_text(name), f"model {name!r}")


@cache
def load_populations() -> Populations:
    """The shipped prior populations, validated."""
    try:
        return Populations.model_validate(_read(_folder() / PRIORS_FILE, PRIORS_FILE))
    except ValidationError as error:
        raise ModelError(f"{PRIORS_FILE}: {_first_problems(error, {})}") from None
