"""`suggest`: the shipped models in the order in which a table supports them, and the one to begin with."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.errors import DataError, ModelError
from bayescale.runs import Runs, load_runs
from bayescale.runs.describe import FEW_EPOCHS
from bayescale.spec import ModelSpec, resolve
from bayescale.wording import counted
from bayescale.zoo.facts import Facts, gather
from bayescale.zoo.files import load_model, load_populations, model_names
from bayescale.zoo.support import WITHOUT_EFFECT, Support, judge

_FEW_GROUPS = 4  # below, the spread over groups stays near its prior
_NO_FLOOR = "L_inf = 0"


@dataclass(frozen=True)
class Suggestion:
    """Which models a table supports; prints as text, `table` and `to_dict` give it as data.

    Attributes
    ----------
    name : str
        Of the table.
    source : str
        What to type for the table: its path or name, ``RUNS`` where it came as an object.
    models : tuple of Support
        Every shipped model, best first.
    recommended : str or None
        The first that is supported and has a floor; an experimental one only where no other is.
    notes : tuple of str
        What holds for all of them.
    """

    name: str
    source: str
    models: tuple[Support, ...]
    recommended: str | None
    notes: tuple[str, ...]

    @property
    def command(self) -> str | None:
        """What to type next; None if no model is recommended."""
        name = self.recommended
        return name and f"bayescale fit {self.source} --model {name} -o {name}.nc"

    def table(self) -> pd.DataFrame:
        """One row a model, best first."""
        rows = [asdict(m) for m in self.models]
        lists = ("at_prior", "assumed")
        return pd.DataFrame([{**r, **{k: ", ".join(r[k]) for k in lists}} for r in rows])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**asdict(self), "command": self.command}

    def __str__(self) -> str:
        lines = [f"{self.name}: which laws its design supports, best first"]
        for m in self.models:
            status = f" ({m.status})" if m.status == "experimental" else ""
            at_prior = f"; at the prior: {', '.join(m.at_prior)}" if m.at_prior else ""
            lines += [f"  {m.model}{status}: {m.verdict}{at_prior}", f"    {m.reason}"]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"recommended: {self.command or 'none, for the reasons above'}"])


def suggest(runs: Runs | str | Path) -> Suggestion:
    """Say which of the shipped models a table can support, and why, from its design alone.

    Nothing is sampled. Whether a supported law *holds* is for :func:`bayescale.backtest` to say.

    Parameters
    ----------
    runs : Runs, str or Path
        The table, or what :func:`bayescale.load_runs` takes.

    Returns
    -------
    Suggestion

    Raises
    ------
    DataError, UnknownNameError
        If the table cannot be read.
    """
    table = runs if isinstance(runs, Runs) else load_runs(runs)
    source = "RUNS" if isinstance(runs, Runs) else shlex.quote(os.fspath(runs))
    specs = [load_model(name) for name in model_names()]
    facts = gather(table, specs)
    judged = [judge(spec, facts, partial(_refusal, spec, table)) for spec in specs]
    bounded = {spec.name: spec.get_law().link.bounded for spec in specs}
    free = {spec.name: len(spec.parameters) for spec in specs}

    def rank(m: Support) -> tuple[object, ...]:
        # What is fixed by assumption is no better known than what stays at its prior.
        unseen = len(m.at_prior) + sum("=" in a for a in m.assumed)
        unfit = bounded[m.model] != (facts.metrics == {"error"})
        # What moves and is not read is worse than a law that no case has held out yet.
        unread = sum(a.endswith(WITHOUT_EFFECT) for a in m.assumed)
        order: tuple[object, ...] = (m.verdict == "not supported", unread)
        order = (*order, m.status == "experimental", _NO_FLOOR in m.assumed)
        return (*order, unseen, unfit, len(m.assumed), -free[m.model], m.model)

    models = tuple(sorted(judged, key=rank))
    fit_to_use = (m for m in models if m.verdict != "not supported" and _NO_FLOOR not in m.assumed)
    best = next(fit_to_use, None)
    recommended = None if best is None else best.model
    return Suggestion(table.name, source, models, recommended, tuple(_notes(facts, best)))


def _refusal(spec: ModelSpec, runs: Runs) -> str:
    """Why a fit of the model would be refused at once; empty if it would not."""
    try:
        resolve(spec, runs, load_populations())
    except (DataError, ModelError) as error:
        return str(error)
    return ""


def _notes(facts: Facts, best: Support | None) -> list[str]:
    architectures, tasks = len(facts.described.architectures), len(facts.described.tasks)
    sizes = {"architecture": architectures, "task": tasks}
    few = [counted(size, level) for level, size in sizes.items() if size < _FEW_GROUPS]
    said = []
    if few:
        said.append(
            f"with {' and '.join(few)} the spread that a new one is drawn from is the prior's"
        )
    if facts.described.sizes_apart:
        said.append(facts.described.sizes_apart)
    if best and facts.epochs > FEW_EPOCHS and best.model != "repeated-data":
        said.append(
            f"tokens are seen up to {facts.epochs:.4g} times: model='repeated-data' tells them from new ones, and a "
            "back-test of both says which holds"
        )
    if best and best.status == "experimental":
        said.append(f"{best.model} is experimental: plan refuses it unless allow_experimental=True")
    return said
