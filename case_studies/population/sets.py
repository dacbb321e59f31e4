"""The public sets behind the learned populations: how each is read, and by which model it is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from calibration.sets import PORIAN, porian
from curves.sets import DOMAINS, thin, whole
from sweeps import chinchilla, gadre, olmo, public_sets, steplaw

import bayescale as bs
from bayescale.runs import Runs

WIDE_DRIFT = "LogNormal(median=0.2, sigma=1.0)"


@dataclass(frozen=True)
class Source:
    """One set.

    Attributes
    ----------
    read : callable
        () → runs.
    model : str
        The shipped model that is fitted.
    uses : str
        The data set: what is left out of the priors of its fit, by the name in ``models/priors.toml``.
    """

    read: Callable[[], Runs]
    model: str
    uses: str


def pile() -> Runs:
    """The embedded table of six families on the Pile."""
    return bs.load_runs("pile-families")


def _curves(frame: pd.DataFrame, info: dict[str, dict[str, Any]]) -> Runs:
    """Curves against tokens, each thinned, every row a run of its own."""
    parts = [thin(part) for _, part in frame.groupby(["architecture", "task"])]
    table = pd.concat(parts, ignore_index=True)[["architecture", "task", "tokens", "loss"]]
    table["run_id"] = [f"row {i}" for i in range(len(table))]
    return bs.load_runs(table, task_info=info)


def routed() -> Runs:
    """Losses of the dense networks of Clark et al. 2022 on two corpora against tokens seen."""
    frame = pd.read_csv(public_sets() / "routed_moe" / "data.csv")
    dense = (frame["router"] == "dense") & (frame["flop_increase"] == 1) & (frame["step"] > 0)
    frame = frame[dense & frame["seed"].isin((1, 42))]
    long = frame.rename(columns={"model_size_label": "architecture"}).melt(
        ["architecture", "tokens"], ["loss_validation", "loss_c4"], "task", "loss"
    )
    info = {"metric": "nats/token", "corpus": "massivetext"}
    return _curves(long.dropna(), {"loss_validation": info, "loss_c4": info | {"corpus": "c4"}})


def overtrained() -> Runs:
    """Losses of four sizes on each training set of Gadre et al. 2024 against tokens, one run a row."""
    frame = pd.read_csv(public_sets() / "gadre_overtraining" / "data.csv")
    large = frame.groupby(["train_data", "params"])["tokens"].transform("size") >= 7
    label = frame["train_data"] + frame["params"].map(" {:.0e}".format)
    frame = frame.assign(architecture=label, task="loss", loss=frame["loss_c4"])[large]
    return _curves(frame, {"loss": {"metric": "nats/token", "corpus": "c4"}})


def _sweeps(read: Callable[[Path], Runs]) -> Callable[[], Runs]:
    return lambda: read(public_sets())


# Name of the study in models/priors.toml → its table. Of Porian et al. a tuned recipe on one corpus, and an untuned one
# on the other.
SOURCES: dict[str, Source] = {
    "chinchilla-refit": Source(_sweeps(chinchilla), "parameter-data", "chinchilla"),
    "gadre-2024-c4": Source(_sweeps(gadre), "parameter-data", "gadre"),
    "olmo-ladder": Source(_sweeps(olmo), "parameter-data", "olmo"),
    "pile-families-refit": Source(pile, "parameter-data", "pile-families"),
    "porian-refinedweb-tuned-refit": Source(
        _sweeps(partial(porian, setting=PORIAN[3])), "parameter-data", "porian"
    ),
    "porian-openwebtext2-base-refit": Source(
        _sweeps(partial(porian, setting=PORIAN[7])), "parameter-data", "porian"
    ),
    "steplaw-refit": Source(_sweeps(steplaw), "parameter-data", "steplaw"),
    "images-refit": Source(partial(whole, DOMAINS["IC"]), "saturating", "alabdulmohsin-images"),
    "translation-refit": Source(partial(whole, DOMAINS["NMT"]), "data", "alabdulmohsin-language"),
    "language-models-refit": Source(
        partial(whole, DOMAINS["LM"]), "data", "alabdulmohsin-language"
    ),
    "big-bench-refit": Source(
        partial(whole, DOMAINS["BB"]), "saturating", "alabdulmohsin-language"
    ),
    "dense-curves-refit": Source(routed, "data", "clark"),
    "overtrained-refit": Source(overtrained, "data", "gadre"),
}


def curves_of(runs: Runs) -> int:
    """Number of curves in a table: architectures on tasks."""
    return int(runs.table.groupby(["architecture", "task"], observed=True).ngroups)
