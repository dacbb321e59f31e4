"""Options of the commands that decide: whose curve, with what leave, and whether a figure is drawn too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from bayescale.cli.new_files import check_figure
from bayescale.cli.options import (
    Flag,
    Several,
    choose_architectures,
    choose_task,
    open_posterior,
    pairs,
    quantity,
)
from bayescale.errors import PlanError
from bayescale.given import get_given

if TYPE_CHECKING:
    from bayescale.posterior import Posterior


@Parameter(name="*")
@dataclass(frozen=True)
class Subject:
    """Whose curve a decision rests on, and what it may rest on besides.

    Parameters
    ----------
    architecture
        A fitted one.
    new_architecture
        A label for one that was not fitted.
    task
        Needed where several were fitted.
    allow_unconverged
        Use a fit that missed the convergence gate.
    allow_experimental
        Use a model whose status is experimental.
    """

    architecture: str | None = None
    new_architecture: str | None = None
    task: str | None = None
    allow_unconverged: Flag = False
    allow_experimental: Flag = False

    def open(self, path: Path) -> tuple[Posterior, dict[str, Any]]:
        """The fit or stack of a file, and the arguments that :mod:`bayescale.decide` takes of this."""
        if self.architecture is not None and self.new_architecture is not None:
            raise PlanError(
                "a budget is for one group: --architecture or --new-architecture, not both"
            )
        fitted = open_posterior(path, self.allow_unconverged)
        known, new = (
            [] if name is None else [name] for name in (self.architecture, self.new_architecture)
        )
        (group,) = choose_architectures(fitted, known, new)
        return fitted, {
            "architecture": group,
            "task": choose_task(fitted, self.task),
            "allow_unconverged": self.allow_unconverged,
            "allow_experimental": self.allow_experimental,
        }


@Parameter(name="*")
@dataclass(frozen=True)
class Further:
    """What some laws read besides N and D.

    Parameters
    ----------
    unique_tokens
        All the tokens there are, e.g. 100B, or a distribution, for a model of repeated data.
    experts
        Experts of a routed layer, for a model of routed networks.
    given
        Another input that the model reads, NAME=VALUE (bayescale models show). Repeated.
    """

    unique_tokens: str | None = None
    experts: str | None = None
    given: Several = ()

    def stated(self) -> dict[str, str]:
        """Those that were stated, by name, as text."""
        named = {"unique_tokens": self.unique_tokens, "experts": self.experts}
        own = {name: text for name, text in named.items() if text is not None}
        for name, text in pairs("--given", self.given, "experts=64").items():
            get_given(name, "--given")
            if name in own:
                raise PlanError(f"--given {name} is stated by --{name.replace('_', '-')} already")
            own[name] = text
        return own

    def inputs(self) -> dict[str, Any]:
        """Those that were stated, as the arguments that :mod:`bayescale.decide` takes; distributions as text."""
        return {
            name: text if "(" in text else quantity(name.replace("_", " "), text, name)
            for name, text in self.stated().items()
        }


@Parameter(name="*")
@dataclass(frozen=True)
class Drawing:
    """Whether what was found is drawn too.

    Parameters
    ----------
    plot
        Also draw what was found, as figure.pdf and figure.png.
    force
        Replace files that exist.
    """

    plot: Path | None = None
    force: Flag = False

    def check(self, *others: Path | None) -> None:
        """Refuse, before any work is done, a figure that cannot be written, or is another file of the command."""
        check_figure(self.plot, self.force, *others)

    def save(self, kind: str, *numbers: Any) -> list[Path]:
        """Draw with a function of :mod:`bayescale.plots`, if a figure is asked for; the files written."""
        if self.plot is None:
            return []
        from bayescale import plots

        return plots.save(getattr(plots, kind)(*numbers), self.plot)
