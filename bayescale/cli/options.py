"""Options that several commands share, and how their values are read: 70B, 1.4T, `name=value`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bayescale.cli.counts import Whole
from bayescale.errors import (
    BayescaleError,
    ConvergenceError,
    DataError,
    ForecastError,
    unknown,
)

# No default to show in a help page: a flag is off and a repeated option empty until given.
Flag = Annotated[bool, Parameter(show_default=False)]
Several = Annotated[tuple[str, ...], Parameter(show_default=False)]

if TYPE_CHECKING:
    from bayescale.posterior import Fit, Group, Posterior
    from bayescale.runs import Runs


@Parameter(name="*")
@dataclass(frozen=True)
class Loading:
    """How a table is read.

    Parameters
    ----------
    column
        NAME=HEADER, where a header is not recognised: params='size (M)'; NAME= where one is
        taken for what it is not. May be repeated.
    task
        LABEL=HEADER of a loss in a wide table: c4=eval/c4/loss. May be repeated.
    task_info
        LABEL.FIELD=VALUE: c4.metric=bits/byte, hellaswag.upper=0.75; the label * means every task. May be repeated.
    unflagged
        Leave out the rows that carry a flag.
    compute_source
        Which compute to use; auto takes the table's own where it has one.
    param_count
        Which count N is.
    checkpoints
        Which steps of a run to keep.
    tokens_per_byte
        Turns data given in bytes into tokens.
    drop_blank
        Leave out the rows in which N, D, C or the loss is empty.
    """

    column: Several = ()
    task: Several = ()
    task_info: Several = ()
    unflagged: Flag = False
    compute_source: Literal["auto", "reported", "6ND"] = "auto"
    param_count: Literal["total", "non-embedding", "active"] | None = None
    checkpoints: Literal["last", "all"] = "last"
    tokens_per_byte: float | None = None
    drop_blank: Flag = False

    def load(self, source: str) -> Runs:
        """Read a file, or a published set by name."""
        from bayescale.runs import load_runs

        runs = load_runs(
            source,
            columns=pairs("--column", self.column, "params='size (M)'", empty=True) or None,
            tasks=pairs("--task", self.task, "c4=eval/c4/loss") or None,
            task_info=_task_info(self.task_info) or None,
            compute=self.compute_source,
            param_count=self.param_count,
            checkpoints=self.checkpoints,
            tokens_per_byte=self.tokens_per_byte,
            drop_blank=self.drop_blank,
        )
        return runs.where(unflagged=True) if self.unflagged else runs


@Parameter(name="*")
@dataclass(frozen=True)
class Structure:
    """What of a model is used.

    Parameters
    ----------
    exclude
        Study whose evidence must not enter the priors. May be repeated.
    no_pool
        One independent curve per architecture and task.
    no_drift
        Take the law as exact: no drift of the local exponents.
    no_sweep
        Give the runs of one sweep no offset of their own.
    """

    exclude: Several = ()
    no_pool: Flag = False
    no_drift: Flag = False
    no_sweep: Flag = False

    def settings(self) -> dict[str, Any]:
        """Arguments of the package's own functions."""
        return {
            "exclude": self.exclude,
            "pool": not self.no_pool,
            "drift": not self.no_drift,
            "sweep": not self.no_sweep,
        }


@Parameter(name="*")
@dataclass(frozen=True)
class Sampling(Structure):
    """What is fitted, and for how long it is sampled.

    Parameters
    ----------
    no_run_effect
        Leave out the offset that the rows of one run share.
    correlation
        Let residuals of checkpoints of one run be correlated, or not, instead of what the model says.
    noise
        Family of the noise, instead of the model's.
    draws
        Iterations kept per chain, at the first attempt; twice, then four times as many where it misses the gate.
    tune
        Iterations spent on adaptation per chain, likewise.
    chains
        Number of chains; as many more join them where they agree and are only too short.
    seed
        Of the sampler; each further attempt takes another.
    engine
        nuts, or quick: importance sampling at the mode, which falls back to nuts where it does not hold, and says so.
    """

    no_run_effect: Flag = False
    correlation: Annotated[
        bool | None, Parameter(negative="--no-correlation", show_default=False)
    ] = None
    noise: Literal["student-t", "normal", "one-sided", "binomial"] | None = None
    draws: Whole = 1000
    tune: Whole = 1000
    chains: Whole = 4
    seed: Whole = 0
    engine: Literal["nuts", "quick"] = "nuts"

    def settings(self) -> dict[str, Any]:
        """Arguments of the package's own functions; refuses a seed that no generator takes."""
        check_seed(self.seed)
        return {
            **super().settings(),
            "run_effect": not self.no_run_effect,
            "correlation": self.correlation,
            "noise": self.noise,
            "draws": self.draws,
            "tune": self.tune,
            "chains": self.chains,
            "seed": self.seed,
            "engine": self.engine,
        }


def _task_info(texts: Iterable[str]) -> dict[str, dict[str, object]]:
    example = "c4.metric=bits/byte"
    out: dict[str, dict[str, object]] = {}
    for name, text in pairs("--task-info", texts, example).items():
        label, dot, field = name.rpartition(".")
        if not dot:
            raise BayescaleError(
                f"--task-info {name}={text}: expected LABEL.FIELD=VALUE, e.g. {example}"
            )
        out.setdefault(label, {})[field] = _value(text)
    return out


def _value(text: str) -> object:
    """A number or a truth value where the text is one."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def pairs(option: str, texts: Iterable[str], example: str, empty: bool = False) -> dict[str, str]:
    """Read the values of a repeated ``NAME=VALUE`` option; `empty` allows an empty value."""
    out: dict[str, str] = {}
    for text in texts:
        name, found, value = (part.strip() for part in text.partition("="))
        if not (name and found and (value or empty)):
            raise BayescaleError(f"{option} {text!r}: expected NAME=VALUE, e.g. {option} {example}")
        if name in out:
            raise BayescaleError(f"{option}: {name!r} is given twice")
        out[name] = value
    return out


def quantity(option: str, text: str, kind: str, tokens_per_byte: float | None = None) -> float:
    """Read 70B, 1.4T or 1e24 from an option."""
    from bayescale.runs import parse_quantity

    try:
        return parse_quantity(text, kind, tokens_per_byte)
    except DataError as error:
        raise BayescaleError(f"{option}: {error}; expected a number such as 70B or 1e24") from None


def quantities(
    option: str, texts: Iterable[str], kind: str, tokens_per_byte: float | None = None
) -> list[float] | None:
    """Read a repeated option; None if it was not given."""
    return [quantity(option, text, kind, tokens_per_byte) for text in texts] or None


def check_seed(seed: int) -> None:
    """Refuse a seed that no generator takes."""
    if seed < 0:
        raise BayescaleError(f"--seed {seed} (expected 0 or more)")


def open_fit(path: Path, allow_unconverged: bool = False) -> Fit:
    """Load a fit that passed the gate, or any if the user allows it."""
    from bayescale.posterior import load_fit

    fit = load_fit(path)
    if not (fit.convergence.passed or allow_unconverged):
        said = fit.convergence
        raise ConvergenceError(f"{path} {said}; {said.advice}", said.to_dict())
    return fit


def open_posterior(path: Path, allow_unconverged: bool = False) -> Posterior:
    """Load a fit as :func:`open_fit`, or, from a file that ends in .json, a stack or a chain of them."""
    if path.suffix.lower() != ".json":
        return open_fit(path, allow_unconverged)
    from bayescale.posterior import load_chain, load_stack

    opened = load_chain(path) if _is_chain(path) else load_stack(path)
    opened.require_converged(allow_unconverged)
    return opened


def _is_chain(path: Path) -> bool:
    """Whether a JSON file says that it is a chain; what cannot be read is for the reader to say."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == "bayescale-chain"


def choose_architectures(fit: Posterior, known: Iterable[str], new: Iterable[str]) -> list[Group]:
    """Groups that ``--architecture`` and ``--new-architecture`` name; the only one if none is named."""
    from bayescale.posterior import New

    labels, known = fit.labels("architecture"), list(known)
    for name in known:
        if name not in labels:
            hint = f"the fit; for one not fitted: --new-architecture {name!r}"
            raise unknown("architecture", name, labels, hint)
    chosen: list[Group] = [*known, *(New(label) for label in new)]
    if not chosen and len(labels) > 1:
        raise ForecastError(
            f"several architectures were fitted; name one: --architecture "
            f"{' | '.join(labels)}, or --new-architecture LABEL"
        )
    return chosen or [labels[0]]


def choose_task(fit: Posterior, name: str | None) -> str:
    """The task that ``--task`` names; the only one if none is named."""
    labels = fit.labels("task")
    if name is None and len(labels) > 1:
        raise ForecastError(f"several tasks were fitted; name one: --task {' | '.join(labels)}")
    if name is not None and name not in labels:
        raise unknown("task", name, labels, "the fit")
    return labels[0] if name is None else name
