"""The public sets of the back-test: how each is read, where it is cut, and which studies its priors must not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from sweeps import UNTRAINED, chinchilla, gadre, olmo, text

from bayescale.runs import Runs
from bayescale.spec import ModelSpec
from bayescale.workflow.folds import By
from bayescale.zoo import load_model

# The configuration, frozen before any set was scored: the defaults; beside them the same law without drift, that of
# Hoffmann et al. without drift, and what their authors and Besiroglu et al. do, a Huber fit of it with a bootstrap.
DEFAULT = "parameter-data"
MODELS = (DEFAULT, load_model(DEFAULT).exact(), "chinchilla", "huber-bootstrap")


@dataclass(frozen=True)
class Case:
    """One public set under the configuration.

    Attributes
    ----------
    read : callable
        Folder of the public sets → runs.
    by, cuts, exclude, models
        As in :func:`bayescale.backtest`.
    plain : tuple
        Models that are run as exact laws without offsets of budgets, by importance sampling, since chains take long.
    recount : bool
        Whether the runs stand in another case too, cut or counted otherwise: such a set is no evidence of its own.
    """

    read: Callable[[Path], Runs]
    by: By
    cuts: tuple[float, ...] | None
    exclude: tuple[str, ...]
    models: tuple[str | ModelSpec, ...] = MODELS
    plain: tuple[str | ModelSpec, ...] = ()
    recount: bool = False


# ------------------------------------------------------------------ Porian et al. 2024

# Training set, hyper-parameters, warm-up, decay, how N is counted, split: the settings of the table. Those below the
# nine are the same runs with N counted otherwise.
PORIAN = (
    ("refinedweb", "base", "long", "kaplan", "standard", "val"),
    ("refinedweb", "base", "short", "kaplan", "standard", "val"),
    ("refinedweb", "base", "short", "chinchilla", "standard", "val"),
    ("refinedweb", "tuned", "short", "const", "standard", "val"),
    ("refinedweb", "tuned", "long", "const", "kaplan", "train"),
    ("openwebtext2", "base", "long", "kaplan", "standard", "val"),
    ("openwebtext2", "base", "short", "kaplan", "standard", "val"),
    ("openwebtext2", "base", "short", "chinchilla", "standard", "val"),
    ("openwebtext2", "tuned", "short", "const", "standard", "val"),
)
RECOUNTED = (
    ("refinedweb", "base", "long", "kaplan", "kaplan", "train"),
    ("refinedweb", "base", "long", "kaplan", "attention", "train"),
    ("refinedweb", "base", "short", "kaplan", "attention", "train"),
    ("refinedweb", "base", "short", "chinchilla", "attention", "train"),
    ("refinedweb", "tuned", "short", "const", "attention", "train"),
    ("openwebtext2", "base", "long", "kaplan", "kaplan", "train"),
)
SETTING = ["dataset", "hparams", "warmup", "decay", "param_count", "split"]


def porian(folder: Path, setting: tuple[str, ...]) -> Runs:
    """One setting of Porian et al. 2024: losses read off at 11 or 12 budgets, which are the sweeps."""
    frame = pd.read_csv(folder / "porian_isoflop" / "data.csv")
    mine = (frame[SETTING] == list(setting)).all(axis=1)
    kept = frame[mine & (frame["tokens"] >= UNTRAINED * frame["params"])]
    sweep = kept["flops"].map("{:.3g}".format)
    count = "non-embedding" if setting[4] == "kaplan" else "total"
    return text(kept.assign(sweep=sweep), ["sweep"], count)


def largest_two(setting: tuple[str, ...]) -> float:
    """A compute between the third largest and the second largest budget; Kaplan's count ends at 1.28e19 FLOP."""
    return 0.9 * (6.4e18 if setting[4] == "kaplan" else 1.28e19)


def porian_cases() -> dict[str, Case]:
    """Every setting by itself."""
    cases = {}
    for setting in (*PORIAN, *RECOUNTED):
        read = partial(porian, setting=setting)
        cut = (largest_two(setting),)
        again = setting in RECOUNTED
        name = "porian " + " ".join(setting[:5])
        chains, plain = (MODELS[0], MODELS[3]), MODELS[1:3]
        cases[name] = Case(read, "compute", cut, ("porian",), chains, plain=plain, recount=again)
    return cases


# ------------------------------------------------------------------ the five runs that Gadre et al. fitted

FIVE = ("c4", "redpajama", "refinedweb")
RATIO, LONG = (
    20.0,
    320.0,
)  # tokens a parameter of four small runs, and of a fifth of the smallest size


def gadre_five(folder: Path, corpus: str) -> Runs:
    """The five small runs of one training set that the paper forecasts from, and its large ones, marked as held out."""
    frame = pd.read_csv(folder / "gadre_overtraining" / "data.csv").rename(
        columns={"loss_c4": "loss"}
    )
    frame = frame[frame["train_data"] == corpus]
    ratio, size = frame["tokens"] / frame["params"], frame["params"]
    fitted = ((ratio / RATIO - 1).abs() < 0.05) & (size < 1e9)
    fitted |= ((ratio / LONG - 1).abs() < 0.05) & (size == size.min())
    held = (size > 5e9) | ((size > 1e9) & (ratio > LONG))
    marked = frame.assign(held_out=held.astype(int))[fitted | held]
    return text(marked, ["held_out"])


def five_cases() -> dict[str, Case]:
    """Each training set by itself; these runs stand in the other cases too."""
    models = (DEFAULT, "over-training")
    return {
        f"gadre_five {corpus}": Case(
            partial(gadre_five, corpus=corpus), "held_out", None, ("gadre",), models, recount=True
        )
        for corpus in FIVE
    }


CASES: dict[str, Case] = {
    "chinchilla_fig4": Case(chinchilla, "compute", (1e20, 3e20, 1e21), ("chinchilla",)),
    "gadre_overtraining": Case(gadre, "params", (1e9, 5e9), ("gadre",)),
    # The two runs on RedPajama that the paper itself forecasts, and those of other training sets as large.
    "gadre_targets": Case(gadre, "compute", (3e21,), ("gadre",), recount=True),
    **five_cases(),
    "olmo_ladder": Case(olmo, "params", (1e9, 2e9), ("olmo",)),
    **porian_cases(),
}
