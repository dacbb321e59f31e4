"""`bayescale models` and `bayescale data`: what comes with the package, and what a table holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayescale.cli.deciding import Drawing
from bayescale.cli.options import Flag, Loading
from bayescale.cli.output import emit_json, notes, say, say_written, table, working
from bayescale.cli.wording import for_the_shell
from bayescale.errors import ModelError

if TYPE_CHECKING:
    from bayescale.baselines import Baseline
    from bayescale.spec import ModelSpec, ParameterModel, Populations

_CORPORA: tuple[Literal["web", "text", "other"], ...] = ("web", "text", "other")


def list_models(*, json: Flag = False) -> None:
    """List the models that come with the package, by area, and the baselines that back-tests score beside them.

    Parameters
    ----------
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.baselines import BASELINES
    from bayescale.zoo import load_model, model_names

    specs = sorted((load_model(name) for name in model_names()), key=lambda s: (s.area, s.name))
    if json:
        shown = ("name", "area", "title", "law", "status")
        models = [{key: getattr(spec, key) for key in shown} for spec in specs]
        emit_json({"models": models, "baselines": [_described(b) for b in BASELINES.values()]})
        return
    table(
        ["area", "model", "status", "title"], [[s.area, s.name, s.status, s.title] for s in specs]
    )
    say("\nbaselines, for bayescale backtest only:\n")
    table(["baseline", "title"], [[b.name, b.title] for b in BASELINES.values()])


def show_model(
    name: str,
    /,
    *,
    drawing: Drawing = Drawing(),
    json: Flag = False,
) -> None:
    """Show a model: its equation, its parameters with their priors, its pooling.

    Parameters
    ----------
    name
        A model or baseline that comes with the package, or a TOML file.
    drawing
        Whether its prior is drawn too: what it expects of a new family.
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.baselines import BASELINES
    from bayescale.cli.equation import readable
    from bayescale.zoo import load_model, load_populations

    drawing.check()
    if name in BASELINES:
        if drawing.plot is not None:
            raise ModelError(f"{name} is a baseline and has no prior to draw: leave --plot out")
        _show_baseline(BASELINES[name], json)
        return
    spec = load_model(name, BASELINES)
    with working("drawing"):
        written = drawing.save("prior", spec)
    law, rows = spec.get_law(), _parameters(spec, load_populations())
    if json:
        emit_json(
            {
                **spec.model_dump(exclude={"parameters", "likelihood"}),
                "equation": readable(law.latex),
                "latex": law.latex,
                "source": law.source,
                "reads": [*law.inputs, *(g.name for g in law.given)],
                "likelihood": spec.likelihood.family,
                "parameters": rows,
                "hash": spec.hash,
                "written": written,
            }
        )
        return
    say(f"{spec.name}: {spec.title} ({spec.area}, {spec.status})")
    for equation in law.equations:
        say(f"  {readable(equation)}")
    say(f"  from {law.source}")
    for given in law.given:
        lacking = f"without it, {given.said}" if given.said else "every run must state it"
        say(f"  reads {given.name} besides {' and '.join(law.inputs)}; {lacking}")
    say(f"  {spec.likelihood.family} noise of the log loss, {_drifting(spec)}\n")
    cells = [cell for row in rows for cell in _cells(row)]
    table(["parameter", "prior", "tasks", "unit", "pooled over, scale of τ"], cells)
    for row in rows:
        say(f"\n{row['name']}: {row['text']}")
        for prior in row["priors"]:
            say(f"  {prior['basis']}")
            if prior["studies"]:
                say(f"  studies: {', '.join(prior['studies'])}")
    if spec.notes:
        say("")
        notes([spec.notes])
    say_written(written)


def copy_model_file(name: str, target: Path | None = None, /, *, json: Flag = False) -> None:
    """Copy a model for editing, as one whole file; an existing file is never overwritten.

    Parameters
    ----------
    name
        A model that comes with the package.
    target
        File to write, which gives the model its name; NAME.toml in the current folder by default.
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.zoo import copy_model

    written = copy_model(name, target)
    if json:
        emit_json({"written": written})
        return
    say(f"written: {written}; use it with bayescale fit RUNS --model {written}")


def list_data(*, json: Flag = False) -> None:
    """List the published data sets that are known by name.

    Parameters
    ----------
    json
        Print one JSON document and nothing else on standard output.
    """
    from bayescale.runs import list_datasets

    sets = list_datasets()
    if json:
        emit_json({"datasets": [{**s.to_dict(), "embedded": s.embedded} for s in sets]})
        return
    rows = [[s.name, str(s.rows), "yes" if s.embedded else "fetched", s.title] for s in sets]
    table(["data set", "rows", "embedded", "title"], rows)


def show_data(
    source: str,
    /,
    *,
    loading: Loading = Loading(),
    json: Flag = False,
) -> None:
    """Describe a table of runs: what was read, and which exponents its design can reach.

    Parameters
    ----------
    source
        A file, or the name of a published set.
    loading
        How the table is read.
    json
        Print one JSON document and nothing else on standard output.
    """
    with working("reading the table"):
        described = loading.load(source).describe()
    if json:
        emit_json(described.to_dict())
        return
    say(for_the_shell(str(described)))


def _described(baseline: Baseline) -> dict[str, str]:
    return {k: getattr(baseline, k) for k in ("name", "title", "equation", "source")}


def _drifting(spec: ModelSpec) -> str:
    axes = spec.drift.walking if spec.drift else ()
    if not axes:
        return "the law is exact (no drift)"
    return f"local exponents drift along {' and '.join(axes)}"


def _show_baseline(baseline: Baseline, json: bool) -> None:
    if json:
        emit_json(_described(baseline))
        return
    say(f"{baseline.name}: {baseline.title} (baseline, for bayescale backtest only)")
    say(f"  {baseline.equation}")
    say(f"  from {baseline.source}")


def _parameters(spec: ModelSpec, populations: Populations) -> list[dict[str, Any]]:
    law = spec.get_law()
    stated = {**spec.parameters, **spec.scales}
    if spec.likelihood.nu_minus_2 is not None:
        stated["nu_minus_2"] = spec.likelihood.nu_minus_2
    text = {n: p.text for n, p in law.parameters.items()}
    text |= {
        "sigma": "scale of the noise",
        "inefficiency": "scale of what untuned runs lose, above the frontier, on the log loss",
        "run_effect": "scale of the offset that the rows of one run share, on the log loss",
        "correlation_length": "over which residuals of one run's checkpoints are forgotten, in e-folds of steps",
        "sweep": "scale of the offset that the runs of one sweep share, on the log loss",
        "drift": "amplitude of the walk of the local exponent, per root nat",
        "nu_minus_2": "degrees of freedom of the noise, less 2",
    }
    return [
        {
            "name": name,
            "text": text.get(name, ""),
            "fixed": entry.fixed,
            "equals": entry.equals,
            "priors": _priors(entry, populations, f"model {spec.name!r}, {name}"),
            "pool": _pool(entry, populations, f"model {spec.name!r}, {name}"),
        }
        for name, entry in stated.items()
    ]


def _priors(entry: ParameterModel, populations: Populations, where: str) -> list[dict[str, Any]]:
    """The populations behind a prior; several where it depends on what the task's text is."""
    if entry.prior is None:
        return []
    by_value: dict[str, dict[str, Any]] = {}
    for corpus in _CORPORA:
        found = populations.find(entry.prior, corpus, where)
        row = by_value.setdefault(
            f"{found.value} {found.unit}",
            {
                "corpora": [],
                "prior": found.value,
                "unit": found.unit,
                "studies": sorted(found.studies),
                "basis": found.basis,
            },
        )
        row["corpora"].append(corpus)
    return list(by_value.values())


def _pool(entry: ParameterModel, populations: Populations, where: str) -> dict[str, float]:
    """Level → s of τ ~ HalfNormal(s)."""
    return {
        level: populations.find(text, "other", where).prior["sigma"]
        for level, text in entry.pool.items()
    }


def _cells(row: dict[str, Any]) -> list[list[str]]:
    pooled = ", ".join(f"{level} {scale:g}" for level, scale in row["pool"].items()) or "–"
    if row["fixed"] is not None:
        return [[row["name"], f"fixed at {row['fixed']:g}", "", "", pooled]]
    if row["equals"] is not None:
        return [[row["name"], f"equal to {row['equals']}", "", "", pooled]]
    cells = []
    for i, prior in enumerate(row["priors"]):
        everywhere = len(prior["corpora"]) == len(_CORPORA)
        unit = "" if prior["unit"] == "1" else prior["unit"]
        cells.append(
            [
                row["name"] if i == 0 else "",
                prior["prior"],
                "" if everywhere else ", ".join(prior["corpora"]),
                unit,
                pooled if i == 0 else "",
            ]
        )
    return cells
