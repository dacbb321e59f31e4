"""The public tables that are replayed: how each is read, and which of its runs cost the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.predict import FLOP_PER_PARAM_TOKEN
from bayescale.runs import Runs

# Runs whose 6·N·D agree within this factor cost the same; so many distinct N make a choice.
SAME_COST, CHOICES = 1.2, 3


@dataclass(frozen=True)
class Case:
    """One table.

    ``read`` gives its runs; the ``held_out`` costliest sets of one cost are decided on, from runs that cost at most
    ``below`` of them; ``exclude`` are the studies whose evidence leaves the priors; ``drift`` and ``sizes`` (how many
    runs a decision has seen) are what is fitted; ``subsets`` is how often these are drawn.
    """

    read: Callable[[], pd.DataFrame]
    exclude: tuple[str, ...]
    drift: bool
    sizes: tuple[int, ...]
    subsets: int
    held_out: int = 4
    below: float = 0.1


def public(name: str) -> pd.DataFrame:
    """A public set."""
    return pd.read_csv(Path(os.environ["BAYESCALE_DATA"]) / name / "data.csv")


def chinchilla() -> pd.DataFrame:
    """240 runs of Hoffmann et al. 2022, figure 4, digitised."""
    return columns(public("chinchilla_fig4").sort_values("loss").iloc[:-5])


def gadre(corpus: str) -> pd.DataFrame:
    """Runs of Gadre et al. 2024 on one corpus, C4 validation loss."""
    frame = public("gadre_overtraining").rename(columns={"loss_c4": "loss"})
    return columns(frame[frame["train_data"] == corpus])


def olmo() -> pd.DataFrame:
    """30 runs of the OLMo ladder, C4 validation loss."""
    named = {"N": "params", "D": "tokens", "loss_c4_en": "loss"}
    return columns(public("olmo_ladder").rename(columns=named))


def porian(corpus: str) -> pd.DataFrame:
    """Tuned isoFLOP sweeps of Porian et al. 2024 on one corpus, validation loss, standard count of N."""
    frame = public("porian_isoflop")
    kept = (frame["dataset"] == corpus) & (frame["hparams"] == "tuned")
    kept &= (frame["param_count"] == "standard") & (frame["split"] == "val")
    return columns(frame[kept])


def columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Only what a user would give, and the cost, as 6·N·D."""
    kept = frame[["params", "tokens", "loss"]].astype(float).reset_index(drop=True)
    return kept.assign(compute=FLOP_PER_PARAM_TOKEN * kept["params"] * kept["tokens"])


CASES = {
    "chinchilla": Case(chinchilla, ("chinchilla",), True, (12,), 5),
    "chinchilla, exact law": Case(chinchilla, ("chinchilla",), False, (12, 36), 10),
    "porian refinedweb": Case(lambda: porian("refinedweb"), ("porian",), False, (12,), 5),
    "porian openwebtext2": Case(lambda: porian("openwebtext2"), ("porian",), False, (12,), 5),
    # Too few runs lie a decade below: a third of the cost it is.
    **{
        f"gadre {corpus}": Case(
            lambda corpus=corpus: gadre(corpus), ("gadre",), False, (12,), 6, 3, 1 / 3
        )
        for corpus in ("c4", "redpajama", "refinedweb")
    },
}


def same_cost(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Sets of runs of one cost, cheapest first: in each third of a decade the window that holds the most distinct N."""
    third = np.floor(3 * np.log10(table["compute"]) + 0.5)
    found = []
    for _, rows in table.groupby(third):
        windows = [
            rows[(rows["compute"] >= low) & (rows["compute"] <= SAME_COST * low)]
            for low in rows["compute"]
        ]
        most = max(windows, key=lambda w: (w["params"].nunique(), -w["compute"].min()))
        if most["params"].nunique() >= CHOICES:
            found.append(most)
    return found


def as_runs(rows: pd.DataFrame) -> Runs:
    """A table of losses in nats a token, as a user would give it."""
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(rows[["params", "tokens", "loss"]], task_info=info, param_count="total")
